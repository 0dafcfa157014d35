"""How long `serve` and ``turns --follow`` take to make turns of requests, whole requests at once beside span by span.

Both decode the same requests and tell the same turns when their traces were quiet. What is told is CPU time of the one
way beside that of the other; nothing is written to the disk.
"""

from collections.abc import Callable

from measuring import Timings, arguments, publish
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from agentnet_otel.core.assembler import Assembler
from agentnet_otel.model import Turn
from agentnet_otel.sources.decoding import PayloadDecoder
from agentnet_otel.sources.native.turns import native_turn_of
from agentnet_otel.sources.plain_payloads import PlainDecoder
from agentnet_otel.sources.shape import Form

STEP_NS = 100_000_000
"""How often it is looked at which turns are complete."""
LONG_NS = 600_000_000_000


def by_span(requests: list[bytes]) -> list[Turn]:
    """Each span becomes a record, and is put into a tree."""
    decoder, assembler = PayloadDecoder(), Assembler()
    turns: list[Turn] = []
    for number, request in enumerate(requests):
        turns += assembler.flush(number * STEP_NS)
        for span in decoder.decode(request, Form.PROTOBUF, print):
            turns += assembler.feed(span)
    return turns + assembler.flush(len(requests) * STEP_NS + LONG_NS)


def by_request(requests: list[bytes]) -> list[Turn]:
    """As `serve` does."""
    decoder, assembler = PlainDecoder(), Assembler(turn_of=native_turn_of)
    turns: list[Turn] = []
    for number, request in enumerate(requests):
        turns += assembler.flush(number * STEP_NS)
        batch = decoder.decode(request, Form.PROTOBUF)
        assert batch is not None
        turns += assembler.take_batch(batch.spans)
    return turns + assembler.flush(len(requests) * STEP_NS + LONG_NS)


def request_of(number: int, turns: int) -> bytes:
    """A request of turns with a call of a model and one of a tool, as the recorder writes them; one after the other."""
    request = TracesData()
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.add(key="service.name").value.string_value = "bench"
    spans = of_resource.scope_spans.add()
    spans.scope.name = "agentnet_otel"
    for turn in range(number * turns, (number + 1) * turns):
        for part, said in enumerate(PARTS):
            start_ns = 1_000_000 * (turn + 1) + 1000 * part
            end_ns = start_ns + (900 if part else 900_000)
            span = spans.spans.add(start_time_unix_nano=start_ns, end_time_unix_nano=end_ns, kind=1)
            span.trace_id, span.span_id = turn.to_bytes(16, "big"), (turn * 8 + part + 1).to_bytes(8, "big")
            span.trace_id = b"\x01" + span.trace_id[1:]
            span.parent_span_id = (turn * 8 + 1).to_bytes(8, "big") if part else b""
            for key, value in {**said, "agentnet.turn.id": f"t-{turn}"}.items():
                written = span.attributes.add(key=key).value
                if isinstance(value, int):
                    written.int_value = value + turn % 1000
                else:
                    written.string_value = value
    return request.SerializeToString()


PARTS: tuple[dict[str, str | int], ...] = (
    {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner", "agentnet.turn.outcome": "success"},
    {
        "agentnet.latency.component": "inference",
        "gen_ai.request.model": "m-large",
        "gen_ai.usage.input_tokens": 400,
        "gen_ai.usage.output_tokens": 120,
    },
    {"agentnet.latency.component": "tool_execution", "gen_ai.tool.name": "search"},
    {"agentnet.latency.component": "policy_check"},
)
TURNS_OF_A_REQUEST = 100


def main() -> None:
    """Measure both ways side by side."""
    options = arguments(__doc__, turns=10_000, rounds=5)
    requests = [request_of(number, TURNS_OF_A_REQUEST) for number in range(max(1, options.turns // TURNS_OF_A_REQUEST))]
    turns = len(requests) * TURNS_OF_A_REQUEST
    assert by_request(requests) == by_span(requests)
    assert len(by_span(requests)) == turns
    ways = {"by_span": lambda: by_span(requests), "by_request": lambda: by_request(requests)}
    timings = Timings({name: discarding(way) for name, way in ways.items()}, options.rounds)
    for name in ways:
        print(f"{turns * len(PARTS) / timings.median(name):,.0f} spans a second {name.replace('_', ' ')}")
    publish("follow", {"by_request_beside_by_span": timings.ratio("by_request", "by_span")}, save=options.save)


def discarding(way: Callable[[], object]) -> Callable[[], None]:
    """The same, without what it gives."""

    def work() -> None:
        way()

    return work


if __name__ == "__main__":
    main()
