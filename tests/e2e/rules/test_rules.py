"""Each alert on the real rule engine: fires when it must and when, and keeps silent else; made from the limits."""

import json
import re
import subprocess
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from rule_cases import GAP, SHOP, Case, Expectation, counted, durations, measured, phases, series_name, turns

from agentnet_otel.core.thresholds import DOCUMENTED, Metric, ThresholdTable, with_limits
from agentnet_otel.outputs.alerts.rendering import rendered
from agentnet_otel.outputs.rules import catalogue
from agentnet_otel.outputs.rules.annotations import Links
from agentnet_otel.outputs.rules.catalogue import RuleOptions
from agentnet_otel.outputs.rules.model import RuleGroup
from agentnet_otel.outputs.rules.rule_text import rule_file

HEALTHY = 60
"""Minutes before a fault."""
RATE = 12
"""Turns a minute."""
SOON = 5
"""Minutes within which a fault of all turns is told, at this rate."""
LIMITS = {
    "Warning": ("warning", lambda threshold: threshold.recommended),
    "Critical": ("critical", lambda threshold: threshold.critical),
}


def at(minute, alert, severity=None, **labels):
    """What is expected of an alert at a minute; without severity: silence."""
    fired = None if severity is None else {"severity": severity, **SHOP, **labels}
    return Expectation(minute=minute, alert=alert, labels=fired)


def silence(alert, *minutes):
    """The alert at none of these minutes."""
    return tuple(at(minute, alert) for minute in minutes)


def by_job(series):
    """The same series where the service's name is not a label: the job says it, behind its namespace."""
    return {name.replace('service_name="shop"', 'job="market/shop"'): values for name, values in series.items()}


def few(bad_at, end=240):
    """Good ones and bad ones, .6 a minute: bad from HEALTHY to 120 and at the minutes ``bad_at``."""
    some = [minute % 5 in {0, 2, 4} for minute in range(end)]
    bad = [one and (HEALTHY <= minute < 120 or minute in bad_at) for minute, one in enumerate(some)]
    return [int(one and not wrong) for one, wrong in zip(some, bad, strict=True)], [int(wrong) for wrong in bad]


def share_cases(alert, severity, bad_turns, allowed):
    """Cases of an alert on the share of bad turns; ``bad_turns(good, bad)`` makes the series, from turns a minute."""
    healthy, faulty = (HEALTHY, RATE), (30, 0)
    good, bad = phases(healthy, faulty), phases((HEALTHY, 0), (30, RATE))
    below = int(100 * allowed) - 1
    fires = at(HEALTHY + 30, alert, severity)
    soon = (*silence(alert, HEALTHY - 1, HEALTHY), at(HEALTHY + SOON, alert, severity))
    after = phases(healthy, faulty, (60, RATE)), phases((HEALTHY, 0), (30, RATE), (60, 0))
    gap = [GAP if 20 <= minute < 30 or 66 <= minute < 70 else step for minute, step in enumerate(good)]
    gap_bad = [GAP if step is GAP else wrong for step, wrong in zip(gap, bad, strict=True)]
    lone = [1 if minute == 150 else 0 for minute in range(300)]
    rare, rarely = phases((240, 0)), [1 if minute % 10 == 0 else 0 for minute in range(240)]
    return [
        Case(name="fires soon", series=bad_turns(good, bad), expectations=soon),
        Case(
            name="not just below the limit",
            series=bad_turns(phases((240, 100 - below)), phases((240, below))),
            expectations=silence(alert, 30, 90, 150, 239),
        ),
        Case(
            name="not without traffic",
            series=bad_turns(phases((240, 0)), phases((240, 0))),
            expectations=silence(alert, 60, 239),
        ),
        Case(
            name="not for one bad turn in five hours",
            series=bad_turns(phases((300, 0)), lone),
            expectations=silence(alert, 151, 155, 165, 200, 299),
        ),
        Case(
            name="fires with few turns, all bad",
            series=bad_turns(rare, rarely),
            expectations=(at(200, alert, severity),),
        ),
        Case(
            name="not anew for two bad turns by chance, while a fault is in the long window",
            series=bad_turns(*few({172, 182})),
            expectations=(at(119, alert, severity), *silence(alert, 165, 184, 186, 190, 195, 199, 239)),
        ),
        Case(
            name="anew when a fault comes back, at few turns",
            series=bad_turns(*few(range(170, 200))),
            expectations=(at(119, alert, severity), *silence(alert, 165), at(190, alert, severity)),
        ),
        Case(
            name="resolves",
            series=bad_turns(*after),
            expectations=(fires, *silence(alert, HEALTHY + 30 + 16, HEALTHY + 89)),
        ),
        Case(
            name="survives a counter that starts anew",
            series=bad_turns(good, bad, reset_at=(40, 75)),
            expectations=(*silence(alert, 41, 45, HEALTHY), fires),
        ),
        Case(
            name="survives a gap of scrapes",
            series=bad_turns(gap, gap_bad),
            expectations=(*silence(alert, 25, 31, HEALTHY), fires),
        ),
        Case(name="takes the job for the service", series=by_job(bad_turns(good, bad)), expectations=(fires,)),
    ]


