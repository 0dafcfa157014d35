"""`bench`: benchmarks on the user's agents, from flags and from a file; its exit codes, files and CI output."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

COMMAND = Path(sys.executable).with_name("agentnet-otel")
MANY_CALLS = 100
"""More than the first operations make, warm-up included."""

AGENTS = '''
"""Agents to measure."""

import time


class Agent:
    def __init__(self, pause_s=0.001, fail=False):
        self.pause_s, self.fail, self.calls = pause_s, fail, 0

    def generate_reasoning_tree(self, prompt):
        time.sleep(self.pause_s)
        if self.fail:
            raise RuntimeError("no answer")
        return {"result": {"content": prompt, "confidence": 0.9}, "input_tokens": 20, "output_tokens": 60}


def quick(model="m"):
    return Agent()


def slow():
    return Agent(pause_s=0.02)


class Telling(Agent):
    def generate_reasoning_tree(self, prompt):
        with open("calls", "ab") as file:
            file.write(b".")
        return super().generate_reasoning_tree(prompt)


def telling():
    return Telling()


def failing():
    return Agent(fail=True)


async def shout(agent, prompt):
    return agent.generate_reasoning_tree(prompt.upper())


NUMBER = 3
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with agents in it."""
    (tmp_path / "bench_agents.py").write_text(AGENTS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "bench_agents", raising=False)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path
    sys.modules.pop("bench_agents", None)


def test_a_benchmark_from_flags(cli, folder):
    """Settings are those of the harness; the table, the verdicts, the result as JSON and the report in every format."""
    done = cli(
        *("bench", "bench_agents:quick", "--iterations", 24, "--warmup", 1, "--concurrency", 2, "--name", "mine"),
        *("--prompt", "One.", "--prompt", "Two.", "--operation", "bench_agents:shout", "--out", "results", "-q"),
    )
    assert done.returncode == 0, done.stderr
    assert "mine" in done.stdout
    assert "PASS" in done.stdout
    (result,) = [json.loads(path.read_text()) for path in Path("results").glob("mine_*.json")]
    assert result["config"]["concurrency_level"] == 2
    assert result["config"]["test_prompts"] == ["One.", "Two."]
    assert result["total_operations"] == 24
    assert sorted(path.suffix for path in Path("results").glob("report.*")) == [".csv", ".html", ".json", ".md"]
    report = json.loads(Path("results/report.json").read_text())
    assert report["benchmark_analysis"]["summary"]["total_benchmarks"] == 1


def test_every_type_and_a_rate(cli, folder):
    """All types make a matrix with the rate, as JSON for machines."""
    types = ["single_turn", "multi_turn", "multi_agent", "concurrent_agents", "tool_heavy", "memory_intensive"]
    flags = [part for kind in types[:4] for part in ("--type", kind)]
    done = cli(
        *("bench", "bench_agents:quick", *flags, "--rate", 200, "--iterations", 2, "--agent-count", 2),
        *("--turn-count", 2, "--json", "-q"),
    )
    read = json.loads(done.stdout)
    assert [one["config"]["benchmark_type"] for one in read["results"]] == types[:4]
    assert {one["config"]["rate_per_second"] for one in read["results"]} == {200.0}
    assert [one["config"]["name"] for one in read["results"]] == [f"quick [{kind}]" for kind in types[:4]]
    assert (done.returncode, read["exit_code"]) == (12, 12)


def test_a_file_makes_a_matrix(cli, folder):
    """Models, concurrency and agents: one benchmark a combination; the defaults hold where nothing else is said."""
    Path("plan.yaml").write_text(
        "agents: bench_agents:quick\n"
        "defaults: {iterations: 20, warmup: 0}\n"
        "benchmarks:\n"
        "  - {name: models, models: [small, large], concurrency: [1, 3]}\n"
        "  - {agents: [bench_agents:quick, bench_agents:slow], iterations: 21}\n"
    )
    read = json.loads(cli("bench", "--config", "plan.yaml", "--json", "-q").stdout)
    names = [one["config"]["name"] for one in read["results"]]
    assert names[:4] == [f"models [{model}, concurrency {n}]" for model in ("small", "large") for n in (1, 3)]
    assert names[4:] == ["quick [bench_agents:quick]", "slow [bench_agents:slow]"]
    assert [one["config"]["iterations"] for one in read["results"]] == [20, 20, 20, 20, 21, 21]


