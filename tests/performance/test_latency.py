"""The latency tracker, by hand, from turns, and asked."""

import asyncio
import inspect
import threading
from dataclasses import fields
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel.model import CostSource, LatencyComponent, Outcome, TokenUsage, ToolCall, Turn
from agentnet_otel.performance.latency import (
    LatencyLimits,
    LatencyTracker,
    TurnLatencyMeasurement,
    get_latency_tracker,
    latency_of,
)
from agentnet_otel.performance.open_turns import Parts
from agentnet_otel.testing import EPOCH_NS, NANOS_PER_MS, FakeClock

INFERENCE = LatencyComponent.INFERENCE
TOOL = LatencyComponent.TOOL_EXECUTION
MEMORY = LatencyComponent.MEMORY_ACCESS


@pytest.fixture
def clock():
    """A clock that the test moves."""
    return FakeClock()


@pytest.fixture
def tracker(clock):
    """A tracker on that clock."""
    return LatencyTracker(clock=clock)


def run(tracker, clock, turn_id, milliseconds, agent="a", **components):
    """Measure a turn by hand: its components one after the other, then the rest."""
    tracker.start_turn_measurement(turn_id, agent)
    left = milliseconds
    for name, spent in components.items():
        tracker.start_component_measurement(turn_id, name)
        clock.advance(spent)
        tracker.end_component_measurement(turn_id, name)
        left -= spent
    clock.advance(left)
    return tracker.end_turn_measurement(turn_id)


def turn(number, *, agent="a", duration_ms=100.0, revision=1, **facts):
    """A turn that ends ``number`` seconds into the epoch of fakes."""
    end_ns = EPOCH_NS + number * 1_000_000_000
    return Turn(
        turn_id=f"t{number}",
        trace_id=format(number + 1, "032x"),
        span_id=format(number + 1, "016x"),
        agent=agent,
        start_ns=end_ns - round(duration_ms * NANOS_PER_MS),
        end_ns=end_ns,
        outcome=Outcome.SUCCESS,
        revision=revision,
        **facts,
    )


# --- the documented shape --------------------------------------------------------------------------------


def test_measurement_fields_in_documented_order():
    """The dataclass takes the documented fields by position, in the documented order, with their defaults."""
    names = [field.name for field in fields(TurnLatencyMeasurement)]
    assert names[:10] == [
        "turn_id", "agent_id", "start_time", "end_time", "component_latencies", "prompt_length", "response_length",
        "tokens_processed", "policy_violations", "tools_used",
    ]  # fmt: skip
    made = TurnLatencyMeasurement("t", "a", 10.0, 10.5)
    assert (made.component_latencies, made.tools_used, made.metadata) == ({}, [], {})
    assert (made.prompt_length, made.response_length, made.tokens_processed, made.policy_violations) == (0, 0, 0, 0)
    assert made.total_latency_ms == 500.0
    made.end_time = 11.0
    assert made.total_latency_ms == 1000.0


def test_signatures_by_position():
    """Parameters stand in the documented order with the documented defaults."""
    found = {
        name: [
            (p.name, p.default)
            for p in inspect.signature(getattr(LatencyTracker, name)).parameters.values()
            if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self"
        ]
        for name in (
            "start_turn_measurement",
            "end_turn_measurement",
            "get_measurements",
            "identify_performance_issues",
        )
    }
    empty = inspect.Parameter.empty
    assert found == {
        "start_turn_measurement": [("turn_id", empty), ("agent_id", empty), ("prompt_length", 0)],
        "end_turn_measurement": [("turn_id", empty), ("response_length", 0), ("tokens_processed", 0)],
        "get_measurements": [("agent_id", None), ("limit", None)],
        "identify_performance_issues": [("latency_threshold_ms", 1000.0), ("agent_id", None)],
    }


def test_breakdown_is_per_cent_of_the_turn():
    """Each component's share of the turn, under its documented and its newer name; {} for a turn without length."""
    made = TurnLatencyMeasurement("t", "a", 0.0, 0.2, {INFERENCE: 150.0, TOOL: 20.0})
    assert made.latency_breakdown == pytest.approx({"inference": 75.0, "tool_execution": 10.0})
    assert made.latency_breakdown_percent == made.latency_breakdown
    assert TurnLatencyMeasurement("t", "a", 1.0, 1.0, {INFERENCE: 0.0}).latency_breakdown == {}


