"""`agentnet-otel demo` from end to end, on the built-in agents: what it writes, tells and shows."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentnet_otel.outputs.turn_rows import turn_row
from agentnet_otel.sources.rebuild import rebuild

COMMAND = Path(sys.executable).with_name("agentnet-otel")
FILES = ("spans.jsonl", "report.md", "report.html", "report.json", "report.csv")


def clean(**given):
    """The environment without what steers telemetry."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "AGENTNET_"))} | given


def run(*arguments, code=0, command=(COMMAND,), cwd=None, **environment):
    """Run the command; the finished process."""
    done = subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=cwd,
        env=clean(**environment),
    )
    assert done.returncode == code, done.stderr
    return done


def rows(folder):
    """The turns in a demo's folder, as rows of `turns`."""
    return [turn_row(turn) for turn in rebuild([folder / "spans.jsonl"]).turns]


def workload(folder):
    """What of a demo does not depend on the clock, in an order that does not either."""
    keys = ("agent", "models", "outcome", "session", "input_tokens", "output_tokens", "cached_tokens", "cost_usd")
    keys += ("tokens_by_category", "tools", "policy_violations", "spans")
    found = [json.dumps([row[key] for key in keys] + sorted(row["components"])) for row in rows(folder)]
    return sorted(found)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A demo of the default size: its folder, the finished process, and how long it took."""
    folder = tmp_path_factory.mktemp("demo")
    began = time.monotonic()
    done = run("demo", "--source", "builtin", "--out", folder)
    return folder, done, time.monotonic() - began


def test_it_writes_what_it_says(demo):
    """Spans and reports, named at the end, with commands to try next that can be pasted."""
    folder, done, _ = demo
    assert done.stderr == ""
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    for name in FILES:
        assert f"\n  {folder / name}\n" in done.stdout
    tried = done.stdout.partition("Try next:\n")[2].splitlines()
    assert [line.split()[1] for line in tried] == ["report", "check", "turns", "doctor"]
    program = tried[0].split()[0]
    assert Path(program) == COMMAND or program == "agentnet-otel"


def test_it_ends_with_what_matters(demo):
    """The verdict table with four metrics, then three findings."""
    _, done, _ = demo
    assert done.stdout.startswith("200 turns of the built-in agents, ")
    for metric in ("Turn latency (p95)", "Success rate", "Token efficiency (mean)", "Cost per turn (mean)"):
        assert metric in done.stdout
    findings = done.stdout.partition("What matters most:\n")[2].partition("\n\n")[0].splitlines()
    assert [line[:5] for line in findings] == ["  1. ", "  2. ", "  3. "]


def test_it_is_quick(demo):
    """200 turns in well under 20 seconds of its own; the limit here is for a machine that does much else."""
    assert demo[2] < 60


def test_everything_is_visible_in_the_report(demo):
    """Agents, models, tools, memory, violations, failures of each kind, streams, concurrency, the slow agent."""
    text = (demo[0] / "report.md").read_text()
    assert "200 turns of 4 agents in 17 sessions" in text
    for agent in ("planner", "researcher", "critic", "writer"):
        assert f"\n| {agent} | 50 | " in text
    assert "\n| m-large | " in text
    assert "\n| m-small | " in text
    for component in ("inference", "tool_execution", "memory_access", "policy_check", "response_processing"):
        assert f"\n| {component} | " in text
    assert "| search | 58 | 12 |" in text
    assert "| no-unreviewed-release | major | " in text
    assert "| no-contradiction | severe | " in text
    for error in ("EngineError", "TimeoutError", "ContradictionFault"):
        assert f"{error} (" in text
    assert "Streamed answers: time to first token in 4" in text
    assert "At most 1" in text
    assert "| tool_calls | " in text
    assert "critic is the slowest agent" in text


def test_sessions_overlap_and_rounds_are_spans(demo):
    """Turns of different sessions run at the same time; each session holds its rounds, and they their turns."""
    report = json.loads((demo[0] / "report.json").read_text())
    assert report["latency"]["peak_concurrency"] > 10
    spans = [
        span
        for line in (demo[0] / "spans.jsonl").read_text().splitlines()
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    names = {span["spanId"]: span["name"] for span in spans}
    parents = {names[s["parentSpanId"]] for s in spans if s["name"] == "orchestration round"}
    assert parents == {"invoke_workflow round_robin", "invoke_workflow debate", "invoke_workflow brainstorm"}
    turns = [s for s in spans if s["name"].startswith("invoke_agent ")]
    assert {names[s["parentSpanId"]] for s in turns} == {"orchestration round"}


def test_the_reports_are_those_of_the_report_command(demo):
    """Nothing is taken by a short cut: the same spans give the same verdicts by `report` and `check`."""
    folder = demo[0]
    written = json.loads((folder / "report.json").read_text())
    made = json.loads(run("report", folder / "spans.jsonl", "--format", "json").stdout)
    for key in ("verdicts", "executive_summary", "agents", "tokens", "slowest_turns"):
        assert written[key] == made[key]
    assert written["data_quality"]["calls_outside_turns"] == 0
    assert written["data_quality"]["turns_of_unknown_sampling"] == 0


def test_the_same_seed_gives_the_same_workload(tmp_path):
    """Counts, outcomes, tokens, cost, components: the same run after run, another seed gives others."""
    started = [
        subprocess.Popen(
            [COMMAND, *f"demo --source builtin --turns 44 --seed {seed} --json --out".split(), tmp_path / name],
            stdout=subprocess.DEVNULL,
            env=clean(),
        )
        for name, seed in (("first", 7), ("again", 7), ("other", 8))
    ]
    assert [process.wait(timeout=120) for process in started] == [0, 0, 0]
    assert workload(tmp_path / "first") == workload(tmp_path / "again")
    assert workload(tmp_path / "first") != workload(tmp_path / "other")


@pytest.mark.parametrize("turns", [1, 2, 5, 13])
def test_small_demos_have_their_turns(tmp_path, turns):
    """Any number of turns is met; JSON tells what was made, and exit 0 whatever the verdict."""
    done = run("demo", "--turns", turns, "--out", tmp_path, "--json", "--source", "builtin")
    read = json.loads(done.stdout)
    assert done.stderr == ""
    assert (read["turns"], read["source"], len(read["verdicts"])) == (turns, "builtin", 4)
    assert {Path(path).name for path in read["files"]} == set(FILES)
    assert len(rows(tmp_path)) == turns


def test_a_former_run_is_replaced(tmp_path):
    """The folder holds the spans of the last run alone."""
    for turns in (2, 1):
        run("demo", "--turns", turns, "--out", tmp_path)
    assert len(rows(tmp_path)) == 1


def test_nothing_is_sent_elsewhere(tmp_path):
    """An endpoint in the environment gets nothing of the demo, and does not hold it up."""
    began = time.monotonic()
    done = run("demo", "--turns", "2", "--out", tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert done.stderr == ""
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("environment", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_SAMPLER": "always_off"}])
def test_a_demo_without_spans_says_why(tmp_path, environment):
    """Where the environment switches spans off, the demo fails with that reason."""
    done = run("demo", "--turns", "2", "--out", tmp_path, code=1, **environment)
    assert "no turn arrived in" in done.stderr
    assert "is OTEL_SDK_DISABLED set, or a sampler that drops everything?" in done.stderr


def test_a_folder_that_cannot_be_written(tmp_path):
    """A file in its place, and a report that is a folder: one sentence with what to do, exit 1."""
    (tmp_path / "file").write_text("")
    done = run("demo", "--turns", "2", "--out", tmp_path / "file", code=1)
    assert done.stderr.endswith("cannot be written: a part of the path is a file. Name another folder: --out DIR\n")
    (tmp_path / "report.md").mkdir()
    done = run("demo", "--turns", "2", "--out", tmp_path, code=1)
    assert "report.md cannot be written: Is a directory" in done.stderr
    assert done.stderr.count("\n") == 1


def test_agentnet_where_it_is_not(tmp_path):
    """One sentence says why it cannot be imported, how to get it, and what runs without it; exit 1."""
    done = run("demo", "--source", "agentnet", "--out", tmp_path, code=1, PYTHONPATH="")
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "AgentNet cannot be imported (ModuleNotFoundError: No module named 'agentnet')" in done.stderr
    assert "clone the repository V1B3hR/agentnet from GitHub" in done.stderr
    assert "--source builtin" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_auto_falls_back_to_the_built_in_agents(tmp_path):
    """Where AgentNet is broken, `auto` runs the built-in agents; asked for by name, it says what is broken."""
    (tmp_path / "agentnet").mkdir()
    (tmp_path / "agentnet" / "__init__.py").write_text("import a_package_that_is_missing")
    out = tmp_path / "out"
    done = run("demo", "--turns", "2", "--out", out, PYTHONPATH=str(tmp_path))
    assert "2 turns of the built-in agents" in done.stdout
    done = run("demo", "--source", "agentnet", "--out", out, code=1, PYTHONPATH=str(tmp_path))
    assert "No module named 'a_package_that_is_missing'" in done.stderr


def test_what_to_try_next_can_be_pasted(tmp_path):
    """Called by a path or as a module, that is what stands there; a folder with blanks is quoted."""
    out = tmp_path / "a folder"
    done = run("demo", "--turns", "1", "--out", out, command=(sys.executable, "-m", "agentnet_otel"))
    assert f"  {sys.executable} -m agentnet_otel check '{out / 'spans.jsonl'}'\n" in done.stdout
    on_path = run("demo", "--turns", "1", "--out", out, PATH=f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}")
    assert "\n  agentnet-otel doctor\n" in on_path.stdout
