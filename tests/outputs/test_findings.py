"""What matters most, what to do, and where time and money could be saved: always with the figures behind it."""

import json

import pytest

from agentnet_otel.core.columns import columns_of
from agentnet_otel.core.thresholds import DOCUMENTED, Metric, ThresholdTable, with_limits
from agentnet_otel.model import (
    CostSource,
    LatencyComponent,
    Outcome,
    PolicyViolation,
    QualitySource,
    TokenCategory,
    TokenUsage,
    ToolCall,
)
from agentnet_otel.outputs.reports import measures
from agentnet_otel.outputs.reports.caveats import on_latency, on_tokens, on_verdicts
from agentnet_otel.outputs.reports.content import DataQuality, report_on
from agentnet_otel.outputs.reports.formats import render
from agentnet_otel.outputs.reports.opportunities import opportunities_of


def report(turns, **thresholds):
    """The report on turns."""
    return report_on(turns, thresholds=ThresholdTable(**thresholds), generated_ns=0, version="0.0")


def test_a_finding_brings_its_evidence(make_turn):
    """Figure, interval, number, limits, and the turns that stand out most, with links where a template is given."""
    turns = [make_turn(n, ms=3000.0 + n, outcome=Outcome.ERROR if n in {5, 9} else Outcome.SUCCESS) for n in range(100)]
    template = "http://host/{trace_id}/{span_id}"
    found = report_on(turns, thresholds=ThresholdTable(), generated_ns=0, version="0.0", trace_url=template)
    failed, slow, largest = found.key_findings
    row = slow.judgement
    assert (row.threshold.metric, row.value, slow.n) == (Metric.TURN_LATENCY, 3095.0, 100)
    assert row.interval.low < 3095.0 < row.interval.high
    assert [(t.turn_id, t.value) for t in slow.turns] == [
        ("turn-99", "3,099 ms"),
        ("turn-98", "3,098 ms"),
        ("turn-97", "3,097 ms"),
    ]
    assert slow.turns[0].url == f"http://host/{100:032x}/{100:016x}"
    assert [t.turn_id for t in failed.turns] == ["turn-9", "turn-5"]
    assert failed.judgement in found.verdicts
    assert (failed.judgement.value, failed.measure, failed.n) == (98.0, None, 100)
    assert 92 < failed.judgement.interval.low < 98 < failed.judgement.interval.high < 100
    assert len(largest.turns) == 3
    bare = report_on(turns, thresholds=ThresholdTable(), generated_ns=0, version="0.0")
    assert bare.key_findings[1].turns[0].url is None


def test_a_finding_without_a_limit_has_its_figure(make_turn):
    """A slow agent, a failing tool, a violated rule: value, interval and number; and that no limit is set is said."""
    calls = (ToolCall(name="search", outcome="error"), *(ToolCall(name="search", outcome="success"),) * 3)
    rule = (PolicyViolation(rule="tone"),)
    slow = [make_turn(n, agent="critic", ms=500.0 + n, tool_calls=calls) for n in range(80)]
    quick = [make_turn(80 + n, ms=100.0, violations=rule if n < 30 else ()) for n in range(120)]
    agent, tool, violated = report(slow + quick).key_findings
    assert (agent.measure.value, agent.n) == (576.0, 80)
    assert agent.measure.interval.low < 576 <= agent.measure.interval.high <= 579
    assert (tool.measure.value, tool.n) == (25.0, 320)
    assert (violated.measure.value, violated.n) == (15.0, 200)
    assert 10 < violated.measure.interval.low < 15 < violated.measure.interval.high < 21
    text = render(report(slow + quick), "md")
    assert "| 2 | 25.0 % | 20.6 % .. 30.0 % | 320 | no limit | no limit |" in text


