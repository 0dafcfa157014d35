"""What the documented analyses lead to: findings and recommendations, by the documented limits."""

from collections.abc import Iterator
from typing import Final

from agentnet_otel.outputs.reports.analysis import Analysis, BenchmarkAnalysis
from agentnet_otel.outputs.reports.evidence import Finding
from agentnet_otel.outputs.reports.findings import Recommendation
from agentnet_otel.outputs.reports.measures import MS, PERCENT, RATIO, Measure
from agentnet_otel.outputs.reports.wording import decimals, milliseconds, percent, shortened

PASS_SHARE: Final = 0.8
MEAN_LATENCY_MS: Final = 2000.0
TRACKED_LATENCY_MS: Final = 1500.0
EFFICIENCY: Final = 0.6
SUCCESS_RATE: Final = 0.9
_NAMED: Final = 3


def analysis_findings(analysis: Analysis) -> Iterator[Finding]:
    """What is beyond a documented limit, each with its figures."""
    if analysis.benchmarks is not None:
        yield from _on_benchmarks(analysis.benchmarks)
    if (analysis.tokens or analysis.total_tokens) and analysis.efficiency < EFFICIENCY:
        text = f"Token efficiency is {decimals(analysis.efficiency)}; below {EFFICIENCY:g} tokens are wasted."
        yield _beyond(text, "token efficiency", RATIO, analysis.efficiency, f"> {EFFICIENCY:g}", None)
    if analysis.latency is not None:
        mean_ms = _mean_ms(analysis)
        if mean_ms > TRACKED_LATENCY_MS:
            text = (
                f"The {analysis.latency.measurements:,} measured turns took {milliseconds(mean_ms)} ms on average, "
                f"more than {TRACKED_LATENCY_MS:,.0f} ms."
            )
            limit = f"< {TRACKED_LATENCY_MS:,.0f} ms"
            yield _beyond(text, "turn latency (mean)", MS, mean_ms, limit, analysis.latency.measurements)


def analysis_recommendations(analysis: Analysis) -> Iterator[Recommendation]:
    """What to do about it."""
    if analysis.benchmarks is not None:
        yield from _for_benchmarks(analysis.benchmarks)
    if analysis.tokens is not None:
        for place, text in enumerate(analysis.tokens.recommendations, 1):
            yield Recommendation(
                category="token_efficiency",
                priority="medium",
                title=f"Save tokens ({place})",
                description=text,
                action="Begin with the turns that it names.",
            )
    slow = () if analysis.latency is None else analysis.latency.issues.get("high_latency_turns", ())
    if slow:
        yield Recommendation(
            category="latency",
            priority="medium",
            title="Some turns are slow",
            description=f"{len(slow):,} measured turns are above the threshold: {_first(slow)}.",
            action="See which component takes most of their time, and begin there.",
        )


def _beyond(text: str, name: str, unit: str, value: float, limit: str, n: int | None) -> Finding:
    """A finding on a documented limit; the analyses keep no single values, so that there is no interval."""
    return Finding(text=text, n=n, measure=Measure(name=name, unit=unit, value=value, interval=None, n=n, limit=limit))


def _on_benchmarks(benchmarks: BenchmarkAnalysis) -> Iterator[Finding]:
    operations = sum(row.operations for row in benchmarks.rows)
    missed = [row.name for row in benchmarks.rows if not row.passed]
    if benchmarks.passed < PASS_SHARE * len(benchmarks.rows):
        text = f"{len(missed)} of {len(benchmarks.rows)} benchmarks did not keep their limits: {_first(missed)}."
        kept = 100 * benchmarks.passed / len(benchmarks.rows)
        yield _beyond(
            text, "benchmarks that kept their limits", PERCENT, kept, f">= {100 * PASS_SHARE:g} %", operations
        )
    slow = [f"{shortened(r.name)} ({milliseconds(r.latency_ms)} ms)" for r in benchmarks.rows if _is_slow(r.latency_ms)]
    if slow:
        text = f"Turns took more than {MEAN_LATENCY_MS:,.0f} ms on average in {len(slow)} benchmarks: {_first(slow)}."
        slowest = max(row.latency_ms for row in benchmarks.rows)
        limit = f"< {MEAN_LATENCY_MS:,.0f} ms"
        yield _beyond(text, "largest mean latency of a benchmark", MS, slowest, limit, operations)


def _for_benchmarks(benchmarks: BenchmarkAnalysis) -> Iterator[Recommendation]:
    if _is_slow(benchmarks.latency.avg):
        yield Recommendation(
            category="latency",
            priority="high",
            title="Turns are slow on average",
            description=(
                f"The mean of the benchmarks is {milliseconds(benchmarks.latency.avg)} ms; above "
                f"{MEAN_LATENCY_MS:,.0f} ms users wait."
            ),
            action="Shorten prompts, try a faster model, or answer repeated questions from a cache.",
        )
    if benchmarks.success.avg < SUCCESS_RATE:
        errors = [error for row in benchmarks.rows for error in row.errors]
        reasons = f" Reasons: {_first(errors)}." if errors else ""
        yield Recommendation(
            category="reliability",
            priority="high",
            title="Operations fail",
            description=f"{percent(benchmarks.success.avg)} of the operations succeed on average.{reasons}",
            action="Look at the reasons of the failures, and handle those that come back.",
        )


def _is_slow(latency_ms: float) -> bool:
    return latency_ms > MEAN_LATENCY_MS


def _mean_ms(analysis: Analysis) -> float:
    mean = None if analysis.latency is None else analysis.latency.statistics.get("mean")
    return mean if isinstance(mean, float) else 0.0


def _first(texts: list[str] | tuple[str, ...]) -> str:
    rest = len(texts) - _NAMED
    return ", ".join(map(shortened, texts[:_NAMED])) + (f" and {rest:,} more" if rest > 0 else "")
