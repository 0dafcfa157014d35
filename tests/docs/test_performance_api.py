"""The page on the performance API, and the examples: each name is there, each test exists, each example runs."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
SAID = {
    "basic_benchmark.py": ["Success rate: 100.0% of 10", "Tokens per turn: 112", "Warning: 10 operations are too few"],
    "latency_analysis.py": ["turn-1 of planner: response of 200 characters", "inference is most of it: True"],
    "token_optimization.py": ["9150 tokens, efficiency", "high_redundancy: ", "context_bloat: ", "Expected saving: "],
    "performance_report.py": [f"{name}: .{ending}, written" for name, ending in
                              (("json", "json"), ("markdown", "md"), ("html", "html"), ("csv", "csv"))],
    "benchmark_timeout.py": ["timed out; fewer iterations", "measured until then: True"],
    "limits.py": ["thrifty: $0.001 per turn, passed", "costly: $0.200 per turn, failed"],
    "team_benchmark.py": ["6 of 6 discussions, 18 turns"],
    "component_breakdown.py": ["largest: inference", "'inference': 3", "above 5 ms: 3"],
    "token_costs.py": ["m-house: $0.0040, 500 tokens/s, 0.667", "2 turns, 2000 tokens"],
    "regression_check.py": ["regressed: ['turn_latency']"],
    "compare_workloads.py": ["single_turn: 5 turns in 5", "multi_turn: 15 turns in 5", "concurrent_agents: 10 turns"],
}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_an_example_runs_and_says_what_it_shows(name, tmp_path):
    """As a script of its own, warnings being errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for text in SAID[name]:
        assert text in done.stdout


def test_every_example_is_run_and_listed():
    """No file is forgotten, here and on the page of examples."""
    found = {path.name for path in EXAMPLES.glob("*.py")} - {"agents.py"}
    assert found == set(SAID)
    assert set(re.findall(r"\]\((\w+\.py)\)", (EXAMPLES / "README.md").read_text())) == found


def page():
    """The page's text."""
    return (ROOT / "docs" / "performance-api.md").read_text()


def test_every_name_of_the_page_is_there():
    """Names stand in their modules, methods and attributes in their classes."""
    package = importlib.import_module("agentnet_otel.performance")
    for names, module, _ in re.findall(r"^\| (`.+`) \| (`\w+`|the package) \| ([DHours, ]+) \|$", page(), re.MULTILINE):
        home = (
            package if module == "the package" else importlib.import_module(f"{package.__name__}.{module.strip('`')}")
        )
        for name in re.findall(r"`(\w+)`", names):
            assert hasattr(home, name), name
    for owner, cells in re.findall(r"^\| `(\w+)` \| (.+) \|$", page(), re.MULTILINE):
        if hasattr(package, owner) and "`, `" in cells:
            for name in re.findall(r"`(\w+)`", cells):
                assert hasattr(getattr(package, owner), name) or hasattr(getattr(package, owner)(), name), name


def test_every_test_of_the_page_exists():
    """What is said to be right is tested."""
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", page())
    assert len(named) > 20
    assert not [name for name in named if f"def {name}(" not in tests]