def latency_cases(end):
    """Turns that take longer than a limit."""
    severity, limit = LIMITS[end]
    alert, above = f"AgentNetTurnLatency{end}", f"{limit(DOCUMENTED[Metric.TURN_LATENCY]) / 1000:g}"

    def slow(good, bad, reset_at=(), le=str):
        return durations(good, bad, above, reset_at=reset_at, le=le)

    good, bad = phases((HEALTHY, RATE), (30, 0)), phases((HEALTHY, 0), (30, RATE))
    fires = (at(HEALTHY, alert), at(HEALTHY + SOON, alert, severity))
    return [
        *share_cases(alert, severity, slow, 0.05),
        Case(
            name="le printed with a fraction", series=slow(good, bad, le=lambda edge: f"{edge}.0"), expectations=fires
        ),
        Case(
            name="all turns slow from the first one",
            series=slow(phases((30, 0)), phases((30, RATE))),
            expectations=(at(20, alert, severity),),
        ),
    ]


def success_cases(end):
    """Turns that fail."""
    severity, limit = LIMITS[end]
    alert = f"AgentNetSuccessRate{end}"
    allowed = 1 - limit(DOCUMENTED[Metric.SUCCESS_RATE]) / 100
    failed = phases((30, RATE))
    return [
        *share_cases(alert, severity, turns, round(allowed, 6)),
        *(
            Case(
                name=f"fires when nothing ever succeeded ({failure})",
                series=turns(None, failed, failure=failure),
                expectations=(at(20, alert, severity),),
            )
            for failure in ("error", "fault", "timeout")
        ),
        Case(
            name="what was cancelled is no failure",
            series=turns(phases((90, RATE)), phases((90, RATE)), failure="cancelled"),
            expectations=silence(alert, 30, 89),
        ),
    ]


def mean_cases(alert, severity, family, means_of, labels=None):
    """Cases of an alert on a mean; ``means_of``: one well on the good side, one just there, one that is bad."""
    healthy, just_right, bad = means_of

    def valued(counts, means, reset_at=()):
        return measured(family, counts, means, labels, reset_at=reset_at)

    many = phases((HEALTHY + 30, RATE))
    means = phases((HEALTHY, healthy), (30, bad))
    fires = at(HEALTHY + 30, alert, severity)
    gap = [GAP if 20 <= minute < 30 or 66 <= minute < 70 else step for minute, step in enumerate(many)]
    return [
        Case(
            name="fires soon",
            series=valued(many, means),
            expectations=(at(HEALTHY, alert), at(HEALTHY + 16, alert, severity)),
        ),
        Case(
            name="not just on the good side",
            series=valued(phases((240, RATE)), phases((240, just_right))),
            expectations=silence(alert, 30, 239),
        ),
        Case(
            name="not without traffic",
            series=valued(phases((240, 0)), phases((240, bad))),
            expectations=silence(alert, 239),
        ),
        Case(
            name="not for one bad turn in five hours",
            series=valued([1 if minute == 150 else 0 for minute in range(300)], phases((300, bad))),
            expectations=silence(alert, 151, 160, 200, 299),
        ),
        Case(
            name="fires when no turn was ever good",
            series=valued(phases((30, RATE)), phases((30, bad))),
            expectations=(at(20, alert, severity),),
        ),
        Case(
            name="resolves",
            series=valued(phases((150, RATE)), phases((HEALTHY, healthy), (30, bad), (60, healthy))),
            expectations=(fires, *silence(alert, 149)),
        ),
        Case(
            name="survives a counter that starts anew",
            series=valued(many, means, reset_at=(40, 75)),
            expectations=(*silence(alert, 41, 45, HEALTHY), fires),
        ),
        Case(
            name="survives a gap of scrapes",
            series=valued(gap, means),
            expectations=(*silence(alert, 25, 31, HEALTHY), fires),
        ),
        Case(name="takes the job for the service", series=by_job(valued(many, means)), expectations=(fires,)),
    ]


