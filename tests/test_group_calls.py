"""Calls outside any turn, on the command line."""

import json
from pathlib import Path

import pytest

from agentnet_otel.cli import run

RECORDING = str(Path(__file__).parent / "recordings" / "langfuse" / "spans.jsonl")


@pytest.mark.parametrize(("options", "turns"), [((), 10), (("--group-calls",), 11)])
def test_calls_outside_turns_are_told_and_on_request_a_turn(options, turns, capsys):
    """A bare call of a model is counted on standard error; asked for, it is a row like a turn's."""
    assert run(["turns", RECORDING, *options]) == 0
    printed = capsys.readouterr()
    rows = [json.loads(line) for line in printed.out.splitlines()]
    assert len(rows) == turns
    assert ("1 calls stand outside any turn" in printed.err) is not bool(options)
    bare = [row for row in rows if row["span_id"] == row["trace_id"]]
    assert [(row["input_tokens"], row["outcome"], row["incomplete"]) for row in bare] == [(70, "success", False)] * len(
        options
    )
