"""Pipes that close, disks that are full, terminals of all kinds, Ctrl-C and SIGTERM: a code, never a traceback."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import psutil
import pytest

from agentnet_otel import __main__ as process
from agentnet_otel import cli as commands


def on_a_terminal(arguments, *, columns=100, environment=None, until=None, then=None, timeout_s=90):
    """Run the command on a terminal of that width. What it showed, and its exit code.

    ``then`` is called with the process once the output matches ``until``.
    """
    main, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    variables = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"}}
    child = subprocess.Popen(
        [sys.executable, "-m", "agentnet_otel", *map(str, arguments)],
        stdin=other,
        stdout=other,
        stderr=other,
        env=variables | {"TERM": "xterm-256color"} | (environment or {}),
        start_new_session=True,
    )
    os.close(other)
    shown = b""
    deadline = time.monotonic() + timeout_s
    try:
        while time.monotonic() < deadline:
            ready, _, _ = select.select([main], [], [], 1)
            if ready:
                try:
                    part = os.read(main, 65536)
                except OSError:  # the other end is closed
                    break
                if not part:
                    break
                shown += part
            if then is not None and re.search(until, shown):
                then(child)
                then = None
        return shown.decode(), child.wait(timeout=30)
    finally:
        child.kill()
        os.close(main)


# --- pipes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["turns", "report", "check", "demo --turns 3 --out $OUT"])
def test_a_reader_that_goes_away(shell, spans_file, tmp_path, command):
    """``| head -1`` gets its line; no traceback, no word."""
    path = "" if command.startswith("demo") else str(spans_file(5000))
    done = shell(f"$CLI {command} {path} | head -1", OUT=str(tmp_path / "out"))
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_a_reader_that_never_came(shell, spans_file):
    """The pipe is closed before anything is written."""
    done = shell(f"$CLI turns {spans_file(10)} | true; echo ${{PIPESTATUS[0]}}")
    assert done.stderr == ""
    assert done.stdout.strip() in {"0", "1"}


@pytest.mark.parametrize("command", ["turns", "report", "check", "doctor"])
def test_closed_standard_output(shell, spans_file, command):
    """Nobody wants the output: the exit code is what it would be."""
    path = "" if command == "doctor" else spans_file(100)
    done = shell(f"$CLI {command} {path} >&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_closed_output_does_not_end_in_a_file(shell, tmp_path):
    """A file that the demo opens does not get the number of the closed stream, and the output with it."""
    done = shell("$CLI demo --turns 3 --out $OUT >&-", OUT=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    for line in (tmp_path / "spans.jsonl").read_text().splitlines():
        assert set(json.loads(line)) == {"resourceSpans"}


def test_closed_standard_error(shell, spans_file):
    """What would be said is lost, the work is done."""
    done = shell(f"$CLI check {spans_file(100)} no-such-file 2>&-")
    assert done.returncode == 1
    assert "Turn latency" in done.stdout


def test_closed_standard_input(shell):
    """There is nothing to read, and that is no error."""
    done = shell("$CLI turns - <&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")  # noqa: PTH110 - at import
@pytest.mark.parametrize("command", ["turns", "report", "check", "doctor"])
def test_a_full_disk(shell, spans_file, command):
    """One sentence with the reason, exit 1."""
    path = "" if command == "doctor" else spans_file(100)
    done = shell(f"$CLI {command} {path} > /dev/full")
    assert done.returncode == 1
    assert done.stderr == "agentnet-otel: standard output cannot be written: No space left on device\n"


def test_a_stream_in_ascii(shell, spans_file):
    """Where the terminal knows no more than ASCII, nothing is raised: tables in ASCII, names as escapes."""
    path = spans_file(100, agents=("ärger",), outcome="error")
    done = shell(f"$CLI check {path}", LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 10
    assert done.stdout.isascii()
    rows = shell(f"$CLI turns {path} | head -1", LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert json.loads(rows.stdout)["agent"] == "ärger"


def test_a_pipe_gets_no_escapes(command_line, spans_file):
    """No colour and no bar where the output is no terminal."""
    done = command_line("check", spans_file(100))
    assert "\x1b" not in done.stdout + done.stderr


# --- terminals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [40, 100])
def test_a_terminal_gets_a_bar(tmp_path, columns):
    """It shows how far the work is, and goes away; no line is wider than the terminal."""
    shown, code = on_a_terminal(["demo", "--turns", "40", "--out", tmp_path], columns=columns)
    assert code == 0
    assert re.search(r"running turns .*\d+/40", shown)
    bars = [part for part in re.split(r"[\r\n]|\x1b\[\d*[A-K]", shown) if "running turns" in part]
    assert max(len(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", bar)) for bar in bars) <= columns
    assert "What matters most:" in shown


def test_a_quiet_terminal_has_no_bar(tmp_path):
    """With -q there is none, nor anything to try next."""
    shown, code = on_a_terminal(["demo", "-q", "--turns", "3", "--out", tmp_path])
    assert code == 0
    assert "running turns" not in shown
    assert "Try next" not in shown
    assert "Written:" in shown


def test_a_terminal_that_only_types(tmp_path):
    """``TERM=dumb`` gets neither a bar nor an escape."""
    shown, code = on_a_terminal(["demo", "--turns", "3", "--out", tmp_path], environment={"TERM": "dumb"})
    assert code == 0
    assert "\x1b" not in shown
    assert "running turns" not in shown


def test_no_colour_where_none_is_wanted(spans_file):
    """``NO_COLOR`` leaves no escape in a table; without it verdicts are coloured."""
    path = spans_file(100)
    plain, _ = on_a_terminal(["check", "-q", path], columns=160, environment={"NO_COLOR": "1"})
    assert "\x1b" not in plain
    coloured, _ = on_a_terminal(["check", "-q", path], columns=160)
    assert "\x1b[32mPASS" in coloured


# --- signals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_demo_that_is_stopped(cli, tmp_path, number, code):
    """Its exit code tells the signal, one sentence where the spans are; they are whole lines, open turns are ended."""
    out = tmp_path / "out"
    child = subprocess.Popen(
        [sys.executable, "-m", "agentnet_otel", "demo", "--turns", "3000", "--out", out],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    spans = out / "spans.jsonl"
    while not (spans.exists() and spans.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(number)
    shown, said = child.communicate(timeout=60)
    assert (child.returncode, shown) == (code, "")
    assert said == f"agentnet-otel: stopped; the spans of the turns so far are in {spans}\n"
    done = cli("turns", spans)
    assert done.returncode == 0
    turns = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(turns) > 10
    assert not any(turn["incomplete"] for turn in turns)
    assert "bad line" not in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_reading_that_is_stopped(tmp_path, number, code):
    """No word, no traceback, only the code."""
    fifo = tmp_path / "spans"
    os.mkfifo(fifo)
    child = subprocess.Popen(
        [sys.executable, "-m", "agentnet_otel", "turns", fifo],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    writer = os.open(fifo, os.O_WRONLY)  # comes back when the command reads
    child.send_signal(number)
    shown, said = child.communicate(timeout=60)
    os.close(writer)
    assert (child.returncode, shown, said) == (code, "", "")


def test_ctrl_c_reaches_all_jobs(spans_file):
    """Ctrl-C, which a terminal sends to each process of a command, ends all of them without a word.

    Nobody reads the lines, and there are more than a pipe holds, so the command cannot be done before.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", "agentnet_otel", "turns", "--jobs", "2", spans_file(400)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    jobs: list[psutil.Process] = []
    deadline = time.monotonic() + 90
    while len(jobs) < 2 and time.monotonic() < deadline:
        jobs = psutil.Process(child.pid).children()
        time.sleep(0.01)
    assert len(jobs) == 2
    os.killpg(child.pid, signal.SIGINT)
    _, said = child.communicate(timeout=90)
    assert (child.returncode, said) == (130, b"")
    assert not any(job.is_running() for job in jobs)