# --- by hand ---------------------------------------------------------------------------------------------


def test_a_turn_by_hand(tracker, clock):
    """Lengths, tools, violations and components of a turn measured by hand are in its measurement."""
    assert tracker.start_turn_measurement("t1", "planner", prompt_length=50) is None
    tracker.start_component_measurement("t1", INFERENCE)
    clock.advance(30)
    assert tracker.end_component_measurement("t1", INFERENCE) == 30.0
    tracker.record_tool_usage("t1", "search")
    tracker.record_tool_usage("t1", "search")
    tracker.record_policy_violation("t1")
    clock.advance(10)
    measured = tracker.end_turn_measurement("t1", response_length=100, tokens_processed=75)
    assert (measured.turn_id, measured.agent_id) == ("t1", "planner")
    assert measured.start_time == EPOCH_NS / 1e9
    assert measured.total_latency_ms == 40.0
    assert measured.component_latencies == {INFERENCE: 30.0}
    assert (measured.prompt_length, measured.response_length, measured.tokens_processed) == (50, 100, 75)
    assert (measured.policy_violations, measured.tools_used) == (1, ["search", "search"])
    assert tracker.get_measurements() == [measured]
    assert tracker.misuses == {}


def test_a_turn_lasts_by_the_monotonic_clock():
    """Setting the machine's clock in mid-turn changes neither its length nor the order of ending."""

    class Set(FakeClock):
        offset_ns = 0

        def wall_ns(self):
            return super().wall_ns() + self.offset_ns

    clock = Set()
    tracker = LatencyTracker(clock=clock)
    tracker.start_turn_measurement("before", "a")
    clock.advance(20)
    clock.offset_ns = -3_600_000_000_000
    assert tracker.end_turn_measurement("before").total_latency_ms == 20.0
    assert run(tracker, clock, "after", 5).total_latency_ms == 5.0
    assert [m.turn_id for m in tracker.get_measurements()] == ["before", "after"]
    assert tracker.get_measurements(limit=1)[0].turn_id == "after"


def test_parts_of_a_component_add_up(tracker, clock):
    """Parts after each other add up, and each end returns the length of its own part."""
    tracker.start_turn_measurement("t", "a")
    for spent in (10, 20):
        tracker.start_component_measurement("t", INFERENCE)
        clock.advance(spent)
        assert tracker.end_component_measurement("t", INFERENCE) == spent
        clock.advance(5)
    assert tracker.end_component_measurement("t", INFERENCE) == 0.0
    assert tracker.end_turn_measurement("t").component_latencies == {INFERENCE: 30.0}
    assert tracker.misuses == {"component_not_started": 1}


def test_overlapping_parts_count_once(tracker, clock):
    """What two parts of a component share is counted once, in whatever order they end."""
    tracker.start_turn_measurement("t", "a")
    tracker.start_component_measurement("t", TOOL)
    clock.advance(10)
    tracker.start_component_measurement("t", TOOL)
    clock.advance(10)
    assert tracker.end_component_measurement("t", TOOL) == 10.0
    clock.advance(10)
    assert tracker.end_component_measurement("t", TOOL) == 30.0
    assert tracker.end_turn_measurement("t").component_latencies == {TOOL: 30.0}


def test_a_component_may_be_named_by_its_value(tracker, clock):
    """A text is taken as the member of that value, and so is a member of the original's own enum."""

    class Original(str, Enum):
        INFERENCE = "inference"

    run(tracker, clock, "t", 10, inference=4)
    tracker.start_turn_measurement("u", "a")
    tracker.start_component_measurement("u", Original.INFERENCE)
    clock.advance(5)
    tracker.end_component_measurement("u", INFERENCE)
    tracker.end_turn_measurement("u")
    assert [m.component_latencies for m in tracker.get_measurements()] == [{INFERENCE: 4.0}, {INFERENCE: 5.0}]
    assert tracker.get_latency_statistics(component=Original.INFERENCE)["count"] == 2


