"""The adapter of the genai-prices package (extra ``prices``) to core's price book.

The data set is the one that the installed version of the package carries: nothing is fetched at run time, and what
the application does with the package (updates, snapshots of its own) changes no price here. What is not in it is
unknown, which is not zero: other models, models that are not sold by token, batches without a batch price.

The package's own calculation takes a large part of a millisecond a call, too long for an application's turn. So its
rates are read once a model and applied here. A test compares both on all models of the data set.
"""

import functools
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Protocol

from agentnet_otel.core.cost import Call, Price, PriceBook
from agentnet_otel.errors import MissingExtraError
from agentnet_otel.model import CostSource, TokenUsage

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

MAX_MODELS: Final = 1000
"""Models that are remembered, known or not; beyond it all are looked up again."""

_PACKAGE: Final = "genai-prices"
_MODULE: Final = "genai_prices"
_EXTRA: Final = "prices"
_BATCH: Final[Mapping[str, str]] = {"processing": "batch"}
"""The context in which the data set's batch prices hold."""
_PER_MTOK: Final = 1_000_000
_PER_REQUESTS: Final = 1000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NANOS_PER_MICRO: Final = 1000
_FREE: Final = ((-1, 0.0),)


class LoadablePrices(PriceBook, Protocol):
    """A price book that takes a while to load."""

    def load(self) -> None:
        """Load it now instead of at the first call."""


class NoPrices:
    """A price book in which nothing stands."""

    def load(self) -> None:
        """Nothing to load."""

    def price(self, call: Call) -> Price | None:
        """Unknown."""
        del call
        return None


class GenaiPrices:
    """Prices of public models, by day and size of the call. Any method may be called from any thread."""

    def __init__(self) -> None:
        self._catalogue: _Catalogue | None = None

    def load(self) -> None:
        """Load the data set now (some tenths of a second) instead of at the first call.

        Raises:
            MissingExtraError: the package is not installed.
        """
        self._loaded()

    def price(self, call: Call) -> Price | None:
        """The price of a call; None where the data set does not have it.

        Raises:
            MissingExtraError: the package is not installed.
        """
        rates = self._loaded().rates(call)
        cost_usd = None if rates is None else rates.cost_usd(call.usage)
        return None if cost_usd is None else Price(cost_usd=cost_usd, source=CostSource.GENAI_PRICES)

    def _loaded(self) -> "_Catalogue":
        catalogue = self._catalogue
        if catalogue is None:  # two threads at once make two, which does no harm; a lock might be held over a fork
            self._catalogue = catalogue = _Catalogue()
        return catalogue


class InstalledPrices:
    """`GenaiPrices` where the package is installed; else nothing has a price."""

    def __init__(self) -> None:
        self._book = GenaiPrices() if importlib.util.find_spec(_MODULE) is not None else None

    def load(self) -> None:
        """Load what is installed now instead of at the first call."""
        if self._book is not None:
            self._book.load()

    def price(self, call: Call) -> Price | None:
        """The price of a call; None where nobody knows it."""
        return None if self._book is None else self._book.price(call)


@functools.cache
def installed() -> InstalledPrices:
    """The price book of this process, loaded on first use."""
    return InstalledPrices()


class _Catalogue:
    """The data set, and what was found in it."""

    def __init__(self) -> None:
        try:
            from genai_prices import data, data_snapshot  # noqa: PLC0415 - an extra, loaded when it is needed
        except ImportError as error:
            raise MissingExtraError(_PACKAGE, _EXTRA) from error
        self._package = data_snapshot
        self._providers = data.providers
        self._models: dict[tuple[str, str | None], _Model | None] = {}
        self._snapshot = self._new_snapshot()

    def rates(self, call: Call) -> "_Rates | None":
        """The rates of a call's model, at its time; None where there are none."""
        for name in call.names:
            model = self._model(name, call.provider)
            if model is not None:
                return model.rates(call.at_ns, batch=call.batch)
        return None

    def _model(self, name: str, provider: str | None) -> "_Model | None":
        key = (name, provider)
        found = self._models.get(key, _NOT_LOOKED_UP)
        if isinstance(found, _NotLookedUp):
            if len(self._models) >= MAX_MODELS:
                self._models.clear()
                self._snapshot = self._new_snapshot()  # it remembers lookups without a bound
            found = self._models[key] = self._find(name, provider)
        return found

    def _find(self, name: str, provider: str | None) -> "_Model | None":
        """The model as its provider sells it; where the provider is not known, the model's name alone decides."""
        known = provider is not None and self._package.find_provider_by_id(self._providers, provider) is not None
        try:
            seller, model = self._snapshot.find_provider_model(name, None, provider if known else None, None)
        except LookupError:
            return None
        return _Model(model, own=any(model is own for own in seller.models))

    def _new_snapshot(self) -> "DataSnapshot":
        return self._package.DataSnapshot(providers=self._providers, from_auto_update=False)


