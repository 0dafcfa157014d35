"""The objectives as OpenSLO v1: shares of turns that succeed and that are fast enough, at the recommended level."""

import hashlib
import json
from collections.abc import Iterator

from agentnet_otel import semconv
from agentnet_otel.core.thresholds import Metric, ThresholdTable
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.outputs.rules import recordings, series
from agentnet_otel.outputs.rules.documented import ALLOWED_SLOW_SHARE
from agentnet_otel.outputs.rules.promql import edge, number, selector
from agentnet_otel.outputs.rules.recordings import bucket_edges
from agentnet_otel.outputs.rules.scopes import Scope, scopes

SERVICE_NAME = "agentnet"
WINDOW = "30d"
_PERCENT = 100
_MS = 1000
_LONGEST_SLUG = 40


def openslo(table: ThresholdTable) -> str:
    """The documents, divided as YAML divides them.

    Raises:
        ConfigurationError: a limit cannot be told as an objective.
    """
    success = map(_success, scopes(table, Metric.SUCCESS_RATE))
    latency = map(_latency, scopes(table, Metric.TURN_LATENCY))
    return "---\n".join([_service(), *success, *latency])


def _service() -> str:
    return (
        "apiVersion: openslo/v1\nkind: Service\nmetadata:\n"
        f"  name: {SERVICE_NAME}\nspec:\n  description: Turns of agents\n"
    )


def _success(scope: Scope) -> str:
    good = selector(*scope.matchers, recordings.COUNTED, recordings.FAILURES.replace("=~", "!~"))
    everything = selector(*scope.matchers, recordings.COUNTED)
    return _slo(
        "success-rate",
        scope,
        "Turns that succeed",
        scope.threshold.recommended / _PERCENT,
        f"{series.TURNS}{good}",
        f"{series.TURNS}{everything}",
    )


def _latency(scope: Scope) -> str:
    limit_s = bucket_edges(scope.threshold.recommended / _MS, scope.threshold)[0]
    if not limit_s:
        least = number(semconv.EDGES_TURN_SECONDS[0] * _MS)
        message = (
            f"{scope.limits or 'all agents'}: {scope.threshold.metric.value}: no bucket of "
            f"{semconv.METRIC_TURN_DURATION} ends before {number(scope.threshold.recommended)} ms: such an objective "
            f"cannot be written as OpenSLO. Choose {least} ms or more"
        )
        raise ConfigurationError(message)
    return _slo(
        "turn-latency",
        scope,
        f"Turns that take less than {number(limit_s)} s",
        1 - ALLOWED_SLOW_SHARE,
        f"{series.DURATION}_bucket{selector(*scope.matchers, edge(limit_s))}",
        f"{series.DURATION}_count{selector(*scope.matchers)}",
    )


def _slo(name: str, scope: Scope, what: str, target: float, good: str, everything: str) -> str:
    return "\n".join(_lines(name, scope, what, target, good, everything)) + "\n"


def _lines(name: str, scope: Scope, what: str, target: float, good: str, everything: str) -> Iterator[str]:
    whose = scope.limits or "all agents"
    yield "apiVersion: openslo/v1"
    yield "kind: SLO"
    yield "metadata:"
    yield f"  name: {SERVICE_NAME}-{name}{_slug(scope.limits)}"
    yield f"  displayName: {json.dumps(f'{what}, {whose}', ensure_ascii=False)}"
    yield "spec:"
    yield f"  service: {SERVICE_NAME}"
    yield "  indicator:"
    yield "    metadata:"
    yield f"      name: {SERVICE_NAME}-{name}{_slug(scope.limits)}"
    yield "    spec:"
    yield "      ratioMetric:"
    yield "        counter: true"
    for side, query in (("good", good), ("total", everything)):
        yield f"        {side}:"
        yield "          metricSource:"
        yield "            type: Prometheus"
        yield "            spec:"
        yield f"              query: {json.dumps(f'sum({query})', ensure_ascii=False)}"
    yield "  timeWindow:"
    yield f"    - duration: {WINDOW}"
    yield "      isRolling: true"
    yield "  budgetingMethod: Occurrences"
    yield "  objectives:"
    yield f"    - target: {number(target)}"


def _slug(limits: str) -> str:
    """A part of a name of OpenSLO: small letters, digits and dashes, 63 characters in all.

    What is left of other names has a digest behind it, for several may look alike then.
    """
    if not limits:
        return ""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in limits.lower())
    if plain != limits.replace(" ", "-", 1) or len(plain) > _LONGEST_SLUG or plain.endswith("-"):
        digest = hashlib.sha256(limits.encode()).hexdigest()[:8]
        plain = f"{plain[: _LONGEST_SLUG - len(digest) - 1].strip('-')}-{digest}"
    return f"-{plain}"