def test_a_finding_within_its_limit_has_the_row_of_the_verdict_table(make_turn):
    """Value, interval, number and limits of failed turns are the same in both tables, and so in the JSON report."""
    ends = [Outcome.ERROR] * 2 + [Outcome.CANCELLED] * 10 + [Outcome.SUCCESS] * 88
    found = report([make_turn(n, outcome=outcome) for n, outcome in enumerate(ends)])
    failed = found.key_findings[0]
    assert failed.text == (
        "2 of 90 turns failed (10 cancelled ones not counted), most often with error (2). The success rate is 97.8 %."
    )
    text = render(found, "md")
    assert "| Success rate | 97.8 % | 92.3 % .. 99.4 % | > 95 % | > 90 % | PASS, limit within interval |" in text
    assert "| 1 | 97.8 % | 92.3 % .. 99.4 % | 90 | > 95 % | > 90 % |" in text
    told = json.loads(render(found, "json"))
    assert told["findings"][0]["verdict"] == next(row for row in told["verdicts"] if row["metric"] == "success_rate")


def test_a_slow_agent_is_shown_with_its_own_limits(make_turn):
    """Where the table judges the agent by itself, the finding has that row; else it has no limit."""
    turns = [make_turn(n, agent="critic" if n < 80 else "planner", ms=500.0 if n < 80 else 100.0) for n in range(160)]
    own = with_limits(DOCUMENTED[Metric.TURN_LATENCY], recommended=900, critical=1000)
    judged = report(turns, agents={"critic": {Metric.TURN_LATENCY: own}})
    assert judged.key_findings[0].judgement in judged.verdicts
    assert (judged.key_findings[0].judgement.agent, judged.key_findings[0].n) == ("critic", 80)
    assert report(turns).key_findings[0].judgement is None


def test_the_share_of_time_has_an_interval(make_turn):
    """By turns, or by sessions where there are; turns without time count for nothing, and one turn allows none."""
    turns = [
        make_turn(n, ms=100.0, component_self_ns={LatencyComponent.INFERENCE: (60 + n % 2 * 20) * 1_000_000})
        for n in range(40)
    ]
    measure = measures.share_of_time("inference", columns_of(turns))
    assert measure.value == pytest.approx(70.0)
    assert 60 < measure.interval.low < 70 < measure.interval.high < 80
    assert measures.share_of_time("inference", columns_of(turns[:1])).interval is None
    none = measures.share_of_time("inference", columns_of([make_turn(n, ms=0.0) for n in range(3)]))
    assert (none.value, none.interval) == (0.0, None)
    assert measures.share_of_time("unattributed", columns_of(turns)).value >= 0


@pytest.mark.parametrize(
    ("metric", "facts", "worst"),
    [
        (Metric.TOKEN_EFFICIENCY, [{"efficiency": 0.1 + n / 100} for n in range(30)], ["turn-0", "turn-1", "turn-2"]),
        (Metric.COST_PER_TURN, [{"cost_usd": 0.1 + n / 100} for n in range(30)], ["turn-29", "turn-28", "turn-27"]),
        (
            Metric.SUCCESS_RATE,
            [{"outcome": Outcome.FAULT if n < 8 else Outcome.SUCCESS} for n in range(30)],
            ["turn-7", "turn-6", "turn-5"],
        ),
    ],
)
def test_each_metric_has_its_turns_to_look_at(make_turn, metric, facts, worst):
    """The least efficient, the most expensive, the newest that failed."""
    found = report([make_turn(n, **own) for n, own in enumerate(facts)]).key_findings[0]
    assert found.judgement.threshold.metric is metric
    assert [turn.turn_id for turn in found.turns] == worst


def test_an_efficiency_without_tokens_is_no_failure(make_turn):
    """Where turns tell an efficiency and no tokens, nobody knows how efficient they could be, and that is not told."""
    turns = [make_turn(n, efficiency=0.1, tokens=TokenUsage(), quality_source=QualitySource.ASSUMED) for n in range(30)]
    told = next(item for item in report(turns).recommendations if item.title == "Quality is not evaluated")
    assert "30 turns have no evaluation" in told.description
    assert "the best could reach" not in told.description