def test_a_regression_is_exit_11_and_told_everywhere(cli, folder, monkeypatch):
    """The message has metric, size and evidence; so have the annotation, the job's summary and the JUnit file."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
    saved = cli("bench", "bench_agents:quick", "--iterations", 30, "--save-baseline", "before.json", "-q")
    assert saved.returncode == 0
    assert "a baseline is in before.json" in saved.stderr
    done = cli(
        "bench", "bench_agents:slow", "--iterations", 30, "--baseline", "before.json", "--junit", "out/junit.xml"
    )
    assert done.returncode == 11
    assert "Regression: Turn latency (median) is" in done.stdout
    assert "::error title=Regression%3A Turn latency (median)::Turn latency (median) is" in done.stdout
    assert "### Compared with the baseline" in Path("summary.md").read_text()
    suite = ET.parse("out/junit.xml").getroot().find("testsuite")  # noqa: S314 - written by us
    failed = [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None]
    assert failed == ["Turn latency (median)"]
    assert int(suite.get("failures")) == 1


def test_several_benchmarks_have_a_baseline_each(cli, folder):
    """In a folder, each compared with its own."""
    arguments = ["bench", "bench_agents:quick", "bench_agents:slow", "--iterations", 20, "-q"]
    assert cli(*arguments, "--save-baseline", "bases").returncode == 0
    assert len(list(Path("bases").glob("*.json"))) == 2
    read = json.loads(cli(*arguments, "--baseline", "bases", "--json").stdout)
    assert [one["benchmark"] for one in read["comparisons"]] == [
        "quick [bench_agents:quick]",
        "slow [bench_agents:slow]",
    ]


def test_where_baselines_cannot_be(cli, folder):
    """Files that two benchmarks would share are told before any runs; a file in the place of the folder after."""
    Path("twice.yaml").write_text(
        "benchmarks:\n" + "  - {name: one, agents: ['bench_agents:quick'], iterations: 2}\n" * 2
    )
    done = cli("bench", "--config", "twice.yaml", "--save-baseline", "bases")
    assert (done.returncode, done.stdout) == (2, "")
    assert "two benchmarks have one name" in done.stderr
    Path("file").touch()
    done = cli("bench", "bench_agents:quick", "bench_agents:slow", "--iterations", 2, "-q", "--save-baseline", "file")
    assert done.returncode == 1
    assert "cannot be written: a part of the path is a file" in done.stderr


def test_limits_are_exit_10(cli, folder):
    """A critical limit that is passed, or a limit of one's own that is not kept; the documented defaults are none."""
    assert cli("bench", "bench_agents:failing", "--iterations", 20, "-q").returncode == 10
    done = cli("bench", "bench_agents:slow", "--iterations", 20, "--max-latency-ms", 1, "-q")
    assert done.returncode == 10
    assert "Limit not kept: slow: mean turn latency is" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nowhere:quick",), "nowhere cannot be imported"),
        (("bench_agents:nobody",), "module bench_agents has no 'nobody'"),
        (("bench_agents:NUMBER",), "give a function that makes an agent"),
        (("bench_agents",), "is no MODULE:NAME"),
        ((), "which agents to run"),
        (("bench_agents:slow", "--model", "m"), "takes no argument 'model'"),
        (("bench_agents:quick", "--type", "fast"), "benchmark_type cannot be 'fast'"),
        (("bench_agents:quick", "--iterations", "-1"), "iterations cannot be -1"),
        (("bench_agents:quick", "--baseline", "none.json"), "none.json"),
        (("--config", "none.yaml"), "none.yaml: cannot be read"),
    ],
)
def test_wrong_use_is_exit_2(cli, folder, arguments, told):
    """One sentence: what is wrong, and where; nothing was run."""
    done = cli("bench", *arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("benchmarks: []\n", "at least one benchmark"),
        ("benchmarks:\n  - 3\n", "plan.yaml:2: a benchmark has to be a mapping"),
        ("agents: a:b\nbenchmarks:\n  - name: x\n    iterationz: 3\n", "plan.yaml:4: unknown key 'iterationz'"),
        ("agents: a:b\nbenchmarks:\n  - name: x\n    iterations: many\n", "plan.yaml:4: iterations cannot be 'many'"),
        (
            "agents: a:b\nbenchmarks:\n  - name: x\n    concurrency: [1, 0]\n",
            "plan.yaml:4: concurrency_level cannot be 0",
        ),
        ("agents: a:b\ndefaults: {type: odd}\nbenchmarks:\n  - name: x\n", "plan.yaml:2: benchmark_type cannot be"),
        ("- 1\n", "the file has to be a mapping, not a list"),
        ("", "the file has to be a mapping, not nothing"),
        ("agents: a:b\nother: 1\nbenchmarks:\n  - name: x\n", "plan.yaml:2: unknown key 'other'"),
    ],
)
def test_a_wrong_file_names_the_line(cli, folder, text, told):
    """File and line, what is wrong, and what is allowed."""
    Path("plan.yaml").write_text(text)
    done = cli("bench", "--config", "plan.yaml")
    assert done.returncode == 2
    assert told in done.stderr


def test_an_interrupt_keeps_what_was_measured(folder):
    """Ctrl-C: the figures so far are told and written, no baseline is kept, the exit code says that it was stopped."""
    arguments = ["bench", "bench_agents:telling", "--iterations", "100000", "--warmup", "1"]
    arguments += ["--out", "results", "--save-baseline", "b.json"]
    calls = folder / "calls"
    with subprocess.Popen(
        [COMMAND, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60
        while (not calls.exists() or calls.stat().st_size < MANY_CALLS) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "cut short" in out
    assert "Traceback" not in err
    assert "the run was stopped" in err
    assert not (folder / "b.json").exists()
    (result,) = [json.loads(path.read_text()) for path in (folder / "results").glob("telling_*.json")]
    assert result["total_operations"] > 0
    assert result["completed"] is False
    assert (folder / "results" / "report.html").exists()


def test_check_tells_ci_too(cli, folder, spans_file, monkeypatch):
    """`check` writes the same summary, annotations and JUnit file; beside JSON annotations go to standard error."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
    done = cli("check", spans_file(ms=9000.0), "--json", "--junit", "junit.xml", "-q")
    assert done.returncode == 10
    json.loads(done.stdout)
    assert "::error title=Turn latency (p95)%3A FAIL::" in done.stderr
    assert "a critical limit is passed" in Path("summary.md").read_text()
    assert 'failures="1"' in Path("junit.xml").read_text()