def cost_cases(end):
    """Turns that cost too much."""
    severity, limit_of = LIMITS[end]
    limit = limit_of(DOCUMENTED[Metric.COST_PER_TURN])
    means_of = (limit / 4, limit * 0.99, limit * 20)
    return mean_cases(f"AgentNetCostPerTurn{end}", severity, "agentnet_turn_cost_usd", means_of)


def efficiency_cases(end):
    """Tokens badly used; without an evaluation the same is for information."""
    severity, limit_of = LIMITS[end]
    limit, alert = limit_of(DOCUMENTED[Metric.TOKEN_EFFICIENCY]), f"AgentNetTokenEfficiency{end}"
    made = []
    for source, told in (("evaluated", severity), ("confidence", "info"), ("assumed", "info")):
        labels, means_of = {"agentnet_quality_source": source}, (0.9, limit * 1.01, limit / 4)
        cases = mean_cases(alert, told, "agentnet_turn_token_efficiency", means_of, labels)
        made += cases if source == "evaluated" else cases[:4]
    return made


def burn_cases(end):
    """The budget of errors: 5 % of turns."""
    alert = f"AgentNetErrorBudgetBurn{end}"
    if end == "Critical":
        good, bad = phases((120, RATE), (120, 2)), phases((120, 0), (120, 10))
        after = phases((120, RATE), (120, 2), (90, RATE)), phases((120, 0), (120, 10), (90, 0))
        fires = at(235, alert, "critical")
        below = phases((400, 93)), phases((400, 7))
    else:
        good, bad = phases((600, RATE), (600, 9)), phases((600, 0), (600, 3))
        after = phases((600, RATE), (600, 9), (500, RATE)), phases((600, 0), (600, 3), (500, 0))
        fires = at(1190, alert, "warning")
        below = phases((1200, 96)), phases((1200, 4))
    long = len(good)
    lone = [1 if minute == 150 else 0 for minute in range(300)]
    return [
        Case(name="fires", series=turns(good, bad), expectations=(at(60, alert), fires)),
        Case(name="not just below", series=turns(*below), expectations=silence(alert, 60, len(below[0]) - 1)),
        Case(
            name="not without traffic",
            series=turns(phases((300, 0)), phases((300, 0))),
            expectations=silence(alert, 299),
        ),
        Case(
            name="not for one bad turn in five hours",
            series=turns(phases((300, 0)), lone),
            expectations=silence(alert, 155, 299),
        ),
        Case(
            name="fires when nothing ever succeeded",
            series=turns(None, phases((180, RATE))),
            expectations=(at(170, alert, LIMITS[end][0]),),
        ),
        Case(name="resolves", series=turns(*after), expectations=(fires, at(len(after[0]) - 1, alert))),
        Case(
            name="survives a counter that starts anew",
            series=turns(good, bad, reset_at=(30, long - 30)),
            expectations=(at(60, alert), fires),
        ),
        Case(
            name="survives a gap of scrapes",
            series=turns(*([GAP if 20 <= m < 30 else s for m, s in enumerate(steps)] for steps in (good, bad))),
            expectations=(at(31, alert), fires),
        ),
    ]