def test_what_figures_have_to_be_read_with(make_turns):
    """Samples, losses, late and incomplete data, estimates and computed costs are said beside the figures."""
    turns = make_turns(10, estimated=True, cost_source=CostSource.GENAI_PRICES) + make_turns(2, tokens=TokenUsage())
    quality = DataQuality(
        sampled_turns=3,
        turns_of_unknown_sampling=4,
        bad_lines=1,
        oversized_lines=1,
        dropped_spans=1,
        cut_off_ends=1,
        unreadable_sources=5,
        dropped_turns=6,
        cut_windows=12,
        damaged_turns=13,
        incomplete_turns=7,
        late_spans=8,
        evicted_traces=9,
        clipped_spans=11,
    )
    found = report_on(turns, thresholds=ThresholdTable(), generated_ns=0, version="0.0", quality=quality)
    assert [text.split(" ")[0] for text in on_verdicts(found)] == ["3", "Of", "4", "5", "Of", "13", "6"]
    assert [text.split(" ")[0] for text in on_latency(found)] == ["7", "8", "9", "11"]
    assert [text.split(" ")[0] for text in on_tokens(found)] == ["2", "Tokens", "$0.0200"]
    clean = report(make_turns(10, cost_source=CostSource.ENGINE))
    assert [*on_verdicts(clean), *on_latency(clean), *on_tokens(clean)] == []
    text = render(found, "md")
    summary, _, rest = text.partition("### Key Findings")
    assert "4 lines, spans or ends of files could not be read" in summary
    assert "7 turns lack their own span" in rest.partition("### Components")[0]


def test_nothing_stands_out(make_turns):
    """Good turns: it says where the time goes, and to keep a baseline."""
    found = report(make_turns(100))
    assert found.findings == ("75.0 % of the time of all turns is inference.",)
    (only,) = found.recommendations
    assert (only.priority, only.title) == ("low", "Keep a baseline")


def test_turns_without_any_part(make_turn):
    """Turns without components, tokens or time: every metric with data is fine, and nothing is divided by zero."""
    bare = make_turn(ms=0.0, component_self_ns={}, unattributed_ns=0, tokens_by_category={}, tool_calls=())
    assert report([bare]).findings == ("Every metric with data is within its recommended limit.",)


def test_three_findings_the_worst_first(make_turns, make_turn):
    """Critical limits before recommended ones, each with its reason; failures are told with the success rate."""
    slow = [make_turn(n, agent="critic", ms=6000.0, cost_usd=0.02) for n in range(40)]
    failed = [
        make_turn(n, agent="writer", outcome=Outcome.ERROR, error_type=f"Error{n % 2}", cost_usd=0.002)
        for n in range(40, 44)
    ]
    good = [make_turn(n, agent="writer") for n in range(44, 110)]
    first, second, third = report(slow + failed + good).findings
    assert first == (
        "Turn latency (p95) is 6,000 ms; the critical limit is < 5,000 ms. "
        "critic is the slowest agent: p95 6,000 ms, 60.0 times that of writer."
    )
    assert second == "4 of 110 turns failed, most often with Error0 (2) and Error1 (2). The success rate is 96.4 %."
    assert third == "75.0 % of the time of all turns is inference."


def test_the_success_rate_brings_its_failures(make_turn):
    """Past a limit the rate is told once, with the failures behind it and the agent that has most of them."""
    turns = [make_turn(n) for n in range(30)]
    turns += [make_turn(30 + n, outcome=Outcome.TIMEOUT, error_type=None) for n in range(3)]
    turns += [make_turn(33, agent="critic", outcome=Outcome.FAULT, error_type="CognitiveFault")]
    first = report(turns).findings[0]
    assert first == (
        "Success rate is 88.2 %; the critical limit is > 90 %. "
        "4 of 34 turns failed, most often with timeout (3) and CognitiveFault (1); planner has most of them (3)."
    )


def test_cost_names_who_spends(make_turn):
    """Past its limit, cost is told with the agent that spends most."""
    turns = [make_turn(n, agent=agent, cost_usd=usd) for n, (agent, usd) in enumerate([("a", 0.09), ("b", 0.01)] * 20)]
    assert report(turns).findings[0] == (
        "Cost per turn (mean) is $0.05; the critical limit is < $0.05. a spends most: $1.80 of $2.00."
    )
    alone = report([make_turn(n, cost_usd=0.06) for n in range(20)])
    assert alone.findings[0] == "Cost per turn (mean) is $0.06; the critical limit is < $0.05."


