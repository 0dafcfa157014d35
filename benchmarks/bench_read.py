"""How fast spans become turns again, beside merely parsing the same file.

The file is OTLP JSON lines as the file exporter writes them. Three ways: each line through msgspec without types; each
line through the standard library's json; what ``agentnet-otel turns`` does, from the lines to the rows.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
from measuring import Timings, arguments, publish

import agentnet_otel
from agentnet_otel import LatencyComponent
from agentnet_otel.outputs.turn_rows import turn_line
from agentnet_otel.sources.rebuild import rebuild

SPANS_OF_A_TURN = 5


def write_turns(path: Path, turns: int) -> None:
    """Turns with four components each, ten to a session, by the file exporter."""
    handle = agentnet_otel.instrument(exporter=f"file:{path}")
    for number in range(turns):
        session = f"session-{number // 10}"
        with agentnet_otel.turn(f"agent-{number % 4}", prompt="a question", conversation_id=session) as turn:
            with turn.component(LatencyComponent.MEMORY_ACCESS) as search:
                search.record_records(3)
            with turn.component(LatencyComponent.INFERENCE, model="m-large") as call:
                call.record_tokens(input=400 + number % 100, output=120)
                call.record_cost(usd=0.004)
            with turn.component(LatencyComponent.TOOL_EXECUTION, "search"):
                pass
            with turn.component(LatencyComponent.POLICY_CHECK, "no-secrets"):
                pass
            turn.set_response("an answer")
        if number % 1000 == 0:
            handle.flush()  # the exporter's queue is bounded, and this writes faster than it drains
    handle.shutdown()


def parse_with(decode: Callable[[bytes], object], path: Path) -> Callable[[], None]:
    """Every line, parsed and thrown away."""

    def parse() -> None:
        with path.open("rb") as file:
            for line in file:
                decode(line)

    return parse


def rows_of(path: Path, turns: int) -> Callable[[], None]:
    """What ``turns`` does, without the pipe."""

    def read() -> None:
        rows = [turn_line(turn) for turn in rebuild([path]).turns]
        assert len(rows) == turns, f"{len(rows)} of {turns} turns came back"

    return read


def main() -> None:
    """Measure side by side."""
    options = arguments(__doc__, turns=4000, rounds=7)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spans.jsonl"
        write_turns(path, options.turns)
        ways = {
            "msgspec, untyped": parse_with(msgspec.json.decode, path),
            "json of the standard library": parse_with(json.loads, path),
            "agentnet-otel turns": rows_of(path, options.turns),
        }
        times = Timings(ways, options.rounds)
        megabytes = path.stat().st_size / 1e6
    spans = SPANS_OF_A_TURN * options.turns
    for name in ways:
        seconds = times.median(name)
        print(f"{name:<28} {spans / seconds:9,.0f} spans and {megabytes / seconds:6.1f} MB a second of CPU")
    ratios = {
        "beside_untyped_msgspec": times.ratio("agentnet-otel turns", "msgspec, untyped"),
        "beside_json": times.ratio("agentnet-otel turns", "json of the standard library"),
    }
    publish("read", ratios, save=options.save)


if __name__ == "__main__":
    main()
