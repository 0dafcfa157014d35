"""What a command loads before it begins: a file that is read in a moment should not wait longer for imports."""

import subprocess
import sys

import pytest

UNUSED = (
    "opentelemetry.sdk",
    "agentnet_otel.instrumentation",
    "agentnet_otel.performance",
    "agentnet_otel.outputs.reports.content",
    "agentnet_otel.service",
    "starlette",
)
"""What only writes, or reports, or serves."""


def loaded_by(statement: str) -> set[str]:
    """The modules that are there after a statement in a new process."""
    script = f"{statement}; import sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    ["from agentnet_otel.cli import run; run(['--help'])", "import agentnet_otel.wiring.sharer"],
    ids=["commands", "jobs"],
)
def test_readers_load_nothing_that_writes(statement):
    """Neither the SDK nor the write side nor reports are loaded by commands that read, nor by further processes."""
    loaded = loaded_by(statement)
    assert "agentnet_otel.sources.rebuild" in loaded
    assert not loaded.intersection(UNUSED)


def test_only_the_command_that_is_called_is_loaded():
    """Of JSON to rows: no other command, no terminal library, no client, no protobuf. The help lists all commands."""
    loaded = loaded_by("from agentnet_otel.cli import run; run(['turns', 'check', '--quiet'])")
    assert "agentnet_otel.cli.turns" in loaded
    assert not loaded.intersection({*UNUSED, "agentnet_otel.cli.check", "rich", "google.protobuf", "ssl"})
    every = loaded_by("from agentnet_otel.cli import run; run(['--help'])")
    assert {"agentnet_otel.cli.check", "agentnet_otel.cli.store"} <= every


def test_names_of_the_package_are_loaded_once():
    """A name that is loaded on first use is one of the module from then on; one that is not there is refused."""
    script = (
        "import agentnet_otel as a, sys; assert 'agentnet_otel.instrumentation' not in sys.modules;"
        "import agentnet_otel.wiring as w; first = a.turn; assert vars(a)['turn'] is first is a.turn;"
        "assert w.Handle is a.Handle;"
        "assert not hasattr(a, 'nothing') and not hasattr(w, 'nothing')"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