def silent_cases():
    """An agent that ends no turn any more, while its metrics still come."""
    alert = "AgentNetAgentSilent"
    busy, quiet = phases((120, RATE), (60, 0)), phases((240, 1), (60, 0))
    none = phases((180, 0))
    return [
        Case(
            name="fires soon at many turns",
            series=turns(busy, none),
            expectations=(at(119, alert), at(128, alert, "warning")),
        ),
        Case(
            name="fires at few turns",
            series=turns(quiet, phases((300, 0))),
            expectations=(at(255, alert), at(274, alert, "warning")),
        ),
        Case(
            name="not just above",
            series=turns(phases((300, 1)), phases((300, 0))),
            expectations=silence(alert, 150, 299),
        ),
        Case(name="not without traffic", series=turns(none, none), expectations=silence(alert, 179)),
        Case(
            name="not where turns are rare",
            series=turns([1 if minute % 20 == 0 else 0 for minute in range(300)], phases((300, 0))),
            expectations=silence(alert, 159, 219, 299),
        ),
        Case(
            name="fires when nothing ever succeeded and now nothing comes",
            series=turns(None, busy),
            expectations=(at(128, alert, "warning"),),
        ),
        Case(
            name="resolves",
            series=turns(phases((120, RATE), (20, 0), (30, RATE)), phases((170, 0))),
            expectations=(at(135, alert, "warning"), at(155, alert)),
        ),
        Case(
            name="survives a counter that starts anew",
            series=turns(phases((180, RATE)), none, reset_at=(130,)),
            expectations=silence(alert, 129, 131, 140),
        ),
        Case(
            name="survives a gap of scrapes",
            series=turns(*([GAP if 120 <= minute < 128 else step for minute in range(180)] for step in (RATE, 0))),
            expectations=silence(alert, 125, 128, 130, 179),
        ),
    ]


def no_data_cases():
    """Metrics of a service that are gone."""
    alert, gone = "AgentNetNoData", phases((60, RATE), (60, GAP))
    fired = Expectation(minute=85, alert=alert, labels={"severity": "warning", "service_name": "shop"})
    flat = phases((120, 0))
    return [
        Case(name="fires", series=turns(gone, gone), expectations=(at(59, alert), at(66, alert), fired)),
        Case(
            name="not for a gap of scrapes",
            series=turns([GAP if 60 <= m < 70 else 1 for m in range(120)], None),
            expectations=silence(alert, 65, 70, 119),
        ),
        Case(name="not without traffic", series=turns(flat, flat), expectations=silence(alert, 119)),
        Case(name="not where there never was a service", series={"up": [1] * 120}, expectations=silence(alert, 119)),
        Case(name="fires when nothing ever succeeded", series=turns(None, gone), expectations=(fired,)),
        Case(
            name="resolves",
            series=turns(phases((60, RATE), (30, GAP), (30, RATE)), None),
            expectations=(fired, at(110, alert)),
        ),
        Case(
            name="survives a counter that starts anew",
            series=turns(phases((120, RATE)), None, reset_at=(60,)),
            expectations=silence(alert, 61, 119),
        ),
    ]


def stuck_cases():
    """A turn that does not end."""
    alert, name = "AgentNetTurnStuck", series_name("agentnet_turn_active_oldest_age_seconds", SHOP)
    growing = [60.0 * minute for minute in range(30)]
    return [
        Case(name="fires", series={name: growing}, expectations=(at(4, alert), at(7, alert, "warning"))),
        Case(name="not just below", series={name: [299.0] * 30}, expectations=silence(alert, 29)),
        Case(name="not without traffic", series={name: [GAP] * 30}, expectations=silence(alert, 29)),
        Case(
            name="resolves",
            series={name: [*growing[:10], *[1.0] * 20]},
            expectations=(at(9, alert, "warning"), at(20, alert)),
        ),
        Case(
            name="survives a gap of scrapes",
            series={name: [GAP if 10 <= minute < 13 else age for minute, age in enumerate(growing)]},
            expectations=(at(11, alert, "warning"), at(20, alert, "warning")),
        ),
        Case(
            name="takes the job for the service",
            series=by_job({name: growing}),
            expectations=(at(7, alert, "warning"),),
        ),
    ]


def counter_cases(alert, severity, series, fewest, who):
    """Cases of an alert on a counter that should not grow: ``fewest`` within its window is too much."""

    def fired(minute):
        return Expectation(minute=minute, alert=alert, labels={"severity": severity, **who})

    grown = [*[0] * 30, *[2 * fewest] * 30]
    return [
        Case(name="fires", series={series: grown}, expectations=(at(29, alert), fired(33))),
        Case(name="not while it stands still", series={series: [7] * 200}, expectations=silence(alert, 60, 199)),
        Case(name="not without traffic", series={series: [GAP] * 60}, expectations=silence(alert, 59)),
        Case(name="resolves", series={series: [*grown, *[2 * fewest] * 100]}, expectations=(fired(35), at(150, alert))),
        Case(
            name="survives a counter that starts anew",
            series={series: [9, 9, 9, *[0] * 60]},
            expectations=silence(alert, 4, 62),
        ),
        Case(
            name="survives a gap of scrapes",
            series={series: [GAP if 31 <= minute < 34 else value for minute, value in enumerate(grown)]},
            expectations=(at(29, alert), fired(38)),
        ),
    ]


