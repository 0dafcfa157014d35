"""Turns by C are those of Python; `test_plain_json` compares both with the general way on whatever spans may say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentnet_otel import semconv
from agentnet_otel.core import plain_turns
from agentnet_otel.core.cost import CostModels, Pricing
from agentnet_otel.core.plain_trace import turn_of
from agentnet_otel.core.plain_turns import rows_of_trace, told_of_turn
from agentnet_otel.core.plain_whole import turns_of_trace
from agentnet_otel.model import TokenCategory
from agentnet_otel.sources.native import extension
from agentnet_otel.sources.native.spans import VOCABULARY, native_runs_of
from agentnet_otel.sources.native.turns import TURNS, native_rows_of_trace, native_turn_of, native_turns_of_trace
from agentnet_otel.sources.plain_json import PlainJsonDecoder
from agentnet_otel.sources.share import Share
from tests.sources.native.marks import growth, needs_c
from tests.sources.native.test_readers import attribute, request, written

pytestmark = needs_c

PRICES = Pricing(CostModels({"m": 0.5, "n": {"input": 1, "output": 2}}))
TRACE = "ab" * 16
MEMORY = TokenCategory.MEMORY.value


def span(number, start, end, parent=1, **said):
    """A span of one trace as an object of OTLP JSON; 1 is the root."""
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}
    return {
        "traceId": TRACE,
        "spanId": format(number, "016x"),
        "parentSpanId": "" if number == 1 else format(parent, "016x"),
        "kind": 1,
        "startTimeUnixNano": str(1000 + start),
        "endTimeUnixNano": str(1000 + end),
        "attributes": [
            attribute(getattr(semconv, name.upper()), kinds[type(value)], str(value) if type(value) is int else value)
            for name, value in said.items()
        ],
    }


def root(end=100, **said):
    """A turn's own span."""
    return span(1, 0, end, operation_name="invoke_agent", agent_name="planner", **said)


def spans_of(*spans, scope=semconv.SCOPE_NAME):
    """As the reader gives them."""
    batch = PlainJsonDecoder(lambda _: None, Share()).decode(written(request(*spans, scope=scope)))
    assert batch is not None
    assert [type(found) for found in batch.spans] == [extension.Span] * len(spans)
    return batch.spans


def by_c(*spans, scope=semconv.SCOPE_NAME, prices=PRICES):
    """The rows by C, which are those of Python, as turns are, to the order of their parts.

    None where C leaves the trace, or a turn of it, to Python.
    """
    left = []

    def ask_python(turn, *others):
        left.append(turn)
        return told_of_turn(turn, *others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_turns, "told_of_turn", ask_python)
        rows, whole = (make(spans_of(*spans, scope=scope), prices) for make in (TURNS.rows, TURNS.whole))
    for found, python in ((rows, rows_of_trace), (whole, turns_of_trace)):
        told = python(spans_of(*spans, scope=scope), prices)
        if found is not None:
            assert told is not None
            assert repr(found) == repr((told.turns, told.outside, told.clipped))
    assert (rows is None) == (whole is None)
    return None if rows is None or left else rows[0]


CALL = span(2, 0, 40, latency_component="inference", request_model="m", usage_input_tokens=3, usage_output_tokens=4)


def test_a_turn_is_made_by_c():
    """With components, tools, tokens, a price, and what is derived from them."""
    ((key, row),) = by_c(root(turn_id="t"), CALL, span(3, 50, 60, latency_component="tool_execution", tool_name="s"))
    assert key == (1100, 1000, TRACE, format(1, "016x"))
    assert (row.turn_id, row.agent, row.models, row.tools, row.spans) == ("t", "planner", ("m",), ("s",), 3)
    assert row.components == {"inference": 40e-6, "tool_execution": 10e-6}
    assert (row.input_tokens, row.output_tokens, row.tokens_by_category) == (3, 4, {"reasoning": 7})
    assert (row.cost_usd, row.cost_source) == (7 * 0.5 / 1000, "user")
    assert row.efficiency == pytest.approx(0.5 * 3.2 / 7 + 0.3 * 0.8 + 0.2)


RULE = attribute(semconv.POLICY_RULE, "stringValue", "no-secrets")
INNER = span(3, 50, 60, operation_name="invoke_agent", agent_name="writer", usage_input_tokens=9, inference_attempts=7)
TOOL = span(3, 50, 60, latency_component="tool_execution", tool_name="s")


