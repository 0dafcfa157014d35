"""The same turns come out of every format, compressed or not, however the bytes arrive."""

import gzip
import io
import json
import struct
import sys
from contextlib import suppress

import pytest
import zstandard
from google.protobuf.json_format import MessageToDict, MessageToJson
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as encode_otlp
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

import agentnet_otel
from agentnet_otel import LatencyComponent, TokenCategory
from agentnet_otel.core.assembler import Assembler, newest_revisions
from agentnet_otel.errors import InputError
from agentnet_otel.instrumentation.file_exporter import encode_spans as encode_json
from agentnet_otel.sources import messages
from agentnet_otel.sources.compression import unpacked
from agentnet_otel.sources.decoding import PayloadDecoder, opened
from agentnet_otel.sources.files import read_spans
from agentnet_otel.sources.framing import payloads
from agentnet_otel.sources.otlp_protobuf import ProtobufDecoder
from agentnet_otel.sources.otlp_protobuf import TracesData as LeftEncoded
from agentnet_otel.sources.plain_payloads import PlainDecoder
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.rebuild import rebuild
from agentnet_otel.sources.shape import Form, Shape, shape_of
from agentnet_otel.testing import InMemoryTelemetry

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
TAG_TYPES = {str: "string", bool: "bool", int: "int64", float: "float64"}


@pytest.fixture(scope="module")
def spans():
    """Spans of the SDK: turns in a session, nested, failed, with tokens, cost, tools and a violation."""
    telemetry = InMemoryTelemetry()
    handle = agentnet_otel.instrument(
        tracer_provider=telemetry.tracer_provider, meter_provider=telemetry.meter_provider
    )
    with agentnet_otel.session("debate", "c-1"):
        for number in range(5):
            with agentnet_otel.turn("planner", prompt="why?", model="m") as turn:
                with turn.component(LatencyComponent.INFERENCE, model="m") as call:
                    call.record_tokens(input=100 + number, output=50, cached=7, category=TokenCategory.DIALOGUE)
                    call.record_cost(usd=0.25)
                with turn.component(LatencyComponent.TOOL_EXECUTION, "ask"), agentnet_otel.turn("expert") as inner:
                    inner.record_confidence(0.5)
                turn.record_policy_violation("no-secrets", severity="major")
        with pytest.raises(ValueError, match="no"), agentnet_otel.turn("critic"):
            raise ValueError("no")
    handle.shutdown()
    found = telemetry.spans()
    telemetry.close()
    return found


def as_protobuf(spans):
    """One message, by the SDK's own encoder."""
    return TracesData(resource_spans=encode_otlp(spans).resource_spans).SerializeToString()


def as_json(spans):
    """One line, by our exporter."""
    return json.dumps({"resourceSpans": encode_json(spans)}).encode() + b"\n"


def in_former_words(document):
    """A request as it was written until scopes were called so."""
    former = {"scopeSpans": "instrumentationLibrarySpans", "scope": "instrumentationLibrary"}
    if isinstance(document, dict):
        return {former.get(key, key): in_former_words(value) for key, value in document.items()}
    return [*map(in_former_words, document)] if isinstance(document, list) else document


def as_former_json(spans):
    """A line in former words."""
    return json.dumps(in_former_words({"resourceSpans": encode_json(spans)})).encode() + b"\n"


def as_former_protobuf(spans):
    """A message whose scopes stand in their former field."""
    message = LeftEncoded.FromString(as_protobuf(spans))
    for resource_spans in message.resource_spans:
        resource_spans.instrumentation_library_spans.extend(resource_spans.scope_spans)
        resource_spans.ClearField("scope_spans")
    return message.SerializeToString()


def tags_of(attributes):
    """Attributes as Jaeger has them: lists are JSON text."""
    listed = {k: json.dumps(list(v)) if isinstance(v, tuple) else v for k, v in (attributes or {}).items()}
    return [{"key": k, "type": TAG_TYPES[type(v)], "value": v} for k, v in listed.items()]


