"""How fast spans become turns again, beside merely parsing the same file, and beside the same figures by other means.

The file is OTLP JSON lines as the file exporter writes them, and the same as OTLP protobuf. Measured is what
``agentnet-otel turns`` and ``check`` do from lines to rows and verdicts; a pass of msgspec without types and one of the
standard library's json that throw away what they parsed; and, with each library, a program that answers three questions
only: how many turns, the p95 of their duration, and the tokens of each agent. For two jobs what counts is the CPU time
of one of the two processes. Libraries that are not installed are said.
"""

import base64
import gc
import json
import math
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
from google.protobuf import json_format
from measuring import Timings, arguments, publish
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

import agentnet_otel
from agentnet_otel import LatencyComponent
from agentnet_otel.core.running_verdicts import RunningVerdicts
from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.core.turn_row import judged_of
from agentnet_otel.outputs.turn_rows import row_line
from agentnet_otel.prices import installed
from agentnet_otel.sources.rebuild import TurnStream
from agentnet_otel.sources.share import Share
from agentnet_otel.sources.turn_windows import row_window

PREFIX_BYTES = 4
AGENT, INPUT, OUTPUT, TURN = (
    "gen_ai.agent.name",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "invoke_agent",
)
Answer = tuple[int, int, dict[str, int]]
"""Turns, the p95 of their duration in nanoseconds, tokens by agent."""


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


def write_turns_elsewhere(path: Path, turns: int) -> None:
    """`write_turns` in a process of its own: what a recorder leaves behind is no part of any way of reading."""
    process = multiprocessing.get_context("spawn").Process(target=write_turns, args=(path, turns))
    process.start()
    process.join()
    assert process.exitcode == 0


def write_protobuf(lines: Path, path: Path) -> None:
    """The same spans as the Collector's file exporter writes them in protobuf: each message behind its length."""
    with lines.open("rb") as source, path.open("wb") as target:
        for line in source:
            document = json.loads(line)
            for span in spans_of(document):
                for key in {"traceId", "spanId", "parentSpanId"} & span.keys():
                    span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
            body = json_format.ParseDict(document, TracesData(), ignore_unknown_fields=True).SerializeToString()
            target.write(len(body).to_bytes(PREFIX_BYTES, "big") + body)


# --- ours ------------------------------------------------------------------------------------------------


def rows_of(path: Path, turns: int) -> Callable[[], None]:
    """What ``turns`` does, without the pipe."""

    def read() -> None:
        stream = TurnStream([path], row_window(prices=installed()))
        found = sum(1 for row in stream.in_order() if row_line(row))
        assert found == turns, f"{found} of {turns} turns came back"

    return read


def verdicts_of(path: Path, turns: int) -> Callable[[], None]:
    """What ``check`` does, without the table."""

    def read() -> None:
        running = RunningVerdicts(ThresholdTable())
        for row in TurnStream([path], row_window(prices=installed())).in_order():
            running.add(judged_of(row).observation)
        assert running.judgements()[0].n == turns

    return read


class Unanimous:
    """The other process finds everything plain, too."""

    def tell(self, size: int, *, plain: bool) -> None:
        """Nobody hears."""

    def all_plain(self) -> bool:
        """Always."""
        return True

    def end(self) -> None:
        """Nobody waits."""


def half_of(path: Path) -> Callable[[], None]:
    """What one of two processes does."""

    def read() -> None:
        stream = TurnStream([path], row_window(prices=installed()), share=Share(0, 2, Unanimous()))
        for told in stream.told():
            for _, row in told:
                row_line(row)

    return read


# --- others ----------------------------------------------------------------------------------------------


def parse_with(decode: Callable[[bytes], object], path: Path) -> Callable[[], None]:
    """Every line, parsed and thrown away."""

    def parse() -> None:
        with path.open("rb") as file:
            for line in file:
                decode(line)

    return parse


