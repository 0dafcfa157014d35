"""The quick way of OTLP JSON gives what the general way gives, on whatever is written."""

import json
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentnet_otel import semconv
from agentnet_otel.core.assembler import Assembler, newest_revisions
from agentnet_otel.core.dialects import read_facts
from agentnet_otel.core.plain_span import facts_of_plain
from agentnet_otel.core.turn_parts import Member
from agentnet_otel.core.turn_row import row_of
from agentnet_otel.model import SpanRecord
from agentnet_otel.sources.files import read_spans
from agentnet_otel.sources.otlp_json import JsonDecoder
from agentnet_otel.sources.plain_json import PlainJsonDecoder
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.rebuild import TurnStream
from agentnet_otel.sources.share import Share
from agentnet_otel.sources.turn_windows import row_window, whole_window
from tests.core.random_traces import OTHERS, OURS, as_written, nodes, spans_of
from tests.recordings.scoring import RECORDINGS

COMPACT, SPACED, INDENTED = (",", ":"), (", ", ": "), (" , ", " : ")
IDS = {"traceId": "ab" * 16, "spanId": "cd" * 8, "startTimeUnixNano": "5", "endTimeUnixNano": "9"}


def request(spans, scope="somebody"):
    """A request of spans as objects of OTLP JSON."""
    return {"resourceSpans": [{"scopeSpans": [{"scope": {"name": scope}, "spans": list(spans)}]}]}


def attribute(key, value):
    """An attribute as an object of OTLP JSON."""
    kind = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}[type(value)]
    return {"key": key, "value": {kind: str(value) if kind == "intValue" else value}}


def as_object(span):
    """A span as an object of OTLP JSON."""
    flags = {None: 0, False: 0x100, True: 0x300}[span.parent_is_remote]
    return {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        **({} if span.parent_span_id is None else {"parentSpanId": span.parent_span_id}),
        "flags": flags,
        "name": span.name,
        "kind": int(span.kind),
        "startTimeUnixNano": str(span.start_ns),
        "endTimeUnixNano": str(span.end_ns),
        "attributes": [attribute(key, value) for key, value in span.attributes.items()],
        "events": [{"name": e.name, "timeUnixNano": str(e.time_ns)} for e in span.events],
        "status": {"code": int(span.status)},
    }


def by_scope(spans):
    """One request, a scope for each span, for they may have several."""
    scopes = [{"scope": {"name": s.scope_name}, "spans": [as_object(s)]} for s in spans]
    resources = [
        {"resource": {"attributes": [attribute(semconv.SERVICE_NAME, s.service_name)]}, "scopeSpans": [scope]}
        for s, scope in zip(spans, scopes, strict=True)
    ]
    return {"resourceSpans": resources}


def general(records):
    """Turns by the general way, and what was counted."""
    assembler = Assembler()
    told = [turn for span in records for turn in assembler.feed(span)]
    told += assembler.drain()
    return newest_revisions(told), assembler.counts


def quick(data, window):
    """What the window makes by the quick way, what was counted, and how many spans were plain."""
    batch = PlainJsonDecoder(lambda _: None, Share()).decode(data)
    assert batch is not None
    spans = batch.spans
    told = sorted([*window.feed(spans), *window.finish()], key=lambda pair: pair[0])
    return [row for _, row in told], window.counts, sum(not isinstance(span, Member) for span in spans)


def assert_the_same(data, records):
    """Rows, whole turns and counts are those of the general way; gives the turns, and how many spans were plain."""
    expected, expected_counts = general(records)
    rows, counts, plain = quick(data, row_window())
    assert rows == [row_of(turn) for turn in expected]
    assert counts == expected_counts
    turns, counts, _ = quick(data, whole_window())
    assert turns == expected
    assert counts == expected_counts
    return turns, plain


def is_odd(record):
    """Whether a span holds what is read in the general way; the name of a workflow may be that of a turn."""
    workflow = record.attributes.get(semconv.OPERATION_NAME) == semconv.OP_INVOKE_WORKFLOW
    return workflow or int in map(type, record.attributes.values())


def fail(what):
    """No span is bad here."""
    raise AssertionError(what)


