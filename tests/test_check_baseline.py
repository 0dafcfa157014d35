"""`check --save-baseline` and `check --baseline`: what they print, and their exit codes."""

import io
import json
import random

import pytest

from agentnet_otel import cli, semconv
from agentnet_otel.core.observations import Observation
from agentnet_otel.core.regression import compare
from agentnet_otel.outputs import console
from agentnet_otel.performance.baseline import Baseline
from agentnet_otel.testing import EPOCH_NS, NANOS_PER_MS


def attribute(key, value):
    """An attribute of text, or of a number."""
    kind = {str: "stringValue", float: "doubleValue"}[type(value)]
    return {"key": key, "value": {kind: value}}


@pytest.fixture
def spans(tmp_path):
    """Writes a file of turns, and gives its path."""

    def write(name, *, n=50, slow=1.0, failing=0):
        draw = random.Random(name)
        lines = []
        for place in range(n):
            outcome = "error" if place < failing else "success"
            span = {
                "traceId": format(place + 1, "032x"),
                "spanId": format(place + 1, "016x"),
                "name": "invoke_agent planner",
                "startTimeUnixNano": str(EPOCH_NS),
                "endTimeUnixNano": str(EPOCH_NS + round(800 * slow * draw.lognormvariate(0, 0.2) * NANOS_PER_MS)),
                "attributes": [
                    attribute(semconv.OPERATION_NAME, semconv.OP_INVOKE_AGENT),
                    attribute(semconv.AGENT_NAME, "planner"),
                    attribute(semconv.TURN_OUTCOME, outcome),
                ],
            }
            scope = {"scope": {"name": semconv.SCOPE_NAME, "version": "0.1.0"}, "spans": [span]}
            lines.append(json.dumps({"resourceSpans": [{"scopeSpans": [scope]}]}))
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def baseline(tmp_path, spans, capsys):
    """The path of a saved baseline of 50 good turns."""
    path = tmp_path / "baseline.json"
    assert cli.run(["check", spans("before"), "--save-baseline", str(path)]) == 0
    assert f"a baseline of 50 turns is in {path}" in capsys.readouterr().err
    return str(path)


def test_the_same_again_is_fine(baseline, spans, capsys):
    """Exit 0, with the table of what was compared and the remark that the environment is not known."""
    assert cli.run(["check", spans("again"), "--baseline", baseline]) == 0
    printed = capsys.readouterr().out
    assert printed.count("no regression") == 2
    assert "Regression:" not in printed
    assert "the environment of the baseline and of the turns compared with it is not known" in printed


def test_a_slowdown_exits_11_and_tells_the_evidence(baseline, spans, capsys):
    """Which metric, by how much, with which evidence."""
    assert cli.run(["check", spans("slow", slow=1.4), "--baseline", baseline]) == cli.REGRESSION == 11
    told = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("Regression:"))
    assert told.startswith("Regression: Turn latency (median) is 1,")
    assert "(50 turns), in the baseline 784" in told
    assert "times as long (95 % interval 1." in told
    assert "Mann-Whitney U test, p < 1e-09 (tolerated down to 0.005)" in told


def test_failures_are_told_as_failures(baseline, spans, tmp_path, capsys):
    """Limits that the failing turns hold: the comparison alone decides, and tells both counts."""
    limits = tmp_path / "limits.yaml"
    limits.write_text("success_rate: {recommended: 1, critical: 0}\n", encoding="utf-8")
    arguments = ["check", spans("bad", failing=20), "--baseline", baseline, "--thresholds", str(limits)]
    assert cli.run(arguments) == cli.REGRESSION
    told = capsys.readouterr().out
    assert "Success rate is 60.0 % (20 of 50 turns failed), in the baseline 100.0 % (0 of 50 turns failed)" in told
    assert "∞ times as many failures" in told
    assert "Fisher's exact test" in told


def test_a_critical_limit_goes_before_a_regression(baseline, spans):
    """Failing turns are past the critical limit and a regression: exit 10."""
    assert cli.run(["check", spans("bad", failing=20), "--baseline", baseline]) == cli.CRITICAL


@pytest.mark.parametrize(("before", "now"), [(19, 50), (50, 19)])
def test_too_few_turns_on_a_side_exit_12(spans, tmp_path, capsys, before, now):
    """19 turns on one side are too few, however slow the others are; the comparison says which side has how many."""
    path = str(tmp_path / "few.json")
    cli.run(["check", spans("few", n=before), "--save-baseline", path])
    capsys.readouterr()
    assert cli.run(["check", spans("now", n=now, slow=3.0), "--baseline", path]) == cli.TOO_FEW_TURNS
    printed = capsys.readouterr().out
    assert f"{now} turns against {before} of the baseline: a comparison needs 20 on each side." in printed


def test_json_holds_the_comparison(baseline, spans, capsys):
    """Change, ratio, interval, p and evidence of each metric, strict JSON."""
    assert cli.run(["check", spans("slow", slow=1.4), "--baseline", baseline, "--json"]) == cli.REGRESSION
    found = json.loads(capsys.readouterr().out)
    assert found["exit_code"] == 11
    latency, success, *_ = found["comparison"]["metrics"]
    assert latency["regression"]
    assert latency["ratio_interval"]["low"] < latency["ratio"] < latency["ratio_interval"]["high"]
    assert latency["p_value"] < latency["alpha"]
    assert success["change"] == "no regression"
    assert found["comparison"]["mismatches"]
    assert cli.run(["check", spans("alone"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["comparison"] is None


def test_a_ratio_to_nothing_is_null_in_json(baseline, spans, capsys):
    """Failures that came from nothing have no finite ratio."""
    cli.run(["check", spans("bad", failing=20), "--baseline", baseline, "--json"])
    success = json.loads(capsys.readouterr().out)["comparison"]["metrics"][1]
    assert success["regression"]
    assert success["ratio"] is None


def test_a_narrow_terminal_gets_a_list(monkeypatch):
    """Where the table has no room, each metric takes two lines, and no figure is cut."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setenv("TERM", "vt100")
    samples = [Observation(latency_ms=1000.0 + place) for place in range(30)]
    console.print_comparison(compare(samples, samples), terminal := Terminal())
    lines = terminal.getvalue().splitlines()
    assert lines[:2] == ["Turn latency (median): 1,014 ms -> 1,014 ms  no regression", "  ratio 1.00, p 0.5"]
    assert "Cost per turn (median): n/a -> n/a  n/a" in lines


@pytest.mark.parametrize("text", ["", "{}", '{"kind": "agentnet-otel baseline", "schema_version": 99}', "\x00"])
def test_a_wrong_file_is_one_sentence_and_exit_2(tmp_path, spans, capsys, text):
    """Nothing is read, nothing is printed but the sentence."""
    path = tmp_path / "wrong.json"
    path.write_text(text, encoding="utf-8")
    assert cli.run(["check", spans("now"), "--baseline", str(path)]) == cli.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert str(path) in captured.err


def test_nothing_never_replaces_a_baseline(baseline, tmp_path, capsys):
    """Without turns the file that is there stays, and that is told."""
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    assert cli.run(["check", str(empty), "--save-baseline", baseline]) != 0
    assert "was not written" in capsys.readouterr().err
    assert Baseline.load(baseline).turns == 50


def test_a_baseline_can_be_replaced_by_what_it_is_compared_with(baseline, spans):
    """Both options with one file: compared with the old one, then replaced."""
    slow = spans("slow", slow=1.4)
    assert cli.run(["check", slow, "--baseline", baseline, "--save-baseline", baseline]) == cli.REGRESSION
    assert cli.run(["check", slow, "--baseline", baseline]) == 0