def test_agents_with_limits_of_their_own(make_turns):
    """A limit of one agent is told with its name, and without the reasons of all turns."""
    own = {"planner": {Metric.TURN_LATENCY: with_limits(DOCUMENTED[Metric.TURN_LATENCY], 10.0, 50.0)}}
    found = report(make_turns(100), agents=own)
    assert found.findings[0] == "Turn latency (p95) of planner is 100 ms; the critical limit is < 50 ms."
    assert found.recommendations[0].title == "Turns are slow: planner"
    assert found.recommendations[0].priority == "high"


def test_too_few_turns_are_said_to_be_too_few(make_turns):
    """A finding on too few turns says how many it needs."""
    first = report(make_turns(5, ms=9000.0)).findings[0]
    assert first == (
        "Turn latency (p95) is 9,000 ms; the critical limit is < 5,000 ms "
        "(only 5 turns, 72 are needed to be sure). 75.0 % of the time of all turns is inference."
    )


def test_violations_whose_rules_nobody_tells(make_turns):
    """They are counted in the table and in the finding, which names the turns, and are never passed over."""
    rules = (PolicyViolation(rule="tone"),)
    found = report(make_turns(100, policy_violations=3) + make_turns(100, violations=rules, policy_violations=1))
    assert [(row.rule, row.severity, row.count) for row in found.violations] == [
        ("unknown", None, 300),
        ("tone", None, 100),
    ]
    (told,) = [one for one in found.key_findings if "violations" in one.text]
    assert told.text == "400 policy violations, most often of rules that are not told (300)."
    assert (told.measure.value, len(told.turns)) == (100.0, 3)
    assert all(row.trace_id for row in found.violations)


def test_tools_and_violations_are_findings(make_turns):
    """A failing tool and broken rules are told where nothing is worse."""
    calls = (ToolCall(name="search", outcome="error"), ToolCall(name="search", outcome="success"))
    violations = (PolicyViolation(rule="no-secrets", severity="major"), PolicyViolation(rule="tone"))
    found = report(make_turns(100, tool_calls=calls, violations=violations, policy_violations=2))
    assert found.findings[:2] == (
        "Tool search failed in 100 of 200 calls.",
        "200 policy violations, most often no-secrets (100).",
    )
    (advice,) = found.recommendations
    assert (advice.title, advice.description) == ("Tool search fails", "100 of 200 calls failed.")


def test_every_passed_limit_gets_advice(make_turns):
    """Latency, success, efficiency and cost each have a recommendation, the high ones first."""
    bad = {"ms": 6000.0, "efficiency": 0.6, "cost_usd": 0.02, "quality": 0.9}
    turns = make_turns(90, **bad) + make_turns(10, **bad, outcome=Outcome.ERROR)
    found = report(turns)
    assert [(item.priority, item.category) for item in found.recommendations] == [
        ("high", "latency"),
        ("high", "reliability"),
        ("medium", "token_efficiency"),
        ("medium", "cost"),
    ]
    assert "Most time is inference (75.0 %): begin there." in found.recommendations[0].action


def test_without_components_there_is_no_place_to_name(make_turns):
    """Slow turns of which only the whole is known: the advice names no component."""
    found = report(make_turns(90, ms=6000.0, component_self_ns={}, unattributed_ns=6_000_000_000))
    assert found.recommendations[0].action == "Begin there."


def test_the_efficiency_that_nobody_can_reach(make_turns):
    """Where quality is not evaluated the report says which limit the prompts leave within reach, with figures."""
    long_prompts = {
        "tokens": TokenUsage(input=90, output=10),
        "quality": 0.8,
        "quality_source": QualitySource.ASSUMED,
        "efficiency": 0.4,
    }
    advice = next(r for r in report(make_turns(30, **long_prompts)).recommendations if "evaluated" in r.title)
    assert "30 turns have no evaluation" in advice.description
    assert "30 of them could not pass 0.7" in advice.description
    assert "the best could reach 0.48" in advice.description
    rated = long_prompts | {"quality_source": QualitySource.EVALUATED}
    assert all("evaluated" not in r.title for r in report(make_turns(30, **rated)).recommendations)


def test_a_category_that_takes_most_tokens(make_turns):
    """When most tokens are spent beside the reasoning, that is worth a look."""
    spent = {TokenCategory.TOOL_CALLS: 70, TokenCategory.REASONING: 30}
    advice = report(make_turns(30, tokens_by_category=spent)).recommendations
    assert [r.title for r in advice] == ["Many tokens go to tool_calls"]
    assert advice[0].description == "70.0 % of all tokens are spent for tool_calls."


