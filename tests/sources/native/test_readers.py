"""What C reads is what Python reads, of whatever bytes; what it does not read it leaves alone."""

import gc
import json
import weakref

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from agentnet_otel import semconv
from agentnet_otel.core.dialects import SCOPES
from agentnet_otel.core.turn_parts import Member
from agentnet_otel.sources.native import extension
from agentnet_otel.sources.native.spans import NAMES
from agentnet_otel.sources.plain_json import PlainJsonDecoder
from agentnet_otel.sources.plain_protobuf import PlainProtobufDecoder
from agentnet_otel.sources.share import Share
from tests.sources.native.marks import growth, needs_c

pytestmark = needs_c

FIELDS = (
    "trace_id",
    "span_id",
    "parent_span_id",
    "parent_is_remote",
    "trace_state",
    "flags",
    "kind",
    "start_ns",
    "end_ns",
    "failed",
    "attributes",
    "events",
    "origin",
)


def fields(span):
    """What a span says, be it of C or of Python."""
    if isinstance(span, Member):
        return span
    code = span.status.code if span.status is not None else 0
    return {**{name: getattr(span, name) for name in FIELDS}, "status": code, "ours": span.origin.ours}


def by_both(decoder_class, data, share=None):
    """The spans by C, None where it leaves them alone, and by Python, None where it does."""
    decoder = decoder_class(lambda _: None, share or Share())
    found = []
    for read in (decoder._native.json if decoder_class is PlainJsonDecoder else decoder._native.protobuf, None):
        try:
            batch = decoder._decoded(data) if read is None else read(data)
        except Exception:
            batch = None
        found.append(None if batch is None else ([fields(span) for span in batch.spans], batch.passed))
    return found


def assert_alike(decoder_class, data, share=None):
    """What C reads Python reads in the same way; gives it."""
    by_c, by_python = by_both(decoder_class, data, share)
    assert by_c is None or by_c == by_python
    return by_c


def attribute(key, kind, value):
    """An attribute of OTLP JSON."""
    return {"key": key, "value": {kind: value}}


SPAN = {
    "traceId": "0123456789abcdef0123456789abcdef",
    "spanId": "0123456789abcdef",
    "parentSpanId": "fedcba9876543210",
    "flags": 769,
    "name": "chat ü \\u00e9",
    "kind": 3,
    "startTimeUnixNano": "1700000000000000001",
    "endTimeUnixNano": 1700000000000000009,
    "attributes": [
        attribute(semconv.LATENCY_COMPONENT, "stringValue", "inference"),
        attribute(semconv.AGENT_NAME, "stringValue", 'a "quoted" \\ ü'),
        attribute(semconv.USAGE_INPUT_TOKENS, "intValue", "12"),
        attribute(semconv.COST_USD, "doubleValue", 0.25),
        attribute("mine", "arrayValue", {"values": [{"stringValue": "}},{"}, {"boolValue": True}]}),
    ],
    "droppedAttributesCount": 0,
    "events": [],
    "links": [],
    "status": {"code": 2, "message": "no"},
    "new": [1, -2.5e-3, {"a": [None, False]}, "x"],
}


def request(*spans, scope=semconv.SCOPE_NAME, **around):
    """A request of OTLP JSON."""
    scopes = {"scope": {"name": scope, "version": "1"}, "spans": list(spans), **around}
    resource = {"attributes": [attribute("service.name", "stringValue", "svc")]}
    return {"resourceSpans": [{"resource": resource, "schemaUrl": "", "scopeSpans": [scopes]}]}


def written(document, **how):
    """Its bytes, without spaces unless asked for."""
    return json.dumps(document, **{"separators": (",", ":"), **how}).encode()


@pytest.mark.parametrize("how", [{}, {"separators": (", ", ": ")}, {"indent": 2}, {"ensure_ascii": False}])
def test_a_span_is_read_by_c_however_it_is_spaced(how):
    """With all of its fields."""
    spans, passed = assert_alike(PlainJsonDecoder, written(request(SPAN), **how))
    assert passed == 1
    assert (spans[0]["start_ns"], spans[0]["end_ns"]) == (1700000000000000001, 1700000000000000009)
    assert spans[0]["attributes"] == {
        semconv.LATENCY_COMPONENT: "inference",
        semconv.AGENT_NAME: 'a "quoted" \\ ü',
        semconv.USAGE_INPUT_TOKENS: 12,
        semconv.COST_USD: 0.25,
    }
    assert (spans[0]["failed"], spans[0]["parent_is_remote"], spans[0]["origin"].service_name) == (True, True, "svc")