def test_from_turns_gives_the_documented_measurement():
    """All fields of a measurement come from the turn; tools are named once for each use."""
    made = latency_of(
        turn(
            1,
            duration_ms=80,
            component_self_ns={INFERENCE: 50 * NANOS_PER_MS, TOOL: 10 * NANOS_PER_MS},
            prompt_length=12,
            response_length=34,
            tokens=TokenUsage(input=5, output=6),
            policy_violations=2,
            tool_calls=(ToolCall(name="x"), ToolCall(name="x"), ToolCall(name="y")),
            session="s",
            model="m",
            cost_source=CostSource.ENGINE,
        )
    )
    assert (made.turn_id, made.agent_id, made.total_latency_ms) == ("t1", "a", 80.0)
    assert made.component_latencies == {INFERENCE: 50.0, TOOL: 10.0}
    assert (made.prompt_length, made.response_length, made.tokens_processed) == (12, 34, 11)
    assert (made.policy_violations, made.tools_used) == (2, ["x", "x", "y"])
    assert made.metadata["session"] == "s"
    assert made.metadata["outcome"] == "success"


def test_a_later_revision_replaces_a_turn():
    """A turn that comes again counts once, in its newest revision, whatever the order they come in."""
    tracker = LatencyTracker.from_turns([turn(1), turn(2), turn(1, duration_ms=200, revision=2), turn(1)])
    assert [(m.turn_id, m.total_latency_ms) for m in tracker.get_measurements()] == [("t1", 200.0), ("t2", 100.0)]


def test_turns_that_are_given_are_all_kept():
    """However many they are, unless a bound is given."""
    turns = [turn(number) for number in range(10_002)]
    assert (LatencyTracker.from_turns(turns).dropped, len(LatencyTracker.from_turns(turns).get_measurements())) == (
        0,
        10_002,
    )
    bounded = LatencyTracker.from_turns(turns, 5)
    assert (bounded.dropped, [m.turn_id for m in bounded.get_measurements(limit=1)]) == (9997, ["t10001"])
    assert LatencyTracker.from_turns([]).max_history == 10_000


def test_turns_are_in_order_of_ending():
    """Whatever order turns are taken in, they are told in order of ending."""
    tracker = LatencyTracker.from_turns([turn(3), turn(1), turn(2)])
    assert [m.turn_id for m in tracker.get_measurements()] == ["t1", "t2", "t3"]
    assert [m.turn_id for m in tracker.get_measurements(limit=2)] == ["t2", "t3"]


# --- asked -----------------------------------------------------------------------------------------------


def test_statistics_in_both_dialects(tracker, clock):
    """Both key sets are there, with quantiles at place int(n * q) of the sorted values."""
    for number in range(1, 21):
        run(tracker, clock, f"t{number}", 10 * number)
    found = tracker.get_latency_statistics()
    assert set(found) == {
        "count", "mean", "median", "min", "max", "stdev", "p95", "p99",
        "mean_ms", "median_ms", "min_ms", "max_ms", "stdev_ms", "p95_ms", "p95_recent_ms", "trend",
    }  # fmt: skip
    assert (found["count"], found["mean"], found["median"], found["min"], found["max"]) == (20, 105.0, 105.0, 10, 200)
    assert (found["p95"], found["p99"]) == (200.0, 200.0)
    assert found["stdev"] == pytest.approx(59.16079783)
    for name in ("mean", "median", "min", "max", "stdev", "p95"):
        assert found[f"{name}_ms"] == found[name]
    assert (found["p95_recent_ms"], found["trend"]) == (200.0, "stable")


@pytest.mark.parametrize(
    ("last_ms", "trend"), [([1] * 4, "improving"), ([100] * 4, "stable"), ([100, 100, 100, 500], "degrading")]
)
def test_trend_of_the_newest_tenth(tracker, clock, last_ms, trend):
    """The newest tenth of the turns is compared with all; equal is stable."""
    for number, spent in enumerate([100] * 36 + last_ms):
        run(tracker, clock, f"t{number}", spent)
    assert tracker.get_latency_statistics()["trend"] == trend


