"""Whom a limit is for: everybody who has none of their own, one agent, or one model.

An agent's own limits go before those of a model. Each turn is judged once a metric: who has limits of their own is
left out of the rule for all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agentnet_otel.core.thresholds import HIGHEST, Metric, Threshold, ThresholdTable
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.outputs.rules.promql import AGENT, MODEL, SERVICE, one_of, quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """``limits`` names it on series and alerts; empty for everybody."""

    limits: str
    by: tuple[str, ...]
    matchers: tuple[str, ...]
    threshold: Threshold

    @property
    def labels(self) -> Mapping[str, str]:
        """What marks its series."""
        return {"limits": self.limits} if self.limits else {}

    def recorded(self, name: str) -> str:
        """The series of that name that are its own."""
        return f"{name}{{limits={quoted(self.limits)}}}"


def limits_of_agent(agent: str) -> str:
    """What names the limits of one agent."""
    return f"agent {agent}"


def limits_of_model(model: str) -> str:
    """What names the limits of one model."""
    return f"model {model}"


def scopes(table: ThresholdTable, metric: Metric) -> Iterator[Scope]:
    """All that have limits of a metric: everybody first, then agents, then models.

    Raises:
        ConfigurationError: a limit is such that nobody can be on its good side, and its alert would always fire.
    """
    for scope in _scopes(table, metric):
        _require_good_side(scope)
        yield scope


def _require_good_side(scope: Scope) -> None:
    threshold = scope.threshold
    limit, metric = threshold.recommended, threshold.metric
    if threshold.higher_is_better and limit >= HIGHEST.get(metric, limit + 1):
        side, other = "above", "lower"
    elif not threshold.higher_is_better and limit <= 0:
        side, other = "below", "higher"
    else:
        return
    value = f"{limit:g} {threshold.unit}".rstrip()
    message = (
        f"{scope.limits or 'all agents'}: {metric.value}: nothing lies {side} {value}, so that its alert would always "
        f"fire. Choose a {other} recommended limit"
    )
    raise ConfigurationError(message)


def _scopes(table: ThresholdTable, metric: Metric) -> Iterator[Scope]:
    agents = sorted(agent for agent, own in table.agents.items() if metric in own)
    models = sorted(model for model, own in table.models.items() if metric in own)
    no_agent = f"{AGENT}!~{one_of(agents)}" if agents else ""
    no_model = f"{MODEL}!~{one_of(models)}" if models else ""
    each = (SERVICE, AGENT)
    yield Scope(limits="", by=each, matchers=(no_agent, no_model), threshold=table.of(metric))
    for agent in agents:
        own = (f"{AGENT}={quoted(agent)}",)
        yield Scope(limits=limits_of_agent(agent), by=each, matchers=own, threshold=table.of(metric, agent))
    for model in models:
        theirs = (f"{MODEL}={quoted(model)}", no_agent)
        threshold = table.of(metric, model=model)
        yield Scope(limits=limits_of_model(model), by=(*each, MODEL), matchers=theirs, threshold=threshold)