@pytest.mark.parametrize(
    "change",
    [
        {"traceId": "0" * 32},
        {"traceId": "ABCDEF" + "0" * 26},
        {"spanId": "abc"},
        {"spanId": 5},
        {"parentSpanId": "0" * 16},
        {"parentSpanId": None},
        {"parentSpanId": ""},
        {"startTimeUnixNano": "0"},
        {"startTimeUnixNano": "007"},
        {"startTimeUnixNano": "+7"},
        {"startTimeUnixNano": "7.0"},
        {"startTimeUnixNano": 7.0},
        {"startTimeUnixNano": -7},
        {"startTimeUnixNano": str(2**63 - 1)},
        {"startTimeUnixNano": str(2**63)},
        {"startTimeUnixNano": 10**30},
        {"startTimeUnixNano": True},
        {"endTimeUnixNano": ""},
        {"kind": "SPAN_KIND_CLIENT"},
        {"kind": "3"},
        {"kind": 300},
        {"flags": 2**32},
        {"flags": "769"},
        {"status": {}},
        {"status": None},
        {"status": {"code": "STATUS_CODE_ERROR"}},
        {"status": {"code": "2"}},
        {"status": {"code": 7}},
        {"traceState": "a=b"},
        {"traceState": ""},
        {"events": [{"name": "x", "timeUnixNano": "3"}]},
        {"events": None},
        {"events": {}},
        {"links": [{"traceId": "not an id"}]},
        {"name": 5},
        {"name": "\ud800"},
        {"name": "\t\u0000"},
        {"attributes": None},
        {"attributes": [5]},
        {"attributes": [{"value": {"stringValue": "x"}, "key": "gen_ai.agent.name"}]},
        {"attributes": [{"key": "gen_ai.agent.name"}]},
        {"attributes": [{"key": "gen_ai.agent.name", "value": {}}]},
        {"attributes": [{"key": "gen_ai.agent.name", "value": {"newValue": 1}}]},
        {"attributes": [{"key": "gen_ai.agent.name", "value": {"stringValue": "x"}, "more": 1}]},
        {"attributes": [attribute(semconv.AGENT_NAME, "stringValue", ""), *SPAN["attributes"]]},
        {"attributes": [*SPAN["attributes"], attribute(semconv.AGENT_NAME, "stringValue", "the last")]},
        {"attributes": [attribute(semconv.USAGE_INPUT_TOKENS, "stringValue", "many")]},
        {"attributes": [attribute(semconv.USAGE_INPUT_TOKENS, "intValue", "-1")]},
        {"attributes": [attribute(semconv.LOGFIRE_KIND, "stringValue", "span")]},
        {" attributes": {"a": 1}},
        {"what": 1},
    ],
    ids=str,
)
def test_what_is_unusual_is_read_alike_or_left_alone(change):
    """Whatever of a span is not as everybody writes it, alone and beside one that is."""
    for spans in ([{**SPAN, **change}], [SPAN, {**SPAN, **change}]):
        assert_alike(PlainJsonDecoder, written(request(*spans)))


