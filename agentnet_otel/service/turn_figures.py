"""The metrics of rebuilt turns, each counted once, by the instruments that an application counts its own turns with.

Counters go on where they were when the process starts again: what they had counted is kept in the store together with
the place of the last turn that is in it, and the turns behind that place are counted anew. So no turn is missing and
none is counted twice, and ``increase()`` sees no reset.

A turn is counted as it was when it was told first. What comes later and corrects it is in the turns and the reports,
not here: a counter cannot take back.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from agentnet_otel import semconv
from agentnet_otel._version import __version__
from agentnet_otel.instrumentation.labels import MAX_VALUE_LENGTH, OTHER, UNKNOWN, LabelCap
from agentnet_otel.instrumentation.metrics import TurnMetrics
from agentnet_otel.model import MetricsMode, PolicyViolation, QualitySource, Turn
from agentnet_otel.service.kept_meter import KeptMeter, Series

MAX_SERVICES: Final = 200
"""Services with series of their own; further ones are counted under `OTHER`."""
MAX_WEIGHT: Final = 1_000_000
"""How many turns one may stand for; a mark that says more is not believed."""
UNKNOWN_SERVICE: Final = "unknown_service"

_SCOPE: Final = InstrumentationScope(semconv.SCOPE_NAME, __version__, semconv.SCHEMA_URL)


class KeptService(msgspec.Struct, kw_only=True):
    """What was counted of one service. ``owed``: the part of a turn that weights left over."""

    owed: float = 0.0
    series: dict[str, list[Series]] = {}


class KeptFigures(msgspec.Struct, kw_only=True):
    """What was counted, by service."""

    services: dict[str, KeptService] = {}


class TurnFigures:
    """Counts turns. Methods may be called from any thread. ``now_ns``: epoch nanoseconds."""

    def __init__(self, mode: MetricsMode, now_ns: Callable[[], int]) -> None:
        self._mode = mode
        self._now_ns = now_ns
        self._services: dict[str, _Service] = {}
        self._lock = threading.Lock()
        self.counted = 0
        self.left_out = 0
        """Turns that whoever wrote them had counted, or that were not to be counted."""
        self.folded_services = 0

    def take(self, turns: Iterable[Turn]) -> None:
        """Count turns that are new."""
        with self._lock:
            for turn in turns:
                if self._mode is MetricsMode.NONE or (self._mode is MetricsMode.AUTO and turn.metrics_recorded):
                    self.left_out += 1
                else:
                    self.counted += 1
                    self._service(turn.service_name or UNKNOWN_SERVICE).count(turn)

    def data(self) -> MetricsData:
        """What was counted until now, cumulative, as the SDK has it."""
        with self._lock:
            return MetricsData([service.data(name) for name, service in self._services.items()])

    @property
    def folded(self) -> int:
        """Values of labels that became `OTHER`, or were dropped, because there were too many."""
        with self._lock:
            return self.folded_services + sum(
                service.cap.folded + service.meter.dropped for service in self._services.values()
            )

    def keep(self) -> bytes:
        """What was counted, to be taken up by `restore`."""
        with self._lock:
            return msgspec.json.encode(
                KeptFigures(services={name: service.keep() for name, service in self._services.items()})
            )

    def restore(self, body: bytes) -> None:
        """Go on where something was kept.

        Raises:
            msgspec.DecodeError: it is not what was kept.
        """
        kept = msgspec.json.decode(body, type=KeptFigures)
        with self._lock:
            for name, service in kept.services.items():
                self._service(name).restore(service)

    def _service(self, name: str) -> "_Service":
        name = name[:MAX_VALUE_LENGTH]  # it stands in every line of its series
        service = self._services.get(name)
        if service is None:
            if len(self._services) >= MAX_SERVICES and name != OTHER:
                self.folded_services += 1
                return self._service(OTHER)
            service = self._services[name] = _Service(self._now_ns)
        return service


class _Service:
    """The instruments of one service."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.cap = LabelCap()
        self.meter = KeptMeter(now_ns)
        self._metrics = TurnMetrics(self.meter, now_ns, self.cap)
        self._owed = 0.0

    def count(self, turn: Turn) -> None:
        self.meter.weight = self._weight(turn.sampling_probability)
        self.meter.span = (turn.trace_id, turn.span_id)
        self.meter.at_ns = self.meter.now_ns()
        self._count_turn(turn)
        self._count_parts(turn)

    def _weight(self, probability: float | None) -> int:
        """How many turns this one stands for: whole numbers, whose sum is right; 1 where nobody tells."""
        exact = 1.0 if probability is None or not 1 / MAX_WEIGHT <= probability <= 1 else 1 / probability
        weight = int(exact + self._owed + 1e-9)
        self._owed += exact - weight
        return weight

    def _count_turn(self, turn: Turn) -> None:
        self._metrics.turn_ended(
            agent=turn.agent or UNKNOWN,
            model=turn.model,
            outcome=turn.outcome,
            error_type=turn.error_type,
            duration_ns=turn.duration_ns,
            component_ns=turn.component_self_ns,
            context=None,
        )
        self._metrics.turn_valued(
            agent=turn.agent or UNKNOWN,
            model=turn.model,
            cost_usd=turn.cost_usd,
            efficiency=turn.efficiency,
            quality_source=turn.quality_source or QualitySource.ASSUMED,
            context=None,
        )

    def _count_parts(self, turn: Turn) -> None:
        metrics, agent = self._metrics, turn.agent or UNKNOWN
        for share in turn.token_shares:
            metrics.tokens_used(
                agent=agent, model=share.model, category=share.category, usage=share.usage, context=None
            )
        for violation in turn.violations:
            metrics.violation_found(agent, violation, None)
        for tool in turn.tool_calls:
            metrics.tool_called(agent, tool, tool.duration_ns or 0, tool.error_type, None)
        for call in turn.model_calls:
            metrics.model_called(
                provider=call.provider or UNKNOWN,
                request_model=call.request_model,
                response_model=call.response_model,
                duration_ns=call.duration_ns,
                usage=call.usage,
                error_type=call.error_type,
                context=None,
            )
        if turn.unnamed_violations:
            self.meter.weight *= turn.unnamed_violations
            metrics.violation_found(agent, PolicyViolation(rule=semconv.ERROR_TYPE_OTHER), None)

    def data(self, name: str) -> ResourceMetrics:
        scope = ScopeMetrics(_SCOPE, list(self.meter.metrics()), semconv.SCHEMA_URL)
        return ResourceMetrics(Resource({semconv.SERVICE_NAME: name}), [scope], "")

    def keep(self) -> KeptService:
        return KeptService(owed=self._owed, series=self.meter.keep())

    def restore(self, kept: KeptService) -> None:
        self._owed = kept.owed
        for key, value in {pair for all_ in kept.series.values() for one in all_ for pair in one.labels.items()}:
            if value not in {OTHER, UNKNOWN}:
                self.cap.value(key, value)
        self.meter.restore(kept.series)