@settings(max_examples=150, deadline=None)
@given(
    nodes(roles=OURS + OTHERS, circles=False).map(as_written) | nodes(), st.sampled_from([COMPACT, SPACED, INDENTED])
)
def test_both_ways_give_the_same(found, separators):
    """Turns, rows and counts are equal for traces of every shape; spans without odd values are plain, but workflows."""
    records = spans_of(found)
    data = json.dumps(by_scope(records), separators=separators).encode()
    _, plain = assert_the_same(data, list(JsonDecoder().decode(data, fail)))
    assert plain > 0 or separators is INDENTED or all(map(is_odd, records))


VALUES = st.one_of(
    st.text(max_size=5),
    st.sampled_from(['"', "\\", '}},{"key":"', "é", "success", "reasoning", "assumed", "12"]),
    st.integers(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1, max_value=2),
    st.booleans(),
)
KEYS = st.sampled_from(
    [
        *(value for name, value in vars(semconv).items() if name.isupper() and isinstance(value, str)),
        *(semconv.TURN_TOKENS_PREFIX + name for name in ("reasoning", "system")),
        "other",
        "",
    ]
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(KEYS, VALUES, max_size=6),
    st.sampled_from([semconv.SCOPE_NAME, "somebody", "agentnet.core", "mlflow.x"]),
    st.sampled_from([COMPACT, SPACED, INDENTED]),
)
@example({semconv.OPERATION_NAME: "", semconv.CONVERSATION_ID: "s"}, "somebody", COMPACT)
def test_what_is_kept_of_a_span_says_what_the_span_says(said, scope, separators):
    """Whatever an attribute is, the facts of the cut-down span are those of the whole one."""
    span = {**IDS, "name": "x", "attributes": [attribute(key, value) for key, value in said.items()]}
    data = json.dumps(request([span], scope), separators=separators).encode()
    (whole,) = JsonDecoder().decode(data, fail)
    batch = PlainJsonDecoder(lambda _: None, Share()).decode(data)
    assert batch is not None
    spans = batch.spans
    (kept,) = spans
    assert (kept.facts if isinstance(kept, Member) else facts_of_plain(kept)) == read_facts(whole)


@pytest.mark.parametrize("recording", sorted(path.parent.name for path in RECORDINGS.glob("*/spans.jsonl")))
def test_recordings_give_the_same_rows(recording):
    """Of every library, whichever of its spans are plain."""
    path = RECORDINGS / recording / "spans.jsonl"
    expected, counts = general(read_spans([path], ReadReport()))
    assert expected
    for window, made in ((row_window(), [row_of(turn) for turn in expected]), (whole_window(), expected)):
        stream = TurnStream([path], window)
        assert list(stream.in_order()) == made
        assert stream.counts == counts


def test_values_that_hold_attributes_are_no_attributes_of_the_span():
    """A list of keys and values inside a value is not cut into attributes; nor is text that looks like one."""
    inner = {"kvlistValue": {"values": [attribute(semconv.AGENT_NAME, "inner"), attribute(semconv.TURN_ID, "x")]}}
    said = [
        attribute(semconv.OPERATION_NAME, "invoke_agent"),
        {"key": "extra", "value": inner},
        attribute("text", '}},{"key":"gen_ai.agent.name","value":{"stringValue":"in text"'),
        attribute(semconv.AGENT_NAME, "outer"),
    ]
    data = json.dumps(request([{**IDS, "name": "x", "attributes": said}]), separators=COMPACT).encode()
    turns, plain = assert_the_same(data, list(JsonDecoder().decode(data, fail)))
    assert [turn.agent for turn in turns] == ["outer"]
    assert plain == 1


@pytest.mark.parametrize(
    "change",
    [
        {"spanId": "CD" * 8},
        {"spanId": "0" * 16},
        {"spanId": "cd"},
        {"spanId": "xy" * 8},
        {"traceId": "ab"},
        {"parentSpanId": "0" * 16},
        {"startTimeUnixNano": 0},
        {"startTimeUnixNano": -1},
        {"endTimeUnixNano": str(2**64)},
        {"flags": -1},
        {"kind": "SPAN_KIND_CLIENT"},
        {"attributes": [{"key": 7}]},
        {"attributes": [{"key": "x", "value": {"stringValue": 5}}]},
        {"events": [{"name": 5}]},
        {"status": {"code": "STATUS_CODE_ERROR"}},
        {"name": None},
    ],
)
def test_what_is_wrong_or_unusual_is_left_to_the_general_way(change):
    """It tells what is wrong, and reads what is only written in another way."""
    data = json.dumps(request([{**IDS, "name": "x", **change}]), separators=COMPACT).encode()
    batch = PlainJsonDecoder(lambda _: None, Share()).decode(data)
    bad = []
    records = list(JsonDecoder().decode(data, bad.append))
    if batch is None:
        return
    assert not bad
    assert [span.span_id for span in batch.spans] == [record.span_id for record in records]


