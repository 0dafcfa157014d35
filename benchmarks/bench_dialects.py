"""How fast spans of each dialect, our own among them, become turns, beside merely parsing the same file.

A file for each recording of a library (``tests/recordings``): its spans over and over, as an application exports them
in batches, each time with new ids, times, sessions and content, so that nothing which varies in truth is remembered.
What is measured is what ``agentnet-otel turns`` does from lines to rows, beside a pass of msgspec without types that
throws away what it parsed.
"""

import gc
import json
import re
import tempfile
import time
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
from bench_read import parse_with, spans_of
from measuring import Timings, arguments, publish

from agentnet_otel.outputs.turn_rows import row_line
from agentnet_otel.prices import installed
from agentnet_otel.sources.rebuild import TurnStream
from agentnet_otel.sources.turn_windows import row_window

RECORDINGS = Path(__file__).resolve().parents[1] / "tests" / "recordings"
OWN = "own_on_agentnet"
"""What `instrument()` writes of the real AgentNet."""
BATCH_SPANS = 512
"""Spans of one export, at least: what the batch processors of the SDKs send at once."""
COPY_NS = 60_000_000_000
IDS = re.compile(
    r"(?<![.\w])(?=[\d-]*[a-f])(?:[0-9a-f]{32}|[0-9a-f]{16}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![.\w])"
)
"""Of traces, spans and runs; what has digits only is a number."""
CONTENT = re.compile(r"(?<=trip-)|(?<=the weather)|(?<=Paris)\b|(?<=FAIL please)")
"""Where sessions, questions and answers get something of their own."""
TIMES = re.compile(r'(?<=UnixNano":")\d+')


class Recording:
    """The spans of a recording, to be repeated."""

    def __init__(self, path: Path) -> None:
        lines = path.read_text(encoding="utf-8").splitlines()
        scopes: dict[str, Any] = {}
        self.spans = 0
        for resource, scope, spans in (found for line in lines for found in scopes_of(json.loads(line))):
            self.spans += len(spans)
            scopes.setdefault(compact([resource, scope]), []).extend(spans)
        self._parts = []
        for shared, spans in scopes.items():
            resource, scope = json.loads(shared)
            self._parts.append((resource, scope, compact(spans)[1:-1]))

    def lines(self, spans: int) -> Iterator[str]:
        """Requests of at least so many spans together."""
        at_once = -(-BATCH_SPANS // self.spans)
        for first in range(0, -(-spans // self.spans), at_once):
            yield self._request(range(first, first + at_once))

    def _request(self, numbers: range) -> str:
        resources = []
        for resource, scope, spans in self._parts:
            body = ",".join(copied(spans, number) for number in numbers)
            of_scope = f'{{"scope":{compact(scope)},"spans":[{body}]}}'
            resources.append(f'{{"resource":{compact(resource)},"scopeSpans":[{of_scope}]}}')
        return f'{{"resourceSpans":[{",".join(resources)}]}}\n'


def scopes_of(document: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Resource, scope and spans of each scope of a request."""
    for resource_spans in document["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            yield resource_spans.get("resource", {}), scope_spans.get("scope", {}), scope_spans["spans"]


def compact(value: Any) -> str:
    """JSON as exporters write it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def copied(spans: str, number: int) -> str:
    """The same spans with ids, times and words of their own."""

    def other_id(found: re.Match[str]) -> str:
        digits = iter(blake2b(f"{number} {found[0]}".encode(), digest_size=16).hexdigest())
        return "".join(char if char == "-" else next(digits) for char in found[0])

    moved = TIMES.sub(lambda found: str(int(found[0]) + number * COPY_NS), IDS.sub(other_id, spans))
    return CONTENT.sub(f" {number}", moved) if number else moved


def turns_of(path: Path) -> int:
    """What ``turns`` does, without the pipe."""
    stream = TurnStream([path], row_window(prices=installed()))
    return sum(1 for row in stream.in_order() if row_line(row))


def ratio_of(recording: Path, spans: int, rounds: int) -> float:
    """How many times as long turns take as a pass."""
    with tempfile.TemporaryDirectory() as folder:
        path, repeated = Path(folder, "spans.jsonl"), Recording(recording)
        lines = list(repeated.lines(spans))
        path.write_text("".join(lines), encoding="utf-8")
        copies = sum(sum(1 for _ in spans_of(json.loads(line))) for line in lines) // repeated.spans
        turns = copies * turns_of(recording)

        def read() -> None:
            found = turns_of(path)
            assert found == turns, f"{found} of {turns} turns came back"

        ways = {"pass": parse_with(msgspec.json.decode, path), "turns": read}
        return Timings(ways, rounds, time.process_time).ratio("turns", "pass")


def main() -> None:
    """Measure side by side."""
    options = arguments(__doc__, spans=3000, rounds=5)
    gc.freeze()  # what was imported is no part of any way
    found = {path.parent.name: ratio_of(path, options.spans, options.rounds) for path in recordings()}
    others = [ratio for name, ratio in found.items() if name != OWN]
    publish("dialects", {**found, "slowest": max(others), "quickest": min(others)}, save=options.save)


def recordings() -> list[Path]:
    """The recordings of all libraries."""
    return sorted(RECORDINGS.glob("*/spans.jsonl"))


if __name__ == "__main__":
    main()