def test_hostile_names_are_cut_in_findings(make_turns):
    """Names within sentences are on one line and not long."""
    name = "n\n\x1b" + "x" * 100_000
    for text in report(make_turns(10, agent=name, outcome=Outcome.ERROR, error_type=name)).findings:
        assert len(text) < 1000
        assert "\n" not in text
        assert "\x1b" not in text


@pytest.mark.parametrize(
    ("kind", "on_limit", "beyond", "limit", "value"),
    [
        ("high_latency_turns", {"ms": 1000.0}, {"ms": 1001.0}, "> 1,000 ms", "1,001 ms"),
        (
            "memory_intensive_turns",
            {"component_self_ns": {LatencyComponent.MEMORY_ACCESS: 300_000_000}},
            {"component_self_ns": {LatencyComponent.MEMORY_ACCESS: 301_000_000}},
            "> 300.0 ms",
            "301.0 ms",
        ),
        (
            "tool_heavy_turns",
            {"tool_calls": tuple(ToolCall(name=n) for n in "abc")},
            {"tool_calls": tuple(ToolCall(name=n) for n in "abcd")},
            "> 3",
            "4",
        ),
        ("policy_heavy_turns", {"policy_violations": 2}, {"policy_violations": 3}, "> 2", "3"),
        (
            "high_redundancy",
            {"tokens": TokenUsage(input=30, output=70), "quality": 1.0},
            {"tokens": TokenUsage(input=31, output=69), "quality": 1.0},
            "> 30.0 %",
            "31.0 %",
        ),
        ("low_efficiency", {"efficiency": 0.5}, {"efficiency": 0.499}, "< 0.500", "0.499"),
        ("expensive_turns", {"cost_usd": 0.05}, {"cost_usd": 0.06}, "> $0.05", "$0.06"),
        ("context_bloat", {"context_tokens": 8000}, {"context_tokens": 8001}, "> 8,000 tokens", "8,001 tokens"),
    ],
)
def test_turns_that_stand_out(make_turn, kind, on_limit, beyond, limit, value):
    """Each documented kind begins beyond its limit, names the turn, its value and the limit."""
    base = {"quality": 1.0, "tokens": TokenUsage(input=0, output=1), "tokens_by_category": {}}
    calm = opportunities_of(columns_of([make_turn(**base | on_limit)]))
    assert kind not in {row.kind for row in calm}
    found = {
        row.kind: row for row in opportunities_of(columns_of([make_turn(1, **base), make_turn(7, **base | beyond)]))
    }
    row = found[kind]
    assert (row.turns, row.limit) == (1, limit)
    assert [(e.turn_id, e.value) for e in row.examples] == [("turn-7", value)]


def test_examples_are_the_extremes(make_turn):
    """Three turns are named, those furthest beyond the limit; all are counted."""
    turns = [make_turn(n, ms=1000.0 + n) for n in range(10)]
    row = next(r for r in opportunities_of(columns_of(turns)) if r.kind == "high_latency_turns")
    assert (row.turns, row.of) == (9, 10)
    assert [e.turn_id for e in row.examples] == ["turn-9", "turn-8", "turn-7"]
    slow = [make_turn(n, efficiency=0.1 * n) for n in range(4)]
    low = next(r for r in opportunities_of(columns_of(slow)) if r.kind == "low_efficiency")
    assert [e.turn_id for e in low.examples] == ["turn-0", "turn-1", "turn-2"]


def test_one_category_out_of_balance(make_turn):
    """A category with more than 60 % of all category tokens is told of all turns together."""
    even = columns_of([make_turn(tokens_by_category={TokenCategory.REASONING: 60, TokenCategory.MEMORY: 40})])
    assert all(r.kind != "category_imbalance" for r in opportunities_of(even))
    uneven = columns_of([make_turn(tokens_by_category={TokenCategory.REASONING: 61, TokenCategory.MEMORY: 39})])
    row = next(r for r in opportunities_of(uneven) if r.kind == "category_imbalance")
    assert (row.title, row.turns, row.of) == ("Most tokens go to reasoning: 61.0 %", 1, 1)
