"""The benchmark scripts run, and print the ratios that are kept in results.json."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SCRIPTS = {path.stem.removeprefix("bench_"): path for path in sorted(BENCHMARKS.glob("bench_*.py"))}
SIZES = {
    "write": ("--turns=20", "--rounds=2"),
    "read": ("--turns=40", "--rounds=2"),
    "accuracy": ("--turns=50",),
    "memory": ("--spans=2000", "--report_turns=200"),
    "command": ("--spans=2000", "--rounds=2"),
    "dialects": ("--spans=40", "--rounds=1"),
    "follow": ("--turns=200", "--rounds=2"),
    "scrape": ("--metrics=10", "--rounds=2"),
    "serve": ("--seconds=2", "--clients=1"),
}
"""Small, so that a run takes seconds; the ratios are then only there, not true."""


def results():
    """The ratios that were kept."""
    return json.loads((BENCHMARKS / "results.json").read_text())


def ratios_of(name):
    """What a script prints in a small run."""
    command = [sys.executable, "-W", "error", SCRIPTS[name], *SIZES[name]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.findall(rf"^{name}\.(\w+) = ([\d.]+|not measured: .+)$", done.stdout, re.MULTILINE)
    return {ratio: None if value.startswith("not") else float(value) for ratio, value in found}


def test_each_script_is_run_here_and_has_results():
    """A new script gets a size here and its ratios kept; results of a script that is gone do not stay."""
    assert SCRIPTS
    assert set(SIZES) == set(SCRIPTS) == set(results())


@pytest.mark.parametrize("name", sorted(SIZES))
def test_a_script_prints_the_ratios_that_are_kept(name):
    """The names in results.json are those that the script prints, and every ratio is a positive number or 0."""
    found = ratios_of(name)
    assert set(found) == set(results()[name])
    assert all(ratio is None or ratio >= 0 for ratio in found.values())


def test_accuracy_depends_on_nothing_but_the_code():
    """Turns, failures and tokens are told exactly, and the kept figures of the wrapper say that it does not."""
    found = ratios_of("accuracy")
    exact = {name: ratio for name, ratio in found.items() if name.endswith(("_by_turns", "_by_metrics"))}
    assert len(exact) == 6
    assert set(exact.values()) == {1.0}
    assert found["failed_turns_by_wrapper"] < 1 < found["turns_by_wrapper"]
    assert results()["accuracy"]["failed_turns_by_wrapper"] < 0.5
