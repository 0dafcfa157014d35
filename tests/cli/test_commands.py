"""Each command as a user calls it: what it prints, writes and says, and its exit code.

Most run in this process, for the start of one takes longer than the test; `command_line` is the installed command.
"""

import inspect
import json
import re
from typing import get_args

import pytest
from click import Context

from agentnet_otel.cli import app

COMMANDS = ("demo", "turns", "report", "check", "bench", "diff", "doctor")


# --- help and wrong use ----------------------------------------------------------------------------------


def test_help_lists_every_command(cli):
    """Alone, the command shows what there is."""
    done = cli("--help")
    assert done.returncode == 0
    listed = re.findall(r"^  (\w+)  ", done.stdout.partition("Commands:")[2], re.MULTILINE)
    assert set(COMMANDS) <= set(listed)
    for command in listed:
        told = cli(command, "--help")
        assert told.returncode == 0
        assert f"Example: agentnet-otel {command}" in " ".join(told.stdout.split())
    assert cli().returncode == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_can_be_quiet(cli, command):
    """-q is everywhere; --json where a machine reads what is not JSON already."""
    told = cli(command, "--help").stdout
    assert "-q" in told
    assert ("--json" in told) == (command in {"demo", "check", "bench", "diff", "doctor"})


@pytest.mark.parametrize(
    "arguments",
    [
        ("nope",),
        ("--nope",),
        ("turns",),
        ("turns", "--nope", "x"),
        ("demo", "--turns", "0"),
        ("demo", "--turns", "many"),
        ("demo", "--source", "elsewhere"),
        ("report", "x", "--format", "docx"),
        ("report", "x", "--trace-url", "http://host/"),
        ("check", "x", "--thresholds", "no-such-file.yaml"),
    ],
)
def test_wrong_use_is_exit_2(cli, arguments):
    """With a sentence on standard error, nothing on standard output, and no traceback."""
    done = cli(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("trns",), "No such command 'trns'. Did you mean 'turns'?"),
        (("store", "purg"), "No such command 'purg'. Did you mean 'purge'?"),
        (("turns", "--quite", "x"), "No such option '--quite'. Did you mean '--quiet'?"),
        (("turns",), "Missing argument 'SOURCE...'."),
        (("turns", "x", "--jobs"), "Option '--jobs' requires an argument."),
        (("turns", "x", "--jobs", "-1"), "Invalid value for '-j' / '--jobs': -1 is not in the range 1<=x<=256."),
        (("turns", "x", "--jobs="), "Invalid value for '-j' / '--jobs': '' is not a valid integer."),
        (("turns", "x", "--quiet-period", "nan"), "Invalid value for '--quiet-period': 'nan' is not a valid number."),
        (("demo", "--source", "x"), "Invalid value for '--source': 'x' is not one of 'auto', 'agentnet', 'builtin'."),
        (("bench", "x:y", "--rate", "1", "--rate", "fast"), "Invalid value for '--rate': 'fast' is not a valid float."),
        (("diff", "a", "b", "c"), "Got unexpected extra argument (c)"),
    ],
)
def test_wrong_use_is_told_by_the_name_of_what_is_wrong(cli, arguments, told):
    """The last line says which option or argument, what was given, and what is allowed or similar."""
    done = cli(*arguments)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, f"Error: {told}")


def test_words_that_begin_with_a_dash_are_sources_behind_two(cli, spans_file, tmp_path, monkeypatch):
    """And options may stand behind sources, and be written with their value in one word."""
    spans_file(2, name="-odd.jsonl")
    monkeypatch.chdir(tmp_path)
    assert cli("turns", "-odd.jsonl").returncode == 2
    assert len(cli("turns", "--", "-odd.jsonl").stdout.splitlines()) == 2
    assert len(cli("turns", "./-odd.jsonl", "--jobs=1", "-qj1").stdout.splitlines()) == 2


def parameters_of(function):
    """What a command's function takes; each option of a typed mapping by itself, and of what stands for three these."""
    names = set()
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            (mapping,) = get_args(parameter.annotation)
            names |= set(mapping.__annotations__)
        else:
            names |= {"runbooks", "grafana", "jaeger"} if name == "addresses" else {name}
    return names


@pytest.mark.parametrize("name", [*app.list_commands(Context(app)), "store purge"])
def test_each_option_is_a_parameter_of_its_command(name):
    """Types do not check what a decorator declares against the function under it."""
    command = app
    for word in name.split():
        command = command.get_command(Context(command), word)
    assert {parameter.name for parameter in command.params} == parameters_of(command.callback)


