"""Runs side by side, and what changed between two."""

import json

import pytest

from agentnet_otel.core.thresholds import ThresholdTable, Verdict
from agentnet_otel.model import LatencyComponent, Outcome, TokenCategory, TokenUsage
from agentnet_otel.outputs.reports.content import report_on
from agentnet_otel.outputs.reports.formats import render
from agentnet_otel.outputs.reports.json_report import runs_object
from agentnet_otel.outputs.reports.run_blocks import diff_document
from agentnet_otel.outputs.reports.runs import MOST_CHANGES, Run, runs_of, with_names

TABLE = ThresholdTable()


def test_each_run_has_its_figures(make_turns):
    """Turns, rates, means with intervals, quantiles, components and tokens of a turn, and the verdict."""
    good = Run(name="good", turns=make_turns(80, ms=100.0))
    bad = Run(name="bad", turns=make_turns(10, ms=9000.0, outcome=Outcome.ERROR))
    none = Run(name="none", turns=[])
    first, second, third = runs_of([good, bad, none], TABLE).rows
    assert (first.turns, first.verdict, first.success_rate.value) == (80, Verdict.PASS, 1.0)
    assert (first.mean_ms.value, first.mean_ms.sufficient) == (100.0, True)
    assert (first.tokens_per_turn.value, first.cost_per_turn_usd.value) == (100.0, pytest.approx(0.002))
    assert first.component_ms == {"inference": 75.0, "unattributed": 25.0}
    assert first.tokens_by_category == {"reasoning": 100.0}
    assert [row.value_ms for row in first.quantiles] == [100.0] * 4
    assert (second.verdict, second.success_rate.value, second.mean_ms.sufficient) == (Verdict.FAIL, 0.0, False)
    assert (third.verdict, third.turns, third.mean_ms.value, third.quantiles) == (Verdict.NO_DATA, 0, None, ())


def test_two_runs_are_compared(make_turns):
    """The first is what was before; of three nothing is compared."""
    slow = [make for n in (1, 2) for make in make_turns(30, ms=200.0 + n)]
    quick = make_turns(60, ms=100.0)
    found = runs_of([Run(name="a", turns=quick), Run(name="b", turns=slow)], TABLE)
    assert [row.metric.value for row in found.comparison.regressions] == ["turn_latency"]
    three = runs_of([Run(name=name, turns=quick) for name in "abc"], TABLE)
    assert (three.comparison, three.differences) == (None, ())


def test_what_changed_most_comes_first(make_turns):
    """A component counts as part of the turn, a category as part of all tokens; what hardly changed is not told."""
    before = make_turns(80, ms=100.0)
    parts = {LatencyComponent.INFERENCE: 75_000_000, LatencyComponent.MEMORY_ACCESS: 50_000_000}
    now = make_turns(
        80,
        ms=150.0,
        component_self_ns=parts,
        unattributed_ns=25_000_000,
        tokens=TokenUsage(input=50, output=80),
        tokens_by_category={TokenCategory.REASONING: 100, TokenCategory.MEMORY: 30},
        outcome=Outcome.SUCCESS,
    )
    found = runs_of([Run(name="a", turns=before), Run(name="b", turns=now)], TABLE).differences
    effects = {(one.what, one.name): (one.before, one.now, round(one.effect, 6)) for one in found}
    assert effects["component", "memory_access"] == (0.0, 50.0, 0.5)
    assert effects["token category", "memory"] == (0.0, 30.0, 0.3)
    assert effects["tokens per turn", "tokens per turn"] == (100.0, 130.0, 0.3)
    assert effects["latency", "mean"] == (100.0, 150.0, 0.5)
    assert ("component", "inference") not in effects
    assert len(found) <= MOST_CHANGES
    assert [abs(one.effect) for one in found] == sorted((abs(one.effect) for one in found), reverse=True)


def test_equal_runs_do_not_differ(make_turns):
    """Nothing changed: no difference is told, and the document says so."""
    found = runs_of(with_names([Run(name="a", turns=make_turns(80))] * 2), TABLE)
    assert found.differences == ()
    assert [row.name for row in found.rows] == ["a", "a (2)"]
    first = diff_document(found).sections[0].blocks[0]
    assert first.items[0][0].text == "No metric changed beyond chance and the factor."


def test_a_run_without_turns_changed_nothing(make_turns):
    """What is not known is neither 0 nor unchanged; few turns are no good news either."""
    found = runs_of(with_names([Run(name="a", turns=make_turns(80)), Run(name="b", turns=[])]), TABLE)
    assert found.differences == ()
    document = diff_document(found)
    assert document.sections[0].blocks[0].items[0][0].text.startswith("Nothing can be compared")
    (components,) = document.sections[2].blocks
    assert ["".join(span.text for span in cell.spans) for cell in components.rows[0]][2:] == ["n/a", "n/a"]
    few = runs_of(with_names([Run(name="a", turns=make_turns(80)), Run(name="b", turns=make_turns(3))]), TABLE)
    assert diff_document(few).sections[0].blocks[0].items[0][0].text.startswith("There are too few turns")


def test_runs_stand_in_the_report(make_turns):
    """Every format has them; a report on one run has none."""
    runs = [Run(name=f"{name}.jsonl", turns=make_turns(40, ms=ms)) for name, ms in (("old", 100.0), ("new", 300.0))]
    turns = [turn for run in runs for turn in run.turns]
    facts = {"thresholds": TABLE, "generated_ns": 0, "version": "0.0"}
    content = report_on(turns, runs=runs, **facts)
    for form in ("md", "html", "csv"):
        text = render(content, form)
        assert "Runs Side by Side" in text
        assert "old.jsonl" in text
        assert "REGRESSION" in text
    read = json.loads(render(content, "json"))
    assert [row["name"] for row in read["runs"]] == ["old.jsonl", "new.jsonl"]
    assert read["comparison"]["regression"] is True
    assert read["differences"][0]["what"] in {"latency", "agent", "component"}
    alone = report_on(runs[0].turns, runs=runs[:1], **facts)
    assert "Runs Side by Side" not in render(alone, "md")
    assert json.loads(render(alone, "json"))["runs"] == []


def test_a_comparison_is_one_object(make_turns):
    """For machines: the rows, the comparison and the differences."""
    found = runs_object(runs_of([Run(name=name, turns=make_turns(30)) for name in "ab"], TABLE))
    assert set(found) == {"runs", "comparison", "differences"}