def test_statistics_of_a_component(tracker, clock):
    """They are of the turns that have it; TOTAL is the turn; one value has no deviation; no data gives {}."""
    assert tracker.get_latency_statistics() == {}
    assert tracker.get_component_breakdown() == {}
    run(tracker, clock, "t1", 100, inference=60)
    run(tracker, clock, "t2", 50)
    found = tracker.get_latency_statistics(component=INFERENCE)
    assert (found["count"], found["mean"], found["stdev"]) == (1, 60.0, 0.0)
    assert tracker.get_latency_statistics(component="total")["mean"] == 75.0
    assert tracker.get_latency_statistics(component=MEMORY) == {}
    assert tracker.get_latency_statistics("nobody") == {}


def test_component_breakdown_in_both_dialects(tracker, clock):
    """The documented share is of the sum of averages, the newer one of the time of all turns."""
    run(tracker, clock, "t1", 100, inference=60, tool_execution=20)
    run(tracker, clock, "t2", 100, inference=40)
    assert tracker.get_component_breakdown() == {
        "inference": {"avg_latency_ms": 50.0, "percentage": 50 / 70 * 100, "percentage_of_total": 50.0, "count": 2},
        "tool_execution": {
            "avg_latency_ms": 20.0, "percentage": 20 / 70 * 100, "percentage_of_total": 10.0, "count": 1,
        },
    }  # fmt: skip
    assert tracker.get_component_breakdown("nobody") == {}


def test_filters(tracker, clock):
    """Agent, least latency, tool and metadata narrow the answer; the limit takes the newest that pass."""
    tracker.start_turn_measurement("m1", "b", {"tools_used": ["search"], "tier": 1})
    clock.advance(50)
    tracker.end_turn_measurement("m1")
    run(tracker, clock, "t1", 10)
    tracker.start_turn_measurement("t2", "a", 5, metadata={"tier": 2})
    tracker.record_tool_usage("t2", "search")
    clock.advance(100)
    tracker.end_turn_measurement("t2")

    def ids(**wanted):
        return [m.turn_id for m in tracker.get_measurements(**wanted)]

    assert ids(agent_id="a") == ["t1", "t2"]
    assert ids(min_latency_ms=50) == ["m1", "t2"]
    assert ids(tool_used="search") == ["m1", "t2"]
    assert ids(metadata_filter={"tier": 1}) == ["m1"]
    assert ids(metadata_filter={"tier": None}) == []
    assert ids(min_latency_ms=50, limit=1) == ["t2"]
    assert ids(limit=0) == []
    assert ids(limit=99) == ["m1", "t1", "t2"]


def test_issues_are_strictly_above_their_limits(tracker, clock):
    """A turn at a limit is none, one above it is; the texts are the documented ones."""
    for turn_id, ms, memory, violations, tools in (("at", 1000, 300, 2, 3), ("over", 1001, 301, 3, 4)):
        tracker.start_turn_measurement(turn_id, "a")
        tracker.start_component_measurement(turn_id, MEMORY)
        clock.advance(memory)
        tracker.end_component_measurement(turn_id, MEMORY)
        for _ in range(violations):
            tracker.record_policy_violation(turn_id)
        for _ in range(tools):
            tracker.record_tool_usage(turn_id, "x")
        clock.advance(ms - memory)
        tracker.end_turn_measurement(turn_id)
    assert tracker.identify_performance_issues() == {
        "high_latency_turns": ["over: 1001.00ms"],
        "policy_heavy_turns": ["over: 3 violations"],
        "tool_heavy_turns": ["over: 4 tools"],
        "memory_intensive_turns": ["over: 301.00ms memory access"],
    }
    tracker.limits = LatencyLimits(policy_violations=3, tool_uses=4, memory_share=0.5)
    assert tracker.identify_performance_issues(2000) == {
        "high_latency_turns": [], "policy_heavy_turns": [], "tool_heavy_turns": [], "memory_intensive_turns": [],
    }  # fmt: skip


# --- measure ---------------------------------------------------------------------------------------------


