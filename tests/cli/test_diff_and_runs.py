"""`diff A B`, and `report` on several sources."""

import json
import subprocess
import sys

import jsonschema
import pytest


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Spans of two runs of the demo, each a process of its own: it sets providers up for all of its process."""
    folder = tmp_path_factory.mktemp("runs")
    for number in (1, 2):
        arguments = ["demo", "--turns", str(20 + 10 * number), "--source", "builtin", "-q", "--json"]
        arguments += ["--seed", str(number), "--out", str(folder / str(number))]
        subprocess.run([sys.executable, "-m", "agentnet_otel", *arguments], check=True, stdout=subprocess.DEVNULL)
    return [folder / str(number) / "spans.jsonl" for number in (1, 2)]


def test_diff_tells_two_runs_side_by_side(cli, runs):
    """As text: both names, percentiles with intervals, components, tokens, and what changed most."""
    done = cli("diff", *runs, "-q")
    assert done.returncode == 0
    for words in ("Two runs compared", "What changed most", "95 % interval", "inference", "reasoning", "Cost per turn"):
        assert words in done.stdout
    assert done.stderr == ""


def test_diff_speaks_json(cli, runs):
    """Rows, comparison and differences, as the report has them."""
    read = json.loads(cli("diff", *runs, "--json", "-q").stdout)
    assert [row["turns"] for row in read["runs"]] == [30, 40]
    assert read["comparison"]["baseline_turns"] == 30
    assert len(read["comparison"]["metrics"]) == 4


def test_diff_of_a_missing_source_fails(cli, runs, tmp_path):
    """What is there is told, and the exit code says that something is not."""
    done = cli("diff", runs[0], tmp_path / "none.jsonl")
    assert done.returncode == 1
    assert "none.jsonl" in done.stderr


@pytest.mark.parametrize("command", ["report", "diff"])
def test_a_source_without_turns_is_told_and_is_no_failure(cli, runs, tmp_path, command):
    """Nothing can be shown of it, which is said on standard error, unless nothing shall be; `check` answers 12."""
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    given = [runs[0], empty] if command == "diff" else [empty]
    done = cli(command, *given)
    assert done.returncode == 0
    assert f"{empty}: no turns in 0 spans" in done.stderr
    assert str(runs[0]) not in done.stderr
    assert cli(command, *given, "-q").stderr == ""
    assert cli("check", empty).returncode == 12


def test_diff_reads_standard_input_once(cli):
    """Both runs from it would be one run and nothing: that is told, not compared."""
    done = cli("diff", "-", "-")
    assert done.returncode == 2
    assert "standard input can be read only once" in done.stderr


def test_report_on_several_sources_tells_each(cli, runs, repository):
    """All turns together, and each run; the JSON fits its schema and has the documented analyses."""
    done = cli("report", *runs, "--format", "json", "-q")
    read = json.loads(done.stdout)
    schema = json.loads((repository / "docs" / "schemas" / "report.schema.json").read_bytes())
    jsonschema.Draft202012Validator(schema).validate(read)
    assert read["executive_summary"]["turns"] == 70
    assert [(row["name"], row["turns"]) for row in read["runs"]] == [(str(runs[0]), 30), (str(runs[1]), 40)]
    assert read["latency_analysis"]["summary"]["total_measurements"] == 70
    assert read["latency_analysis"]["overall_statistics"]["count"] == 70
    assert set(read["token_analysis"]) >= {"system_overview", "optimization_opportunities", "agent_breakdown"}
    assert read["benchmark_analysis"] == {}


def test_one_source_named_twice_is_one_run(cli, runs):
    """Its turns count once, and belong to where they were first met."""
    read = json.loads(cli("report", runs[0], runs[0], "--format", "json", "-q").stdout)
    assert read["executive_summary"]["turns"] == 30
    assert [row["turns"] for row in read["runs"]] == [30, 0]