SPAN = {**IDS, "name": "x"}


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b'{"resourceSpans":[{"scopeSpans":7}]}', b'{"spans":[]}'])
def test_what_is_no_request_of_spans_is_left_to_the_general_way(data):
    """It tells what it is."""
    assert PlainJsonDecoder(lambda _: None, Share()).decode(data) is None


@pytest.mark.parametrize(
    "around",
    [
        {"instrumentationLibrarySpans": [{"spans": [SPAN]}]},
        {"scopeSpans": [{"spans": [SPAN]}], "instrumentationLibrarySpans": []},
        {"scopeSpans": [{"instrumentationLibrary": {"name": "x"}, "spans": [SPAN]}]},
    ],
)
def test_former_words_are_left_to_the_general_way(around):
    """It knows them; here their spans would be lost without a word, or be of no scope."""
    data = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [SPAN]}]}, around]}, separators=COMPACT).encode()
    assert PlainJsonDecoder(lambda _: None, Share()).decode(data) is None
    assert len(list(JsonDecoder().decode(data, fail))) == 2


def test_lines_and_bytes_of_odd_encodings_are_left_to_the_general_way(tmp_path):
    """A span with half a surrogate pair and one with bad UTF-8 give what they gave."""
    good = json.dumps(request([{**IDS, "name": "x", "attributes": [attribute(semconv.AGENT_NAME, "HERE")]}]))
    path = tmp_path / "spans.jsonl"
    path.write_bytes(b"\n".join([good.replace("HERE", "\\ud800").encode(), good.encode().replace(b"HERE", b"\xff")]))
    stream, report = TurnStream([path], row_window()), ReadReport()
    list(stream.in_order())
    assert stream.read.spans == len(list(read_spans([path], report))) == 2
    assert stream.read.problems == report.problems


def words(*names):
    """Some of the words of a vocabulary, and one that is none of them."""
    return st.sampled_from([*names, "something-else"])


RATIOS = st.floats(0, 1)
COUNTS = st.integers(0, 9)
SAID_BY_TURN = {
    semconv.TURN_ID: words("t"),
    semconv.CONVERSATION_ID: words("s"),
    semconv.REQUEST_MODEL: words("m"),
    semconv.RESPONSE_MODEL: words("m"),
    semconv.ERROR_TYPE: words("TimeoutError"),
    semconv.TURN_OUTCOME: words("success", "timeout"),
    semconv.TURN_PROMPT_LENGTH: COUNTS,
    semconv.TURN_RESPONSE_LENGTH: COUNTS,
    semconv.TURN_POLICY_VIOLATIONS: COUNTS,
    semconv.TURN_CONFIDENCE: RATIOS,
    semconv.TURN_QUALITY: RATIOS,
    semconv.TURN_COST_USD: RATIOS,
    semconv.TURN_COST_SOURCE: words("table", "engine"),
    semconv.TURN_TOKEN_EFFICIENCY: RATIOS,
    semconv.TURN_TIME_TO_FIRST_TOKEN: RATIOS,
    semconv.TURN_FALLBACK: st.booleans(),
    semconv.TURN_INTERRUPTED: st.booleans(),
    semconv.QUALITY_SOURCE: words("evaluated"),
    semconv.METRICS_RECORDED: st.booleans(),
    semconv.SAMPLING_PROBABILITY: RATIOS,
    semconv.TOKENS_ESTIMATED: st.booleans(),
    semconv.TURN_TOKENS_PREFIX + "reasoning": COUNTS,
    semconv.TURN_TOKENS_PREFIX + "memory": COUNTS,
}
SAID_BY_CALL = {
    semconv.REQUEST_MODEL: words("m", "n"),
    semconv.RESPONSE_MODEL: words("m-1", "n-1"),
    semconv.USAGE_INPUT_TOKENS: COUNTS,
    semconv.USAGE_OUTPUT_TOKENS: COUNTS,
    semconv.USAGE_CACHE_READ_INPUT_TOKENS: COUNTS,
    semconv.USAGE_REASONING_OUTPUT_TOKENS: COUNTS,
    semconv.COST_USD: RATIOS,
    semconv.COST_SOURCE: words("user", "engine"),
    semconv.TOKEN_CATEGORY: words("memory", "reasoning"),
    semconv.TOKENS_ESTIMATED: st.booleans(),
    semconv.PROVIDER_NAME: words("p"),
    semconv.SYSTEM: words("q"),
    semconv.INFERENCE_ATTEMPTS: COUNTS,
    semconv.RESPONSE_TIME_TO_FIRST_CHUNK: RATIOS,
    semconv.OPERATION_TIME_TO_FIRST_CHUNK: RATIOS,
    semconv.ERROR_TYPE: words("RateLimitError"),
    semconv.TOOL_NAME: words("search"),
    semconv.TOOL_OUTCOME: words("error"),
}
EVENTS = st.lists(
    st.builds(
        lambda name, said, at: {"name": name, "timeUnixNano": str(at), "attributes": said},
        st.sampled_from([semconv.POLICY_VIOLATION_EVENT, semconv.EXCEPTION_EVENT, "other"]),
        st.lists(
            st.sampled_from([semconv.POLICY_RULE, semconv.POLICY_SEVERITY, semconv.EXCEPTION_TYPE]).map(
                lambda key: attribute(key, "some")
            ),
            max_size=2,
        ),
        st.integers(1, 3),
    ),
    max_size=2,
)


