"""`tools/build_servers.py` without building: what it says where it cannot, and what makes it build again."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

GO = """#!/bin/sh
case "$1" in
    env) echo go{version};;
    build)
        while [ "$1" != -o ]; do shift; done
        echo "built in $(pwd)" >> "$LOG"
        {outcome};;
esac
"""


class Checkout:
    """The script beside the modules, a cache of its own, and a `go` that builds empty files."""

    def __init__(self, folder, repository):
        self.folder = folder / "checkout"
        shutil.copytree(repository / "tests/e2e/servers", self.folder / "tests/e2e/servers")
        (self.folder / "tools").mkdir()
        self.script = shutil.copy(repository / "tools/build_servers.py", self.folder / "tools")
        self.path, self.cache, self.log = folder / "bin", folder / "cache", folder / "log"
        self.path.mkdir()
        for name in ("sh", "touch"):
            (self.path / name).symlink_to(shutil.which(name))

    def put_go(self, version="1.26.0", outcome='touch "$2"'):
        go = self.path / "go"
        go.write_text(GO.format(version=version, outcome=outcome))
        go.chmod(go.stat().st_mode | stat.S_IXUSR)

    def run(self, *names):
        environment = {"PATH": str(self.path), "XDG_CACHE_HOME": str(self.cache), "LOG": str(self.log)}
        command = [sys.executable, self.script, *names]
        return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})

    def built(self):
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0


@pytest.fixture
def checkout(tmp_path, repository):
    """A checkout."""
    return Checkout(tmp_path, repository)


def test_without_go_it_says_what_to_install(checkout):
    """One sentence, no traceback, and an exit code that tells."""
    done = checkout.run("jaeger")
    assert done.returncode == 1
    assert done.stderr.startswith("jaeger is not there: go was not found")
    assert "Install Go 1.26 or later" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_go_that_is_too_old_is_told(checkout):
    """Which one it is, and which is needed."""
    checkout.put_go(version="1.22.1")
    done = checkout.run("jaeger")
    assert done.returncode == 1
    assert "is go1.22.1: the servers need Go 1.26 or later" in done.stderr


def test_a_build_that_fails_leaves_nothing_behind(checkout):
    """What the compiler said is shown; the next run tries again."""
    checkout.put_go(outcome="echo undefined: x; exit 1")
    done = checkout.run("jaeger")
    assert done.returncode == 1
    assert "undefined: x" in done.stderr
    assert [path.name for path in (checkout.cache / "agentnet-otel/servers").iterdir()] == [".jaeger.lock"]
    checkout.put_go()
    assert checkout.run("jaeger").returncode == 0


def test_what_is_built_is_kept_until_what_it_is_made_from_changes(checkout):
    """Each server is built once; a changed module is built again, and no other."""
    checkout.put_go()
    first = checkout.run("jaeger", "amtool", "alertmanager")
    assert first.returncode == 0, first.stderr
    paths = dict(line.split(" ", 1) for line in first.stdout.splitlines())
    assert all(Path(path).is_file() for path in paths.values())
    assert checkout.built() == 3
    assert checkout.run("jaeger", "amtool", "alertmanager").stdout == first.stdout
    assert checkout.built() == 3
    with (checkout.folder / "tests/e2e/servers/jaeger/go.sum").open("a") as sums:
        sums.write("\n")
    assert checkout.run("jaeger", "amtool").stdout != first.stdout
    assert checkout.built() == 4


def test_modules_and_recipes_are_the_same(repository):
    """Each module is pinned by a go.sum, asks for no later Go than the script does, and has its recipe."""
    script = (repository / "tools/build_servers.py").read_text()
    modules = sorted(path for path in (repository / "tests/e2e/servers").iterdir() if path.is_dir())
    assert len(modules) >= 5
    for module in modules:
        assert f'"{module.name}": Server(' in script
        assert (module / "go.sum").stat().st_size > 0
        lines = (module / "go.mod").read_text().splitlines()
        assert "go 1.26.0" in lines or "go 1.25.0" in lines
        assert not [line for line in lines if line.startswith(("replace", "toolchain"))]