def violation_cases():
    """Policies violated again and again."""
    alert = "AgentNetPolicyViolations"
    labels = {**SHOP, "agentnet_policy_severity": "minor", "agentnet_policy_rule": "no-secrets"}

    def violated(per_minute, rate=20, reset_at=()):
        minutes = len(per_minute)
        series = {series_name("agentnet_policy_violations_total", labels): counted(per_minute, reset_at)}
        return {**turns(phases((minutes, rate)), None, reset_at=reset_at), **series}

    fires = at(HEALTHY + 30, alert, "warning")
    steps = phases((HEALTHY, 0), (60, 10))
    return [
        Case(name="fires", series=violated(steps), expectations=(at(HEALTHY, alert), fires)),
        Case(name="not just below", series=violated(phases((120, 1.9))), expectations=silence(alert, 60, 119)),
        Case(name="not without traffic", series=violated(phases((120, 0)), rate=0), expectations=silence(alert, 119)),
        Case(
            name="not for one violation",
            series=violated([1 if m == 60 else 0 for m in range(120)], rate=0.02),
            expectations=silence(alert, 62, 119),
        ),
        Case(
            name="not anew for one violation, while a fault is in the long window",
            series=violated(few({142})[1], rate=0.6),
            expectations=(at(119, alert, "warning"), *silence(alert, 141, 144, 150)),
        ),
        Case(
            name="resolves",
            series=violated(phases((HEALTHY, 0), (60, 10), (60, 0))),
            expectations=(fires, at(179, alert)),
        ),
        Case(
            name="survives a counter that starts anew",
            series=violated(steps, reset_at=(30, 70)),
            expectations=(at(35, alert), fires),
        ),
        Case(
            name="survives a gap of scrapes",
            series=violated([GAP if 20 <= m < 30 else step for m, step in enumerate(steps)]),
            expectations=(at(32, alert), fires),
        ),
    ]


def tool_cases():
    """A tool that fails."""
    alert = "AgentNetToolFailures"

    def called(good, failed, reset_at=()):
        made = {}
        for outcome, steps in (("success", good), ("error", failed)):
            if steps is not None:
                labels = {**SHOP, "gen_ai_tool_name": "search", "agentnet_tool_outcome": outcome}
                made[series_name("agentnet_tool_calls_total", labels)] = counted(steps, reset_at)
        return made

    fires = at(HEALTHY + 30, alert, "warning", gen_ai_tool_name="search")
    good, failed = phases((HEALTHY, 10), (60, 5)), phases((HEALTHY, 0), (60, 5))
    return [
        Case(name="fires", series=called(good, failed), expectations=(at(HEALTHY, alert), fires)),
        Case(
            name="not just below",
            series=called(phases((240, 91)), phases((240, 9))),
            expectations=silence(alert, 60, 239),
        ),
        Case(
            name="not without traffic", series=called(phases((90, 0)), phases((90, 0))), expectations=silence(alert, 89)
        ),
        Case(
            name="not for one bad call in five hours",
            series=called(phases((300, 0)), [m == 150 for m in range(300)]),
            expectations=silence(alert, 152, 200),
        ),
        Case(
            name="not anew for one bad call, while a fault is in the long window",
            series=called(*few({142})),
            expectations=(
                at(119, alert, "warning", gen_ai_tool_name="search"),
                *silence(alert, 141, 144, 150),
            ),
        ),
        Case(name="fires when no call ever succeeded", series=called(None, phases((120, 1))), expectations=(fires,)),
        Case(
            name="resolves",
            series=called(phases((HEALTHY, 10), (60, 5), (60, 10)), phases((HEALTHY, 0), (60, 5), (60, 0))),
            expectations=(fires, at(179, alert)),
        ),
        Case(
            name="survives a counter that starts anew",
            series=called(good, failed, reset_at=(30, 70)),
            expectations=(at(35, alert), fires),
        ),
        Case(
            name="survives a gap of scrapes",
            series=called(*([GAP if 20 <= m < 30 else s for m, s in enumerate(steps)] for steps in (good, failed))),
            expectations=(at(32, alert), fires),
        ),
    ]


