"""Calls of a turn, and its tokens by model and purpose together: what metrics are made of."""

import pytest

from agentnet_otel import LatencyComponent, semconv
from agentnet_otel.core.assembler import Assembler
from agentnet_otel.model import ModelCall, TokenCategory, TokenShare, TokenUsage, ToolCall
from agentnet_otel.testing import component_record, span_record, turn_record

INFERENCE, TOOL = LatencyComponent.INFERENCE, LatencyComponent.TOOL_EXECUTION


def call(span_id, *, parent=1, model="m", given=(), input_=10, output=2, **fields):
    """A call of a model."""
    attributes = {
        semconv.REQUEST_MODEL: model,
        semconv.USAGE_INPUT_TOKENS: input_,
        semconv.USAGE_OUTPUT_TOKENS: output,
        **dict(given),
    }
    return component_record(span_id, INFERENCE, parent=parent, attributes=attributes, **fields)


def rebuilt(*spans):
    """The one turn of these spans."""
    assembler = Assembler()
    for span in spans:
        assembler.feed(span)
    (turn,) = assembler.drain()
    return turn


def test_each_call_stands_there_once():
    """With who answered, how long it took, what it used, how it failed; what only repeats it is left out."""
    answered = {semconv.PROVIDER_NAME: "openai", semconv.RESPONSE_MODEL: "m-1", semconv.ERROR_TYPE: "rate_limit"}
    turn = rebuilt(
        turn_record(1),
        call(2, input_=999, output=999, start_ms=0, end_ms=50),
        call(3, parent=2, given=answered, start_ms=10, end_ms=40),
        component_record(
            4, TOOL, parent=1, start_ms=60, end_ms=65, attributes={semconv.TOOL_NAME: "search", semconv.ERROR_TYPE: "E"}
        ),
    )
    usage = TokenUsage(input=10, output=2)
    assert turn.model_calls == (
        ModelCall(
            duration_ns=30_000_000, usage=usage, provider="openai", request_model="m", response_model="m-1",
            error_type="rate_limit",
        ),
    )  # fmt: skip
    assert turn.tool_calls == (ToolCall(name="search", outcome="success", duration_ns=5_000_000, error_type="E"),)


def test_shares_are_by_model_and_purpose_and_add_up():
    """A call inside a tool is spent on tools; a model that nobody told stays unknown."""
    turn = rebuilt(
        turn_record(1),
        call(2),
        call(3, output=5),
        component_record(4, TOOL, parent=1),
        call(5, parent=4, model="n"),
        call(6, given={semconv.REQUEST_MODEL: ""}),
    )
    shares = {(share.model, share.category): share.usage.total for share in turn.token_shares}
    assert shares == {
        ("m", TokenCategory.REASONING): 27,
        ("n", TokenCategory.TOOL_CALLS): 12,
        (None, TokenCategory.REASONING): 12,
    }
    assert sum(share.usage.total for share in turn.token_shares) == turn.tokens.total


@pytest.mark.parametrize("known", [True, False])
def test_a_turn_that_tells_its_tokens_as_a_whole(known):
    """Has one share, and none where it tells nothing."""
    usage = {semconv.REQUEST_MODEL: "m", semconv.USAGE_INPUT_TOKENS: 3, semconv.USAGE_OUTPUT_TOKENS: 4}
    turn = rebuilt(turn_record(1, attributes=usage if known else {}))
    whole = TokenShare(model="m", category=TokenCategory.REASONING, usage=TokenUsage(input=3, output=4))
    assert turn.token_shares == ((whole,) if known else ())
    assert turn.model_calls == ()


@pytest.mark.parametrize(("said", "counted"), [(True, True), (False, False), (None, False)])
def test_a_turn_tells_whether_its_application_counts_it(said, counted):
    """By its own span; without that, our recorder is taken to have counted it, and nobody else is."""
    mark = {} if said is None else {semconv.METRICS_RECORDED: said}
    assert rebuilt(turn_record(1, attributes=mark)).metrics_recorded is counted
    part = {semconv.AGENT_NAME: "planner", semconv.TURN_ID: "t"}
    of_ours = rebuilt(component_record(2, TOOL, parent=1, attributes=part))
    assert (of_ours.incomplete, of_ours.metrics_recorded) == (True, True)
    chat = {semconv.AGENT_NAME: "planner", semconv.OPERATION_NAME: semconv.OP_CHAT}
    of_others = rebuilt(span_record(2, parent=1, attributes=chat))
    assert (of_others.incomplete, of_others.metrics_recorded) == (True, False)