@st.composite
def turns_that_say_much(draw):
    """A turn with components one after the other or overlapping, all of them saying what they may."""
    ours = draw(st.booleans())
    kinds = ("chat", "execute_tool", "search_memory", "http")
    ours_kinds = ("inference", "tool_execution", "policy_check", "orchestration")

    def span(place, kind, said, above):
        start = draw(st.integers(0, 30)) if above else 0
        length = draw(st.integers(0, 30)) if above else 70
        named = semconv.LATENCY_COMPONENT if ours and above else semconv.OPERATION_NAME
        given = draw(st.fixed_dictionaries({}, optional=said))
        return {
            "traceId": "ab" * 16,
            "spanId": format(place + 1, "016x"),
            **({"parentSpanId": format(1, "016x")} if above else {}),
            "startTimeUnixNano": str(1_000 + start),
            "endTimeUnixNano": str(1_000 + start + length),
            "attributes": [attribute(key, value) for key, value in {named: kind, **given}.items()],
            "events": draw(EVENTS),
            "status": {"code": draw(st.sampled_from([0, 1, 2]))},
        }

    agent = {semconv.AGENT_NAME: words("planner")} if ours else {}
    root = span(0, "invoke_agent", {**SAID_BY_TURN, **agent}, above=False)
    if not ours:
        root["attributes"].append(attribute(semconv.AGENT_NAME, "planner"))
    below = [
        span(place, draw(st.sampled_from(ours_kinds if ours else kinds)), SAID_BY_CALL, above=True)
        for place in range(1, draw(st.integers(1, 5)))
    ]
    return request([*below, root], semconv.SCOPE_NAME if ours else "somebody")


@settings(max_examples=300, deadline=None)
@given(turns_that_say_much())
def test_whatever_spans_say_both_ways_give_the_same(document):
    """All that a turn has is equal, whichever of its spans says what."""
    data = json.dumps(document, separators=COMPACT).encode()
    turns, _ = assert_the_same(data, list(JsonDecoder().decode(data, fail)))
    assert len(turns) == 1


COMPONENTS = ("inference", "tool_execution", "memory_access", "policy_check", "orchestration", "turn", "nothing")


TURN = {semconv.OPERATION_NAME: "invoke_agent", semconv.AGENT_NAME: "planner"}


@st.composite
def turns_in_layers(draw):
    """A turn whose components, and turns, stand inside each other, one behind the other on each level."""
    spans = [span_in(1, "", 0, 10**6, TURN | {semconv.CONVERSATION_ID: "s"})]

    def add(parent, begin, end, levels):
        for place in range(draw(st.integers(1, 3))) if levels else ():
            third = (end - begin) // 3
            number, start = len(spans) + 1, begin + place * third + draw(st.integers(0, 2))
            spans.append(span_in(number, parent, start, start + third - 2, draw(layers())))
            add(spans[-1].span_id, start, start + third - 2, levels - 1)

    add(spans[0].span_id, 0, 10**6, draw(st.integers(1, 3)))
    return draw(st.permutations(spans))