def behind_cases():
    """The bridge does not keep up."""
    alert, lag = "AgentNetBridgeBehind", series_name("agentnet_bridge_lag_seconds", {"service_name": "agentnet-otel"})
    labels = {"severity": "warning", "service_name": "agentnet-otel"}

    def fired(minute):
        return Expectation(minute=minute, alert=alert, labels=labels)

    growing = [*[0] * 10, *[60 + minute for minute in range(20)]]
    return [
        Case(name="fires", series={lag: growing}, expectations=(at(11, alert), fired(13))),
        Case(name="not just below", series={lag: [59.9] * 30}, expectations=silence(alert, 29)),
        Case(name="not without a bridge", series={lag: [GAP] * 30}, expectations=silence(alert, 29)),
        Case(name="resolves", series={lag: [*growing, *[0] * 30]}, expectations=(fired(20), at(45, alert))),
        Case(
            name="survives a gap of scrapes",
            series={lag: [GAP if minute in {15, 16} else value for minute, value in enumerate(growing)]},
            expectations=(fired(16), fired(25)),
        ),
    ]


def bridge_cases():
    """The bridge does not answer."""
    alert = "AgentNetBridgeDown"
    up = 'up{job="bridge", instance="bridge:9464"}'
    fired = {"severity": "critical", "job": "bridge", "instance": "bridge:9464"}
    down = [*[1] * 30, *[0] * 30]
    return [
        Case(
            name="fires",
            series={up: down},
            expectations=(at(34, alert), Expectation(minute=36, alert=alert, labels=fired)),
        ),
        Case(
            name="not for one scrape that failed",
            series={up: [0 if m == 30 else 1 for m in range(60)]},
            expectations=silence(alert, 31, 59),
        ),
        Case(
            name="not without a bridge",
            series={'up{job="shop", instance="shop:1"}': [0] * 60},
            expectations=silence(alert, 59),
        ),
        Case(
            name="resolves",
            series={up: [*down, *[1] * 30]},
            expectations=(Expectation(minute=50, alert=alert, labels=fired), at(80, alert)),
        ),
        Case(
            name="survives a gap",
            series={up: [*down[:35], *[GAP] * 3, *[0] * 20]},
            expectations=(Expectation(minute=45, alert=alert, labels=fired),),
        ),
    ]


SERVICE = {"service_name": "shop"}
CASES = {
    **{f"AgentNetTurnLatency{end}": latency_cases(end) for end in LIMITS},
    **{f"AgentNetSuccessRate{end}": success_cases(end) for end in LIMITS},
    **{f"AgentNetTokenEfficiency{end}": efficiency_cases(end) for end in LIMITS},
    **{f"AgentNetCostPerTurn{end}": cost_cases(end) for end in LIMITS},
    **{f"AgentNetErrorBudgetBurn{end}": burn_cases(end) for end in LIMITS},
    "AgentNetNoData": no_data_cases(),
    "AgentNetAgentSilent": silent_cases(),
    "AgentNetTurnStuck": stuck_cases(),
    "AgentNetPolicyViolations": violation_cases(),
    "AgentNetSeverePolicyViolation": counter_cases(
        "AgentNetSeverePolicyViolation",
        "critical",
        series_name(
            "agentnet_policy_violations_total",
            {**SHOP, "agentnet_policy_severity": "severe", "agentnet_policy_rule": "x"},
        ),
        1,
        {**SHOP, "agentnet_policy_rule": "x"},
    ),
    "AgentNetToolFailures": tool_cases(),
    "AgentNetSpansDropped": counter_cases(
        "AgentNetSpansDropped", "warning", series_name("agentnet_otel_spans_dropped_total", SERVICE), 1, SERVICE
    ),
    "AgentNetExportFailing": counter_cases(
        "AgentNetExportFailing", "warning", series_name("agentnet_otel_export_failures_total", SERVICE), 3, SERVICE
    ),
    "AgentNetHookFaults": counter_cases(
        "AgentNetHookFaults", "info", series_name("agentnet_otel_hook_faults_total", SERVICE), 1, SERVICE
    ),
    "AgentNetLabelsFolded": counter_cases(
        "AgentNetLabelsFolded", "info", series_name("agentnet_otel_labels_folded_total", SERVICE), 1, SERVICE
    ),
    "AgentNetBridgeBehind": behind_cases(),
    "AgentNetBridgeDown": bridge_cases(),
}


