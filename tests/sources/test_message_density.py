"""Messages of nearly nothing but parts are refused before they are parsed; all others are not looked at twice."""

import contextlib
import json

import pytest
from google.protobuf.internal.encoder import _VarintBytes
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from agentnet_otel.errors import InputError
from agentnet_otel.sources.jaeger_json import decode_jaeger
from agentnet_otel.sources.message_density import check_density, check_density_of_json
from agentnet_otel.sources.otlp_json import JsonDecoder
from agentnet_otel.sources.otlp_protobuf import ProtobufDecoder, inspect_message
from agentnet_otel.sources.plain_json import PlainJsonDecoder
from agentnet_otel.sources.plain_protobuf import PlainProtobufDecoder
from agentnet_otel.sources.share import Share


def message(spans=0, events=0, links=0, scopes=0, resources=0, facts=0, entities=0, scope_facts=0, name="", ids=False):
    """A message of so many parts, most of them empty."""
    data = TracesData()
    found = data.resource_spans.add().scope_spans.add()
    for number in range(spans):
        span = found.spans.add(name=name)
        if ids:
            span.trace_id, span.span_id = (number + 1).to_bytes(16, "big"), (number + 1).to_bytes(8, "big")
    for _ in range(events):
        found.spans[0].events.add()
    for _ in range(links):
        found.spans[0].links.add()
    for _ in range(scopes):
        data.resource_spans[0].scope_spans.add()
    for _ in range(facts):
        data.resource_spans[0].resource.attributes.add()
    for _ in range(entities):
        data.resource_spans[0].resource.entity_refs.add()
    for _ in range(scope_facts):
        found.scope.attributes.add()
    for _ in range(resources):
        data.resource_spans.add()
    return data.SerializeToString()


@pytest.mark.parametrize(
    "parts",
    [
        {"spans": 5000},
        {"spans": 5000, "name": "x"},
        {"spans": 1, "events": 5000},
        {"scopes": 5000},
        {"resources": 5000},
        {"facts": 5000},
    ],
)
def test_too_many_parts_are_refused(parts):
    """With a sentence, and nothing of them is built."""
    with pytest.raises(InputError, match="fewer than 8 each"):
        inspect_message(message(**parts))


@pytest.mark.parametrize(
    "parts",
    [
        {"spans": 900},
        {"spans": 20_000, "ids": True},
        {"spans": 5000, "name": "\n\x12ZJ" * 5},
        {"spans": 1, "links": 5000},
        {"spans": 1, "entities": 5000},
        {"spans": 1, "scope_facts": 5000},
    ],
)
def test_what_may_be_spans_is_taken(parts):
    """Few of them, whatever they say; many that have ids, or texts of whatever bytes; parts that nothing reads."""
    assert inspect_message(message(**parts))[0] == parts["spans"]


def field(tag, value):
    """A field of a message that holds bytes."""
    return bytes((tag,)) + _VarintBytes(len(value)) + value


def attribute(value, tag=0x4A):
    """An attribute of a span, or of something else."""
    return field(tag, field(0x0A, b"key") + field(0x12, value))


IDS = field(0x0A, b"1" * 16) + field(0x12, b"2" * 8) + b"\x39" + b"3" * 8
GROUP = b"\xfb\x7f\xfc\x7f"
"""A field that nobody knows, of a kind of another time."""


def request(of_span, of_resource=b""):
    """A message of one span, of which a part is given."""
    return field(0x0A, field(0x0A, of_resource) + field(0x12, field(0x12, IDS + of_span)))


CROWDS = {
    "nothing in a list": field(0x2A, b"\x0a\0" * 5000),
    "empty lists in a list": field(0x2A, b"\x0a\2\x2a\0" * 5000),
    "nothing in lists in a list": field(0x2A, b"\x0a\4\x2a\2\x0a\0" * 5000),
    "maps in a list": field(0x2A, b"\x0a\2\x32\0" * 5000),
    "nothing in a map": field(0x32, b"\x0a\0" * 5000),
    "lists in a map": field(0x32, b"\x0a\4\x12\2\x2a\0" * 5000),
    "longer tags than need be": field(0x2A, b"\x8a\0\0" * 5000),
    "behind a group": GROUP + field(0x2A, b"\x0a\0" * 5000),
}
"""Values that are nearly nothing but parts."""


@pytest.mark.parametrize("value", CROWDS.values(), ids=CROWDS)
@pytest.mark.parametrize(
    "around",
    [
        attribute,
        lambda value: field(0x5A, attribute(value, tag=0x1A)),
        lambda value: field(0x4A, b"\x0e\x0e\x0e") + attribute(value),
        lambda value: GROUP + attribute(value),
    ],
    ids=["span", "event", "behind a bad attribute", "behind a group"],
)
def test_crowds_in_an_attribute_are_refused(around, value):
    """Attributes are left encoded, and looked into nevertheless, before the whole of one would be decoded."""
    data = request(around(value))
    with pytest.raises(InputError, match="values in lists fewer than 4"):
        list(ProtobufDecoder().decode(data, print))
    assert PlainProtobufDecoder(print, Share()).decode(data) is None