def test_measure_times_the_body_however_it_is_left(tracker, clock):
    """The body counts also when it raises, and the exception passes."""

    async def use():
        tracker.start_turn_measurement("t", "a")
        async with tracker.measure("t", INFERENCE):
            clock.advance(10)
        with pytest.raises(KeyError):
            async with tracker.measure("t", "inference"):
                clock.advance(5)
                raise KeyError
        return tracker.end_turn_measurement("t")

    assert asyncio.run(use()).component_latencies == {INFERENCE: 15.0}


def test_parallel_measures_are_united(tracker, clock):
    """Two tasks that measure one component at once take as long as the two together, not the sum."""

    async def part(start, steps, barrier):
        await barrier
        async with tracker.measure("t", TOOL):
            for _ in range(steps):
                await asyncio.sleep(0)
                if start:
                    clock.advance(10)

    async def use():
        tracker.start_turn_measurement("t", "a")
        barrier = asyncio.get_running_loop().create_future()
        tasks = [asyncio.create_task(part(n == 0, 3, barrier)) for n in range(2)]
        await asyncio.sleep(0)
        barrier.set_result(None)
        await asyncio.gather(*tasks)
        return tracker.end_turn_measurement("t")

    measured = asyncio.run(use())
    assert measured.component_latencies == {TOOL: measured.total_latency_ms}


def test_measure_of_a_turn_that_ends_inside(tracker, clock):
    """The component counts up to the end of its turn, and leaving the body is no error."""

    async def use():
        tracker.start_turn_measurement("t", "a")
        async with tracker.measure("t", INFERENCE):
            clock.advance(10)
            measured = tracker.end_turn_measurement("t")
            clock.advance(10)
        return measured

    assert asyncio.run(use()).component_latencies == {INFERENCE: 10.0}
    assert tracker.get_measurements()[0].component_latencies == {INFERENCE: 10.0}


def test_measure_of_an_unknown_turn_runs_the_body(tracker, warnings_of_ours):
    """The body runs; it is counted, and not told: callers of the newer dialect do so all the time."""

    async def use():
        async with tracker.measure("nobody", INFERENCE):
            return "ran"

    assert asyncio.run(use()) == "ran"
    assert tracker.misuses == {"unknown_turn": 1}
    assert warnings_of_ours() == []


# --- misuse ----------------------------------------------------------------------------------------------


def test_ending_a_turn_twice(tracker, clock, warnings_of_ours):
    """The second end gives a measurement of nobody without length, which is not kept; it is counted and told once."""
    run(tracker, clock, "t", 10)
    for _ in range(2):
        again = tracker.end_turn_measurement("t")
        assert (again.turn_id, again.agent_id, again.total_latency_ms) == ("t", "unknown", 0.0)
    assert len(tracker.get_measurements()) == 1
    assert tracker.misuses == {"unknown_turn": 2}
    assert len(warnings_of_ours()) == 1


def test_calls_for_unknown_turns_do_nothing(tracker):
    """They are counted; an end returns 0.0."""
    tracker.start_component_measurement("x", INFERENCE)
    assert tracker.end_component_measurement("x", INFERENCE) == 0.0
    tracker.record_tool_usage("x", "tool")
    tracker.record_policy_violation("x")
    assert tracker.misuses == {"unknown_turn": 4}
    assert tracker.get_measurements() == []


def test_a_running_turn_that_is_started_again_starts_anew(tracker, clock):
    """Nothing of the first measurement stays."""
    tracker.start_turn_measurement("t", "a")
    tracker.record_policy_violation("t")
    clock.advance(10)
    tracker.start_turn_measurement("t", "b")
    clock.advance(5)
    measured = tracker.end_turn_measurement("t")
    assert (measured.agent_id, measured.total_latency_ms, measured.policy_violations) == ("b", 5.0, 0)
    assert tracker.misuses == {"replaced_turn": 1}


def test_a_component_that_is_never_ended_is_left_out(tracker, clock):
    """Its end is not known; it is counted."""
    tracker.start_turn_measurement("t", "a")
    tracker.start_component_measurement("t", INFERENCE)
    tracker.start_component_measurement("t", INFERENCE)
    clock.advance(7)
    tracker.end_component_measurement("t", INFERENCE)
    tracker.start_component_measurement("t", TOOL)
    clock.advance(7)
    assert tracker.end_turn_measurement("t").component_latencies == {INFERENCE: 7.0}
    assert tracker.misuses == {"unfinished_component": 1}