def test_ctrl_c_on_a_terminal(tmp_path):
    """The bar goes away, the sentence stands alone, the code is 130."""
    shown, code = on_a_terminal(
        ["demo", "--turns", "2000", "--out", tmp_path],
        until=rb" [1-9]\d*/2000",  # turns run
        then=lambda child: child.send_signal(signal.SIGINT),
    )
    assert code == 130, shown
    assert "stopped; the spans of the turns so far are in" in shown
    assert "Traceback" not in shown


# --- the process around --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(), 1, ""),
        (OSError(28, "No space left on device"), 1, "standard output cannot be written: No space left on device"),
        (PermissionError(13, "Permission denied", "x.md"), 1, "x.md cannot be written: Permission denied"),
    ],
)
def test_what_ends_a_command_early(monkeypatch, capsys, raised, code, said):
    """Each way has its code and at most a sentence; SIGTERM is handled as before afterwards."""

    def stop():
        raise raised

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(commands, "run", stop)
    assert process.main() == code
    assert capsys.readouterr() == ("", f"agentnet-otel: {said}\n" if said else "")
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_mistake_of_ours_is_not_hidden(monkeypatch):
    """Only what names a variable of the SDK becomes a sentence."""

    def fail():
        message = "a bug"
        raise ValueError(message)

    monkeypatch.setattr(commands, "run", fail)
    with pytest.raises(ValueError, match="a bug"):
        process.main()


def test_sigterm_while_a_command_runs(monkeypatch):
    """It is raised into the work, which can end what it began."""

    def work():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
        pytest.fail("the work went on")

    monkeypatch.setattr(commands, "run", work)
    assert process.main() == 143


def test_a_variable_that_the_sdk_refuses_to_start_with(command_line):
    """The SDK reads its limits at import: a wrong one is a sentence and exit 2."""
    done = command_line("doctor", OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="many")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "agentnet-otel: OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT must be a non-negative integer but got many; "
        "correct the variable or unset it\n"
    )
