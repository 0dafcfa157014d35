"""Erasing traces from a store: from whatever was taken, and without anything being understood twice."""

import base64
import json
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from agentnet_otel.core.assembler import Assembler
from agentnet_otel.sources.decoding import PayloadDecoder
from agentnet_otel.sources.intake import Intake, RequestKind
from agentnet_otel.sources.otlp_protobuf import TracesData as LeftEncoded
from agentnet_otel.sources.purge import Selection, purge
from agentnet_otel.sources.store.store import Store
from agentnet_otel.sources.store.turn_store import FILE_NAME, TurnStore

PRIVATE, OTHER = "a" * 32, "b" * 32
FACTS = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner"}


def span(trace_id, session, **more):
    """A turn without a name."""
    facts = {**FACTS, "gen_ai.conversation.id": session}
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in facts.items()]
    times = {"startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    return {"traceId": trace_id, "spanId": "c" * 16, **times, "attributes": attributes, **more}


def request(*spans):
    """A document of spans, with what nobody asked for beside."""
    scopes = [{"scope": {"name": "x"}, "spans": list(spans), "more": 1e5}]
    return json.dumps({"resourceSpans": [{"resource": {}, "scopeSpans": scopes}, None, {}], "x": None}).encode()


def spans_in(folder):
    """What the requests of a store still hold."""
    store, decoder, bad = Store(folder, print), PayloadDecoder(), []
    try:
        records = [record for record in store.log.read(0) if record.kind]
        return [
            found
            for record in records
            for found in decoder.decode(record.data, RequestKind(record.kind).form, bad.append)
        ], [record.end for record in store.log.read(0)]
    finally:
        store.close()


@pytest.fixture
def kept(tmp_path):
    """Has requests kept, understood or not; returns the folder."""

    def keep(*documents, understood=True, kind=RequestKind.JSON):
        folder = tmp_path / "store"
        store = Store(folder, print)
        intake = Intake(store.log, lambda: 7, lambda: 0)
        for document in documents:
            intake.take(kind, document).kept.result()
        if understood:
            assembler, bad = Assembler(quiet_ns=0), []
            turns = [
                turn
                for record in store.log.read(0)
                for found in PayloadDecoder().decode(record.data, RequestKind(record.kind).form, bad.append)
                for turn in assembler.feed(found)
            ]
            database = TurnStore(folder)
            database.save([*turns, *assembler.flush(10**18)], 7, store.log.end)
            database.close()
        store.close()
        return folder

    return keep


ODD = {
    "upper case": request(span(PRIVATE.upper(), "private"), span(OTHER, "public")),
    "not a number": request(span(PRIVATE, "private"), span(OTHER, "public", more="?")).replace(b'"?"', b"NaN"),
    "no UTF-8": request(span(PRIVATE, "private"), span(OTHER, "public", name="?")).replace(b'"?"', b'"\xff"'),
    "Base64": request(
        span(base64.b64encode(bytes.fromhex(PRIVATE)).decode(), "private"),
        span(base64.b64encode(bytes.fromhex(OTHER)).decode(), "public"),
    ),
    "former words": request(span(PRIVATE, "private"), span(OTHER, "public")).replace(
        b"scopeSpans", b"instrumentationLibrarySpans"
    ),
    "deep": request(span(PRIVATE, "private"), span(OTHER, "public", more="?")).replace(b'"?"', b"[" * 500 + b"]" * 500),
}


@pytest.mark.parametrize("document", ODD.values(), ids=ODD)
@pytest.mark.parametrize("understood", [True, False])
def test_whatever_was_taken_can_be_erased(kept, document, understood):
    """Names are not needed, and what strict readers refuse is no obstacle; the other spans stay."""
    folder = kept(document, understood=understood)
    told = []
    purged = purge(folder, Selection(sessions=frozenset({"private"})), told.append)
    assert (purged.traces, purged.spans, told) == (1, 1, [])
    found, _ = spans_in(folder)
    assert [one.trace_id for one in found] == [OTHER]
    assert not any(b"private" in path.read_bytes() for path in Path(folder).rglob("*") if path.is_file())


@pytest.mark.parametrize("former", [False, True])
def test_a_message_that_was_taken_can_be_erased(kept, former):
    """Whatever its scopes are called; what nothing reads of the other spans stays too."""
    message = TracesData()
    spans = message.resource_spans.add().scope_spans.add().spans
    for number, trace_id in enumerate((PRIVATE, OTHER), 1):
        one = spans.add(trace_id=bytes.fromhex(trace_id), span_id=bytes([number] * 8), start_time_unix_nano=1)
        one.links.add(trace_id=b"link" * 4)
        one.attributes.add(key="gen_ai.conversation.id").value.string_value = "private" if number == 1 else "public"
    encoded = LeftEncoded.FromString(message.SerializeToString())
    if former:
        encoded.resource_spans[0].instrumentation_library_spans.extend(encoded.resource_spans[0].scope_spans)
        encoded.resource_spans[0].ClearField("scope_spans")
    folder = kept(encoded.SerializeToString(), understood=False, kind=RequestKind.PROTOBUF)
    purged = purge(folder, Selection(trace_ids=frozenset({PRIVATE})), print)
    assert (purged.traces, purged.spans) == (1, 1)
    found, _ = spans_in(folder)
    assert [one.trace_id for one in found] == [OTHER]
    written = b"".join(path.read_bytes() for path in Path(folder).rglob("*") if path.is_file())
    assert (written.count(b"private"), written.count(b"public"), written.count(b"link" * 4)) == (0, 1, 1)


def test_what_leaves_no_room_goes_whole(kept):
    """A document that is longer when it is written so that it can be read: privacy goes before the spans beside."""
    document = request(span(PRIVATE, "private"), span(OTHER, "public", more="?"))
    document = document.replace(b'"?"', b"[" + b",".join([b"NaN"] * 700) + b"]")
    folder = kept(document, request(span(OTHER, "public", spanId="d" * 16)))
    purge(folder, Selection(sessions=frozenset({"private"})), print)
    found, _ = spans_in(folder)
    assert [one.span_id for one in found] == ["d" * 16]


def test_nothing_is_understood_again(kept):
    """Up to where requests were understood, and where each ends, stays: deleted turns would come back otherwise."""
    folder = kept(request(span(PRIVATE, "private")), request(span(OTHER, "public")), ODD["upper case"])
    _, ends = spans_in(folder)
    purge(folder, Selection(trace_ids=frozenset({PRIVATE})), print)
    _, after = spans_in(folder)
    assert set(ends) <= set(after)
    turns = TurnStore(folder, read_only=True)
    assert (turns.place(), turns.count()) == (ends[-1], 1)
    turns.close()
    assert (folder / FILE_NAME).is_file()
