"""The demo's workload on AgentNet itself: everything that it is to show comes out of the framework's own parts."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import agentnet
import pytest

from agentnet_otel.demo import framework
from agentnet_otel.outputs.turn_rows import turn_row
from agentnet_otel.sources.rebuild import rebuild


def demo(folder, turns, seed=1):
    """Run a demo in a process of its own; its JSON, the report, and the turns."""
    tree = Path(agentnet.__file__).parent.parent
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "AGENTNET_"))}
    arguments = [
        "-m",
        "agentnet_otel",
        "demo",
        "--source",
        "agentnet",
        "--turns",
        turns,
        "--seed",
        seed,
        "--out",
        folder,
        "--json",
    ]
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env=environment | {"PYTHONPATH": str(tree)},
        cwd=folder.parent,
    )
    assert (done.returncode, done.stderr) == (0, "")
    rows = [turn_row(turn) for turn in rebuild([folder / "spans.jsonl"]).turns]
    return json.loads(done.stdout), json.loads((folder / "report.json").read_text()), rows


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A demo with every trouble in it."""
    return demo(tmp_path_factory.mktemp("demo") / "out", 50)


def test_the_turns_asked_for(ran):
    """Exactly as many, of four agents, in sessions of rounds and outside of any."""
    told, report, rows = ran
    assert (told["source"], told["turns"], len(rows)) == ("agentnet", 50, 50)
    assert {row["agent"] for row in report["agents"]} == {"planner", "researcher", "critic", "writer"}
    assert report["executive_summary"]["sessions"] == 4
    assert sum(row["session"] is None for row in rows) == 2


def test_each_trouble_is_seen_as_what_it_is(ran):
    """An engine error, a refusal of a monitor, a time-out, a failing tool, broken rules."""
    _, report, _ = ran
    summary = report["executive_summary"]
    assert summary["outcomes"] == {"success": 47, "error": 1, "fault": 1, "timeout": 1}
    assert set(summary["error_types"]) == {"EngineError", "CognitiveFault", "timeout"}
    assert [(row["tool"], row["failures"]) for row in report["tools"]] == [("search", 3)]
    assert {(row["rule"], row["severity"]) for row in report["policy_violations"]} == {
        ("no-unreviewed-release", "major"),
        ("no-contradiction", "severe"),
    }


def test_each_part_of_the_framework_takes_part(ran):
    """Memory, tools, monitors, policy, style, provider and stream are components or figures of the report."""
    _, report, rows = ran
    assert {row["component"] for row in report["components"]} >= {
        "inference",
        "tool_execution",
        "memory_access",
        "policy_check",
        "response_processing",
        "orchestration",
    }
    assert {row["model"] for row in report["models"]} == {"m-large", "m-small"}
    assert report["time_to_first_token"]["turns"] >= 10
    assert report["latency"]["peak_concurrency"] >= 4
    assert next(row["p95_ms"] for row in report["agents"] if row["agent"] == "critic") > 2000
    assert report["data_quality"]["calls_outside_turns"] == 0
    answered = [row for row in rows if row["outcome"] == "success"]
    assert all(row["input_tokens"] and row["output_tokens"] and row["cost_usd"] for row in answered)


def test_the_same_seed_gives_the_same_workload(ran, tmp_path):
    """What does not depend on the clock is the same run after run."""
    keys = ("agent", "models", "outcome", "input_tokens", "output_tokens", "cost_usd", "tools", "policy_violations")

    def workload(rows):
        return sorted(json.dumps([row[key] for key in keys] + sorted(row["components"])) for row in rows)

    again = demo(tmp_path / "out", 50)
    assert workload(again[2]) == workload(ran[2])


@pytest.mark.parametrize("turns", [1, 6])
def test_small_numbers_are_met(tmp_path, turns):
    """Also fewer turns than a session or a round has."""
    told, _, rows = demo(tmp_path / "out", turns)
    assert (told["turns"], len(rows)) == (turns, turns)


def test_the_framework_is_there():
    """Where it can be imported there is no problem; where not, the reason is told."""
    assert framework.framework_problem() is None


def test_a_broken_framework_is_told(monkeypatch):
    """Whatever its import raises is the reason."""

    def fail(name):
        message = "half of it is missing"
        raise SyntaxError(message)

    monkeypatch.setattr(importlib, "import_module", fail)
    assert framework.framework_problem() == "SyntaxError: half of it is missing"
