"""What an application tells by hand gives the same turns live and from the file that it exported, field by field."""

import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import agentnet_otel
from agentnet_otel import LatencyComponent, TokenCategory
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
            "model": st.none() | st.sampled_from(["m1", "m2"]),
            "inside": st.lists(inner, max_size=2),
        }
    )


def turns(inner):
    """A turn with what it came to, and its parts."""
    return st.fixed_dictionaries(
        {
            "agent": st.sampled_from(["a", "b"]),
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
    with suppress(ValueError), agentnet_otel.turn(plan["agent"], prompt=plan["prompt"]) as turn:
        for part in plan["parts"]:
            run_part(turn, part)
        for name, record in (("confidence", turn.record_confidence), ("quality", turn.record_quality)):
            if plan[name] is not None:
                record(plan[name])
        for number in range(plan["violations"]):
            turn.record_policy_violation(f"rule-{number}", severity="minor")
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
        if plan["usd"] is not None:
            component.record_cost(usd=plan["usd"])
        if plan["fails"]:
            raise ValueError


@given(PROGRAMS, st.booleans())
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_live_is_replay(program, in_session):
    """Turns in turns, parts in parts, tokens, costs, failures: nothing differs."""
    telemetry = InMemoryTelemetry()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spans.jsonl"
        handle = agentnet_otel.instrument(
            tracer_provider=telemetry.tracer_provider, meter_provider=telemetry.meter_provider, exporter=f"file:{path}"
        )
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
    newest = [{name: getattr(turn, name) for name in turn.__dataclass_fields__ if name != "revision"} for turn in live]
    again = [
        {name: getattr(turn, name) for name in turn.__dataclass_fields__ if name != "revision"} for turn in replayed
    ]
    assert newest == again