def test_a_clock_that_runs_backwards(tracker, clock):
    """A part and a turn have no negative length; it is counted."""
    tracker.start_turn_measurement("t", "a")
    tracker.start_component_measurement("t", INFERENCE)
    clock.advance(-10)
    assert tracker.end_component_measurement("t", INFERENCE) == 0.0
    measured = tracker.end_turn_measurement("t")
    assert (measured.total_latency_ms, measured.component_latencies) == (0.0, {INFERENCE: 0.0})
    assert tracker.misuses == {"clock_backwards": 2}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda t: t.start_component_measurement("t", "thinking"), ("component", "'thinking'", "orchestration")),
        (lambda t: t.end_component_measurement("t", "thinking"), ("component", "inference")),
        (lambda t: t.get_latency_statistics(component=5), ("component", "5", "total")),
        (lambda t: t.start_turn_measurement("t", "a", -1), ("prompt_length", "-1", "at least 0")),
        (lambda t: t.start_turn_measurement("t", "a", "long"), ("prompt_length", "'long'")),
        (lambda t: t.start_turn_measurement("t", None), ("agent_id", "None", "text")),
        (lambda t: t.start_turn_measurement(7, "a"), ("turn_id", "7", "text")),
        (lambda t: t.start_turn_measurement("t", "a", {}, metadata={}), ("metadata",)),
        (lambda t: t.start_turn_measurement("t", "a", metadata=[1]), ("metadata", "dictionary")),
        (lambda t: t.end_turn_measurement("t", response_length=True), ("response_length", "True")),
        (lambda t: t.end_turn_measurement("t", tokens_processed=-2), ("tokens_processed", "-2")),
        (lambda t: t.record_tool_usage("t", 3), ("tool_name", "3", "text")),
        (lambda t: t.get_measurements(limit=-1), ("limit", "-1")),
        (lambda t: t.get_measurements(min_latency_ms=float("nan")), ("min_latency_ms", "nan")),
        (lambda t: t.identify_performance_issues("slow"), ("latency_threshold_ms", "'slow'")),
        (lambda _: LatencyTracker(max_history=0), ("max_history", "0", "at least 1")),
        (lambda _: LatencyLimits(tool_uses=-1), ("tool_uses", "-1")),
        (lambda _: TurnLatencyMeasurement("t", "a", 2.0, 1.0), ("end_time", "1.0")),
        (lambda _: TurnLatencyMeasurement("t", "a", 0.0, 1.0, {"dream": 1.0}), ("component_latencies", "'dream'")),
        (lambda _: TurnLatencyMeasurement("t", "a", 0.0, 1.0, {INFERENCE: -1.0}), ("component_latencies", "-1.0")),
        (lambda _: TurnLatencyMeasurement("t", "a", 0.0, 1.0, [INFERENCE]), ("component_latencies", "dictionary")),
        (lambda _: TurnLatencyMeasurement("t", "a", 0.0, 1.0, tools_used="search"), ("tools_used", "'search'")),
        (lambda _: TurnLatencyMeasurement("t", "a", "now", 1.0), ("start_time", "'now'")),
    ],
)
def test_wrong_values_are_named(tracker, call, words):
    """A ValueError names the field, the value and what is allowed."""
    with pytest.raises(ValueError, match="allowed is") as caught:
        call(tracker)
    assert all(word in str(caught.value) for word in words)


# --- copies, bounds, threads -----------------------------------------------------------------------------


def test_callers_share_nothing_with_the_tracker(tracker, clock):
    """What is given and what comes back are copies, so that changing them changes no answer."""
    metadata = {"tags": ["x"]}
    tracker.start_turn_measurement("t", "a", metadata=metadata)
    metadata["tags"].append("y")
    tracker.record_tool_usage("t", "search")
    clock.advance(1)
    for measured in (tracker.end_turn_measurement("t"), tracker.get_measurements()[0]):
        measured.tools_used.append("other")
        measured.component_latencies[INFERENCE] = 1.0
        measured.metadata["tags"].append("z")
    kept = tracker.get_measurements()[0]
    assert (kept.tools_used, kept.component_latencies, kept.metadata) == (["search"], {}, {"tags": ["x"]})