@pytest.fixture(scope="session")
def judged(program, tmp_path_factory):
    """Runs cases on rules; what promtool says where one fails."""

    def run(cases, rules):
        folder = tmp_path_factory.mktemp("rules")
        (folder / "agentnet.rules.yml").write_text(rules, encoding="utf-8")
        tests = {
            "rule_files": ["agentnet.rules.yml"],
            "evaluation_interval": "1m",
            "tests": [case.as_test() for case in cases],
        }
        (folder / "cases.yml").write_text(json.dumps(tests), encoding="utf-8")
        command = [program("promtool"), "test", "rules", "--diff", folder / "cases.yml"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return "" if done.returncode == 0 else done.stdout + done.stderr

    return run


def rules_of(alert, options):
    """The rules of one alert, and those that it rests on, in their groups: the others only take time."""
    wanted = [rule.expr for rule in catalogue.alerts(options) if rule.alert == alert]
    recorded = [rule for group in catalogue.recording_groups(options) for rule in group.rules]
    needed = set()
    while wanted:
        named = set(re.findall(r"\w+:\w+:\w+", wanted.pop())) - needed
        needed |= named
        wanted += [rule.expr for rule in recorded if rule.record in named]
    groups = [
        *(_only(group, lambda rule: rule.record in needed) for group in catalogue.recording_groups(options)),
        *(_only(group, lambda rule: rule.alert == alert) for group in catalogue.alert_groups(options)),
    ]
    return rule_file(groups)


def _only(group, wanted):
    return RuleGroup(name=group.name, interval=group.interval, rules=tuple(filter(wanted, group.rules)))


def test_each_alert_has_cases():
    """None is forgotten, and none is tested that is gone."""
    assert set(CASES) == {alert.alert for alert in catalogue.alerts(RuleOptions())}


@pytest.mark.parametrize("alert", CASES)
def test_alert(alert, judged):
    """It fires when it must, not just below, not without traffic; it resolves; resets and gaps change nothing."""
    failed = judged(CASES[alert], rules_of(alert, RuleOptions()))
    assert not failed, failed[:6000]


@pytest.mark.parametrize("name", ['say "hi"', 'back\\slash\\"', "ü & <b>", "{{ x }}"])
def test_the_link_to_traces_is_json_whatever_the_name(name, judged):
    """Prometheus fills it in as we do without it, and what it fills in can be read."""
    link = Links().traces(failed=True)
    labels = {"gen_ai_agent_name": name, "service_name": "shop"}
    expected = rendered(link, labels, 1.0)
    (tags,) = parse_qs(urlsplit(expected).query)["tags"]
    assert json.loads(tags) == {"gen_ai.agent.name": name, "error": "true"}
    rules = {"groups": [{"name": "g", "rules": [{"alert": "A", "expr": "x > 0", "annotations": {"traces_url": link}}]}]}
    told = {"exp_labels": labels, "exp_annotations": {"traces_url": expected}}
    case = SimpleNamespace(
        as_test=lambda: {
            "interval": "1m",
            "input_series": [{"series": series_name("x", labels), "values": "1 1"}],
            "alert_rule_test": [{"eval_time": "1m", "alertname": "A", "exp_alerts": [told]}],
        }
    )
    failed = judged([case], json.dumps(rules))
    assert not failed, failed[:3000]


@pytest.mark.parametrize("name", ["a {{ $value }}", "{{{{ b }} {{{", 'c|d (e) "f" \\ ü', "g\nh"])
def test_odd_names_with_limits_of_their_own(name, judged):
    """Braces are no template, signs of expressions stand for themselves: its own limits hold, those for all do not."""
    own = {Metric.SUCCESS_RATE: with_limits(DOCUMENTED[Metric.SUCCESS_RATE], 50, 40)}
    options = RuleOptions(table=ThresholdTable(agents={name: own}))
    alert, who = "AgentNetSuccessRateCritical", {"service_name": "shop", "gen_ai_agent_name": name}
    told = Expectation(minute=40, alert=alert, labels={"severity": "critical", "limits": f"agent {name}", **who})
    tenth = phases((41, 9)), phases((41, 2))
    cases = [
        Case(name="its own", series=turns(None, phases((41, RATE)), who=who), expectations=(told,)),
        Case(name="not those for all", series=turns(*tenth, who=who), expectations=silence(alert, 40)),
    ]
    failed = judged(cases, rules_of(alert, options))
    assert not failed, failed[:3000]