@st.composite
def layers(draw):
    """What a span inside a turn says."""
    component = draw(st.sampled_from(COMPONENTS))
    if component in {"turn", "nothing"}:
        return TURN if component == "turn" else {}
    said = {semconv.LATENCY_COMPONENT: component}
    if component == "inference":
        said[semconv.REQUEST_MODEL] = draw(st.sampled_from(["m", "n"]))
        said.update(draw(st.sampled_from([{}, {}, {semconv.USAGE_OUTPUT_TOKENS: 7}, {semconv.COST_USD: 0.5}])))
        said.update(draw(st.sampled_from([{}, {semconv.TOKEN_CATEGORY: "memory"}])))
    if component == "tool_execution":
        said[semconv.TOOL_NAME] = "search"
    return said


def span_in(number, parent, start, end, said):
    """A span of ours."""
    return SpanRecord(
        trace_id="ab" * 16,
        span_id=format(number, "016x"),
        parent_span_id=parent or None,
        name="x",
        start_ns=5 + start,
        end_ns=5 + end,
        attributes=said,
        scope_name=semconv.SCOPE_NAME,
    )


@settings(max_examples=150, deadline=None)
@given(turns_in_layers())
def test_components_inside_components_are_told_alike(records):
    """Whichever stands in which, and whichever of them used tokens."""
    turns, plain = assert_the_same(json.dumps(by_scope(records), separators=COMPACT).encode(), records)
    own = sum(semconv.OPERATION_NAME in record.attributes for record in records)
    assert (len(turns), plain) == (own, len(records))


@pytest.mark.parametrize("depth", [3, 99, 102, 600])
def test_deep_traces_give_the_same_rows(depth):
    """Also where spans stand further below each other than the short way goes."""
    component = {semconv.LATENCY_COMPONENT: "orchestration"}
    turn = {semconv.OPERATION_NAME: "invoke_agent", semconv.AGENT_NAME: "planner"}
    records = [
        SpanRecord(
            trace_id="ab" * 16,
            span_id=format(place + 1, "016x"),
            parent_span_id=format(place, "016x") if place else None,
            name="x",
            start_ns=5 + place,
            end_ns=20_000 - place,
            attributes=component if place else turn,
            scope_name=semconv.SCOPE_NAME,
        )
        for place in range(depth)
    ]
    turns, plain = assert_the_same(json.dumps(by_scope(records)).encode(), records)
    assert plain == depth
    assert [(turn.agent, turn.spans, list(turn.component_self_ns)) for turn in turns] == [
        ("planner", depth, ["orchestration"])
    ]


def test_a_record_has_what_a_plain_span_has():
    """Nothing that the general way asks for gets lost: all fields but those that only content fills."""
    record = SpanRecord(trace_id="ab" * 16, span_id="cd" * 8, name="x", start_ns=5, end_ns=9, trace_state="ot=th:8")
    data = json.dumps(request([{**as_object(record), "traceState": "ot=th:8"}])).encode()
    rows, counts, _ = quick(data, row_window())
    assert (rows, counts.spans) == ([], 1)


def kept_bytes(decoder, documents):
    """By how much memory grows while a decoder reads, first in a short run so that all else is there."""
    decoder.decode(json.dumps(request([IDS], semconv.SCOPE_NAME)).encode())
    tracemalloc.start()
    try:
        for document in documents:
            assert decoder.decode(json.dumps(document, separators=COMPACT).encode()) is not None
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["attributes", "resources"])
def test_long_texts_are_not_kept(kind):
    """Prompts as attributes, and large resources, are read each time: memory is bounded in bytes, not in pieces."""
    decoder = PlainJsonDecoder(lambda _: None, Share())

    def documents():
        for number in range(200):
            text = f"{number}" + "a line\n" * 3000
            said = [attribute("gen_ai.input.messages", text)]
            document = request([{**IDS, "attributes": said if kind == "attributes" else []}], semconv.SCOPE_NAME)
            if kind == "resources":
                document["resourceSpans"][0]["resource"] = {"attributes": [attribute("process.command_line", text)]}
            yield document

    assert kept_bytes(decoder, documents()) < 1_000_000
