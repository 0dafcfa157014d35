"""Run the tests on every supported Python of this machine, and hold the coverage of the first to its limits."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
LIMITS = (("agentnet_otel/core/*,agentnet_otel/model/*", 95), ("agentnet_otel/*", 90))
"""Branch coverage in per cent, by part of the package."""


UNMEASURED = "tests/application"
"""Run without coverage, which keeps frames alive, speaks on standard error and slows what is to be flat and quick."""

STANDIN = {"AGENTNET_SRC": ""}
"""Runs on the stand-in of AgentNet."""


def run(*command: str | Path, **environment: str) -> int:
    """Run a command in the checkout."""
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False).returncode


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


def test_here() -> int:
    """The tests with coverage, on the Python of the environment."""
    print(f"==> tests on Python {sys.version.split()[0]}", flush=True)
    for old in ROOT.glob(".coverage*"):
        old.unlink()
    python = Path(sys.executable)
    code = run(
        python, "-m", "coverage", "run", "-m", "pytest", "-q", f"--ignore={UNMEASURED}", *sys.argv[1:], **STANDIN
    )
    code = code or run(python, "-m", "pytest", "-q", UNMEASURED, **STANDIN)
    if code:
        return code
    run(python, "-m", "coverage", "combine", "--quiet")
    for part, limit in LIMITS:
        print(f"==> branch coverage of {part}: at least {limit} %", flush=True)
        code = code or run(python, "-m", "coverage", "report", f"--include={part}", f"--fail-under={limit}")
    return code


def test_there(version: str, python: Path) -> int:
    """The tests on another Python, in an environment of its own."""
    print(f"==> tests on Python {version}", flush=True)
    inside, code = environment(version, python, "requirements-dev.lock")
    selected = ("-m", "not e2e and not slow", *sys.argv[1:])
    return code or run(inside, "-m", "pytest", "-q", "-p", "no:cacheprovider", *selected, **STANDIN)


def test_real(source: str) -> int:
    """The tests of the hooks on the real AgentNet, whose packages are in an environment of their own."""
    print(f"==> tests on the real AgentNet in {source}", flush=True)
    inside, code = environment("agentnet", Path(sys.executable), "requirements-dev.lock", "requirements-agentnet.lock")
    selected = ("-p", "no:cacheprovider", "tests/agentnet")
    return code or run(inside, "-m", "pytest", "-q", *selected, AGENTNET_SRC=str(Path(source).resolve()))


def environment(name: str, python: Path, *locks: str) -> tuple[Path, int]:
    """The interpreter of an environment with what the locks hold, and whether making it failed."""
    folder = ROOT / ".venvs" / name
    inside = folder / "bin" / "python"
    if not inside.exists() and run(python, "-m", "venv", "--without-pip", folder):
        return inside, 1
    install = (Path(sys.executable).with_name("uv"), "pip", "install", "--quiet", "--python", inside)
    code = 0
    for lock in locks:
        code = code or run(*install, "--no-deps", "--require-hashes", "-r", lock)
    return inside, code or run(*install, "--no-deps", "--no-build-isolation", "-e", ".")


def main() -> int:
    """Here with coverage, on the real AgentNet where there is one, then the others; the first failure ends it."""
    code = test_here()
    source = os.environ.get("AGENTNET_SRC")
    if source:
        code = code or test_real(source)
    else:
        print("==> AGENTNET_SRC names no tree of the real AgentNet: its tests ran on the stand-in", flush=True)
    for version, python in others().items():
        code = code or test_there(version, python)
    return code


if __name__ == "__main__":
    sys.exit(main())