def test_what_runs_inside_a_component_takes_of_its_time():
    """Each instant is the innermost one's; sums keep it."""
    inside = (
        span(3, 10, 20, parent=2, latency_component="memory_access"),
        span(4, 20, 30, parent=2, operation_name="http"),
        span(5, 21, 29, parent=4, latency_component="tool_execution"),
        span(6, 22, 24, parent=5, latency_component="memory_access"),
    )
    ((_, row),) = by_c(root(), CALL, *inside)
    assert row.components == {"inference": 22e-6, "tool_execution": 6e-6, "memory_access": 12e-6}
    assert row.component_sums == {"inference": 40e-6, "tool_execution": 8e-6, "memory_access": 12e-6}
    assert row.unattributed_ms == 60e-6


def test_a_turn_in_a_turn_is_orchestration_of_it():
    """What it says, and what lies in it, is its own."""
    inside = span(4, 52, 60, parent=3, latency_component="inference", request_model="n", usage_output_tokens=5)
    inner = {**INNER, "attributes": [one for one in INNER["attributes"] if "usage" not in one["key"]]}
    (_, outer), (_, found) = by_c(root(conversation_id="s"), CALL, inner, inside)
    assert outer.components == {"inference": 40e-6, "orchestration": 10e-6}
    assert (outer.agent, outer.models, outer.output_tokens, outer.spans) == ("planner", ("m",), 4, 2)
    assert (found.agent, found.models, found.output_tokens, found.spans) == ("writer", ("n",), 5, 2)
    assert found.session == "s"
    in_call = {**inner, "parentSpanId": CALL["spanId"], "startTimeUnixNano": "1010", "endTimeUnixNano": "1020"}
    (_, outer), _ = by_c(root(), CALL, in_call)
    assert outer.components == {"inference": 30e-6, "orchestration": 10e-6}


def test_of_a_trace_one_odd_turn_is_left_to_python():
    """With what stands around it, and what lies in it."""
    around = {**span(7, 0, 200, operation_name="http", conversation_id="s"), "parentSpanId": ""}
    odd = {**span(8, 100, 200, parent=7, operation_name="invoke_agent", agent_name="odd"), "kind": 1}
    spans = (
        around,
        {**root(), "parentSpanId": around["spanId"]},
        CALL,
        odd,
        span(9, 90, 150, parent=8, latency_component="inference"),
        span(10, 160, 170, parent=8, operation_name="invoke_agent", agent_name="inner"),
    )
    assert by_c(*spans) is None
    told, outside, clipped = TURNS.rows(spans_of(*spans), PRICES)
    assert (outside, clipped) == (0, 1)
    assert [(row.agent, row.session) for _, row in told] == [("planner", "s"), ("odd", "s"), ("inner", "s")]
    assert told[1][1].components == {"inference": 50e-6, "orchestration": 10e-6}


@pytest.mark.parametrize("place", [0, 1])
def test_events_are_read_by_python(place):
    """Violations of the turn, and of spans in it, are counted."""
    spans = [root(), CALL, TOOL]
    violation = {"name": semconv.POLICY_VIOLATION_EVENT, "timeUnixNano": "1005", "attributes": [RULE]}
    spans[place] = {**spans[place], "events": [violation, {"name": "x", "timeUnixNano": "1006"}]}
    assert by_c(*spans) is None
    ((_, turn),) = TURNS.whole(spans_of(*spans), PRICES)[0]
    assert (turn.policy_violations, [violated.rule for violated in turn.violations]) == (1, ["no-secrets"])
    assert [len(one.events) for one in spans_of(*spans)] == [2 * (at == place) for at in range(3)]