def test_the_version(command_line):
    """It is told alone."""
    done = command_line("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"agentnet-otel \d+\.\d+\S*\n", done.stdout)


# --- turns -----------------------------------------------------------------------------------------------


def test_turns_prints_a_line_for_each(command_line, spans_file):
    """JSON lines in order of ending, and nothing else."""
    done = command_line("turns", spans_file(3))
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["turn_id"] for line in done.stdout.splitlines()] == ["turn-0", "turn-1", "turn-2"]


def test_turns_of_standard_input(command_line, spans_file):
    """``-`` reads what is piped in."""
    done = command_line("turns", "-", stdin=spans_file(3).read_text())
    assert len(done.stdout.splitlines()) == 3


def test_bad_lines_cost_themselves(cli, spans_file):
    """The good lines are there, exit 0; the bad ones are told with file and line, and counted."""
    path = spans_file(3)
    path.write_text("not json\n" + path.read_text() + "[1]\n")
    done = cli("turns", path)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 3
    assert f"agentnet-otel: {path}:1: not JSON" in done.stderr
    assert "left out: 2 bad lines" in done.stderr


def test_quiet_keeps_only_what_was_lost(cli, spans_file):
    """With -q no remark is made but the one sentence on what is missing."""
    path = spans_file(3)
    assert cli("turns", "-q", path).stderr == ""
    path.write_text("not json\n" + path.read_text())
    assert cli("turns", "-q", path).stderr == "agentnet-otel: left out: 1 bad line\n"


def test_many_problems_are_counted_not_told(cli, tmp_path):
    """Twenty problems are told, the rest is a number."""
    path = tmp_path / "bad.jsonl"
    path.write_text("not json\n" * 100)
    done = cli("turns", path)
    assert len(done.stderr.splitlines()) == 22
    assert "and 80 more like these" in done.stderr


@pytest.mark.parametrize("command", ["turns", "report", "check"])
def test_a_missing_file_is_exit_1(cli, command):
    """It says which and why; no empty report and no table are made of it."""
    done = cli(command, "no-such-file.jsonl")
    assert (done.returncode, done.stdout) == (1, "")
    assert "agentnet-otel: no-such-file.jsonl: cannot be opened: No such file or directory\n" in done.stderr


@pytest.mark.parametrize("command", ["turns", "report", "check"])
def test_a_missing_file_beside_others(cli, spans_file, command):
    """The others are read, and it is a failure all the same: a name that is mistyped must not pass a gate."""
    done = cli(command, spans_file(100), "no-such-file.jsonl")
    assert done.returncode == 1
    assert done.stdout
    assert "no-such-file.jsonl" in done.stderr


def test_an_empty_directory(cli, tmp_path):
    """A directory without files is told as such."""
    done = cli("turns", tmp_path)
    assert done.returncode == 1
    assert "the directory holds no files" in done.stderr


def test_odd_spans_are_counted(cli, tmp_path):
    """Calls outside any turn and clipped spans are remarks."""
    tool = {
        "traceId": "a" * 32,
        "spanId": "b" * 16,
        "name": "execute_tool x",
        "startTimeUnixNano": "10",
        "endTimeUnixNano": "20",
        "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "execute_tool"}}],
    }
    path = tmp_path / "odd.jsonl"
    path.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [tool]}]}]}) + "\n")
    assert "agentnet-otel: 1 calls stand outside any turn" in cli("turns", path).stderr
    assert cli("turns", "-q", path).stderr == ""


# --- report ----------------------------------------------------------------------------------------------


def test_report_prints_markdown(cli, spans_file):
    """Markdown is the default, and goes to standard output."""
    done = cli("report", spans_file(3))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("# AgentNet Performance Report\n")


def test_report_writes_a_file(cli, spans_file, tmp_path):
    """-o makes the folders that it needs, and prints nothing."""
    out = tmp_path / "a" / "b" / "report.json"
    done = cli("report", spans_file(3), "--format", "json", "-o", out, "--trace-url", "http://host/{trace_id}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    read = json.loads(out.read_text())
    assert read["executive_summary"]["turns"] == 3
    assert read["slowest_turns"][0]["url"].startswith("http://host/0")


def test_report_into_what_is_no_folder(cli, spans_file, tmp_path):
    """The sentence names the file and the reason."""
    (tmp_path / "file").write_text("")
    done = cli("report", spans_file(3), "-o", tmp_path / "file" / "report.md")
    assert done.returncode == 1
    assert done.stderr == (
        f"agentnet-otel: {tmp_path / 'file' / 'report.md'} cannot be written: a part of the path is a file\n"
    )


def test_report_with_limits(cli, spans_file, tmp_path):
    """The limits of a file are those of the verdict table."""
    limits = tmp_path / "limits.yaml"
    limits.write_text("turn_latency: {recommended: 10, critical: 50}\n")
    assert "< 10 ms | < 50 ms | FAIL" in cli("report", spans_file(100), "--thresholds", limits).stdout


# --- check -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("turns", "ms", "outcome", "code"),
    [
        (100, 100.0, "success", 0),
        (100, 3000.0, "success", 0),  # past recommended only: WARN
        (100, 5000.0, "success", 10),  # on the critical limit is past it
        (100, 100.0, "error", 10),
        (19, 100.0, "success", 12),
        (20, 100.0, "success", 0),
        (19, 6000.0, "success", 10),  # critical goes before too few
        (0, 100.0, "success", 12),
    ],
)
def test_check_decides_by_exit_code(cli, spans_file, turns, ms, outcome, code):
    """10 past a critical limit, 12 fewer than 20 turns, in this order; WARN is 0; JSON says the same."""
    path = spans_file(turns, ms=ms, outcome=outcome)
    done = cli("check", path)
    assert (done.returncode, done.stderr) == (code, "")
    assert "Turn latency (p95)" in done.stdout
    as_json = cli("check", path, "--json")
    assert as_json.returncode == code
    read = json.loads(as_json.stdout)
    assert (read["exit_code"], read["turns"], len(read["verdicts"])) == (code, turns, 4)


