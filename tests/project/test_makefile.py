"""The Makefile, with stand-ins for the interpreter, so that nothing is installed: what it says, and what it skips."""

import os
import re
import shutil
import subprocess
import sys

import pytest

COPIED = ("Makefile", "pyproject.toml", "requirements.lock", "requirements-dev.lock")
TOOLS = ("bash", "sh", "make", "grep", "sed", "expand", "test", "touch", "rm", "env", "cat", "chmod", "mkdir")

FAKE_PYTHON = """#!{python} -S
import os, sys, types
FAULT = {fault!r}
code = sys.argv[2] if sys.argv[1] == "-c" else None
if FAULT == "broken":
    sys.exit(1)
if code is not None:
    if FAULT == "old":
        sys.version_info = (3, 10, 13, "final", 0)
    if FAULT == "without ensurepip":
        sys.modules["ensurepip"] = None
    exec(code)
    sys.exit(0)
with open({log!r}, "a") as log:
    print(*sys.argv[1:], file=log)
if sys.argv[1:3] == ["-m", "venv"]:
    inside = os.path.join(sys.argv[3], "bin")
    os.makedirs(inside)
    for name in ("python", "pip"):
        os.symlink(os.path.abspath(__file__), os.path.join(inside, name))
if FAULT == "no index" and "install" in sys.argv:
    sys.stderr.write("ERROR: No matching distribution found\\n")
    sys.exit(1)
"""


class Checkout:
    """A folder with the Makefile and what it reads, and a `python3` that only writes down what it is asked."""

    def __init__(self, folder, repository):
        self.folder = folder / "checkout"
        self.folder.mkdir()
        self.path = folder / "bin"
        self.path.mkdir()
        self.log = folder / "python.log"
        for name in COPIED:
            shutil.copy(repository / name, self.folder)
        for name in TOOLS:
            found = shutil.which(name)
            if found:
                (self.path / name).symlink_to(found)

    def put_python(self, fault="", name="python3"):
        self.put(self.path / name, FAKE_PYTHON.format(python=sys.executable, fault=fault, log=str(self.log)))

    def put(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def make(self, *arguments):
        environment = {"PATH": str(self.path), "HOME": str(self.folder)}
        command = ("make", "-C", self.folder, "--no-print-directory", *arguments)
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def asked(self):
        """What the interpreter was asked since the last time."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return lines


@pytest.fixture
def checkout(tmp_path, repository):
    """A checkout in which nothing is installed."""
    return Checkout(tmp_path, repository)


def sentences(done):
    """What a failed target says, without make's own line about it."""
    return [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]


@pytest.mark.parametrize("target", ["demo", "test", "setup", "check", "bench", "lock"])
def test_a_missing_interpreter_is_one_sentence(checkout, target):
    """Without python3 each target says so, and how to name another one."""
    done = checkout.make(target)
    assert done.returncode != 0
    assert done.stdout == ""
    (sentence,) = sentences(done)
    assert sentence.startswith("make: python3 was not found.")
    assert "make PYTHON=" in sentence


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("old", "is older than Python 3.11"),
        ("broken", "does not run"),
        ("without ensurepip", "cannot make environments. On Debian and Ubuntu install python3-venv"),
    ],
)
def test_an_unusable_interpreter_is_one_sentence(checkout, fault, said):
    """Too old, broken, or without venv: one sentence, and nothing is made."""
    checkout.put_python(fault)
    done = checkout.make("demo")
    assert done.returncode != 0
    (sentence,) = sentences(done)
    assert sentence.startswith("make: python3")
    assert said in sentence
    assert not (checkout.folder / ".venv").exists()


def test_another_interpreter_can_be_named(checkout):
    """PYTHON= is used instead of python3."""
    checkout.put_python("old")
    checkout.put_python(name="python3.12")
    assert checkout.make("setup", "PYTHON=python3.12").returncode == 0


def test_set_up_is_done_once_and_only_as_far_as_needed(checkout):
    """A second run installs nothing; a changed lock installs what it holds; the demo needs no test tools."""
    checkout.put_python()
    checkout.put(checkout.folder / "agentnet-otel", "")
    done = checkout.make("setup")
    assert done.returncode == 0, done.stderr
    first = checkout.asked()
    assert first[0] == "-m venv .venv"
    assert [re.search(r"requirements\S*|-e \.|compileall", line)[0] for line in first[1:]] == [
        "requirements.lock",
        "-e .",
        "compileall",
        "requirements-dev.lock",
    ]
    assert all("--no-deps" in line for line in first[1:] if " pip " in line)
    assert all("--require-hashes" in line for line in first[1:] if ".lock" in line)
    assert checkout.make("setup").stdout == "==> .venv is ready\n"
    assert checkout.asked() == []
    later = (checkout.folder / ".venv" / "dev.stamp").stat().st_mtime + 10
    os.utime(checkout.folder / "requirements-dev.lock", (later, later))
    checkout.make("setup")
    assert [re.search(r"requirements\S*", line)[0] for line in checkout.asked()] == ["requirements-dev.lock"]


def test_a_broken_environment_is_made_anew(checkout):
    """An environment whose interpreter is gone is not trusted, whatever its stamps say."""
    checkout.put_python()
    assert checkout.make("setup").returncode == 0
    checkout.asked()
    shutil.rmtree(checkout.folder / ".venv" / "bin")
    assert checkout.make("setup").returncode == 0
    assert len(checkout.asked()) == 5


def test_an_index_that_cannot_be_reached_is_told(checkout):
    """What pip says stands above one sentence of ours; the next run tries again."""
    checkout.put_python("no index")
    for _ in range(2):
        done = checkout.make("demo")
        assert done.returncode != 0
        assert "It needs a package index." in sentences(done)[-1]


@pytest.mark.parametrize(("code", "result"), [(0, 0), (5, 2), (1, 2)])
def test_end_to_end_tests_that_fail_or_are_not_there(checkout, code, result):
    """A failure is a failure, and so is it that no test was found."""
    checkout.put_python()
    checkout.make("setup")
    checkout.put(checkout.folder / ".venv" / "bin" / "pytest", f"#!/bin/sh\nexit {code}\n")
    assert checkout.make("e2e").returncode == result


def test_bench_runs_every_script_and_stops_at_a_failure(checkout):
    """Scripts run in order, each under its name; the first failure fails the target."""
    checkout.put_python()
    checkout.make("setup")
    for name in ("bench_a.py", "bench_b.py"):
        checkout.put(checkout.folder / "benchmarks" / name, "")
    assert checkout.make("bench").stdout == "==> benchmarks/bench_a.py\n==> benchmarks/bench_b.py\n"
    checkout.put(checkout.folder / ".venv" / "bin" / "python", "#!/bin/sh\nexit 1\n")
    done = checkout.make("bench")
    assert done.returncode != 0
    assert "bench_b" not in done.stdout


def test_help_is_the_default_and_lists_every_target(checkout):
    """`make` alone says what each target is for; nothing that a user may call is missing."""
    done = checkout.make()
    assert done.returncode == 0
    listed = {line.split()[0] for line in done.stdout.splitlines()}
    phony = re.search(r"^\.PHONY: (.*)$", (checkout.folder / "Makefile").read_text(), re.MULTILINE)[1].split()
    assert listed == set(phony) - {"environment"}
    assert {"setup", "demo", "test", "check", "e2e", "bench", "lock", "help"} <= listed
    assert all(len(line.split()) > 2 for line in done.stdout.splitlines())