@pytest.mark.parametrize(
    "spans",
    [
        (root(),),
        (root(), CALL, span(3, 10, 20, parent=2, latency_component="inference", request_model="n")),
        (
            root(),
            TOOL,
            span(4, 51, 59, parent=3, latency_component="inference", usage_input_tokens=1, token_category=MEMORY),
        ),
        (
            root(),
            span(2, 0, 40, latency_component="orchestration"),
            span(3, 1, 4, parent=2, latency_component="inference", usage_input_tokens=1),
        ),
        (root(turn_outcome="timeout", error_type="E"),),
        (root(error_type="TimeoutError"),),
        (root(), CALL, span(4, 40, 41, latency_component="inference", request_model="n", usage_output_tokens=1)),
        (root(), CALL, span(4, 40, 41, latency_component="inference", cost_usd=0.5, cost_source="engine")),
        (root(), CALL, *(span(n, 50, 60, latency_component="inference", cost_usd=0.1) for n in range(4, 5))),
        (root(100), *(span(n, n, n + 1, latency_component="inference", cost_usd=0.1) for n in range(2, 9))),
        (root(turn_cost_usd=0.5, turn_cost_source="else"), CALL),
        (root(turn_tokens_prefix="x"), CALL),
        (root(), span(2, 0, 40, operation_name="http"), span(3, 5, 9, parent=2, latency_component="inference")),
        (root(conversation_id="s"), span(2, 0, 40, conversation_id="t")),
        (root(), span(9, 0, 40, latency_component="policy_check")),
        (span(7, 0, 200, parent=7, conversation_id="around"), root()),
        (root(), *(span(n, n, n + 1, latency_component="inference", inference_attempts=2**63 - 1) for n in (2, 4))),
        (root(turn_confidence=0.5, quality_source="confidence", turn_prompt_length=3, turn_response_length=4), CALL),
        (root(turn_fallback=True, metrics_recorded=True, sampling_probability=0.0, turn_time_to_first_token=0.5), CALL),
        (
            root(turn_quality=0.5, sampling_probability=0.25, turn_interrupted=True),
            span(
                2,
                0,
                4,
                latency_component="inference",
                request_model="b",
                response_model="m",
                provider_name="p",
                usage_input_tokens=3,
                usage_cache_read_input_tokens=1,
                inference_attempts=2,
                response_time_to_first_chunk=1e-9,
            ),
            span(
                3,
                5,
                9,
                latency_component="inference",
                request_model="a",
                usage_output_tokens=3,
                token_category=MEMORY,
                error_type="E",
                usage_reasoning_output_tokens=2,
                inference_attempts=1,
            ),
            span(4, 10, 11, latency_component="inference", usage_input_tokens=9, token_category=MEMORY),
            span(5, 12, 13, latency_component="tool_execution", tool_name="s", tool_outcome="refused", error_type="E"),
            span(6, 14, 15, latency_component="tool_execution", tool_name="s"),
        ),
    ],
    ids=range(20),
)
def test_what_a_turn_may_say_is_read_alike(spans):
    """By C, without asking Python for the trace."""
    if spans[0]["spanId"] == format(7, "016x"):
        spans = ({**spans[0], "parentSpanId": ""}, {**spans[1], "parentSpanId": format(7, "016x")})
    assert len(by_c(*spans)) == 1
    assert len(by_c(*spans, prices=None)) == 1


def test_its_own_word_on_categories_counts_where_it_agrees():
    """Otherwise what its calls come to."""
    for tokens, expected in ((7, {"memory": 7}), (8, {"reasoning": 7})):
        own = root()
        key = semconv.TURN_TOKENS_PREFIX + TokenCategory.MEMORY.value
        own["attributes"].append(attribute(key, "intValue", str(tokens)))
        ((_, row),) = by_c(own, CALL)
        assert row.tokens_by_category == expected


@pytest.mark.parametrize(
    "spans",
    [
        (root(), CALL, span(3, 30, 50, latency_component="inference")),
        (root(), CALL, span(3, 10, 50, parent=2, latency_component="tool_execution")),
        (root(), CALL, span(3, 0, 40, parent=2, latency_component="tool_execution")),
        (root(), CALL, *(span(n, 10, 20, parent=2, latency_component="tool_execution") for n in (3, 4))),
        (root(), CALL, span(3, 10, 20, parent=2, latency_component="inference", usage_input_tokens=1)),
        (root(), TOOL, span(4, 51, 59, parent=3, latency_component="inference", usage_input_tokens=1)),
        (
            root(),
            span(2, 0, 4, parent=3, latency_component="memory_access"),
            span(3, 0, 9, latency_component="inference"),
        ),
        (root(), span(3, 90, 110, latency_component="inference")),
        (root(), span(3, 50, 40, latency_component="inference")),
        (root(), span(3, 50, 60, latency_component="tool_execution", usage_input_tokens=1)),
        (root(usage_input_tokens=1), CALL),
        (
            root(),
            INNER,
            span(4, 52, 60, parent=3, latency_component="inference"),
            span(5, 55, 65, operation_name="invoke_agent"),
        ),
        (root(), span(3, 50, 60, parent=99, latency_component="inference")),
        (root(), span(2, 0, 4, latency_component="inference", usage_input_tokens=2**60)),
        (root(2**60), CALL),
        (root(), span(2, 0, 0, latency_component="inference"), span(3, 0, 4, latency_component="tool_execution")),
        (root(), *(span(n, n, n + 1, latency_component="policy_check") for n in range(2, 50))),
        (root(), *(span(n, n, n + 1, latency_component="tool_execution", tool_name=str(n)) for n in range(2, 50))),
        (root(), *(span(n, n, n + 1, latency_component="inference", request_model=str(n)) for n in range(2, 50))),
        (root(3000), *(span(n, n, n + 1, latency_component="inference") for n in range(2, 600))),
    ],
    ids=range(20),
)
def test_what_is_seldom_is_left_to_python(spans):
    """And told all the same."""
    assert by_c(*spans) is None
    for native, python in ((native_rows_of_trace, rows_of_trace), (native_turns_of_trace, turns_of_trace)):
        assert native(spans_of(*spans), PRICES) == python(spans_of(*spans), PRICES)