TEXT = written(request(SPAN)).decode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"kind":3', '"kind":03'),
        ('"kind":3', '"kind":3,"kind":1'),
        ('"kind":3', '"kind":3,'),
        ('"kind":3', '"kind":3e0'),
        ('"kind":3', "kind:3"),
        ('"kind":3', '"ki\\u006ed":3'),
        ('"kind":3', '"kind":-3'),
        ('"kind":3', '"kind": \t\r\n3'),
        ('"kind":3', '"kind":\v3'),
        ("-0.0025", "-2.5e"),
        ("-0.0025", "-.5"),
        ("-0.0025", "01"),
        ("-0.0025", "1E+5"),
        ("-0.0025", "NaN"),
        ("null", "nul"),
        ("null", "[" * 200 + "]" * 200),
        ('"x"]', '"x",]'),
        ('"x"]', '"\\x"]'),
        ('"x"]', '"\\ud83d\\ude00"]'),
        ('"x"]', '"\\uD800"]'),
        ('"x"]', '"\n"]'),
        ('"x"]', '"\x7f"]'),
        ('{"resourceSpans"', '\ufeff{"resourceSpans"'),
        ('{"resourceSpans"', ' \n{"more":{},"resourceSpans"'),
        ('{"resourceSpans"', '{"resourceSpans":[],"resourceSpans"'),
        ('"resourceSpans"', '"resource_spans"'),
        ('"scope":', '"scope":{"name":"other"},"scope":'),
        ('"spans":', '"spans":[],"spans":'),
        ('"schemaUrl":""', '"schemaUrl":"","scopeSpans":[]'),
        ('"0123456789abcdef"', '"0123456789abcdeg"'),
    ],
)
def test_json_is_read_as_strictly_as_elsewhere(old, new):
    """No text that is no JSON is taken for any, and none that is is misread."""
    assert old in TEXT
    assert_alike(PlainJsonDecoder, TEXT.replace(old, new, 1).encode())
    for rest in ("]", " x", "\n\n", TEXT):
        assert_alike(PlainJsonDecoder, (TEXT + rest).encode())


@pytest.mark.parametrize("spoiled", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc3", b"\xe2\x82"])
def test_what_is_no_utf8_is_not_read(spoiled):
    """Wherever it stands."""
    data = written(request(SPAN))
    for place in (b"chat", b"no", b"svc", b"inference", b"quoted", b"x"):
        assert place in data
        assert by_both(PlainJsonDecoder, data.replace(place, spoiled))[0] is None


def test_each_beginning_is_left_alone():
    """A writer was killed: nothing is read beyond the last byte, and nothing of it is taken."""
    data = written(request(SPAN))
    assert [size for size in range(len(data)) if by_both(PlainJsonDecoder, data[:size])[0] is not None] == []


EDITS = st.lists(
    st.tuples(
        st.integers(0, len(TEXT.encode())),
        st.integers(0, 3),
        st.one_of(
            st.binary(max_size=3),
            st.sampled_from(
                [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"}},{", b" ", b"\xc3\xbc", b"0", b"e", b"-"]
            ),
        ),
    ),
    min_size=1,
    max_size=4,
)


def edited(data, edits):
    """Bytes with some cut out and others put in."""
    for at, cut, put in edits:
        data = data[:at] + put + data[at + cut :]
    return data


@settings(max_examples=1500, deadline=None)
@given(EDITS, st.sampled_from([{}, {"separators": (", ", ": ")}]), st.sampled_from([semconv.SCOPE_NAME, "somebody"]))
def test_any_json_is_read_alike(edits, how, scope):
    """Or left alone."""
    assert_alike(PlainJsonDecoder, edited(written(request(SPAN, scope=scope), **how), edits))


def message(**changes):
    """A message of OTLP protobuf with one span."""
    data = TracesData()
    resource_spans = data.resource_spans.add(schema_url="s")
    resource_spans.resource.attributes.add(key="service.name").value.string_value = "svc"
    scope_spans = resource_spans.scope_spans.add(schema_url="s")
    scope_spans.scope.name = semconv.SCOPE_NAME
    span = scope_spans.spans.add(
        trace_id=bytes(range(16)),
        span_id=bytes(range(8)),
        parent_span_id=bytes(range(1, 9)),
        name="chat ü",
        kind=3,
        start_time_unix_nano=5,
        end_time_unix_nano=9,
        flags=769,
        dropped_attributes_count=3,
    )
    span.status.code = 2
    span.status.message = "no"
    for key, text in ((semconv.LATENCY_COMPONENT, "inference"), (semconv.AGENT_NAME, "ü"), ("mine", "x" * 300)):
        span.attributes.add(key=key).value.string_value = text
    span.attributes.add(key=semconv.USAGE_INPUT_TOKENS).value.int_value = 12
    span.MergeFrom(Span(**changes))
    return data.SerializeToString()


def test_a_message_is_read_by_c():
    """With all of its fields."""
    spans, passed = assert_alike(PlainProtobufDecoder, message())
    assert passed == 1
    assert spans[0]["attributes"] == {
        semconv.LATENCY_COMPONENT: "inference",
        semconv.AGENT_NAME: "ü",
        semconv.USAGE_INPUT_TOKENS: 12,
    }
    assert (spans[0]["trace_id"], spans[0]["start_ns"], spans[0]["failed"]) == (bytes(range(16)).hex(), 5, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"trace_state": "a=b"},
        {"trace_id": b"short"},
        {"trace_id": bytes(16)},
        {"span_id": bytes(8)},
        {"parent_span_id": b"1"},
        {"events": [Span.Event(name="x", time_unix_nano=3)]},
        {"links": [Span.Link(trace_id=b"1")]},
        {"kind": 5},
        {"start_time_unix_nano": 2**64 - 1},
        {"start_time_unix_nano": 2**63 - 1},
        {"flags": 2**32 - 1},
    ],
    ids=str,
)
def test_what_is_unusual_in_a_message_is_read_alike_or_left_alone(changes):
    """Whatever of a span is not as everybody writes it."""
    assert_alike(PlainProtobufDecoder, message(**changes))


