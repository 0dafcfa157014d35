"""A report that is kept as it was, to see what a change does to it.

``python tests/outputs/golden_report.py`` writes it anew; what then differs is what users will see.
"""

import random
from pathlib import Path

from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.model import (
    CostSource,
    LatencyComponent,
    Outcome,
    PolicyViolation,
    QualitySource,
    Step,
    TokenCategory,
    TokenUsage,
    ToolCall,
    Turn,
)
from agentnet_otel.outputs.reports.content import DataQuality, ReportContent, report_on
from agentnet_otel.outputs.reports.formats import render
from agentnet_otel.outputs.reports.runs import Run

FOLDER = Path(__file__).parent / "golden"
FORMATS = ("md", "json")
START_NS = 1_700_000_000_000_000_000
MS = 1_000_000


def golden_report() -> ReportContent:
    """Two runs of 120 turns, with some of everything that a report tells."""
    runs = [Run(name="before.jsonl", turns=_turns(1, 1.0)), Run(name="after.jsonl", turns=_turns(2, 1.4))]
    return report_on(
        [turn for run in runs for turn in run.turns],
        thresholds=ThresholdTable(),
        generated_ns=START_NS + 3_600_000 * MS,
        version="1.2.3",
        trace_url="https://traces.example.com/trace/{trace_id}",
        environment={"Python": "3.12.0", "cpus": "4"},
        quality=DataQuality(spans=960, late_spans=2, bad_lines=1, incomplete_turns=3, notes=("A note.",)),
        runs=runs,
    )


def _turns(seed: int, factor: float) -> list[Turn]:
    draw = random.Random(seed)
    return [_turn(draw, seed, place, factor) for place in range(120)]


def _turn(draw: random.Random, seed: int, place: int, factor: float) -> Turn:
    agent = ("planner", "critic", "writer")[place % 3]
    ms = round(factor * (200 + 1500 * draw.random()) * (3 if agent == "critic" and place % 10 == 1 else 1))
    model = "m-large" if agent == "critic" else "m-small"
    failed = draw.random() < 0.06
    usage = TokenUsage(input=draw.randint(100, 900), output=draw.randint(40, 300), cached=20)
    start_ns = START_NS + (seed * 600_000 + place * 1000) * MS
    return Turn(
        turn_id=f"turn-{seed}-{place}",
        trace_id=f"{seed * 1000 + place:032x}",
        span_id=f"{seed * 1000 + place:016x}",
        agent=agent,
        start_ns=start_ns,
        end_ns=start_ns + ms * MS,
        outcome=Outcome.ERROR if failed else Outcome.SUCCESS,
        error_type="EngineError" if failed else None,
        session=f"{seed}-{place // 6}",
        model=model,
        models=(model,),
        component_self_ns={
            LatencyComponent.INFERENCE: ms * MS * 6 // 10,
            LatencyComponent.TOOL_EXECUTION: ms * MS * 2 // 10,
            LatencyComponent.MEMORY_ACCESS: ms * MS // 10,
        },
        component_counts={
            LatencyComponent.INFERENCE: 1,
            LatencyComponent.TOOL_EXECUTION: 2,
            LatencyComponent.MEMORY_ACCESS: 1,
        },
        steps=_steps(ms * MS),
        unattributed_ns=ms * MS - ms * MS * 6 // 10 - ms * MS * 2 // 10 - ms * MS // 10,
        tokens=usage,
        tokens_by_category={TokenCategory.REASONING: usage.total - 30, TokenCategory.TOOL_CALLS: 30},
        tokens_by_model={model: usage},
        context_tokens=usage.input,
        cost_usd=usage.total * (2e-5 if model == "m-large" else 2e-6),
        cost_source=CostSource.ENGINE,
        quality=0.8,
        quality_source=QualitySource.ASSUMED,
        efficiency=round(draw.uniform(0.4, 0.9), 6),
        time_to_first_token_ns=40 * MS if place % 4 == 0 else None,
        tool_calls=(ToolCall(name="search", outcome="error" if draw.random() < 0.1 else "success"),),
        policy_violations=int(place % 20 == 0),
        violations=(PolicyViolation(rule="no-secrets", severity="major"),) if place % 20 == 0 else (),
        spans=5,
        estimated=place % 30 == 0,
        sampling_probability=1.0,
    )


def _steps(duration_ns: int) -> tuple[Step, ...]:
    """Memory before the model, and two tools at once behind it."""
    tenth = duration_ns // 10
    return (
        Step(component=LatencyComponent.MEMORY_ACCESS, offset_ns=0, duration_ns=tenth),
        Step(component=LatencyComponent.INFERENCE, offset_ns=tenth, duration_ns=6 * tenth),
        Step(component=LatencyComponent.TOOL_EXECUTION, offset_ns=7 * tenth, duration_ns=2 * tenth),
        Step(component=LatencyComponent.TOOL_EXECUTION, offset_ns=7 * tenth, duration_ns=tenth),
    )


if __name__ == "__main__":
    for ending in FORMATS:
        (FOLDER / f"report.{ending}").write_text(render(golden_report(), ending), encoding="utf-8")