@pytest.mark.parametrize(
    "spans",
    [
        (root(), CALL),
        (root(), CALL, span(3, 30, 50, latency_component="inference")),
        (root(), CALL, span(3, 50, 60, operation_name="invoke_workflow")),
        (root(), CALL, span(3, 50, 60, operation_name="invoke_agent")),
        (root(), CALL, span(3, 50, 60, parent=99, operation_name="http")),
        (CALL,),
        (span(5, 0, 200, parent=0), {**root(), "parentSpanId": format(5, "016x")}, CALL),
    ],
    ids=range(7),
)
def test_the_one_turn_of_a_trace_is_that_of_python(spans):
    """Or none, where a tree has to decide."""
    spans = [{**one, "parentSpanId": one["parentSpanId"].replace(format(0, "016x"), "")} for one in spans]
    by_id = {one.span_id: one for one in spans_of(*spans)}
    assert native_turn_of(by_id, PRICES) == turn_of(by_id, PRICES)


def test_spans_of_python_are_left_to_python():
    """One of them in a trace is enough."""
    spans = spans_of(root(), CALL)
    assert TURNS.rows([*spans, object()], None) is None
    assert TURNS.rows([*spans, spans[1]], None) is None  # it came twice
    assert TURNS.rows([], None) == ([], 0, 0)
    for wrong in ((tuple(spans), None), (spans,), ()):
        with pytest.raises(TypeError):
            TURNS.rows(*wrong)


def test_an_error_of_a_price_book_is_told():
    """As it is."""

    class Broken:
        def price(self, call):
            raise ZeroDivisionError

    for rows in (TURNS.rows, TURNS.whole, rows_of_trace):
        with pytest.raises(ZeroDivisionError):
            rows(spans_of(root(), CALL), Broken())


def test_runs_are_cut_where_another_trace_begins():
    """Each with its trace id, and whether a root is among them."""
    others = [{**other, "traceId": "cd" * 16} for other in (CALL, root())]
    spans = spans_of(root(), CALL, *others, CALL)
    assert native_runs_of(spans) == [
        (TRACE, spans[:2], True, True),
        ("cd" * 16, spans[2:4], True, True),
        (TRACE, spans[4:], False, True),
    ]
    assert native_runs_of([]) == []
    assert extension.runs_of([*spans, object()]) is None


WORDS = ("inference", "tool_execution", "orchestration", "invoke_agent", "chat", "other")


def within(times, start, length):
    """A part of what is around it: where it starts, of 90, and how long it is."""
    begin, end = times
    start = begin + start * (end - begin) // 90
    return start, start + length * (end - begin) // 40


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 7),
            st.integers(0, 90),
            st.integers(0, 20),
            st.integers(0, 7),
            st.sampled_from(WORDS),
            st.integers(0, 3),
        ),
        unique_by=lambda one: one[0],
        max_size=7,
    ),
    st.sampled_from([semconv.SCOPE_NAME, "somebody"]),
)
def test_any_trace_is_read_alike(many, scope):
    """Whatever stands below what."""
    spans, times = [], {0: (0, 120)}
    for number, start, length, parent, word, tokens in many:
        inside = start % 3 and parent in times
        times[number] = within(times[parent], start, length) if inside else (start, start + length)
        name = "latency_component" if word in WORDS[:3] and scope == semconv.SCOPE_NAME else "operation_name"
        said = {name: word, "agent_name": "a"}
        if tokens and word in {"chat", "inference"}:
            said["usage_output_tokens"] = tokens
            said.update({"token_category": MEMORY} if tokens > 1 else {})
        made = span(number, *times[number], parent, **said)
        spans.append({**made, "parentSpanId": "" if parent == 0 else format(parent, "016x")})
    if spans:
        by_c(*spans, scope=scope)


@pytest.mark.parametrize("spans", [(root(), CALL), (root(usage_input_tokens=1), CALL)])
def test_memory_does_not_grow(spans):
    """Whether rows are made, or given up in the middle."""
    made = spans_of(*spans)
    assert growth(lambda: (TURNS.rows(made, PRICES), TURNS.whole(made, PRICES))) < 20_000


def test_words_that_are_told_wrongly_are_a_plain_error():
    """At import, not while reading."""
    with pytest.raises(TypeError, match="turn_id"):
        extension.Turns(VOCABULARY, {}, {}, (), (), {}, {}, 0, 0, 0, 0, 0, 0, 0)
    with pytest.raises(ValueError, match="no key"):
        extension.Turns(VOCABULARY, {"turn_id": "nowhere"}, {}, (), (), {}, {}, 0, 0, 0, 0, 0, 0, 0)
