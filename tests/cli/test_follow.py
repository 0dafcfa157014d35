"""`turns --follow` as a process: what it prints while files grow, and each way in which it ends."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

COMMAND = (sys.executable, "-m", "agentnet_otel")
PATIENCE_S = 60


@contextmanager
def following(*arguments, **options):
    """The command while it runs."""
    options.setdefault("stdout", subprocess.PIPE)
    child = subprocess.Popen(
        [*COMMAND, "turns", "--follow", "--quiet-period", "0.5", *map(str, arguments)],
        stderr=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
        **options,
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                stream.close()


def rows(data):
    """The agents of printed turns."""
    return [json.loads(line)["turn_id"] for line in data.splitlines()]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_what_is_open(spans_file, number, code):
    """Turns come while the file grows; those that were not quiet long enough come at the end, then the usual code."""
    path = spans_file(4)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0])
    with following(path) as child:
        assert rows(child.stdout.readline()) == ["turn-0"]
        with path.open("ab") as file:
            file.write(lines[1])
        assert rows(child.stdout.readline()) == ["turn-1"]
        path.write_bytes(b"".join(lines[2:]) + lines[3])
        child.send_signal(number)
        out, told = child.communicate(timeout=PATIENCE_S)
        assert child.returncode == code
    assert set(rows(out)) <= {"turn-2", "turn-3"}
    assert b"Traceback" not in told


def test_a_reader_that_goes_away_ends_it(spans_file):
    """Also where nothing is printed any more; not a word is said."""
    ours, theirs = os.pipe()
    with following("-q", spans_file(1), stdout=theirs) as child:
        os.close(theirs)
        assert rows(os.read(ours, 65536)) == ["turn-0"]
        os.close(ours)
        assert child.wait(timeout=PATIENCE_S) == 1
        assert child.stderr.read() == b""


def test_a_pipe_is_followed_to_its_end(spans_file):
    """Turns of what was written come before the pipe ends; then all is told, and the code is 0."""
    data = spans_file(2).read_bytes().splitlines(keepends=True)
    with following("-q", "-", stdin=subprocess.PIPE) as child:
        child.stdin.write(data[0])
        child.stdin.flush()
        assert rows(child.stdout.readline()) == ["turn-0"]
        out, told = child.communicate(data[1], timeout=PATIENCE_S)
        assert (child.returncode, rows(out), told) == (0, ["turn-1"], b"")


def test_problems_are_told_as_they_are_found(tmp_path, spans_file):
    """Each with its place, while it runs."""
    path = spans_file(1)
    with path.open("ab") as file:
        file.write(b"rubbish\n")
    with following(tmp_path) as child:
        assert f"{path}:2: not JSON" in child.stderr.readline().decode()
        assert rows(child.stdout.readline()) == ["turn-0"]


def test_a_quiet_period_needs_following(cli, spans_file):
    """Files that end complete their turns; what does not grow is not followed."""
    done = cli("turns", spans_file(1), "--quiet-period", "3")
    assert (done.returncode, "--quiet-period needs --follow" in done.stderr) == (2, True)
    done = cli("turns", "--follow", "--jobs", "2", spans_file(1))
    assert (done.returncode, "leave --jobs out" in done.stderr) == (2, True)
    done = cli("turns", "--follow", "jaeger+http://127.0.0.1:1?service=s")
    assert (done.returncode, "only files, directories and - are followed" in done.stderr) == (2, True)