def jaeger_span(span):
    """A span as Jaeger's query API answers it."""
    tags = tags_of(span.attributes)
    tags.append({"key": "otel.scope.name", "type": "string", "value": span.instrumentation_scope.name})
    tags.append({"key": "otel.scope.version", "type": "string", "value": span.instrumentation_scope.version})
    tags.append({"key": "span.kind", "type": "string", "value": KINDS[span.kind.value + 1]})
    if span.status.status_code.value:
        tags.append({"key": "otel.status_code", "type": "string", "value": span.status.status_code.name})
    if span.status.status_code.name == "ERROR":
        tags.append({"key": "error", "type": "bool", "value": True})
        tags.append({"key": "otel.status_description", "type": "string", "value": span.status.description})
    trace_id = format(span.context.trace_id, "x")  # without leading zeros
    return {
        "traceID": trace_id,
        "spanID": format(span.context.span_id, "x"),
        "operationName": span.name,
        "references": []
        if span.parent is None
        else [{"refType": "CHILD_OF", "traceID": trace_id, "spanID": format(span.parent.span_id, "x")}],
        "startTime": span.start_time // 1000,
        "duration": (span.end_time - span.start_time) // 1000,
        "tags": tags,
        "logs": [
            {"timestamp": e.timestamp // 1000, "fields": [*tags_of({"event": e.name}), *tags_of(e.attributes)]}
            for e in span.events
        ],
        "processID": "p1",
        "warnings": None,
    }


def as_jaeger(spans, indent=None):
    """An answer of Jaeger's query API; its UI's download is the same, indented."""
    process = {"serviceName": spans[0].resource.attributes["service.name"], "tags": []}
    trace = {
        "traceID": format(spans[0].context.trace_id, "x"),
        "spans": [jaeger_span(span) for span in spans],
        "processes": {"p1": process},
        "warnings": None,
    }
    answer = {"data": [trace], "total": 0, "limit": 0, "offset": 0, "errors": None}
    return json.dumps(answer, indent=indent).encode()


def prefixed(messages):
    """As the Collector's file exporter frames: four bytes of length before each."""
    return b"".join(struct.pack(">I", len(message)) + message for message in messages)


def delimited(messages):
    """As protobuf's delimited streams frame: a varint of length before each."""
    framed = b""
    for message in messages:
        length = len(message)
        while length > 0x7F:
            framed += bytes((length & 0x7F | 0x80,))
            length >>= 7
        framed += bytes((length,)) + message
    return framed


def halves(spans):
    """Two batches."""
    return spans[: len(spans) // 2], spans[len(spans) // 2 :]


FORMATS = {
    "json lines": lambda spans: b"".join(map(as_json, halves(spans))),
    "json document": lambda spans: json.dumps({"resourceSpans": encode_json(spans)}, indent=2).encode(),
    "protobuf message": as_protobuf,
    "protobuf, prefixed": lambda spans: prefixed(map(as_protobuf, halves(spans))),
    "protobuf, delimited": lambda spans: delimited(map(as_protobuf, halves(spans))),
    "zstd frames of protobuf, prefixed": lambda spans: prefixed(
        zstandard.compress(as_protobuf(half)) for half in halves(spans)
    ),
    "zstd frames of JSON, prefixed": lambda spans: prefixed(zstandard.compress(as_json(h)) for h in halves(spans)),
    "json lines in former words": lambda spans: b"".join(map(as_former_json, halves(spans))),
    "protobuf message in former words": as_former_protobuf,
    "JSON, prefixed": lambda spans: prefixed(map(as_json, halves(spans))),
    "jaeger answer": as_jaeger,
    "jaeger download": lambda spans: as_jaeger(spans, indent=2),
    "jaeger list of traces": lambda spans: json.dumps(json.loads(as_jaeger(spans))["data"]).encode(),
    "one jaeger trace": lambda spans: json.dumps(json.loads(as_jaeger(spans))["data"][0]).encode(),
}
COMPRESSIONS = {"plain": bytes, "gzip": gzip.compress, "zstd": zstandard.compress}


def coarse(turn, *, microseconds):
    """The turn without what Jaeger cannot keep: times below a microsecond."""
    if not microseconds:
        return turn
    return (
        turn.turn_id, turn.span_id, turn.parent_span_id, turn.agent, turn.session, turn.outcome, turn.error_type,
        turn.models, turn.tokens, turn.tokens_by_category, turn.cost_usd, turn.cost_source, turn.confidence,
        turn.efficiency, [(call.name, call.outcome) for call in turn.tool_calls],
        turn.violations, turn.component_counts, turn.spans, turn.service_name,
        turn.start_ns // 1000, turn.prompt_length,
    )  # fmt: skip


@pytest.fixture(scope="module")
def truth(spans):
    """The turns, by our JSON."""
    assembler = Assembler()
    told = [turn for line in map(as_json, [spans]) for s in decode(line) for turn in assembler.feed(s)]
    return newest_revisions([*told, *assembler.drain()])


def decode(data, form=Form.JSON):
    """The spans of a payload that has no bad one."""

    def fail(text):
        raise AssertionError(text)

    return list(PayloadDecoder().decode(data, form, fail))


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_the_same_turns(spans, truth, tmp_path, form, compression):
    """Told apart by content: the name of the file says nothing."""
    path = tmp_path / "no-ending"
    path.write_bytes(COMPRESSIONS[compression](FORMATS[form](spans)))
    rebuilt = rebuild([path])
    assert not rebuilt.read.problems
    assert rebuilt.read.spans == len(spans)
    microseconds = "jaeger" in form
    found = {t.span_id: coarse(t, microseconds=microseconds) for t in rebuilt.turns}
    assert found == {t.span_id: coarse(t, microseconds=microseconds) for t in truth}


class Slow(io.RawIOBase):
    """A pipe that brings a byte at a time."""

    def __init__(self, data):
        self._data = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        byte = self._data.read(1)
        buffer[: len(byte)] = byte
        return len(byte)


@pytest.mark.parametrize("form", FORMATS)
def test_bytes_that_come_one_by_one(spans, truth, monkeypatch, form):
    """From a slow pipe the same turns come."""
    stdin = io.TextIOWrapper(io.BufferedReader(Slow(FORMATS[form](spans))))
    monkeypatch.setattr(sys, "stdin", stdin)
    rebuilt = rebuild(["-"])
    assert (rebuilt.read.problems, len(rebuilt.turns)) == ([], len(truth))


@pytest.mark.parametrize("form", FORMATS)
def test_trailing_rubbish_costs_only_itself(spans, truth, tmp_path, form):
    """What came before it is there, and it is told, with its place."""
    path = tmp_path / "spans"
    path.write_bytes(FORMATS[form](spans) + b"\n\x00rubbish")
    rebuilt = rebuild([path])
    assert rebuilt.read.problems
    assert all(problem.startswith(str(path)) for problem in rebuilt.read.problems)
    if "," in form or "lines" in form:  # the others are one payload, which is damaged as a whole
        assert len(rebuilt.turns) == len(truth)


@pytest.mark.parametrize("form", [name for name in FORMATS if "," in name])
def test_a_stream_that_was_cut_off(spans, tmp_path, form):
    """At every place the whole messages are read and the end is told as cut off."""
    data = FORMATS[form](spans)
    path = tmp_path / "spans"
    for cut in range(len(data) - 1, len(data) - 40, -1):
        path.write_bytes(data[:cut])
        rebuilt = rebuild([path])
        assert (rebuilt.read.cut_off_ends, rebuilt.read.lines) == (1, 2)
        assert 0 < rebuilt.read.spans < len(spans)
    path.write_bytes(data + data[:2])
    assert rebuild([path]).read.cut_off_ends == (1 if form != "protobuf, delimited" or data[0] & 0x80 else 0)


def test_messages_of_every_size_are_told_from_lengths(spans, tmp_path):
    """One message whose length takes one, two, three or four bytes is not taken for the length of another."""
    path = tmp_path / "spans"
    message = TracesData.FromString(as_protobuf(spans))
    for size in (0, 100, 300, 20_000, 300_000, 3_000_000):
        message.resource_spans[0].resource.attributes.add(key="padding").value.string_value = "x" * size
        path.write_bytes(message.SerializeToString())
        rebuilt = rebuild([path])
        assert (rebuilt.read.problems, rebuilt.read.spans) == ([], len(spans))
        path.write_bytes(delimited([message.SerializeToString()] * 2))
        assert rebuild([path]).read.spans == 2 * len(spans)


@pytest.mark.parametrize(
    ("framed", "wrong"),
    [
        *((prefixed, wrong) for wrong in (b"\xff" * 300, b"\0" * 40, b"rubbish" * 9, b"\x0a", b"")),
        *((delimited, wrong) for wrong in (b"\xff" * 300, b"\0" * 40, b"rubbish" * 99, b"")),
    ],
)
def test_a_first_message_that_is_wrong_costs_itself(spans, truth, tmp_path, framed, wrong):
    """How messages follow each other is told by the next ones."""
    path = tmp_path / "spans"
    path.write_bytes(framed([wrong, *map(as_protobuf, halves(spans))]))
    rebuilt = rebuild([path])
    assert len(rebuilt.turns) == len(truth)
    assert rebuilt.read.bad_lines == bool(wrong)


def of_turns(count):
    """Messages of a turn each, of different sizes."""
    messages = []
    for number in range(1, count + 1):
        message = TracesData()
        of_resource = message.resource_spans.add()
        of_resource.resource.attributes.add(key="service.name").value.string_value = "s"
        of_scope = of_resource.scope_spans.add()
        of_scope.scope.name = "x"
        own = of_scope.spans.add(trace_id=bytes([number] * 16), span_id=bytes([number] * 8), name="n" * (9 * number))
        own.start_time_unix_nano, own.end_time_unix_nano = 10**18 + number, 10**18 + number + 5
        messages.append(message.SerializeToString())
    return messages


def spans_and_problems(data):
    """How many spans are read, and what is told."""
    report = ReadReport()
    return len(list(read_stream(data, report))), report


def read_stream(data, report):
    """The spans of a stream."""
    decoder = PayloadDecoder()
    for payload in payloads(io.BytesIO(data), "x", report):
        yield from decoder.records(payload, report)


FRAMES = {
    "prefixed": prefixed,
    "delimited": delimited,
    "frames of zstd": lambda messages: prefixed(map(zstandard.compress, messages)),
    "JSON": lambda messages: prefixed(MessageToJson(TracesData.FromString(one)).encode() for one in messages),
}


@pytest.mark.parametrize("framed", FRAMES.values(), ids=FRAMES)
def test_a_length_that_is_damaged_costs_what_it_spans_and_the_next(framed):
    """Too large, too small, with a byte more or less: the next message that fits is looked for."""
    messages = of_turns(12)
    data, before = framed(messages), len(framed(messages[:5]))
    assert spans_and_problems(data)[0] == 12
    damaged = [
        data[:before] + wrong + data[before + 4 :] for wrong in (b"\x7f" * 4, b"\xff" * 4, b"\0\0\1\0", b"\0\1\0\0")
    ]
    damaged += [
        data[: before + at] + more + data[before + at + less :] for at, more, less in ((40, b"", 1), (40, b"x", 0))
    ]
    damaged += [data[: before - 1] + data[before:], data[:before] + b"rubbish" * 9 + data[before:]]
    for number, one in enumerate(damaged):
        found, report = spans_and_problems(one)
        assert found >= 8, (number, report.problems)
        assert report.bad_lines + report.cut_off_ends + report.skipped_lines + report.bad_spans > 0 or found == 12


@pytest.mark.parametrize("framed", FRAMES.values(), ids=FRAMES)
def test_an_end_that_is_missing_is_no_damage(framed):
    """Wherever a stream ends: what is whole is read, and one end is told."""
    messages = of_turns(3)
    data, whole = framed(messages), [len(framed(messages[:number])) for number in range(1, 4)]
    for end in range(whole[0], len(data)):
        found, report = spans_and_problems(data[:end])
        assert found == sum(size <= end for size in whole)
        assert (report.bad_lines, report.cut_off_ends) == (0, end not in whole)


@pytest.mark.parametrize("framed", [prefixed, delimited])
def test_thousands_of_empty_messages_are_passed_over(framed):
    """As zeros that a disk left; what comes behind them is read, and places are right."""
    first, second = of_turns(2)
    data = framed([first]) + bytes(20_000) + framed([second, b"\xff" * 50])
    found, report = spans_and_problems(data)
    assert found == 2
    place = f"byte {len(data) - len(framed([bytes(50)]))}: not an OTLP"
    assert [place in problem for problem in report.problems] == [True]


@pytest.mark.parametrize("grows", [False, True])
def test_damage_is_not_looked_behind_for_ever(monkeypatch, grows):
    """Where a stream is nothing but beginnings of messages that do not fit, looking ends."""
    monkeypatch.setattr(messages, "MAX_LOOKS", 50)
    looks = []
    fits = messages.fits

    def watched(head, shape):
        looks.append(head)
        return fits(head, shape)

    monkeypatch.setattr(messages, "fits", watched)
    cutter = messages.MessageCutter(Shape.PREFIXED, "x", ReadReport(), grows=grows)
    data = prefixed(of_turns(1)) + b"\0\0\1\0\x0a" * 5000
    found = [*cutter.feed(data), *cutter.settle(), *cutter.finish()]
    assert found
    assert 0 < len(looks) < 200


def test_lines_of_jaeger(spans, truth, tmp_path):
    """Answers or traces, one a line."""
    path = tmp_path / "spans"
    traces = json.loads(as_jaeger(spans))["data"]
    for lines in ([{"data": [trace]} for trace in traces], traces):
        path.write_bytes(b"\n".join(json.dumps(line).encode() for line in [*lines, lines[0]]))
        rebuilt = rebuild([path])
        assert (rebuilt.read.problems, len(rebuilt.turns)) == ([], len(truth))


def test_a_message_that_is_too_long_is_skipped_unread(spans, tmp_path, monkeypatch):
    """And the one after it is read."""
    monkeypatch.setattr("agentnet_otel.sources.messages.MAX_LINE_BYTES", 1_000_000)
    path = tmp_path / "spans"
    path.write_bytes(prefixed([as_protobuf(spans[:1]), b"\n" * 1_000_001, as_protobuf(spans[1:])]))
    read = rebuild([path]).read
    assert (read.spans, read.skipped_lines, len(read.problems)) == (len(spans), 1, 1)
    assert "message 2" in read.problems[0]


def test_a_bad_span_in_protobuf_costs_itself(spans, tmp_path):
    """Ids of the wrong length, and an end without a start, which would last since 1970: told, the others stay."""
    message = TracesData.FromString(as_protobuf(spans))
    message.resource_spans[0].scope_spans[0].spans[2].start_time_unix_nano = 0
    message.resource_spans[0].scope_spans[0].spans[0].trace_id = b"short"
    message.resource_spans[0].scope_spans[0].spans[1].span_id = bytes(8)
    path = tmp_path / "spans"
    path.write_bytes(message.SerializeToString())
    read = rebuild([path]).read
    assert (read.bad_spans, read.spans) == (3, len(spans) - 3)


@pytest.mark.parametrize("quickly", [True, False])
@pytest.mark.parametrize(
    ("name", "text"), [({"string_value": "a"}, "a"), ({"int_value": 7}, "7"), ({}, ""), (None, "")]
)
def test_the_name_of_the_service_is_text_in_protobuf_too(quickly, name, text):
    """An empty value is no service that is called None."""
    message = TracesData()
    resource_spans = message.resource_spans.add()
    if name is not None:
        value = resource_spans.resource.attributes.add(key="service.name").value
        for field, said in name.items():
            setattr(value, field, said)
    span = resource_spans.scope_spans.add().spans.add(trace_id=b"t" * 16, span_id=b"s" * 8)
    span.start_time_unix_nano = 1
    data = message.SerializeToString()
    if quickly:
        (plain,) = PlainDecoder().decode(data, Form.PROTOBUF).spans
        assert plain.origin.service_name == text
    else:
        (record,) = decode(data, Form.PROTOBUF)
        assert record.service_name == text


def test_every_value_of_protobuf(spans):
    """All kinds of value, by the library's own JSON as reference."""
    message = TracesData.FromString(as_protobuf(spans[:1]))
    span = message.resource_spans[0].scope_spans[0].spans[0]
    del span.attributes[:]
    values = {"s": "text", "b": True, "i": -5, "f": 2.5, "y": b"\x00\xff", "n": None}
    for key, value in values.items():
        pair = span.attributes.add(key=key)
        if value is not None:
            setattr(pair.value, {str: "string", bool: "bool", int: "int", float: "double", bytes: "bytes"}[
                type(value)] + "_value", value)  # fmt: skip
    listed = span.attributes.add(key="l").value.array_value
    listed.values.add(string_value="a")
    listed.values.add(int_value=1)
    span.attributes.add(key="m").value.kvlist_value.values.add(key="k").value.double_value = 0.5
    (record,) = decode(message.SerializeToString(), Form.PROTOBUF)
    assert record.attributes == {**values, "l": ("a", 1), "m": {"k": 0.5}}
    assert MessageToDict(span)["name"] == record.name


@pytest.mark.parametrize("number", [0, 1, 2, 5])
def test_jaeger_tags_that_others_write(number):
    """Without OpenTelemetry's own tags: the error tag is the status, former scope tags and parent field count."""
    span = {
        "traceID": "1", "spanID": "2", "operationName": "x", "startTime": 1, "duration": 2, "parentSpanID": "9",
        "tags": [
            {"key": "error", "value": "true"}, {"key": "otel.library.name", "value": "lib"},
            {"key": "span.kind", "value": "client"},
        ],
        "process": {"serviceName": "shop"}, "logs": None, "references": None,
    }  # fmt: skip
    (record,) = decode(json.dumps([{"spans": [span] * 1, "processes": None, "n": number}]).encode())
    assert (record.failed, record.scope_name, record.service_name) == (True, "lib", "shop")
    assert (record.parent_span_id, record.kind.name) == (format(9, "016x"), "CLIENT")
    assert (record.start_ns, record.end_ns) == (1000, 3000)
    assert record.trace_id == format(1, "032x")


def jaeger_answer(*spans, **trace):
    """An answer of one trace, of spans that have what every span has."""
    usual = {"traceID": "1", "operationName": "x", "startTime": 1, "duration": 2}
    listed = [{**usual, "spanID": str(number), **span} for number, span in enumerate(spans, 1)]
    return json.dumps({"data": [{"spans": listed, "processes": {}, **trace}]}).encode()


@pytest.mark.parametrize(
    "written",
    [b"NaN", b"-Infinity", b'"a\\ud83d"', b'"\xff"', b'"\xed\xa0\xbd"'],
    ids=["nan", "inf", "half", "latin", "raw half"],
)
def test_what_only_strict_readers_refuse_costs_no_span_of_jaeger(written):
    """Numbers that are none, and text that is none, in a tag of one span."""
    tagged = {"tags": [{"key": "k", "value": "HERE"}, {"key": "l", "value": 7}]}
    records = decode(jaeger_answer({}, tagged, {}).replace(b'"HERE"', written))
    assert [record.span_id[-1] for record in records] == ["1", "2", "3"]
    assert records[1].attributes["l"] == 7
    assert records[1].attributes["k"].encode()


@pytest.mark.parametrize(
    ("start", "duration", "times"),
    [
        (1_700_000_000_000_001, 2, (1_700_000_000_000_001_000, 1_700_000_000_000_003_000)),
        ("1700000000000001", "2", (1_700_000_000_000_001_000, 1_700_000_000_000_003_000)),
        (1.700000000000001e15, 2.5, (1_700_000_000_000_001_000, 1_700_000_000_000_003_500)),
        ("1.700000000000001e15", "2.5", (1_700_000_000_000_001_000, 1_700_000_000_000_003_500)),
        ("9007199254740993", "0", (9_007_199_254_740_993_000, 9_007_199_254_740_993_000)),
        (1, None, (1000, 1000)),
    ],
)
def test_times_of_jaeger_in_every_form(start, duration, times):
    """As whole numbers, as fractions and as text."""
    (record,) = decode(jaeger_answer({"startTime": start, "duration": duration}))
    assert (record.start_ns, record.end_ns) == times


@pytest.mark.parametrize(
    "wrong", [-1, "-1", 1e300, "1e300", 10**30, "NaN", "", "soon", float("nan"), True, [], 18446744073709551]
)
@pytest.mark.parametrize("field", ["startTime", "duration"])
def test_a_time_of_jaeger_that_is_none_costs_its_span(field, wrong):
    """And is told; so is a time that is too late for 64 bits."""
    told = []
    data = jaeger_answer({}, {"startTime": 615, "duration": 2, field: wrong}, {})
    records = list(PayloadDecoder().decode(data, Form.JSON, told.append))
    assert [record.span_id[-1] for record in records] == ["1", "3"]
    assert len(told) == 1
    assert "a span of trace 1 was left out" in told[0]


def test_a_document_of_jaeger_whose_end_is_missing_is_told_as_that(tmp_path):
    """Its writer was stopped; that is no bad line."""
    report = ReadReport()
    path = tmp_path / "jaeger.json"
    path.write_bytes(jaeger_answer({}, {})[:-30])
    assert list(read_spans([path], report)) == []
    assert (report.bad_lines, report.cut_off_ends) == (0, 1)


@pytest.mark.parametrize("data", ["null", "[]"])
@pytest.mark.parametrize(
    "form", ['{"data":DATA,"errors":ERRORS}', '{"errors":ERRORS,"data":DATA}', '{"errors":ERRORS}']
)
def test_an_error_of_jaeger_is_told(tmp_path, data, form):
    """The server's own word."""
    path = tmp_path / "answer.json"
    path.write_text(form.replace("DATA", data).replace("ERRORS", '[{"code":404,"msg":"trace not found"}]'))
    read = rebuild([path]).read
    assert read.problems == [f"{path}:1: Jaeger answered with an error: trace not found"]
    assert read.bad_lines == 1


def test_an_answer_of_jaeger_without_traces(tmp_path):
    """Nothing is wrong with it."""
    path = tmp_path / "answer.json"
    path.write_text('{"data":null,"total":0,"limit":0,"offset":0,"errors":null}')
    assert not rebuild([path]).read.problems


def test_what_jaeger_has_not_is_told_beside_what_it_has(tmp_path):
    """It was asked for two traces, and one is gone."""
    trace = {"spans": [{"traceID": "1", "spanID": "2", "startTime": 1, "parentSpanID": None, "operationName": None}]}
    path = tmp_path / "answer.json"
    path.write_text(json.dumps({"data": [trace], "errors": [{"msg": "trace not found", "traceID": "99"}]}))
    read = rebuild([path]).read
    assert (read.spans, read.bad_spans) == (1, 1)
    assert "trace not found (99)" in read.problems[0]


@pytest.mark.parametrize("indent", [None, 2])
def test_an_answer_of_the_newer_api_of_jaeger(spans, truth, tmp_path, indent):
    """It wraps an OTLP request; an error in it is told."""
    path = tmp_path / "answer.json"
    path.write_text(json.dumps({"result": json.loads(as_json(spans))}, indent=indent))
    found = rebuild([path])
    assert (found.turns, found.read.problems) == (truth, [])
    path.write_text('{"error":{"httpCode":404,"message":"trace not found"}}')
    assert "error" in rebuild([path]).read.problems[0]


@pytest.mark.parametrize("form", ["json", "protobuf", "odd"])
def test_a_workflow_that_only_its_span_names(tmp_path, form):
    """Whatever carries it, the turn bears the span's name."""
    message = TracesData()
    span = message.resource_spans.add().scope_spans.add().spans.add(trace_id=b"t" * 16, span_id=b"s" * 8)
    span.name, span.start_time_unix_nano, span.end_time_unix_nano = "invoke_workflow billing", 1, 5
    span.attributes.add(key="gen_ai.operation.name").value.string_value = "invoke_workflow"
    if form == "odd":
        span.attributes.add(key="gen_ai.usage.input_tokens").value.string_value = "7"
    path = tmp_path / "spans"
    as_text = MessageToJson(message).replace("dHR0dHR0dHR0dHR0dHR0dA==", "74" * 16).replace("c3Nzc3Nzc3M=", "73" * 8)
    path.write_bytes(as_text.encode() if form == "json" else message.SerializeToString())
    (turn,) = rebuild([path]).turns
    assert turn.agent == "invoke_workflow billing"


@pytest.mark.parametrize(
    ("references", "parent"),
    [
        ([("FOLLOWS_FROM", "1", "7")], 7),
        ([("FOLLOWS_FROM", "1", "7"), ("CHILD_OF", "1", "8")], 8),
        ([("FOLLOWS_FROM", "5", "7")], None),
        ([("CHILD_OF", "5", "7")], None),
    ],
)
def test_the_parent_that_jaeger_takes(references, parent):
    """What a span follows is its parent where it is nobody's child, as Jaeger itself has it."""
    kinds = ("refType", "traceID", "spanID")
    span = {"traceID": "1", "spanID": "2", "references": [dict(zip(kinds, ref, strict=True)) for ref in references]}
    (record,) = decode(json.dumps([{"spans": [span]}]).encode())
    assert record.parent_span_id == (None if parent is None else format(parent, "016x"))


@pytest.mark.parametrize("signal", ["resourceLogs", "resourceMetrics", "resourceProfiles"])
def test_other_signals_may_speak_of_jaeger_s_ids(tmp_path, signal):
    """A key of a log record does not make it a trace of Jaeger."""
    path = tmp_path / "logs.jsonl"
    path.write_text(json.dumps({signal: [{"attributes": [{"key": "traceID", "value": {"stringValue": "1"}}]}]}) + "\n")
    assert not rebuild([path]).read.problems


def test_shapes():
    """A newline is also the first byte of a protobuf message: what follows decides."""
    assert shape_of(b"") is Shape.TEXT
    assert shape_of(b'\n{"resourceSpans":[]}') is Shape.TEXT
    assert shape_of(b'\n{\n  "resourceSpans"') is Shape.TEXT
    assert shape_of(b"\n\n\n\n") is Shape.TEXT
    assert shape_of(b"\x0a\x05\x0a\x03\x0a\x01\x00") is Shape.MESSAGE
    assert shape_of(b"\x07\x0a\x05\x0a\x03\x0a\x01\x00") is Shape.DELIMITED
    assert shape_of(b"\x00\x00\x00\x07\x0a\x05\x0a\x03\x0a") is Shape.PREFIXED
    assert shape_of(b"\x00\x00\x00\x02{}") is Shape.PREFIXED


def test_a_message_that_looks_like_json(spans):
    """123 bytes are told by the byte of an opening brace, after one that is a newline too."""
    ids = TracesData.FromString(as_protobuf(spans[:1])).resource_spans[0].scope_spans[0].spans[0]
    looks = []
    for length in range(100):
        message = TracesData()
        span = message.resource_spans.add().scope_spans.add().spans.add()
        span.trace_id, span.span_id, span.name = ids.trace_id, ids.span_id, "x" * length
        data = message.SerializeToString()
        assert [record.name for record in decode(data, Form.UNKNOWN)] == [span.name]
        looks.append(data[:2] == b"\n{")
    assert any(looks)


def test_a_compressed_payload_may_not_explode():
    """What unpacks to more than a document may have is refused."""
    with pytest.raises(InputError, match="more than 100 bytes"):
        unpacked(zstandard.compress(bytes(1000)), 100)


@given(st.binary(max_size=300))
def test_no_bytes_break_a_reader(data):
    """Whatever a file holds, only our own errors come of it, and they are told."""
    report = ReadReport()
    found = []
    with suppress(InputError):
        found.extend(payloads(io.BytesIO(data), "f", report))
    for payload in found:
        for form in Form:
            with suppress(InputError):
                list(PayloadDecoder().decode(payload.data, form, report.problems.append))


@given(st.data())
def test_a_damaged_message_costs_at_most_itself(spans, data):
    """A protobuf message with a flipped byte gives spans, or an error of ours."""
    message = bytearray(as_protobuf(spans[:2]))
    message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    told = []
    try:
        found = list(ProtobufDecoder().decode(bytes(message), told.append))
    except InputError:
        return
    assert len(found) + len(told) <= 2 + len(message)


def test_a_directory_may_mix_formats(spans, truth, tmp_path):
    """Files are read in the order of their names, whatever each holds."""
    first, second = halves(spans)
    (tmp_path / "a").write_bytes(as_protobuf(first))
    (tmp_path / "b.json").write_bytes(gzip.compress(as_json(second)))
    report = ReadReport()
    assert [s.span_id for s in read_spans([tmp_path], report)] == [format(s.context.span_id, "016x") for s in spans]
    assert len(rebuild([tmp_path]).turns) == len(truth)


@pytest.mark.parametrize("length", [5, 9, 10, 13, 32, 91, 123, 127, 128, 300])
def test_a_message_is_told_from_json_behind_a_newline(length):
    """Both begin with the same byte, and some lengths look like what JSON goes on with."""
    inner = b"\x12" + varint_of(length - 2 if length < 130 else length - 3)
    message = b"\n" + varint_of(length) + inner + b"\n" + bytes(length - len(inner) - 1)
    assert opened(message, Form.UNKNOWN) == (message, Form.PROTOBUF)
    for space in (b"\n", b"\n\n", b"\n \t\r\n"):
        request = space + b'{"resourceSpans":[]}'
        assert opened(request, Form.UNKNOWN) == (request, Form.JSON)


def varint_of(number):
    """A number as messages have it."""
    return bytes((number,)) if number < 128 else bytes((number % 128 + 128, number // 128))
