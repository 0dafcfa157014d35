"""The quick way of OTLP protobuf gives what the general way gives."""

import base64

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from agentnet_otel import semconv
from agentnet_otel.core.dialects import read_facts
from agentnet_otel.core.plain_span import facts_of_plain
from agentnet_otel.core.turn_parts import Member
from agentnet_otel.core.turn_row import row_of
from agentnet_otel.sources.otlp_protobuf import ProtobufDecoder
from agentnet_otel.sources.otlp_protobuf import TracesData as LeftEncoded
from agentnet_otel.sources.plain_protobuf import PlainProtobufDecoder
from agentnet_otel.sources.share import Share
from agentnet_otel.sources.turn_windows import row_window
from tests.core.random_traces import OTHERS, OURS, as_written, nodes, spans_of
from tests.sources.test_plain_json import IDS, KEYS, VALUES, attribute, by_scope, fail, general, request


def as_protobuf(document):
    """A request of OTLP JSON as a message; there ids are bytes."""
    for resource_spans in document["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            for span in scope_spans["spans"]:
                for key in {"traceId", "spanId", "parentSpanId"} & span.keys():
                    span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
    return json_format.ParseDict(document, TracesData()).SerializeToString()


def decoded(data):
    """The spans by the quick way."""
    batch = PlainProtobufDecoder(lambda _: None, Share()).decode(data)
    assert batch is not None
    return batch.spans


@settings(max_examples=100, deadline=None)
@given(nodes(roles=OURS + OTHERS, circles=False).map(as_written) | nodes())
def test_both_ways_give_the_same_rows(found):
    """Rows and counts are equal for traces of every shape."""
    data = as_protobuf(by_scope(spans_of(found)))
    window = row_window()
    told = sorted([*window.feed(decoded(data)), *window.finish()], key=lambda pair: pair[0])
    expected, counts = general(list(ProtobufDecoder().decode(data, fail)))
    assert [row for _, row in told] == [row_of(turn) for turn in expected]
    assert window.counts == counts


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(KEYS, VALUES | st.text(min_size=100, max_size=150), max_size=6),
    st.sampled_from([semconv.SCOPE_NAME, "somebody", "agentnet.core", "mlflow.x"]),
)
def test_what_is_kept_of_a_span_says_what_the_span_says(said, scope):
    """Whatever an attribute is, and however long, the facts of the cut-down span are those of the whole one."""
    span = {**IDS, "name": "x", "attributes": [attribute(key, value) for key, value in said.items()]}
    data = as_protobuf(request([span], scope))
    (whole,) = ProtobufDecoder().decode(data, fail)
    (kept,) = decoded(data)
    assert (kept.facts if isinstance(kept, Member) else facts_of_plain(kept)) == read_facts(whole)


@pytest.mark.parametrize("broken", [b"\x0a\x01x\x12\x02\x0a\xff", b"\x0a\x01\xff\x12\x03\x0a\x01y", b"\x0a\x05x"])
def test_bad_attributes_are_left_to_the_general_way(broken):
    """It leaves out the span that has them and tells why; the one beside it is read."""
    other = {**IDS, "spanId": "00000000000000aa", "name": "fine"}
    message = LeftEncoded.FromString(as_protobuf(request([{**IDS, "name": "x"}, other])))
    spans = message.resource_spans[0].scope_spans[0].spans
    assert PlainProtobufDecoder(lambda _: None, Share()).decode(message.SerializeToString()) is not None
    spans[0].attributes.append(broken)
    data = message.SerializeToString()
    assert PlainProtobufDecoder(lambda _: None, Share()).decode(data) is None
    told: list[str] = []
    (kept,) = ProtobufDecoder().decode(data, told.append)
    assert kept.name == "fine"
    assert [text for text in told if text.startswith("a span was left out")] == told
    assert len(told) == 1


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x0a\x00\x0a", TracesData().SerializeToString()])
def test_what_is_no_message_of_spans_is_left_to_the_general_way(data):
    """It tells what it is."""
    assert PlainProtobufDecoder(lambda _: None, Share()).decode(data) is None
