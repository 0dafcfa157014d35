"""What a Collector that delays does: spans of one turn come long after each other, inner ones before outer ones."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from test_ingest import QUIET_NS, Bench

from agentnet_otel.core.assembler import Assembler
from agentnet_otel.sources.rebuild import rebuild

RECORDINGS = Path(__file__).resolve().parents[1] / "recordings"
FILES = sorted(RECORDINGS.glob("*/spans.jsonl"))
LOST = {("langfuse", "outer first"): {"handler"}}
"""Agents whose turns cannot be known when the first of their spans, which alone is no turn, was let go."""

pytestmark = pytest.mark.slow


class LateBench(Bench):
    """What understands takes turns back, as it does in `serve`."""

    def start(self):
        """As after a start of the process."""
        super().start()
        self.ingest.assembler = Assembler(quiet_ns=QUIET_NS, withdrawn=self.ingest.withdraw)


def requests_of(file):
    """A request for each span, those that ended first before the others."""
    found = []
    for line in file.read_text(encoding="utf-8").splitlines():
        for of_resource in json.loads(line)["resourceSpans"]:
            for of_scope in of_resource["scopeSpans"]:
                for span in of_scope["spans"]:
                    alone = {**of_resource, "scopeSpans": [{**of_scope, "spans": [span]}]}
                    found.append((int(span["endTimeUnixNano"]), json.dumps({"resourceSpans": [alone]}).encode()))
    return [request for _, request in sorted(found, key=lambda one: one[0])]


def turns_by_id(turns):
    """Turns by their ids, whatever revision they are."""
    return {(turn.trace_id, turn.span_id): replace(turn, revision=0) for turn in turns}


@pytest.mark.parametrize("order", ["inner first", "outer first"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_delays_beyond_the_quiet_period_give_the_same_turns(tmp_path, file, order):
    """Each span alone, longer after the last one than the quiet period: at the end the store has the turns of the file.

    What was told before its outer turn came is corrected, or taken back.
    """
    bench = LateBench(tmp_path)
    try:
        requests = requests_of(file)
        for number, request in enumerate(requests if order == "inner first" else reversed(requests)):
            bench.append(request, kind=2)
            bench.advance()
            bench.advance(QUIET_NS / 10**9 + 1)
            if number == len(requests) // 2:
                bench.start()
        bench.advance(400)
        expected = turns_by_id(rebuild([file]).turns)
        lost = LOST.get((file.parent.name, order), set())
        assert {key for key, turn in expected.items() if turn.agent in lost} or not lost
        found = turns_by_id(bench.turns.all())
        assert found == {key: turn for key, turn in expected.items() if turn.agent not in lost}
    finally:
        bench.close()


def test_a_turn_is_taken_back_from_the_pages(serve):
    """By the process itself: a chain that was told as a turn is a part of the one that comes later."""
    bridge = serve()
    inner, outer = (chain(number, parent) for number, parent in ((2, 1), (1, None)))
    assert bridge.post(inner, "application/json")[0] == 200
    assert [turn["agent"] for turn in bridge.turns(1)] == ["chain 2"]
    assert bridge.post(outer, "application/json")[0] == 200
    end = time.monotonic() + 30
    found = bridge.turns()
    while [turn["agent"] for turn in found] != ["chain 1"] and time.monotonic() < end:
        time.sleep(0.1)
        found = bridge.turns()
    assert [(turn["agent"], turn["spans"]) for turn in found] == [("chain 1", 3)]
    report = bridge.get("/api/report?format=csv")[1].decode()
    assert "chain 1" in report
    assert "chain 2" not in report
    assert bridge.stop() == 0


def chain(number, parent):
    """A request with a chain of OpenInference; the inner one has a call of a model below it."""
    now = time.time_ns()
    spans = [span_of(number, parent, f"chain {number}", "CHAIN", now)]
    if parent is not None:
        spans.append(span_of(9, number, "call", "LLM", now))
    scope = {"scope": {"name": "openinference.instrumentation.langchain"}, "spans": spans}
    return json.dumps({"resourceSpans": [{"scopeSpans": [scope]}]}).encode()


def span_of(number, parent, name, kind, now):
    """One span of one trace, as OTLP has it."""
    above = {} if parent is None else {"parentSpanId": f"{parent:016x}"}
    times = {"startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 1_000_000)}
    attributes = [{"key": "openinference.span.kind", "value": {"stringValue": kind}}]
    return {"traceId": "7" * 32, "spanId": f"{number:016x}", **above, "name": name, **times, "attributes": attributes}
