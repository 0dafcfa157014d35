"""Costs of turns that are rebuilt: what spans tell, innermost first; a price book for the rest, call by call."""

import pytest

from agentnet_otel import semconv
from agentnet_otel.core.assembler import Assembler
from agentnet_otel.core.cost import CostModels, Pricing
from agentnet_otel.model import CostSource, TokenUsage
from agentnet_otel.testing import EPOCH_NS, NANOS_PER_MS, span_record

TURN = {semconv.OPERATION_NAME: semconv.OP_INVOKE_AGENT, semconv.AGENT_NAME: "planner"}


def call(span_id, *, model="m", input_=100, output=50, parent=1, **attributes):
    """A span of a call, as other instrumentations write it."""
    said = {
        semconv.OPERATION_NAME: semconv.OP_CHAT,
        semconv.REQUEST_MODEL: model,
        semconv.USAGE_INPUT_TOKENS: input_,
        semconv.USAGE_OUTPUT_TOKENS: output,
        **attributes,
    }
    return span_record(span_id, "chat", parent=parent, start_ms=span_id, attributes=said)


class Book:
    """A price book that sells what it knows for a dollar, and keeps what it was asked."""

    def __init__(self, *known):
        self.known = CostModels({model: {"input": 10.0, "output": 0.0} for model in known})
        self.asked = []

    def price(self, wanted):
        """By the thousand."""
        self.asked.append(wanted)
        return Pricing(self.known).price(wanted)


def rebuilt(*spans, book=None, turn=None):
    """The turn of these calls."""
    assembler = Assembler(prices=book)
    for span in (span_record(1, end_ms=100, attributes={**TURN, **(turn or {})}), *spans):
        assembler.feed(span)
    (found,) = assembler.drain()
    return found


def test_calls_without_a_cost_are_priced_one_by_one():
    """Each by its own model, tokens, time and provider; the user's rates are the user's."""
    book = Book("m", "n")
    attributes = {semconv.PROVIDER_NAME: "openai", semconv.RESPONSE_MODEL: "m-2026"}
    found = rebuilt(call(2, **attributes), call(3, model="n", output=0), book=book)
    assert (found.cost_usd, found.cost_source) == (2.0, CostSource.USER)
    first = book.asked[0]
    assert (first.model, first.asked_model, first.provider) == ("m-2026", "m", "openai")
    assert (first.usage, first.at_ns) == (TokenUsage(input=100, output=50), EPOCH_NS + 2 * NANOS_PER_MS)
    assert not first.batch


def test_one_unknown_call_makes_the_turn_unknown():
    """So does having no price book; unknown is not zero."""
    assert rebuilt(call(2), call(3, model="x"), book=Book("m")).cost_usd is None
    assert rebuilt(call(2)).cost_usd is None
    assert rebuilt(book=Book("m")).cost_usd is None


def test_a_told_cost_goes_before_a_price():
    """Also where only some calls have one: then the source of the sum is the weaker of the two."""
    book = Book("m")
    told = rebuilt(call(2, **{semconv.USAGE_COST: 0.25}), book=book)
    assert (told.cost_usd, told.cost_source, book.asked) == (0.25, CostSource.SPAN, [])
    mixed = rebuilt(call(2, **{semconv.USAGE_COST: 0.25}), call(3), book=book)
    assert (mixed.cost_usd, mixed.cost_source) == (1.25, CostSource.USER)


def test_what_the_turn_tells_goes_before_prices_too():
    """Of the turn as a whole, where its calls tell nothing."""
    book = Book("m")
    found = rebuilt(call(2), book=book, turn={semconv.USAGE_COST: 0.5})
    assert (found.cost_usd, found.cost_source, book.asked) == (0.5, CostSource.SPAN, [])


def test_what_stands_around_a_call_is_not_priced_again():
    """An aggregate of a parent repeats its calls."""
    book = Book("m")
    found = rebuilt(call(2, input_=999), call(3, parent=2), book=book)
    assert (found.cost_usd, len(book.asked)) == (1.0, 1)


def test_a_turn_whose_own_span_has_all_tokens_is_priced():
    """By its model."""
    tokens = {semconv.REQUEST_MODEL: "m", semconv.USAGE_INPUT_TOKENS: 200, semconv.USAGE_OUTPUT_TOKENS: 1}
    found = rebuilt(book=Book("m"), turn=tokens)
    assert (found.cost_usd, found.cost_source) == (2.0, CostSource.USER)


def test_batches_are_asked_for_as_such():
    """The mark that the recorder puts on a call in a batch is understood."""
    book = Book("m")
    rebuilt(call(2, **{semconv.INFERENCE_BATCH: True, semconv.LATENCY_COMPONENT: "inference"}), book=book)
    assert [wanted.batch for wanted in book.asked] == [True]


@pytest.mark.parametrize(("inputs", "context"), [((100, 300, 200), 300), ((), None)])
def test_context_is_the_largest_input_of_one_call(inputs, context):
    """Not their sum: no call read that much."""
    assert rebuilt(*(call(n + 2, input_=i) for n, i in enumerate(inputs))).context_tokens == context
