"""What is worked out once, for alerts and dashboards: counts, shares, lower bounds and means, by agent and window.

Names are level:metric:operations. Nothing here is NaN where nothing happened: there is no series then.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agentnet_otel import semconv
from agentnet_otel.core.thresholds import Threshold
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.model import Outcome, QualitySource
from agentnet_otel.outputs.rules import series
from agentnet_otel.outputs.rules.model import RecordingRule
from agentnet_otel.outputs.rules.promql import Z_LIKELY, edge, increase, lower_bound, number
from agentnet_otel.outputs.rules.scopes import Scope
from agentnet_otel.outputs.rules.windows import LIKELY_WINDOWS

ALL: Final = "agent:agentnet_turns:increase"
FAILED: Final = "agent:agentnet_turns_failed:increase"
FAILED_RATIO: Final = "agent:agentnet_turns_failed:ratio"
FAILED_BOUND: Final = "agent:agentnet_turns_failed:lower_bound"
FAILED_LIKELY: Final = "agent:agentnet_turns_failed:likely_bound"
SUCCEEDED_RATIO: Final = "agent:agentnet_turns_succeeded:ratio"
TIMED: Final = "agent:agentnet_turn_duration_seconds:count"
COST_MEAN: Final = "agent:agentnet_turn_cost_usd:mean"
COST_COUNT: Final = "agent:agentnet_turn_cost_usd:count"
EFFICIENCY_MEAN: Final = "agent:agentnet_turn_token_efficiency:mean"
EFFICIENCY_COUNT: Final = "agent:agentnet_turn_token_efficiency:count"
UNEVALUATED_MEAN: Final = "agent:agentnet_turn_token_efficiency_unevaluated:mean"
UNEVALUATED_COUNT: Final = "agent:agentnet_turn_token_efficiency_unevaluated:count"

RECOMMENDED: Final = "recommended"
CRITICAL: Final = "critical"
LEVELS: Final = (RECOMMENDED, CRITICAL)

FAILURES: Final = f'{series.OUTCOME}=~"{"|".join(outcome.value for outcome in Outcome if outcome.failed)}"'
COUNTED: Final = f'{series.OUTCOME}!="{Outcome.CANCELLED.value}"'
EVALUATED: Final = f'{series.QUALITY_SOURCE}="{QualitySource.EVALUATED.value}"'
UNEVALUATED: Final = f'{series.QUALITY_SOURCE}!="{QualitySource.EVALUATED.value}"'
_MS: Final = 1000


def above(level: str, operation: str) -> str:
    """The name of what is known about turns past a limit of their latency."""
    return f"agent:agentnet_turns_above_{level}:{operation}"


def limit_of(threshold: Threshold, level: str) -> float:
    """The limit of a level."""
    return threshold.recommended if level == RECOMMENDED else threshold.critical


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """Makes the recordings of one scope; ``native`` for native histograms."""

    scope: Scope
    native: bool

    def success(self, short: Sequence[str], long: Sequence[str], windows: Sequence[str]) -> Iterator[RecordingRule]:
        """Turns, failed ones, their share and its lower bound. It is there when no turn ever failed or succeeded."""
        for window in windows:
            everything = self.scope.recorded(f"{ALL}{window}")
            yield self._rule(f"{ALL}{window}", self._increase(series.TURNS, window, COUNTED))
            failed = self._increase(series.TURNS, window, FAILURES)
            yield self._rule(f"{FAILED}{window}", f"{failed}\nor\n0 * {self._summed(everything)}")
        for window in short:
            failed, everything = (self.scope.recorded(f"{name}{window}") for name in (FAILED, ALL))
            yield self._rule(f"{FAILED_RATIO}{window}", f"{failed} / ({everything} > 0)")
            yield self._rule(f"{SUCCEEDED_RATIO}{window}", f"1 - {failed} / ({everything} > 0)")
            if window in LIKELY_WINDOWS:
                yield self._rule(f"{FAILED_LIKELY}{window}", lower_bound(failed, everything, Z_LIKELY))
        for window in long:
            failed, everything = (self.scope.recorded(f"{name}{window}") for name in (FAILED, ALL))
            yield self._rule(f"{FAILED_BOUND}{window}", lower_bound(failed, everything))

    def latency(self, short: Sequence[str], long: Sequence[str], windows: Sequence[str]) -> Iterator[RecordingRule]:
        """Turns past each limit, by bucket, their share and its lower bound."""
        for window in windows:
            yield self._rule(f"{TIMED}{window}", self._timed(window))
            everything = self._summed(self.scope.recorded(f"{TIMED}{window}"))
            for level in LEVELS:
                limit_s = limit_of(self.scope.threshold, level) / _MS
                yield self._rule(above(level, f"increase{window}"), self._above(limit_s, window, everything))
        for level in LEVELS:
            for window in short:
                past, everything = self.scope.recorded(above(level, f"increase{window}")), f"{TIMED}{window}"
                ratio = f"{past} / ({self.scope.recorded(everything)} > 0)"
                yield self._rule(above(level, f"ratio{window}"), ratio)
                if window in LIKELY_WINDOWS:
                    likely = lower_bound(past, self.scope.recorded(everything), Z_LIKELY)
                    yield self._rule(above(level, f"likely_bound{window}"), likely)
            for window in long:
                past, everything = self.scope.recorded(above(level, f"increase{window}")), f"{TIMED}{window}"
                bound = lower_bound(past, self.scope.recorded(everything))
                yield self._rule(above(level, f"lower_bound{window}"), bound)

    def mean(
        self, family: str, names: tuple[str, str], windows: Sequence[str], *matchers: str
    ) -> Iterator[RecordingRule]:
        """Count and mean of a histogram; ``names`` are those of the recordings."""
        count_name, mean_name = names
        for window in windows:
            yield self._rule(f"{count_name}{window}", self._count(family, window, *matchers))
            total = self._sum(family, window, *matchers)
            count = self._summed(f"{self.scope.recorded(f'{count_name}{window}')} > 0")
            yield self._rule(f"{mean_name}{window}", f"({_indented(total)}\n)\n/ {count}")

    def _rule(self, name: str, expr: str) -> RecordingRule:
        return RecordingRule(record=name, expr=expr, labels=self.scope.labels)

    def _increase(self, metric: str, window: str, *matchers: str) -> str:
        return increase(metric, self.scope.by, window, *self.scope.matchers, *matchers)

    def _summed(self, recorded: str) -> str:
        """Without what marks the scope, so that it goes with what is not recorded."""
        return f"sum by ({', '.join(self.scope.by)}) ({recorded})"

    def _count(self, family: str, window: str, *matchers: str) -> str:
        if self.native:
            return _each_line("histogram_count", self._increase(family, window, *matchers))
        return self._increase(f"{family}_count", window, *matchers)

    def _timed(self, window: str) -> str:
        """All turns, by the last bucket: what is taken off comes from the same series."""
        if self.native:
            return self._count(series.DURATION, window)
        return self._increase(f"{series.DURATION}_bucket", window, 'le="+Inf"')

    def _sum(self, family: str, window: str, *matchers: str) -> str:
        if self.native:
            return _each_line("histogram_sum", self._increase(family, window, *matchers))
        return self._increase(f"{family}_sum", window, *matchers)

    def _above(self, limit_s: float, window: str, everything: str) -> str:
        """Turns that took longer: all without those of the buckets below; inside a bucket, in proportion."""
        if self.native:
            within = _each_line(f"histogram_fraction(0, {number(limit_s)},", self._increase(series.DURATION, window))
            return f"{everything} * (1 - ({_indented(within)}\n))"
        low, high = bucket_edges(limit_s, self.scope.threshold)
        share = 0.0 if low == high else (limit_s - low) / (high - low)
        parts = [(edge_s, weight) for edge_s, weight in ((low, 1 - share), (high, share)) if weight and edge_s]
        within = " - ".join(
            f"{'' if weight == 1 else f'{number(weight)} * '}({_indented(self._bucket(edge_s, window))}\n)"
            for edge_s, weight in parts
        )
        return f"clamp_min({everything} - {within}, 0)" if within else everything

    def _bucket(self, edge_s: float, window: str) -> str:
        return self._increase(f"{series.DURATION}_bucket", window, edge(edge_s))


def bucket_edges(limit_s: float, threshold: Threshold) -> tuple[float, float]:
    """The bucket edges around a limit; twice the limit where it is an edge itself.

    Raises:
        ConfigurationError: no bucket ends behind the limit, so that Prometheus cannot tell who passed it.
    """
    edges = (0.0, *semconv.EDGES_TURN_SECONDS)
    if limit_s > edges[-1]:
        message = (
            f"{threshold.metric.value}: {number(limit_s * _MS)} ms lies beyond the last bucket of "
            f"{semconv.METRIC_TURN_DURATION} ({edges[-1] * _MS:g} ms): Prometheus cannot tell which turns took longer. "
            "Choose a lower limit"
        )
        raise ConfigurationError(message)
    place = bisect_left(edges, limit_s)
    return (limit_s, limit_s) if edges[place] == limit_s else (edges[place - 1], edges[place])


def _indented(text: str) -> str:
    return "\n" + "\n".join(f"  {line}" for line in text.split("\n"))


def _each_line(function: str, text: str) -> str:
    """Apply a function to each side of an ``or``."""
    opened = function if function.endswith(",") else f"{function}("
    return "\n".join(
        line if line == "or" else f"{opened}{' ' if function.endswith(',') else ''}{line})" for line in text.split("\n")
    )
