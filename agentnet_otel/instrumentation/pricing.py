"""Prices of calls whose engine told no cost, while a turn is recorded."""

from agentnet_otel.core.cost import Call, Price, PriceBook
from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.component_span import ComponentSpan
from agentnet_otel.instrumentation.turn_span import TurnSpan
from agentnet_otel.model import TokenUsage


class CallPricing:
    """Asks a price book, if there is one. What the engine or the user said of a call or turn stands."""

    def __init__(self, book: PriceBook | None) -> None:
        self._book = book

    @faults.guarded
    def price_component(self, component: ComponentSpan) -> None:
        """Give a leaf that used tokens its price, where it is known."""
        usage = component.usage
        told = component.cost_usd is not None or component.has_inner_cost
        if told or component.has_inner_usage or not usage.known:
            return
        turn_model = None if component.turn is None else component.turn.model
        names = [name for name in (component.response_model, component.model, turn_model) if name is not None]
        price = self._price(names, usage, component.start_ns, component.provider, batch=component.batch)
        if price is not None:
            component.note_cost(price.cost_usd, price.source)

    @faults.guarded
    def price_whole(self, turn: TurnSpan, model: str | None) -> None:
        """Give a turn whose tokens were recorded as a whole its price as ``model``'s, where it is known."""
        ledger = turn.ledger
        if ledger.has_leaves or ledger.cost_usd is not None or not ledger.total.known:
            return
        names = [] if model is None else [model]
        price = self._price(names, ledger.total, turn.start_ns, None, batch=False)
        if price is not None:
            ledger.add_cost(price.cost_usd, price.source)

    def _price(
        self, names: list[str], usage: TokenUsage, at_ns: int, provider: str | None, *, batch: bool
    ) -> Price | None:
        if self._book is None or not names:
            return None
        asked = names[1] if len(names) > 1 else None
        call = Call(model=names[0], asked_model=asked, usage=usage, at_ns=at_ns, provider=provider, batch=batch)
        return self._book.price(call)
