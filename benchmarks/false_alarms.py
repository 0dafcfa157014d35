"""How often alerts are false, and how soon they are there: eight faults, three metric paths, four rates of turns.

Turns of many agents are simulated, written as the series that each path gives, and run through Prometheus' own engine
(``promtool test rules``), minute by minute. What fires in a fault, or just after it, is right; what fires elsewhere is
false. An alert of the error budget is right where turns failed in the last hours that it looks at. A year has more
healthy minutes than an engine is patient for: a copy of the conditions in numpy, compared with the engine on the same
series first, counts false alerts in many agent years, and judges the same faults at rates in between.

usage: false_alarms.py PROMTOOL [--days N] [--years N] [--rates N ...] [--paths PATH ...] [--markdown FILE]
                       [--between N ...] [--between-days N]
"""

import argparse
import json
import re
import statistics
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentnet_otel.core.thresholds import DOCUMENTED, Metric
from agentnet_otel.outputs.rules.catalogue import RuleOptions, alert_groups, recording_groups
from agentnet_otel.outputs.rules.documented import ALLOWED_SLOW_SHARE
from agentnet_otel.outputs.rules.health import SILENT_BUSY, SILENT_QUIET, STUCK_S
from agentnet_otel.outputs.rules.model import AlertRule, RecordingRule, RuleGroup
from agentnet_otel.outputs.rules.promql import Z_LIKELY, Z
from agentnet_otel.outputs.rules.rule_text import rule_file
from agentnet_otel.outputs.rules.windows import (
    BUSY,
    BUSY_TURNS,
    FAST_BURNS,
    MORE_THAN_ONE,
    QUIET,
    QUIET_MEANS,
    SLOW_BURNS,
    Burn,
    Pair,
)