def test_each_beginning_of_a_message_is_read_alike():
    """Nothing is read beyond the last byte."""
    data = message()
    for size in range(len(data)):
        assert_alike(PlainProtobufDecoder, data[:size])


@settings(max_examples=1500, deadline=None)
@given(EDITS)
def test_any_message_is_read_alike(edits):
    """Or left alone."""
    assert_alike(PlainProtobufDecoder, edited(message(), edits))


@given(st.binary())
@example(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
@example(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f")
@example(b"\xff" * 20)
def test_any_bytes_are_read_alike(data):
    """Or left alone."""
    assert_alike(PlainProtobufDecoder, data)
    assert_alike(PlainJsonDecoder, data)


def test_shares_are_the_same():
    """Each span is one reader's, and all count what passed."""
    spans = [{**SPAN, "traceId": format(number + 1, "032x")} for number in range(300)]
    for jobs in (1, 2, 3):
        found = [assert_alike(PlainJsonDecoder, written(request(*spans)), Share(n, jobs)) for n in range(jobs)]
        assert {passed for _, passed in found} == {300}
        assert sorted(span["trace_id"] for mine, _ in found for span in mine) == [span["traceId"] for span in spans]


def services(*names):
    """A request of each of some services."""
    documents = [request(SPAN) for _ in names]
    for document, name in zip(documents, names, strict=True):
        document["resourceSpans"][0]["resource"]["attributes"][0]["value"]["stringValue"] = name
    return [written(document) for document in documents]


def test_of_requests_behind_each_other_the_scope_is_asked_for_once():
    """And again whenever it is another one."""
    noted = []
    decoder = PlainJsonDecoder(noted.append, Share())
    for data in services("a", "a", "b", "b", "b", "a", "ab", "a"):
        (span,) = decoder._native.json(data).spans
        assert span.origin.service_name in data.decode()
    assert [origin.service_name for origin in noted] == ["a", "b", "a", "ab", "a"]


@pytest.mark.parametrize("place", [b',"schemaUrl"', b',"spans"'])
@pytest.mark.parametrize("behind", [b"x", b"}", b"{}", b"]", b'"', b" ,", b" }"])
def test_what_stands_behind_a_resource_or_scope_that_came_before_is_looked_at(place, behind):
    """It is as wrong as behind one that is new."""
    data = written(request(SPAN))
    changed = data.replace(place, behind + place)
    decoder = PlainJsonDecoder(lambda _: None, Share())
    assert decoder._native.json(data) is not None
    again, fresh = decoder._native.json(changed), by_both(PlainJsonDecoder, changed)[0]
    assert (again is None) == (fresh is None)
    for size in range(len(data)):
        assert decoder._native.json(data[:size]) is None


class Silent:
    """An agreement that nobody asks."""


def passing(decoder_class, data):
    """What each of two readers reads if it looks at all, and if it passes spans of the other."""
    return [
        [by_both(decoder_class, data, Share(number, 2, agreement))[0] for number in range(2)]
        for agreement in (None, Silent())
    ]


def assert_passing_is_safe(decoder_class, data):
    """Two readers that pass spans of each other read the same, or one of them leaves the request alone."""
    looking, passed = passing(decoder_class, data)
    if None in looking:
        assert None in passed
    else:
        assert passed == looking
    return passed


def of_two(*spans):
    """The spans, whose traces are dealt out in turn."""
    return [{**span, "traceId": f"{number + 1:032x}"} for number, span in enumerate(spans)]


@pytest.mark.parametrize("how", [{}, {"separators": (", ", ": ")}, {"indent": 2}, {"ensure_ascii": False}])
def test_spans_of_others_are_passed_however_they_are_spaced(how):
    """And counted."""
    first, second = assert_passing_is_safe(PlainJsonDecoder, written(request(*of_two(*[SPAN] * 5)), **how))
    assert (len(first[0]), first[1], len(second[0]), second[1]) == (2, 5, 3, 5)


@pytest.mark.parametrize("text", ['"', "\\", '\\"', '"}', "{", "}{", "\\\\}", '"\\{"'])
def test_texts_of_spans_that_are_passed_may_hold_anything(text):
    """Wherever they begin in the 64 bytes that are looked at together."""
    for before in range(70):
        span = {**SPAN, "name": "x" * before + text * (1 + before % 3), "attributes": []}
        passed = assert_passing_is_safe(PlainJsonDecoder, written(request(*of_two(span, SPAN, span))))
        assert [count for _, count in passed] == [3, 3]


@settings(max_examples=1500, deadline=None)
@given(EDITS, st.integers(0, 2), st.sampled_from([{}, {"separators": (", ", ": ")}]))
def test_what_is_wrong_in_a_span_its_own_reader_sees(edits, place, how):
    """So both know it, if they tell each other."""
    spans = of_two(SPAN, SPAN, SPAN)
    data = written(request(*spans), **how)
    begin = data.index(written(spans[place], **how))
    assert_passing_is_safe(PlainJsonDecoder, data[:begin] + edited(data[begin:], edits))


def test_each_beginning_of_spans_that_are_passed_is_seen():
    """Nothing is read beyond the last byte."""
    data = written(request(*of_two(SPAN, SPAN, SPAN)))
    for size in range(len(data)):
        assert None in assert_passing_is_safe(PlainJsonDecoder, data[:size])


def two_messages():
    """A message of two spans, of which each reader has one."""
    data = TracesData.FromString(message())
    spans = data.resource_spans[0].scope_spans[0].spans
    spans.add().CopyFrom(spans[0])
    spans[1].trace_id = bytes(range(1, 17))
    return data.SerializeToString()


def test_spans_of_others_in_messages_are_passed():
    """And counted."""
    first, second = assert_passing_is_safe(PlainProtobufDecoder, two_messages())
    assert (len(first[0]), first[1], len(second[0]), second[1]) == (1, 2, 1, 2)


@settings(max_examples=1500, deadline=None)
@given(EDITS)
def test_what_is_wrong_in_a_message_is_seen_by_one(edits):
    """Of two readers that pass spans of each other."""
    assert_passing_is_safe(PlainProtobufDecoder, edited(two_messages(), edits))


def test_others_say_nothing_without_an_operation():
    """As by Python: then nothing of what they say counts."""
    said = [attribute(semconv.AGENT_NAME, "stringValue", "a")]
    spans, _ = assert_alike(PlainJsonDecoder, written(request({**SPAN, "attributes": said}, scope="somebody")))
    assert spans[0]["attributes"] == {}


def test_scopes_of_other_dialects_are_left_alone():
    """All of their spans are read in another way."""
    data = written(request(SPAN, scope=SCOPES[0][0]))
    assert by_both(PlainJsonDecoder, data)[0] is None


def test_texts_are_made_once():
    """And what is asked for twice is the same object."""
    batch = PlainJsonDecoder(lambda _: None, Share()).decode(written(request(SPAN)))
    assert batch is not None
    (span,) = batch.spans
    for name in ("trace_id", "span_id", "parent_span_id", "attributes"):
        assert getattr(span, name) is getattr(span, name)
    with pytest.raises(AttributeError):
        _ = span.what
    span.what = "turn"
    assert span.what == "turn"


# --- what pieces say -------------------------------------------------------------------------------------


def pieces_of(read, limit=10, longest=1000):
    """Pieces with a vocabulary of a few keys."""
    return extension.Pieces(extension.Vocabulary(("a", "b", "c"), "odd", (None, 1, 2)), read, limit, longest)


def test_a_piece_is_read_once_until_there_are_too_many():
    """Then the memory starts anew; long ones are never kept."""
    read = []

    def note(piece):
        read.append(piece)
        return piece[:1].decode(), len(read)

    pieces = pieces_of(note, limit=2, longest=3)
    for piece in (b"a", b"b", b"a", b"b", b"c", b"c", b"a", b"a" * 4, b"a" * 4):
        assert pieces.look_up(piece)[0] == "abc".index(piece[:1].decode())
        assert len(pieces) <= 2
    assert read == [b"a", b"b", b"c", b"a", b"a" * 4, b"a" * 4]


def test_many_pieces_are_all_found_again():
    """The table grows, and is right all the same."""
    pieces = pieces_of(lambda piece: ("a", int(piece)), limit=10_000)
    for _ in range(2):
        assert [pieces.look_up(b"%d" % number) for number in range(9_000)] == [(0, n) for n in range(9_000)]
    assert len(pieces) == 9_000


def test_what_counts_for_nothing_and_what_is_odd_have_no_value():
    """Nothing of it is kept; an error is told, and the next piece is read all the same."""
    pieces = pieces_of(lambda piece: (piece.decode(), object()) if piece != b"bad" else 1 // 0)
    assert [pieces.look_up(piece) for piece in (b"", b"odd")] == [(-1, None), (-2, None)]
    with pytest.raises(ZeroDivisionError):
        pieces.look_up(b"bad")
    with pytest.raises(TypeError, match="one of the keys"):
        pieces.look_up(b"unknown")
    assert pieces.look_up(b"a")[0] == 0


def test_reading_may_use_the_same_pieces():
    """Even so much that all is forgotten."""
    pieces = None

    def nested(piece):
        if piece.startswith(b"a"):
            for number in range(5):
                pieces.look_up(b"b%d" % number)
        return piece[:1].decode(), piece

    pieces = pieces_of(nested, limit=2)
    assert [pieces.look_up(b"a%d" % number) for number in range(6)] == [(0, b"a%d" % number) for number in range(6)]


def test_nothing_is_left_behind():
    """What refers to itself through its reader is let go."""

    class Holder:
        def __init__(self):
            self.pieces = pieces_of(self.read)
            self.reader = extension.Reader(self.read, 0, None)

        def read(self, piece):
            return piece.decode(), [self]

    holder = Holder()
    holder.pieces.look_up(b"a")
    gone = weakref.ref(holder)
    del holder
    gc.collect()
    assert gone() is None


ODD = {**SPAN, "traceState": "a=b"}


@pytest.mark.parametrize(
    "data",
    [
        written(request(SPAN, SPAN)),
        *services("a", "b"),
        written(request(SPAN, ODD)),
        written(request(SPAN, {**SPAN, "spanId": "x"})),
        written(request(SPAN))[:-3],
        message(),
        message(trace_state="a=b"),
        message()[:-1],
    ],
)
def test_memory_does_not_grow(data):
    """Whether a request is read, read in parts, or left alone in the middle."""
    decoder = (PlainJsonDecoder if data[:1] == b"{" else PlainProtobufDecoder)(lambda _: None, Share())
    assert growth(lambda: decoder.decode(data)) < 20_000


def test_memory_does_not_grow_with_scopes_that_change():
    """The last one is remembered, and no other."""
    decoder = PlainJsonDecoder(lambda _: None, Share())
    requests = services("a", "b")
    assert growth(lambda: [decoder.decode(data) for data in requests]) < 20_000


def test_all_keys_that_count_have_a_number():
    """And there is room for more."""
    assert len(set(NAMES)) == len(NAMES) < 128