@pytest.mark.parametrize("value", CROWDS.values(), ids=CROWDS)
def test_crowds_in_an_attribute_of_a_resource_are_refused(value):
    """They are decoded with the message."""
    with pytest.raises(InputError, match="values in lists fewer than 4"):
        inspect_message(request(b"", attribute(value, tag=0x0A)))


@pytest.mark.parametrize("of_span", [b"\x4a\0" * 5000, b"\xca\0\0" * 5000, field(0x5A, b"\x1a\0" * 5000)])
def test_crowds_of_attributes_are_refused(of_span):
    """Of a span, or of an event."""
    with pytest.raises(InputError, match="fewer than 8 each"):
        inspect_message(request(of_span))


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (field(0x2A, b"\x0a\2\x18\1" * 5000), (1,) * 5000),
        (field(0x2A, b"\x0a\2\x10\1" * 5000), (True,) * 5000),
        (field(0x2A, b"\x0a\x09\x21\0\0\0\0\0\0\0\x40" * 5000), (2.0,) * 5000),
        (field(0x0A, b"\x0a\0" * 5000), "\n\0" * 5000),
        (field(0x32, field(0x0A, b"\x0a\1a\x12\2\x18\1") * 5000), {"a": 1}),
    ],
    ids=["numbers", "truths", "fractions", "text", "map"],
)
def test_long_lists_are_taken(value, read):
    """Embeddings, token ids, and texts of whatever bytes."""
    (span,) = ProtobufDecoder().decode(request(attribute(value)), print)
    assert span.attributes == {"key": read}


def test_parts_within_parts_without_end_are_looked_at():
    """Deeper than a parser goes they cost no memory, and the span that has them is left out."""
    value = b""
    for _ in range(5000):
        value = field(0x2A, field(0x0A, value))
    told = []
    check_density(request(attribute(value)))
    assert list(ProtobufDecoder().decode(request(attribute(value)), told.append)) == []
    assert len(told) == 1


@pytest.mark.parametrize("element", [b"1", b"[]", b'""', b"null"])
@pytest.mark.parametrize(
    "around",
    [b'{"resourceSpans":[LIST]}', b'{"resourceSpans":[{"scopeSpans":[{"spans":[LIST]}]}]}', b'{"data":[LIST]}'],
)
def test_json_of_nearly_nothing_but_elements_is_refused(around, element):
    """Each of them would be held as it is written, at forty times its size."""
    data = around.replace(b"LIST", b",".join([element] * 5000))
    decode = decode_jaeger if b"data" in around else JsonDecoder().decode
    with pytest.raises(InputError, match="elements have fewer than 8 bytes each"):
        list(decode(data, print))


def test_many_short_texts_are_taken():
    """Commas within texts are no elements."""
    span = {"traceId": "1" * 32, "spanId": "2" * 16, "name": "a," * 9000, "kind": {}}
    told = []
    data = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span, {**span, "kind": 1}]}]}]}).encode()
    assert len(list(JsonDecoder().decode(data, told.append))) == len(told) == 1


@given(
    st.binary(max_size=300).map(lambda part: part * 200)
    | st.binary(max_size=50).map(lambda end: message(spans=3000)[:-9] + end)
)
def test_rubbish_is_left_to_the_parser(data):
    """Whatever it is, looking at it ends, and raises nothing but the refusal."""
    with contextlib.suppress(InputError):
        check_density(data)


@pytest.mark.parametrize("span", [b"{}", b"{ }", b'{"":1}'])
def test_json_of_nearly_nothing_but_objects_is_refused(span):
    """As text the same: two bytes make an empty span."""
    request = b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b",".join([span] * 5000) + b"]}]}]}"
    with pytest.raises(InputError, match="objects have fewer than 12 bytes each"):
        list(JsonDecoder().decode(request, print))
    assert PlainJsonDecoder(print, Share()).decode(request) is None
    with pytest.raises(InputError, match="objects have fewer than 12 bytes each"):
        list(decode_jaeger(b'{"data":[{"spans":[' + b",".join([span] * 5000) + b"]}]}", print))


@pytest.mark.parametrize("text", [b"{" * 5000, b'\\"{' * 5000, b"\\\\{" * 5000])
def test_braces_in_texts_are_no_objects(text):
    """Prompts hold whatever they hold."""
    check_density_of_json(b'{"resourceSpans":[],"text":"' + text + b'"}')
    check_density_of_json(b'{"resourceSpans":[],"text":"' + text + b"\\")


def test_a_crafted_message_is_refused_soon():
    """Where its beginning holds far too many parts, not at the end of all of it."""
    read = []

    class Watched(bytes):
        def __getitem__(self, at):
            read.append(at)
            return super().__getitem__(at)

    with pytest.raises(InputError, match="fewer than 8 each"):
        check_density(Watched(message(resources=1_000_000)))
    assert max(read) < 500_000
