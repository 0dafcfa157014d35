"""What an application tells by hand gives the same turns live and from the file that it exported, field by field."""

import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import agentnet_otel
from agentnet_otel import LatencyComponent, TokenCategory
from agentnet_otel.core.assembler import newest_revisions
from agentnet_otel.instrumentation import runtime
from agentnet_otel.sources.rebuild import rebuild
from agentnet_otel.testing import InMemoryTelemetry

KINDS = st.sampled_from([kind for kind in LatencyComponent if kind is not LatencyComponent.TOTAL])
COUNTS = st.none() | st.integers(0, 500)
RATIOS = st.none() | st.floats(0, 1)


def components(inner):
    """A component with what it used, and what ran inside it."""
    return st.fixed_dictionaries(
        {
            "kind": KINDS,
            "input": COUNTS,
            "output": COUNTS,
            "category": st.none() | st.sampled_from(TokenCategory),
            "usd": st.none() | st.floats(0, 1),
            "fails": st.booleans(),
            "model": st.none() | st.sampled_from(["m2", "m1"]),
            "answers": st.none() | st.sampled_from(["m1", "m3"]),
            "violations": st.integers(0, 2),
            "inside": st.lists(inner, max_size=2),
        }
    )


def turns(inner):
    """A turn with what it came to, and its parts."""
    return st.fixed_dictionaries(
        {
            "agent": st.sampled_from(["a", "b"]),
            "model": st.none() | st.just("m4"),
            "input": COUNTS,
            "prompt": st.none() | st.text(max_size=5),
            "confidence": RATIOS,
            "quality": RATIOS,
            "violations": st.integers(0, 2),
            "usd": st.none() | st.floats(0, 1),
            "fails": st.booleans(),
            "parts": st.lists(inner, max_size=3),
        }
    )


PARTS = st.deferred(lambda: components(PARTS) | turns(PARTS))
PROGRAMS = st.lists(turns(PARTS), min_size=1, max_size=3)


def run_turn(plan):
    """One turn."""
    with suppress(ValueError), agentnet_otel.turn(plan["agent"], prompt=plan["prompt"], model=plan["model"]) as turn:
        for part in plan["parts"]:
            run_part(turn, part)
        for name, record in (("confidence", turn.record_confidence), ("quality", turn.record_quality)):
            if plan[name] is not None:
                record(plan[name])
        for number in range(plan["violations"]):
            turn.record_policy_violation(f"rule-{number}", severity="minor")
        if plan["input"] is not None:
            turn.record_tokens(input=plan["input"])
        if plan["usd"] is not None:
            turn.record_cost(usd=plan["usd"])
        if plan["fails"]:
            raise ValueError


def run_part(turn, plan):
    """A component, or a turn inside."""
    if "agent" in plan:
        run_turn(plan)
        return
    with suppress(ValueError), turn.component(plan["kind"], "x", model=plan["model"]) as component:
        for part in plan["inside"]:
            run_part(turn, part)
        if plan["input"] is not None or plan["output"] is not None:
            component.record_tokens(input=plan["input"], output=plan["output"], category=plan["category"])
        if plan["answers"] is not None:
            component.record_response(model=plan["answers"])
        for number in range(plan["violations"]):
            component.record_policy_violation(f"rule-{2 - number}")
        if plan["usd"] is not None:
            component.record_cost(usd=plan["usd"])
        if plan["fails"]:
            raise ValueError


@given(PROGRAMS, st.booleans())
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_live_is_replay(program, in_session):
    """Turns in turns, parts in parts, models, tokens, costs, violations, failures: nothing differs.

    Neither between what was rebuilt live and from the file, nor from what the recorder knew, which metrics and
    trackers get.
    """
    telemetry = InMemoryTelemetry()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spans.jsonl"
        handle = agentnet_otel.instrument(
            tracer_provider=telemetry.tracer_provider, meter_provider=telemetry.meter_provider, exporter=f"file:{path}"
        )
        told = []
        runtime.recorder()._listener = told.append
        try:
            if in_session:
                with agentnet_otel.session("debate", "c"):
                    for plan in program:
                        run_turn(plan)
            else:
                for plan in program:
                    run_turn(plan)
        finally:
            handle.shutdown()
            telemetry.close()
        live, replayed = handle.turns(), rebuild([path]).turns
    assert [fields_of(turn) for turn in live] == [fields_of(turn) for turn in replayed]
    assert [fields_of(turn) for turn in newest_revisions(told)] == [fields_of(turn) for turn in replayed]


def fields_of(turn):
    """All that a turn says but how often it was told."""
    return {name: getattr(turn, name) for name in turn.__dataclass_fields__ if name != "revision"}