def test_history_is_bounded_and_counted(clock):
    """Beyond the bound the oldest goes and is counted; the default bound is the documented one."""
    tracker = LatencyTracker(max_history=3, clock=clock)
    for number in range(5):
        run(tracker, clock, f"t{number}", 1)
    assert [m.turn_id for m in tracker.get_measurements()] == ["t2", "t3", "t4"]
    assert (tracker.dropped, tracker.max_history, LatencyTracker().max_history) == (2, 3, 10_000)


def test_running_turns_are_bounded_and_counted(tracker, clock):
    """Turns that never end do not pile up: the one that began first is forgotten."""
    for number in range(10_001):
        tracker.start_turn_measurement(f"t{number}", "a")
    assert tracker.misuses == {"forgotten_turn": 1}
    assert tracker.end_turn_measurement("t0").agent_id == "unknown"
    assert tracker.end_turn_measurement("t1").agent_id == "a"


def test_parts_and_tools_of_one_turn_are_bounded(tracker, clock):
    """A turn whose parts never end, or that uses tools without end, keeps a bounded number."""
    tracker.start_turn_measurement("t", "a")
    for _ in range(1001):
        tracker.start_component_measurement("t", INFERENCE)
    for _ in range(10_001):
        tracker.record_tool_usage("t", "x")
    assert tracker.misuses == {"forgotten_part": 1, "tool_uses_dropped": 1}
    assert len(tracker.end_turn_measurement("t").tools_used) == 10_000


def test_many_disjoint_parts_beside_an_open_one_stay_exact(tracker, clock):
    """Folding what is over changes no sum, as long as an open part does not reach back over it."""
    tracker.start_turn_measurement("t", "a")

    async def use():
        for _ in range(3000):
            async with tracker.measure("t", TOOL):
                clock.advance(1)
            clock.advance(1)

    asyncio.run(use())
    assert tracker.end_turn_measurement("t").component_latencies == {TOOL: 3000.0}


def test_clearing_forgets_running_turns_too(tracker, clock):
    """After clearing nothing is left, and a turn that ran is unknown."""
    run(tracker, clock, "t1", 1)
    tracker.start_turn_measurement("t2", "a")
    tracker.clear_measurements()
    assert tracker.get_measurements() == []
    assert tracker.end_turn_measurement("t2").agent_id == "unknown"


def test_many_threads_measure_at_once():
    """Every turn of every thread is there once, with its own component and tool."""
    tracker = LatencyTracker()

    def work(thread):
        for number in range(100):
            turn_id = f"{thread}-{number}"
            tracker.start_turn_measurement(turn_id, f"agent{thread}")
            tracker.start_component_measurement(turn_id, INFERENCE)
            tracker.end_component_measurement(turn_id, INFERENCE)
            tracker.record_tool_usage(turn_id, turn_id)
            tracker.end_turn_measurement(turn_id)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = tracker.get_measurements()
    assert len({m.turn_id for m in found}) == len(found) == 800
    assert all(m.tools_used == [m.turn_id] and set(m.component_latencies) == {INFERENCE} for m in found)
    assert tracker.misuses == {}


def test_the_shared_tracker_is_one_and_takes_arguments_once():
    """Each call gives the same tracker, whatever arguments later calls have; own trackers are others."""
    shared = get_latency_tracker()
    assert get_latency_tracker(max_history=5) is shared
    assert shared.max_history == 10_000
    assert LatencyTracker() is not shared


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 15)), max_size=12), st.integers(0, 60))
def test_parts_beside_counting_tick_by_tick(parts, closed_at):
    """However parts overlap, a component ran as many ticks as at least one of its parts did, up to the turn's end."""
    component = Parts()
    events = sorted([(start, 0, start) for start, _ in parts] + [(start + length, 1, start) for start, length in parts])
    for moment, kind, start in events:
        if moment <= closed_at:
            component.end(start, moment) if kind else component.begin(start)
    component.close(closed_at)
    ticks = {tick for start, length in parts for tick in range(start, min(start + length, closed_at))}
    assert component.total_ns == len(ticks)