class _NotLookedUp:
    """Stands where no answer is remembered, not even that there is none."""


_NOT_LOOKED_UP: Final = _NotLookedUp()


class _Model:
    """A model of the data set. ``own``: its provider sells it itself; batch prices hold there only."""

    def __init__(self, info: "ModelInfo", *, own: bool) -> None:
        self._info = info
        self._own = own
        self._rates: dict[int, _Rates | None] = {}
        self._changes = isinstance(info.prices, list)
        """Whether its prices, but those of batches, depend on the time."""

    def rates(self, at_ns: int, *, batch: bool) -> "_Rates | None":
        """The rates at a time (epoch nanoseconds); of a batch only if it has some of its own."""
        at = _EPOCH if not (batch or self._changes) else _EPOCH + timedelta(microseconds=at_ns // _NANOS_PER_MICRO)
        standard = self._info.get_prices(at)
        if batch:
            price = self._info.get_prices(at, _BATCH) if self._own else standard
            return None if price == standard else _Rates.read(price)
        if id(standard) not in self._rates:  # the object is the data set's and stays
            self._rates[id(standard)] = _Rates.read(standard)
        return self._rates[id(standard)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rates:
    """USD per token, in steps: from the largest first step that the call's whole input is above."""

    input: tuple[tuple[int, float], ...]
    output: tuple[tuple[int, float], ...] | None
    cached: tuple[tuple[int, float], ...] | None
    reasoning: tuple[tuple[int, float], ...] | None
    request_usd: float

    @classmethod
    def read(cls, price: "ModelPrice") -> "_Rates | None":
        """The rates that text meets; None for a model whose input is not sold by token."""
        if price.input_mtok is None:
            return None
        per_request = price.requests_kcount
        return cls(
            input=_steps(price.input_mtok),
            output=None if price.output_mtok is None else _steps(price.output_mtok),
            cached=None if price.cache_read_mtok is None else _steps(price.cache_read_mtok),
            reasoning=None if price.output_reasoning_mtok is None else _steps(price.output_reasoning_mtok),
            request_usd=float(per_request) / _PER_REQUESTS if isinstance(per_request, Decimal) else 0.0,
        )

    def cost_usd(self, usage: TokenUsage) -> float | None:
        """What one call with this usage costs; None where a count that has a price is unknown or does not add up."""
        input_, output = usage.input, usage.output
        cached, reasoning = usage.cached or 0, usage.reasoning or 0
        if input_ is None or (output is None and self.output is not None) or (output and self.output is None):
            return None
        output = output or 0
        if cached > input_ or reasoning > output:
            return None
        output_steps = self.output or _FREE
        return (
            self.request_usd
            + (input_ - cached) * _rate(self.input, input_)
            + cached * _rate(self.cached or self.input, input_)
            + (output - reasoning) * _rate(output_steps, input_)
            + reasoning * _rate(self.reasoning or output_steps, input_)
        )


def _steps(price: "Decimal | TieredPrices") -> tuple[tuple[int, float], ...]:
    """Pairs of where a rate begins to hold and the rate, last one first."""
    if isinstance(price, Decimal):
        return ((-1, float(price) / _PER_MTOK),)
    tiers = [(tier.start, float(tier.price) / _PER_MTOK) for tier in price.tiers]
    return (*reversed(tiers), (-1, float(price.base) / _PER_MTOK))


def _rate(steps: tuple[tuple[int, float], ...], input_tokens: int) -> float:
    first, rate = steps[0]  # nearly always the only one
    return rate if input_tokens > first else next(rate for start, rate in steps if input_tokens > start)
