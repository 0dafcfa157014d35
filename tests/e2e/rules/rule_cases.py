"""Cases for `promtool test rules`, made from the table of limits: what turns there were, and when which alert is there.

A case is told minute by minute: a healthy hour, a fault, what comes after. Time is in minutes.
"""

import json
from dataclasses import dataclass, field

SHOP = {"service_name": "shop", "gen_ai_agent_name": "planner"}
MODEL = {"gen_ai_request_model": "m-large"}
GAP = None
EDGES = ("2", "5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """At a minute, whether an alert fires, and with which labels besides its name and state."""

    minute: int
    alert: str
    labels: dict | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Series by name and labels, their values minute by minute, and what is expected."""

    name: str
    series: dict
    expectations: tuple = field(default_factory=tuple)

    def as_test(self):
        """The case as promtool reads it."""
        return {
            "name": self.name,
            "interval": "1m",
            "input_series": [{"series": name, "values": values_text(values)} for name, values in self.series.items()],
            "promql_expr_test": [
                {
                    "expr": f'ALERTS{{alertname="{expected.alert}", alertstate="firing"}}',
                    "eval_time": f"{expected.minute}m",
                    "exp_samples": []
                    if expected.labels is None
                    else [{"labels": series_name("ALERTS", fired(expected)), "value": 1}],
                }
                for expected in self.expectations
            ],
        }


def fired(expected):
    """All labels of an alert that fires."""
    return {"alertname": expected.alert, "alertstate": "firing", **expected.labels}


def series_name(metric, labels):
    """A series as PromQL names it."""
    return f"{metric}{{{', '.join(f'{key}={json.dumps(value)}' for key, value in labels.items())}}}"


def values_text(values):
    """Values as promtool takes them; None is a scrape that failed."""
    return " ".join("_" if value is GAP else f"{value:.10g}" for value in values)


def counted(per_minute, reset_at=()):
    """A counter's values, from what it grows by each minute; it starts anew at the minutes of ``reset_at``."""
    values, total = [], 0
    for minute, step in enumerate(per_minute):
        if step is GAP:
            values.append(GAP)
            continue
        total = step if minute in reset_at else total + step
        values.append(total)
    return values


def phases(*parts):
    """Minutes in a row: pairs of how many, and what happens in each of them."""
    return [step for minutes, step in parts for _ in range(minutes)]


def turns(good, failed, who=SHOP, reset_at=(), failure="error"):
    """Counters of turns; None for ``good``: no turn ever succeeded, and there is no such series."""
    made = {}
    for outcome, steps in (("success", good), (failure, failed)):
        if steps is not None:
            labels = {**who, **MODEL, "agentnet_turn_outcome": outcome}
            made[series_name("agentnet_turns_total", labels)] = counted(steps, reset_at)
    return made


def durations(fast, slow, slow_above, who=SHOP, reset_at=(), le=str):
    """A histogram of turns that take a second, or just more than ``slow_above`` (2 or 5) seconds."""
    below = {"2": slow_above == "5", "5": False}
    labels = {**who, **MODEL, "agentnet_turn_outcome": "success"}
    made = {}
    both = [GAP if a is GAP else a + b for a, b in zip(fast, slow, strict=True)]
    for edge in EDGES:
        steps = both if below[edge] else fast
        made[series_name("agentnet_turn_duration_seconds_bucket", {**labels, "le": le(edge)})] = counted(
            steps, reset_at
        )
    made[series_name("agentnet_turn_duration_seconds_bucket", {**labels, "le": "+Inf"})] = counted(both, reset_at)
    made[series_name("agentnet_turn_duration_seconds_count", labels)] = counted(both, reset_at)
    return made


def measured(family, counts, means, labels=None, who=SHOP, reset_at=()):
    """Sum and count of a histogram, from how many values a minute there are, and their mean."""
    whose = {**who, **MODEL, **(labels or {})}
    totals = [GAP if count is GAP else count * mean for count, mean in zip(counts, means, strict=True)]
    return {
        series_name(f"{family}_sum", whose): counted(totals, reset_at),
        series_name(f"{family}_count", whose): counted(counts, reset_at),
    }