Values = NDArray[np.float64]
RATES = (0.6, 3.0, 12.0, 60.0)
DAY = 24 * 60
FAULT = 120
"""Minutes that a fault lasts."""
BEGINS = (180, 480, 780, 1080)
"""Minutes of a day at which one begins."""
GRACE = 45
"""Minutes after a fault in which its alerts may still be there: the short window, and five minutes more."""
HEALTHY_AGENTS = 2
"""Agents of each path without any fault."""
MINUTES = {"5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "6h": 360, "1d": DAY, "3d": 3 * DAY}
YEAR = 365 * DAY
LIMITS = {metric: (limit.recommended, limit.critical) for metric, limit in DOCUMENTED.items()}
FAULTS = {
    "slow": ("AgentNetTurnLatencyWarning", "AgentNetTurnLatencyCritical"),
    "slower": ("AgentNetTurnLatencyCritical",),
    "failing": ("AgentNetSuccessRateWarning", "AgentNetSuccessRateCritical"),
    "all failing": ("AgentNetSuccessRateCritical",),
    "costly": ("AgentNetCostPerTurnWarning", "AgentNetCostPerTurnCritical"),
    "wasteful": ("AgentNetTokenEfficiencyWarning", "AgentNetTokenEfficiencyCritical"),
    "stuck": ("AgentNetTurnStuck", "AgentNetAgentSilent"),
    "silent": ("AgentNetAgentSilent",),
}
"""Each fault, and the alerts that tell it."""
BURNS = {"AgentNetErrorBudgetBurnWarning": SLOW_BURNS, "AgentNetErrorBudgetBurnCritical": FAST_BURNS}
BURNING = frozenset({"failing", "all failing"})
"""The faults that use the budget of errors. Its alerts are right in these; they find none: the others are sooner."""
PATHS = ("pull", "collector", "otlp")
FIRED = re.compile(r'alertname="(\w+)".*?gen_ai_agent_name="([^"]+)"')
FAILED = re.compile(r"time: (\S+),\s+exp: nil\s+got: (.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """What happened to an agent, minute by minute."""

    name: str
    path: str
    fault: str | None
    turns: Values
    failed: Values
    above_2_s: Values
    above_5_s: Values
    cost_usd: Values
    efficiency: Values
    oldest_age_s: Values


@dataclass(slots=True, kw_only=True)
class Score:
    """What came of one rate."""

    faults: int = 0
    found: int = 0
    right: int = 0
    false: int = 0
    burns_right: int = 0
    burns_false: int = 0
    false_ones: list[str] = field(default_factory=list)
    delays: list[int] = field(default_factory=list)
    by_fault: dict[str, list[int | None]] = field(default_factory=dict)
    by_path: dict[str, list[bool]] = field(default_factory=dict)


def simulated(rate: float, days: int, seed: int, paths: Sequence[str] = PATHS) -> list[Agent]:
    """Agents of each path: one for each fault, and healthy ones."""
    random = np.random.default_rng(seed)
    kinds: list[str | None] = [*FAULTS, *[None] * HEALTHY_AGENTS]
    return [
        agent_with(random, f"{path}-{place}", path, kind, rate, days)
        for path in paths
        for place, kind in enumerate(kinds)
    ]


def agent_with(random: np.random.Generator, name: str, path: str, fault: str | None, rate: float, days: int) -> Agent:
    """A healthy agent has 1 % failed turns, 1 % slower than 2 s, turns of .4 cents, an efficiency of .82."""
    minutes = days * DAY
    bad = np.zeros(minutes, dtype=bool)
    if fault is not None:
        for begin in begins(days):
            bad[begin : begin + FAULT] = True
    turns = random.poisson(rate, minutes).astype(float)
    age = np.zeros(minutes)
    if fault in {"stuck", "silent"}:
        turns[bad] = 0
    if fault == "stuck":
        for begin in begins(days):
            age[begin : begin + FAULT] = 60.0 * np.arange(FAULT)
    failing = np.where(bad, {"failing": 0.3, "all failing": 1.0}.get(fault or "", 0.01), 0.01)
    slowness = np.where(bad, {"slow": 4.0, "slower": 12.0}.get(fault or "", 1.0), 1.0)
    cost = np.where(bad & (fault == "costly"), 0.1, 0.004)
    efficiency = np.where(bad & (fault == "wasteful"), 0.4, 0.82)
    above = [random.binomial(turns.astype(int), share_above(limit, slowness)) for limit in (2.0, 5.0)]
    return Agent(
        name=name,
        path=path,
        fault=fault,
        turns=turns,
        failed=random.binomial(turns.astype(int), failing).astype(float),
        above_2_s=np.maximum(*above).astype(float),
        above_5_s=above[1].astype(float),
        cost_usd=summed(random, turns, cost, 0.5),
        efficiency=np.clip(random.normal(turns * efficiency, 0.08 * np.sqrt(turns)), 0, turns),
        oldest_age_s=age,
    )


def share_above(limit_s: float, slowness: Values) -> Values:
    """Of turns whose median is half a second (times the slowness), log-normal with sigma .6."""
    from scipy.stats import norm  # noqa: PLC0415 - scipy is slow to load, and --help needs none

    return np.asarray(norm.sf(np.log(limit_s / (0.5 * slowness)) / 0.6), dtype=float)


def summed(random: np.random.Generator, turns: Values, mean: Values, sigma: float) -> Values:
    """The sum of as many log-normal values as there are turns, by its mean and variance."""
    spread = mean * np.sqrt(np.expm1(sigma**2))
    return np.maximum(random.normal(turns * mean, spread * np.sqrt(turns)), 0.0)


def begins(days: int) -> list[int]:
    """The minutes at which faults begin."""
    return [day * DAY + begin for day in range(days) for begin in BEGINS]


# --- the engine ------------------------------------------------------------------------------------------


def series_of(agent: Agent) -> Iterator[tuple[str, Values]]:
    """The series as the agent's path names them."""
    service = f'service_name="shop-{agent.path}"' if agent.path != "otlp" else 'job="market/shop-otlp"'
    who = f'{service}, gen_ai_agent_name="{agent.name}"'
    turn = f'{who}, gen_ai_request_model="m", agentnet_turn_outcome='
    model = f'{who}, gen_ai_request_model="m"'
    le = (lambda edge: f"{edge}.0") if agent.path == "pull" else str
    yield f'agentnet_turns_total{{{turn}"success"}}', np.cumsum(agent.turns - agent.failed)
    yield f'agentnet_turns_total{{{turn}"error"}}', np.cumsum(agent.failed)
    bucket = f'agentnet_turn_duration_seconds_bucket{{{turn}"success", le='
    yield f'{bucket}"{le(2)}"}}', np.cumsum(agent.turns - agent.above_2_s)
    yield f'{bucket}"{le(5)}"}}', np.cumsum(agent.turns - agent.above_5_s)
    yield f'{bucket}"+Inf"}}', np.cumsum(agent.turns)
    yield f"agentnet_turn_cost_usd_sum{{{model}}}", np.cumsum(agent.cost_usd)
    yield f"agentnet_turn_cost_usd_count{{{model}}}", np.cumsum(agent.turns)
    quality = f'{model}, agentnet_quality_source="evaluated"'
    yield f"agentnet_turn_token_efficiency_sum{{{quality}}}", np.cumsum(agent.efficiency)
    yield f"agentnet_turn_token_efficiency_count{{{quality}}}", np.cumsum(agent.turns)
    yield f"agentnet_turn_active_oldest_age_seconds{{{who}}}", agent.oldest_age_s


def rules() -> str:
    """The default rules of what is simulated, each evaluated as often as it is by default."""
    known = {*BURNS, *(name for names in FAULTS.values() for name in names)}
    recording = recording_groups(RuleOptions())
    alerts = [
        RuleGroup(name=group.name, rules=tuple(rule for rule in group.rules if named(rule) in known))
        for group in alert_groups(RuleOptions())
    ]
    return rule_file([*recording, *alerts])


def named(rule: AlertRule | RecordingRule) -> str:
    """The name of an alert."""
    return rule.alert if isinstance(rule, AlertRule) else ""


def fired_by_engine(promtool: str, agents: list[Agent]) -> dict[tuple[str, str], set[int]]:
    """Alert and agent -> minutes in which it fires. What is expected is nothing, and what differs is read."""
    minutes = len(agents[0].turns)
    test = {
        "interval": "1m",
        "input_series": [
            {"series": name, "values": " ".join(f"{value:.10g}" for value in values)}
            for agent in agents
            for name, values in series_of(agent)
        ],
        "promql_expr_test": [
            {"expr": 'ALERTS{alertstate="firing", severity!="info"}', "eval_time": f"{minute}m", "exp_samples": []}
            for minute in range(minutes)
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "rules.yml").write_text(rules())
        Path(folder, "test.yml").write_text(
            json.dumps({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [test]})
        )
        done = subprocess.run(
            [promtool, "test", "rules", f"{folder}/test.yml"], capture_output=True, text=True, check=False
        )
    found: dict[tuple[str, str], set[int]] = {}
    for when, got in FAILED.findall(done.stdout + done.stderr):
        for alert, agent in FIRED.findall(got.replace("}, {", "}\n{")):
            found.setdefault((alert, agent), set()).add(minute_of(when))
    assert found, (done.stdout + done.stderr)[:2000]
    return found


def minute_of(duration: str) -> int:
    """Minutes of a duration such as 1d2h5m."""
    units = {"w": 7 * DAY, "d": DAY, "h": 60, "m": 1, "s": 0}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([wdhms])", duration))


def episodes(minutes: set[int]) -> list[tuple[int, int]]:
    """First and last minute of each stretch."""
    found: list[tuple[int, int]] = []
    for minute in sorted(minutes):
        if found and minute == found[-1][1] + 1:
            found[-1] = (found[-1][0], minute)
        else:
            found.append((minute, minute))
    return found


def scored(agents: list[Agent], fired: Mapping[tuple[str, str], set[int]], days: int) -> Score:
    """Alerts and faults side by side."""
    score = Score()
    for agent in agents:
        for (alert, name), minutes in fired.items():
            if name == agent.name:
                spans = right_in(alert, agent, days)
                starts = [first for first, _ in episodes(minutes)]
                false = [first for first in starts if not any(begin <= first <= end for begin, end in spans)]
                score.right += len(starts) - len(false)
                score.false += len(false)
                score.false_ones += [f"{alert} of {name} ({agent.fault}) at minute {first}" for first in false]
                if alert in BURNS:
                    score.burns_right += len(starts) - len(false)
                    score.burns_false += len(false)
        if agent.fault is None:
            continue
        told = set().union(*(fired.get((alert, agent.name), set()) for alert in FAULTS[agent.fault]))
        for begin in begins(days):
            hits = [minute for minute in told if begin <= minute < begin + FAULT]
            delay = min(hits) - begin if hits else None
            score.faults += 1
            score.found += delay is not None
            score.by_fault.setdefault(agent.fault, []).append(delay)
            score.by_path.setdefault(agent.path, []).append(delay is not None)
            if delay is not None:
                score.delays.append(delay)
    return score


def right_in(alert: str, agent: Agent, days: int) -> list[tuple[int, int]]:
    """First and last minutes in which an alert may begin; one of a budget while its short window holds some fault."""
    if agent.fault is None or (alert in BURNS and agent.fault not in BURNING):
        return []
    after = max(MINUTES[burn.pair.short] for burn in BURNS[alert]) if alert in BURNS else GRACE
    return [(begin, begin + FAULT + after) for begin in begins(days)]


# --- the copy --------------------------------------------------------------------------------------------


def windowed(values: Values, window: str) -> Values:
    """Sums of the last minutes."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    width = MINUTES[window]
    start = np.maximum(np.arange(1, len(total)) - width, 0)
    return np.asarray(total[1:] - total[start], dtype=float)


def bound(bad: Values, everything: Values, z: float = Z) -> Values:
    """Wilson's lower bound."""
    squared = z * z
    safe = np.maximum(everything, 1)
    root = np.sqrt(bad * np.maximum(everything - bad, 0) / safe + squared / 4)
    return np.asarray((bad + squared / 2 - z * root) / (safe + squared), dtype=float)


def share_condition(bad: Values, everything: Values, allowed: float) -> NDArray[np.bool_]:
    """The condition on shares, as the rules have it."""

    def passed(pair: Pair) -> NDArray[np.bool_]:
        long, short = windowed(everything, pair.long), windowed(everything, pair.short)
        ratio = windowed(bad, pair.short) / np.maximum(short, 1)
        sure = bound(windowed(bad, pair.long), long) >= allowed
        return np.asarray((short > 0) & (ratio >= allowed) & sure & (long >= pair.min_turns), dtype=bool)

    busy = windowed(everything, BUSY.long) >= BUSY_TURNS
    short = windowed(bad, QUIET.short)
    still = (short >= MORE_THAN_ONE) & (bound(short, windowed(everything, QUIET.short), Z_LIKELY) >= allowed)
    return np.asarray((busy & passed(BUSY)) | (~busy & still & passed(QUIET)), dtype=bool)


def mean_condition(total: Values, count: Values, limit: float, *, below: bool) -> NDArray[np.bool_]:
    """The condition on means, as the rules have it."""

    def passed(pair: Pair) -> NDArray[np.bool_]:
        past = np.ones(len(total), dtype=bool)
        for window in (pair.short, pair.long):
            n = windowed(count, window)
            mean = windowed(total, window) / np.maximum(n, 1)
            past &= (n > 0) & ((mean <= limit) if below else (mean >= limit))
        return np.asarray(past & (windowed(count, pair.long) >= pair.min_turns), dtype=bool)

    busy = windowed(count, BUSY.long) >= BUSY_TURNS
    return np.asarray((busy & passed(BUSY)) | (~busy & passed(QUIET_MEANS)), dtype=bool)


def burn_condition(bad: Values, everything: Values, burns: tuple[Burn, ...]) -> NDArray[np.bool_]:
    """The condition of the error budget, as the rules have it."""
    budget = round(1 - LIMITS[Metric.SUCCESS_RATE][0] / 100, 10)
    burning = np.zeros(len(bad), dtype=bool)
    for burn in burns:
        long, short = windowed(everything, burn.pair.long), windowed(everything, burn.pair.short)
        fast = windowed(bad, burn.pair.short) / np.maximum(short, 1) / budget >= burn.factor
        sure = bound(windowed(bad, burn.pair.long), long) >= burn.factor * budget
        burning |= (short > 0) & fast & sure & (long >= burn.pair.min_turns)
    return burning


def silent_condition(turns: Values) -> NDArray[np.bool_]:
    """No turn in a window, and many in two hours."""
    day = windowed(turns, "2h")
    made = [(windowed(turns, window) == 0) & (day >= least) for window, least in (SILENT_BUSY, SILENT_QUIET)]
    return np.asarray(made[0] | made[1], dtype=bool)


def conditions(agent: Agent) -> dict[str, NDArray[np.bool_]]:
    """Each alert's condition, minute by minute."""
    made: dict[str, NDArray[np.bool_]] = {
        "AgentNetAgentSilent": silent_condition(agent.turns),
        "AgentNetTurnStuck": np.asarray(agent.oldest_age_s >= STUCK_S, dtype=bool),
    }
    for end, level in (("Warning", 0), ("Critical", 1)):
        above = (agent.above_2_s, agent.above_5_s)[level]
        made[f"AgentNetTurnLatency{end}"] = share_condition(above, agent.turns, ALLOWED_SLOW_SHARE)
        allowed = round(1 - LIMITS[Metric.SUCCESS_RATE][level] / 100, 6)
        made[f"AgentNetSuccessRate{end}"] = share_condition(agent.failed, agent.turns, allowed)
        cost, efficiency = LIMITS[Metric.COST_PER_TURN][level], LIMITS[Metric.TOKEN_EFFICIENCY][level]
        made[f"AgentNetCostPerTurn{end}"] = mean_condition(agent.cost_usd, agent.turns, cost, below=False)
        made[f"AgentNetTokenEfficiency{end}"] = mean_condition(agent.efficiency, agent.turns, efficiency, below=True)
        burn = f"AgentNetErrorBudgetBurn{end}"
        made[burn] = burn_condition(agent.failed, agent.turns, BURNS[burn])
    return made


def fired_by_copy(agents: Sequence[Agent]) -> dict[tuple[str, str], set[int]]:
    """Alert and agent -> minutes in which it fires: a minute after its condition begins, and five after it ends."""
    found = {}
    for agent in agents:
        for alert, condition in conditions(agent).items():
            firing = np.flatnonzero(condition & np.concatenate([[False], condition[:-1]]))
            found[alert, agent.name] = {int(minute) + more for minute in firing for more in range(MINUTES["5m"] + 1)}
    return found


def alerts_of_copy(condition: NDArray[np.bool_]) -> int:
    """Alerts: stretches in which it held for a minute, those less than five minutes apart taken together."""
    held = condition & np.concatenate([[False], condition[:-1]])
    minutes = np.flatnonzero(held)
    return 0 if len(minutes) == 0 else 1 + int(np.sum(np.diff(minutes) > MINUTES["5m"] + 1))


def agreement(agents: list[Agent], fired: Mapping[tuple[str, str], set[int]]) -> float:
    """Of the faults and healthy stretches, how often the copy and the engine tell the same alerts."""
    same = everything = 0
    for agent in agents:
        for alert, condition in conditions(agent).items():
            mine = {minute // FAULT for minute in np.flatnonzero(condition)}
            theirs = {minute // FAULT for minute in fired.get((alert, agent.name), set())}
            whole = len(condition) // FAULT
            everything += whole
            same += whole - len(mine ^ theirs)
    return same / everything


def false_alerts_a_year(rate: float, years: int, seed: int) -> float:
    """False alerts of one healthy agent a year, by the copy."""
    random = np.random.default_rng(seed)
    found = 0
    for _ in range(years):
        agent = agent_with(random, "a", "pull", None, rate, 365)
        found += sum(map(alerts_of_copy, conditions(agent).values()))
    return found / years


# --- the table -------------------------------------------------------------------------------------------


def row(rate: float, score: Score, yearly: float, same: float) -> str:
    """One line of the table."""
    told = score.right + score.false
    precision = score.right / told if told else 1.0
    recall = score.found / score.faults
    delay = statistics.median(score.delays) if score.delays else float("nan")
    paths = ", ".join(f"{100 * sum(found) / len(found):.0f}" for found in score.by_path.values())
    return (
        f"| {rate:g} | {score.faults} | {100 * recall:.1f} % ({paths}) | {100 * precision:.1f} % of {told} |"
        f" {score.burns_right} of {score.burns_right + score.burns_false} | {delay:g} min | {yearly:.2f} |"
        f" {100 * same:.1f} % |"
    )


def detail(scores: Mapping[float, Score]) -> Iterator[str]:
    """Median time to detect, by fault and rate."""
    yield f"| fault | {' | '.join(f'{rate:g}' for rate in scores)} |"
    yield f"|---|{'---|' * len(scores)}"
    for fault in FAULTS:
        cells = []
        for score in scores.values():
            delays = [delay for delay in score.by_fault[fault] if delay is not None]
            shown = f"{statistics.median(delays):g}" if delays else "-"
            cells.append(f"{shown} ({len(delays)}/{len(score.by_fault[fault])})")
        yield f"| {fault} | {' | '.join(cells)} |"


def between(rates: Sequence[float], days: int) -> Iterator[str]:
    """The faults at other rates, by the copy."""
    yield "| turns a minute, by the copy | faults | found | right | median |"
    yield "|---|---|---|---|---|"
    for rate in rates:
        agents = simulated(rate, days, int(100 * rate), PATHS[:1])
        score = scored(agents, fired_by_copy(agents), days)
        told = score.right + score.false
        yield (
            f"| {rate:g} | {score.faults} | {100 * score.found / score.faults:.1f} % |"
            f" {score.right} of {told} ({100 * score.right / max(told, 1):.1f} %) |"
            f" {statistics.median(score.delays):g} min |"
        )


def main() -> None:
    """Simulate, run, count, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("promtool", help="the program")
    parser.add_argument("--days", type=int, default=1, help="simulated days of each agent (default: 1)")
    parser.add_argument("--years", type=int, default=20, help="healthy years by the copy (default: 20)")
    parser.add_argument("--rates", type=float, nargs="*", default=RATES, help="turns a minute")
    parser.add_argument("--paths", nargs="*", choices=PATHS, default=PATHS, help="metric paths (default: all)")
    parser.add_argument("--markdown", type=Path, help="write the tables there")
    parser.add_argument("--between", type=float, nargs="*", default=(), help="other rates, by the copy alone")
    parser.add_argument("--between-days", type=int, default=60, help="simulated days of these (default: 60)")
    asked = parser.parse_args()
    scores, rows = {}, []
    for rate in asked.rates:
        agents = simulated(rate, asked.days, int(10 * rate), asked.paths)
        fired = fired_by_engine(asked.promtool, agents)
        scores[rate] = scored(agents, fired, asked.days)
        yearly = false_alerts_a_year(rate, asked.years, seed=1 + int(10 * rate))
        rows.append(row(rate, scores[rate], yearly, agreement(agents, fired)))
        print(rows[-1], *scores[rate].false_ones, sep="\n", flush=True)
        if asked.markdown is not None:
            asked.markdown.write_text(table(rows, scores))
    tables = [table(rows, scores)] if rows else []
    tables += ["\n".join(between(asked.between, asked.between_days))] if asked.between else []
    print(*tables, sep="\n")
    if asked.markdown is not None:
        asked.markdown.write_text("\n".join(tables))


def table(rows: list[str], scores: Mapping[float, Score]) -> str:
    """The rates so far, and their faults."""
    head = (
        "| turns a minute | faults | found (pull, collector, otlp) | right | of these budgets | median |"
        " false a year | copy agrees |"
    )
    return "\n".join([head, "|---|---|---|---|---|---|---|---|", *rows, "", *detail(scores), ""])


if __name__ == "__main__":
    main()
