"""Messages of nearly nothing but parts are refused before they are parsed; all others are not looked at twice."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from agentnet_otel.errors import InputError
from agentnet_otel.sources.jaeger_json import decode_jaeger
from agentnet_otel.sources.message_density import check_density, check_density_of_json
from agentnet_otel.sources.otlp_json import JsonDecoder
from agentnet_otel.sources.otlp_protobuf import inspect_message
from agentnet_otel.sources.plain_json import PlainJsonDecoder
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
        {"spans": 1, "links": 5000},
        {"scopes": 5000},
        {"resources": 5000},
        {"facts": 5000},
        {"entities": 5000},
        {"scope_facts": 5000},
    ],
)
def test_too_many_parts_are_refused(parts):
    """With a sentence, and nothing of them is built."""
    with pytest.raises(InputError, match="fewer than 8 each"):
        inspect_message(message(**parts))


@pytest.mark.parametrize(
    "parts", [{"spans": 900}, {"spans": 20_000, "ids": True}, {"spans": 5000, "name": "\n\x12Zj" * 5}]
)
def test_what_may_be_spans_is_taken(parts):
    """Few of them, whatever they say; many that have ids, or texts of whatever bytes."""
    assert inspect_message(message(**parts))[0] == parts["spans"]


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
    with pytest.raises(InputError, match="fewer than 8 bytes each"):
        list(JsonDecoder().decode(request, print))
    assert PlainJsonDecoder(print, Share()).decode(request) is None
    with pytest.raises(InputError, match="fewer than 8 bytes each"):
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
