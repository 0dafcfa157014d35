"""The command line in this process, and the installed command in one of its own."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentnet_otel import cli as commands
from agentnet_otel.testing import EPOCH_NS

COMMAND = Path(sys.executable).with_name("agentnet-otel")
AGENTS = ("planner", "critic")


def clean_environment(**given):
    """This process's environment without what steers telemetry or terminals."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "AGENTNET_"))}
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "PYTHONIOENCODING"):
        kept.pop(name, None)
    return kept | given


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command line that ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def cli(capsys, no_otel_environment):
    """Runs a command line in this process; its exit code and what it printed."""

    def run(*arguments):
        code = commands.run([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return Done(returncode=code, stdout=shown.out, stderr=shown.err)

    return run


@pytest.fixture
def command_line():
    """Runs the installed command in a process of its own; the finished process."""

    def run(*arguments, stdin=None, **environment):
        return subprocess.run(
            [COMMAND, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=clean_environment(**environment),
        )

    return run


@pytest.fixture
def shell():
    """Runs a line of the shell, in which ``$CLI`` is the command; the finished process."""

    def run(line, **environment):
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],  # noqa: S607 - bash of the path
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=clean_environment(CLI=str(COMMAND), **environment),
        )

    return run


def span(number, *, agent, ms, outcome="success", **more):
    """The own span of a turn, as OTLP JSON."""
    start_ns = EPOCH_NS + number * 1_000_000_000
    attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": agent,
        "agentnet.turn.id": f"turn-{number}",
        "agentnet.turn.outcome": outcome,
        **more,
    }
    return {
        "traceId": f"{number + 1:032x}",
        "spanId": f"{number + 1:016x}",
        "name": f"invoke_agent {agent}",
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(start_ns + round(ms * 1_000_000)),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
    }


@pytest.fixture
def spans_file(tmp_path):
    """Writes a file of turns, a line each; its path."""

    def write(turns=100, *, name="spans.jsonl", ms=100.0, outcome="success", agents=AGENTS, more=None):
        lines = [
            {"scopeSpans": [{"scope": {"name": "agentnet_otel"}, "spans": [found]}]}
            for number in range(turns)
            for found in [span(number, agent=agents[number % len(agents)], ms=ms, outcome=outcome, **(more or {}))]
        ]
        path = tmp_path / name
        path.write_text("".join(json.dumps({"resourceSpans": [line]}) + "\n" for line in lines))
        return path

    return write