def test_check_says_that_turns_are_few(cli, spans_file):
    """Beside the exit code stands a sentence; with -q only the table."""
    path = spans_file(5)
    assert "5 turns are fewer than the 20 that a verdict needs." in cli("check", path).stdout
    assert "fewer" not in cli("check", "-q", path).stdout


def test_check_with_limits_of_one_agent(cli, spans_file, tmp_path):
    """An agent's own limits are a row of their own, and decide too."""
    limits = tmp_path / "limits.yaml"
    limits.write_text("agents:\n  critic:\n    turn_latency: {recommended: 10, critical: 50}\n")
    done = cli("check", spans_file(100), "--thresholds", limits)
    assert done.returncode == 10
    assert "Turn latency (p95): critic" in done.stdout


def test_limits_of_one_model_hold_wherever_turns_are_judged(cli, spans_file, tmp_path):
    """They are a row of their own in `check`, however it tells, and in `report`, and decide; also with jobs."""
    path = spans_file(100, more={"gen_ai.request.model": "m-1"})
    model, junit, limits = "m-1", tmp_path / "junit.xml", tmp_path / "limits.yaml"
    limits.write_text(f"models:\n  {model}:\n    turn_latency: {{recommended: 10, critical: 50}}\n")
    done = cli("check", path, "--thresholds", limits, "--junit", junit)
    assert done.returncode == 10
    assert f"Turn latency (p95): model {model}" in done.stdout
    assert f"Turn latency (p95): model {model}" in junit.read_text()
    row = json.loads(cli("check", path, "--thresholds", limits, "--json").stdout)["verdicts"][4]
    assert (row["agent"], row["model"], row["verdict"], row["n"]) == (None, model, "FAIL", 100)
    assert f"Turn latency (p95): model {model}" in cli("report", path, "--thresholds", limits).stdout
    jobs = cli("check", path, "--thresholds", limits, "--jobs", "2")
    assert (jobs.returncode, jobs.stdout) == (10, done.stdout)
    assert "--jobs does not go with limits of models" in jobs.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("turn_latency:\n  recommended: fast\n", "limits.yaml:2: turn_latency.recommended has to be a number"),
        ("cost_per_turn: {critical: 1}\nspeed: {critical: 1}\n", "limits.yaml:2: unknown metric 'speed'"),
        ("a: [1\nb: 2\n", "limits.yaml:2: not YAML"),
        ("turn_latency: {recommended: 9, critical: 5}\n", "critical 5 has to lie above recommended 9"),
        ("- a\n", "has to be a mapping"),
    ],
)
def test_wrong_limits_name_the_line(cli, spans_file, tmp_path, text, told):
    """Exit 2, with file, line and what is allowed."""
    limits = tmp_path / "limits.yaml"
    limits.write_text(text)
    done = cli("check", spans_file(3), "--thresholds", limits)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


# --- doctor ----------------------------------------------------------------------------------------------


def test_doctor_is_fine_without_anything(cli):
    """It tells, and its exit code says only that it could."""
    done = cli("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "What to change" in done.stdout
    assert set(json.loads(cli("doctor", "--json").stdout)) > {"hooked", "exports", "advice"}


@pytest.mark.parametrize("value", ["inf", "1e300", "nan"])
@pytest.mark.parametrize(
    "command",
    [
        ("turns", "x", "--follow", "--quiet-period"),
        ("check", "x", "--alert-minutes"),
        ("serve", "--quiet-period"),
        ("serve", "--keep-days"),
        ("store", "purge", "x", "--older-than-days"),
    ],
)
def test_times_beyond_all_clocks_are_wrong_use(cli, command, value):
    """They cannot be counted in nanoseconds."""
    done = cli(*command, value)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert f"Invalid value for '{command[-1]}'" in done.stderr
