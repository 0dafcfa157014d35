"""Run the tests on every supported Python of this machine, and hold the coverage of the first to its limits."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
LIMITS = (("agentnet_otel/core/*,agentnet_otel/model/*", 95), ("agentnet_otel/*", 90))
"""Branch coverage in per cent, by part of the package."""


APPLICATIONS = "tests/application"
"""Run without coverage, which keeps frames alive, speaks on standard error and slows what is to be flat and quick."""

REPETITIVE = "repetitive and not e2e"
"""Run without coverage, which they would add nothing to and which makes them several times slower."""

STANDIN = {"AGENTNET_SRC": ""}
"""Runs on the stand-in of AgentNet."""


class Lane:
    """Runs commands in the checkout, one after the other; what a lane at the side says is held back until asked for."""

    def __init__(self, *, at_the_side: bool = False) -> None:
        self._said = tempfile.TemporaryFile("w+", encoding="utf-8") if at_the_side else None  # noqa: SIM115

    def run(self, *command: str | Path, **environment: str) -> int:
        """Run a command."""
        return subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=self._said,
            stderr=subprocess.STDOUT if self._said else None,
            check=False,
        ).returncode

    def say(self, text: str) -> None:
        """Say what is done."""
        print(f"==> {text}", file=self._said, flush=True)

    def tell(self) -> None:
        """Print what was held back."""
        if self._said:
            self._said.seek(0)
            shutil.copyfileobj(self._said, sys.stdout)


def others() -> dict[str, Path]:
    """Interpreters of the other supported versions, on the path or among pyenv's."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    found: dict[str, Path] = {}
    for version in SUPPORTED:
        names = [shutil.which(f"python{version}")]
        names += [str(path) for path in sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))]
        for name in names:
            if version != own and name and version not in found and answers(name, version):
                found[version] = Path(name)
    return found


def answers(python: str, version: str) -> bool:
    """Whether the interpreter runs, and is what its name says (a shim may be neither)."""
    asked = subprocess.run([python, "--version"], capture_output=True, text=True, check=False)
    return asked.returncode == 0 and re.match(rf"Python {re.escape(version)}\.", asked.stdout) is not None


def test_here(lane: Lane) -> int:
    """The tests with coverage, on the Python of the environment."""
    lane.say(f"tests on Python {sys.version.split()[0]}")
    for old in ROOT.glob(".coverage*"):
        old.unlink()
    python = Path(sys.executable)
    selected = (f"--ignore={APPLICATIONS}", "-m", "not repetitive and not e2e", *sys.argv[1:])
    code = lane.run(python, "-m", "coverage", "run", "-m", "pytest", "-q", *selected, **STANDIN)
    if code:
        return code
    lane.run(python, "-m", "coverage", "combine", "--quiet")
    for part, limit in LIMITS:
        lane.say(f"branch coverage of {part}: at least {limit} %")
        code = code or lane.run(python, "-m", "coverage", "report", f"--include={part}", f"--fail-under={limit}")
    return code


def test_unmeasured(lane: Lane) -> int:
    """Whole applications, and what repeats the same thousands of times, without coverage."""
    lane.say(f"whole applications, and many repetitions, on Python {sys.version.split()[0]}")
    pytest = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    code = lane.run(*pytest, APPLICATIONS, **STANDIN)
    return code or lane.run(*pytest, "-m", REPETITIVE, f"--ignore={APPLICATIONS}", *sys.argv[1:], **STANDIN)


def test_pure(lane: Lane) -> int:
    """The tests of reading without what is written in C."""
    lane.say("tests of reading in Python alone")
    selected = ("-m", "not e2e and not slow and not repetitive", "tests/sources", "tests/core")
    pure = {**STANDIN, "AGENTNET_OTEL_PURE_PYTHON": "1"}
    return lane.run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *selected, **pure)


def test_there(lane: Lane, version: str, python: Path) -> int:
    """The tests on another Python, in an environment of its own."""
    lane.say(f"tests on Python {version}")
    inside, code = environment(lane, version, python, "requirements-dev.lock")
    selected = ("-m", "not e2e and not slow", *sys.argv[1:])
    return code or lane.run(inside, "-m", "pytest", "-q", "-p", "no:cacheprovider", *selected, **STANDIN)


def test_real(lane: Lane, source: str) -> int:
    """The tests of the hooks on the real AgentNet, whose packages are in an environment of their own."""
    lane.say(f"tests on the real AgentNet in {source}")
    locks = ("requirements-dev.lock", "requirements-agentnet.lock")
    inside, code = environment(lane, "agentnet", Path(sys.executable), *locks)
    selected = ("-p", "no:cacheprovider", "tests/agentnet")
    return code or lane.run(inside, "-m", "pytest", "-q", *selected, AGENTNET_SRC=str(Path(source).resolve()))


def environment(lane: Lane, name: str, python: Path, *locks: str) -> tuple[Path, int]:
    """The interpreter of an environment with what the locks hold, and whether making it failed."""
    folder = ROOT / ".venvs" / name
    inside = folder / "bin" / "python"
    if not inside.exists() and lane.run(python, "-m", "venv", "--without-pip", folder):
        return inside, 1
    install = (Path(sys.executable).with_name("uv"), "pip", "install", "--quiet", "--python", inside)
    code = 0
    for lock in locks:
        code = code or lane.run(*install, "--no-deps", "--require-hashes", "-r", lock)
    return inside, code or lane.run(*install, "--no-deps", "--no-build-isolation", "-e", ".")


def beside(lane: Lane) -> int:
    """All that needs no coverage; the first failure ends it."""
    code = test_unmeasured(lane) or test_pure(lane)
    source = os.environ.get("AGENTNET_SRC")
    if source:
        code = code or test_real(lane, source)
    else:
        lane.say("AGENTNET_SRC names no tree of the real AgentNet: its tests ran on the stand-in")
    for version, python in others().items():
        code = code or test_there(lane, version, python)
    return code


def main() -> int:
    """With coverage here, and at the side on a second core what needs none: applications, AgentNet, other Pythons."""
    side = Lane(at_the_side=True)
    with ThreadPoolExecutor(1) as second:
        rest = second.submit(beside, side)
        code = test_here(Lane())
    side.tell()
    return code or rest.result()


if __name__ == "__main__":
    sys.exit(main())