def spans_of(document: Any) -> Iterator[Any]:
    """The spans of a request."""
    for resource_spans in document["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            yield from scope_spans["spans"]


def answer(spans: Iterable[tuple[dict[str, Any], int]]) -> Answer:
    """The three figures, from the attributes and durations of spans."""
    durations, tokens = [], dict[str, int]()
    for attributes, duration in spans:
        agent = attributes.get(AGENT, "")
        if attributes.get("gen_ai.operation.name") == TURN:
            durations.append(duration)
        if INPUT in attributes:
            tokens[agent] = tokens.get(agent, 0) + int(attributes[INPUT]) + int(attributes[OUTPUT])
    durations.sort()
    return len(durations), durations[math.floor(len(durations) * 0.95)], tokens


def same_by_json(decode: Callable[[bytes], Any], path: Path, turns: int) -> Callable[[], None]:
    """The three figures by a parser of JSON."""

    def spans() -> Iterator[tuple[dict[str, Any], int]]:
        with path.open("rb") as file:
            for line in file:
                for span in spans_of(decode(line)):
                    said = {pair["key"]: next(iter(pair["value"].values())) for pair in span["attributes"]}
                    yield said, int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"])

    return lambda: check_answer(answer(spans()), turns)


def same_by_protobuf(path: Path, turns: int) -> Callable[[], None]:
    """The three figures by the library of protobuf."""

    def messages() -> Iterator[TracesData]:
        with path.open("rb") as file:
            while length := int.from_bytes(file.read(PREFIX_BYTES), "big"):
                yield TracesData.FromString(file.read(length))

    def spans() -> Iterator[tuple[dict[str, Any], int]]:
        for message in messages():
            for resource_spans in message.resource_spans:
                for scope_spans in resource_spans.scope_spans:
                    for span in scope_spans.spans:
                        said = {a.key: a.value.string_value or a.value.int_value for a in span.attributes}
                        yield said, span.end_time_unix_nano - span.start_time_unix_nano

    return lambda: check_answer(answer(spans()), turns)


DUCKDB_SPANS = """
    CREATE TEMP TABLE spans AS SELECT span.endTimeUnixNano - span.startTimeUnixNano AS duration, map_from_entries(
        [(a.key, coalesce(a.value.stringValue, a.value.intValue)) for a in span.attributes]) AS said
    FROM (SELECT unnest(s.spans) AS span FROM (SELECT unnest(r.scopeSpans) AS s FROM
    (SELECT unnest(resourceSpans) AS r FROM read_json(?, format='newline_delimited', maximum_object_size=100000000,
     columns={resourceSpans: 'STRUCT(scopeSpans STRUCT(spans STRUCT(startTimeUnixNano BIGINT, endTimeUnixNano BIGINT,
     attributes STRUCT("key" VARCHAR, "value" STRUCT(stringValue VARCHAR, intValue VARCHAR))[])[])[])[]'}))))
"""
DUCKDB_TURNS = """
    SELECT count(*), quantile_disc(duration, 0.95) FROM spans WHERE said['gen_ai.operation.name'] = 'invoke_agent'
"""
DUCKDB_TOKENS = """
    SELECT said['gen_ai.agent.name'],
        sum(said['gen_ai.usage.input_tokens']::BIGINT + said['gen_ai.usage.output_tokens']::BIGINT)
    FROM spans WHERE said['gen_ai.usage.input_tokens'] IS NOT NULL GROUP BY 1
"""


def same_by_duckdb(duckdb: Any, path: Path, turns: int) -> Callable[[], None]:
    """The three figures by SQL on one thread."""

    def work() -> None:
        base = duckdb.connect(config={"threads": 1})
        base.execute(DUCKDB_SPANS, [str(path)])
        count, p95 = base.execute(DUCKDB_TURNS).fetchone()
        tokens = dict(base.execute(DUCKDB_TOKENS).fetchall())
        base.close()
        check_answer((count, p95, tokens), turns)

    return work


CHDB_FIGURES = """
    WITH spans AS (
        SELECT toInt64OrZero(span.2) - toInt64OrZero(span.1) AS duration,
            mapFromArrays(span.3.1, arrayMap(v -> if(v.1 = '', v.2, v.1), span.3.2)) AS said
        FROM (SELECT arrayJoin(arrayFlatten(JSONExtract(line, 'resourceSpans',
            'Array(Tuple(scopeSpans Array(Tuple(spans Array(Tuple(startTimeUnixNano String, endTimeUnixNano String,
            attributes Array(Tuple(key String, value Tuple(stringValue String, intValue String)))))))))').1.1)) AS span
        FROM file({path:String}, LineAsString, 'line String'))
    )
    SELECT countIf(said['gen_ai.operation.name'] = 'invoke_agent'),
        quantileExactIf(0.95)(duration, said['gen_ai.operation.name'] = 'invoke_agent'),
        sumMap(map(said['gen_ai.agent.name'], toInt64OrZero(said['gen_ai.usage.input_tokens'])
            + toInt64OrZero(said['gen_ai.usage.output_tokens'])))
    FROM spans SETTINGS max_threads = 1 FORMAT JSONCompactEachRow
"""


def same_by_chdb(chdb: Any, path: Path, turns: int) -> Callable[[], None]:
    """The three figures by SQL of ClickHouse on one thread."""

    def work() -> None:
        count, p95, tokens = json.loads(str(chdb.query(CHDB_FIGURES, params={"path": str(path)})))
        check_answer((int(count), int(p95), {agent: int(number) for agent, number in tokens.items()}), turns)

    return work


def check_answer(found: Answer, turns: int) -> None:
    """A quick wrong answer is worth nothing."""
    assert found[0] == turns
    assert found[1] > 0
    assert sum(found[2].values()) > 0


def library(name: str) -> Any:
    """A library that need not be there, or None."""
    try:
        return import_module(name)
    except ImportError:
        return None


def main() -> None:
    """Measure side by side."""
    options = arguments(__doc__, turns=8000, rounds=7)
    gc.freeze()  # what was imported is no part of any way
    orjson, duckdb, chdb = (library(name) for name in ("orjson", "duckdb", "chdb"))
    with tempfile.TemporaryDirectory() as folder:
        lines, messages = Path(folder, "spans.jsonl"), Path(folder, "spans.pb")
        write_turns_elsewhere(lines, options.turns)
        write_protobuf(lines, messages)
        ways: dict[str, Callable[[], None] | None] = {
            "msgspec, untyped": parse_with(msgspec.json.decode, lines),
            "json of the standard library": parse_with(json.loads, lines),
            "turns": rows_of(lines, options.turns),
            "check": verdicts_of(lines, options.turns),
            "turns of protobuf": rows_of(messages, options.turns),
            "one of two jobs": half_of(lines),
            "figures by json": same_by_json(json.loads, lines, options.turns),
            "figures by orjson": orjson and same_by_json(orjson.loads, lines, options.turns),
            "figures by protobuf": same_by_protobuf(messages, options.turns),
            "figures by duckdb": duckdb and same_by_duckdb(duckdb, lines, options.turns),
            "figures by chdb": chdb and same_by_chdb(chdb, lines, options.turns),
        }
        times = Timings({name: way for name, way in ways.items() if way is not None}, options.rounds, time.process_time)

    def ratio(name: str, beside: str) -> float | None:
        return times.ratio(name, beside) if ways[name] is not None else None

    ratios = {
        "beside_untyped_msgspec": ratio("turns", "msgspec, untyped"),
        "beside_json": ratio("turns", "json of the standard library"),
        "check_beside_untyped_msgspec": ratio("check", "msgspec, untyped"),
        "protobuf_beside_untyped_msgspec": ratio("turns of protobuf", "msgspec, untyped"),
        "one_of_two_jobs_beside_one": ratio("one of two jobs", "turns"),
        **{
            f"three_figures_by_{name}_beside_untyped_msgspec": ratio(f"figures by {name}", "msgspec, untyped")
            for name in ("json", "orjson", "protobuf", "duckdb", "chdb")
        },
    }
    publish("read", ratios, save=options.save)


if __name__ == "__main__":
    main()
