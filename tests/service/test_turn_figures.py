"""The metrics of rebuilt turns: the same as those of the application that took the turns, each turn once."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

import agentnet_otel
from agentnet_otel import LatencyComponent, semconv
from agentnet_otel.instrumentation.labels import MAX_VALUES
from agentnet_otel.model import MetricsMode, Outcome, PolicyViolation, TokenCategory, TokenShare, TokenUsage, Turn
from agentnet_otel.outputs.prometheus import PrometheusEndpoint
from agentnet_otel.service.turn_figures import MAX_SERVICES, TurnFigures
from agentnet_otel.sources.rebuild import rebuild
from agentnet_otel.testing import EPOCH_NS, FakeClock, InMemoryTelemetry

OPENMETRICS = "application/openmetrics-text"
ONLY_OF_APPLICATIONS = {semconv.METRIC_TURN_ACTIVE, semconv.METRIC_TURN_ACTIVE_AGE}


def turn(number=1, **fields):
    """A turn of a second."""
    given_ = {"agent": "planner", "outcome": Outcome.SUCCESS, "service_name": "shop", **fields}
    return Turn(
        turn_id=f"t{number}",
        trace_id=format(number, "032x"),
        span_id=format(number, "016x"),
        start_ns=EPOCH_NS,
        end_ns=EPOCH_NS + 1_000_000_000,
        **given_,
    )


def figures(*turns, mode=MetricsMode.AUTO):
    """Figures that took these."""
    made = TurnFigures(mode, FakeClock().wall_ns)
    made.take(turns)
    return made


def points(data):
    """Values by metric and labels, with the unit: sums, or counts, sums and buckets."""
    found = {}
    for of_resource in data.resource_metrics:
        for metric in (metric for scope in of_resource.scope_metrics for metric in scope.metrics):
            for point in metric.data.data_points:
                value = point.value if hasattr(point, "value") else (point.count, tuple(point.bucket_counts))
                total = getattr(point, "sum", value)
                key = (metric.name, metric.unit, tuple(sorted(point.attributes.items())))
                found[key] = (value, pytest.approx(total))
    return found


def samples(made):
    """What a scrape of them reads, parsed by a strict reader."""
    text = PrometheusEndpoint(lambda: [made.data()]).scrape(OPENMETRICS).body.decode()
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def value_of(made, name, **labels):
    """The sum of a sample over all series with these labels."""
    found = [s.value for s in samples(made) if s.name == name and labels.items() <= s.labels.items()]
    return sum(found) if found else None


def run_agents():
    """Turns with everything that is counted."""
    for number in range(3):
        with agentnet_otel.turn("planner", model="m-large") as one:
            with one.component(LatencyComponent.INFERENCE, model="m-large", provider="openai") as call:
                call.record_tokens(input=100 + number, output=50, category=TokenCategory.DIALOGUE)
                call.record_response(model="m-large-1")
                call.record_cost(0.02)
            with one.component(LatencyComponent.TOOL_EXECUTION, "search") as tool:
                with one.component(LatencyComponent.INFERENCE, model="m-small") as inner:
                    inner.record_tokens(input=7)
                if number == 1:
                    tool.set_error("no_network")
            one.record_policy_violation("no-secrets", severity="major")
            one.record_quality(0.9)
            if number == 2:
                one.set_outcome(Outcome.TIMEOUT, "too_slow")
    with agentnet_otel.turn("outer"), agentnet_otel.turn("inner") as inner_turn:
        inner_turn.record_confidence(0.4)


def test_they_are_those_that_the_application_counts():
    """Names, units, labels, values and buckets: an application's own metrics, and those of its rebuilt export."""
    telemetry = InMemoryTelemetry()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spans.jsonl"
        handle = agentnet_otel.instrument(
            tracer_provider=telemetry.tracer_provider, meter_provider=telemetry.meter_provider, exporter=f"file:{path}"
        )
        try:
            run_agents()
            own = points(telemetry._reader.get_metrics_data())
        finally:
            handle.shutdown()
            telemetry.close()
        made = figures(*rebuild([path]).turns, mode=MetricsMode.ALL)
    rebuilt = points(made.data())
    of_turns = {
        key: value
        for key, value in own.items()
        if key[0] not in ONLY_OF_APPLICATIONS and not key[0].startswith("agentnet.otel.")
    }
    assert set(rebuilt) == set(of_turns)
    assert {key: value for key, (value, _) in rebuilt.items()} == {key: value for key, (value, _) in of_turns.items()}
    assert {key: total for key, (_, total) in rebuilt.items()} == {
        key: total.expected for key, (_, total) in of_turns.items()
    }


@pytest.mark.parametrize(("mode", "counted"), [(MetricsMode.AUTO, 1), (MetricsMode.ALL, 2), (MetricsMode.NONE, None)])
def test_one_writer_a_turn(mode, counted):
    """What its application counted is left out, unless all are wanted."""
    made = figures(turn(1), turn(2, metrics_recorded=True), mode=mode)
    assert value_of(made, "agentnet_turns_total") == counted
    assert (made.counted, made.left_out) == (counted or 0, 2 - (counted or 0))


def test_each_service_has_its_series_and_is_a_target():
    """Of a turn that tells no service, too; beyond 200 services further ones are one."""
    made = figures(turn(1), turn(2, service_name="bank"), turn(3, service_name=""))
    assert value_of(made, "agentnet_turns_total", service_name="bank") == 1
    assert value_of(made, "agentnet_turns_total", service_name="unknown_service") == 1
    targets = {s.labels["service_name"] for s in samples(made) if s.name == "target_info"}
    assert targets == {"shop", "bank", "unknown_service"}
    many = figures(*(turn(n, service_name=f"s{n}") for n in range(1, MAX_SERVICES + 11)))
    assert value_of(many, "agentnet_turns_total", service_name="other") == 10
    assert value_of(many, "agentnet_turns_total") == MAX_SERVICES + 10
    assert many.folded == 10


def test_exemplars_lead_to_the_turn():
    """The newest of each bucket, with trace and span."""
    made = figures(turn(1), turn(2))
    (bucket,) = [
        s for s in samples(made) if s.name == "agentnet_turn_duration_seconds_bucket" and s.exemplar is not None
    ]
    assert bucket.labels["le"] == "1.0"
    assert bucket.exemplar.labels == {"trace_id": format(2, "032x"), "span_id": format(2, "016x")}
    assert bucket.exemplar.value == 1.0


def test_they_go_on_after_a_restart():
    """With sums, starts and exemplars as they were: a reader of the counter sees no reset."""
    shares = (TokenShare(model="m", category=TokenCategory.MEMORY, usage=TokenUsage(input=5, output=6)),)
    before = figures(turn(1, token_shares=shares, cost_usd=0.25), turn(2, outcome=Outcome.ERROR, error_type="E"))
    after = TurnFigures(MetricsMode.AUTO, lambda: EPOCH_NS + 10**12)
    after.restore(before.keep())
    assert {(s.name, *s.labels.items()): (s.value, s.exemplar) for s in samples(after)} == {
        (s.name, *s.labels.items()): (s.value, s.exemplar) for s in samples(before)
    }
    after.take([turn(3)])
    assert value_of(after, "agentnet_turns_total", agentnet_turn_outcome="success") == 2
    created = {s.value for s in samples(after) if s.name == "agentnet_turns_created"}
    assert created == {EPOCH_NS / 1e9}


def test_what_was_kept_with_other_edges_begins_anew():
    """A histogram whose edges changed with the version cannot go on; the others do."""
    kept = figures(turn(1)).keep().replace(b'"buckets":[0,', b'"buckets":[')
    after = TurnFigures(MetricsMode.AUTO, FakeClock().wall_ns)
    after.restore(kept)
    assert value_of(after, "agentnet_turn_duration_seconds_count") is None
    assert value_of(after, "agentnet_turns_total") == 1


@given(st.lists(st.sampled_from([None, 1.0, 0.5, 0.3, 0.01, 7.0, 1e-30]), max_size=30))
def test_a_sampled_turn_counts_for_those_that_it_stands_for(probabilities):
    """Whole numbers, whose sum is within one of the exact one; a mark that is unknown or no probability counts once."""
    made = figures(*(turn(n + 1, sampling_probability=p) for n, p in enumerate(probabilities)))
    exact = sum(1 / p if p in {0.5, 0.3, 0.01} else 1 for p in probabilities)
    count = value_of(made, "agentnet_turns_total") or 0
    assert count == value_of(made, "agentnet_turn_duration_seconds_count") or not probabilities
    assert count == int(count)
    assert abs(count - exact) < 1 + 1e-6


def test_a_long_name_of_a_service_is_cut():
    """It stands in each line: a megabyte of it would make a page of forty."""
    made = figures(turn(service_name="s" * 100_000), turn(2, service_name="s" * 200_000))
    assert {len(sample.labels["service_name"]) for sample in samples(made)} == {256}
    again = TurnFigures(MetricsMode.AUTO, FakeClock().wall_ns)
    again.restore(made.keep())
    (counted,) = [sample.value for sample in samples(again) if sample.name == "agentnet_turns_total"]
    assert counted == 2


def test_labels_are_capped_also_over_restarts():
    """Agents beyond the cap are one, and those that had series keep them."""
    made = figures(*(turn(n, agent=f"a{n}") for n in range(1, MAX_VALUES + 6)))
    after = TurnFigures(MetricsMode.AUTO, FakeClock().wall_ns)
    after.restore(made.keep())
    after.take([turn(1, agent="a1"), turn(2, agent="brand-new")])
    assert value_of(after, "agentnet_turns_total", gen_ai_agent_name="a1") == 2
    assert value_of(after, "agentnet_turns_total", gen_ai_agent_name="other") == 6
    assert made.folded > 0


def test_violations_without_a_name_count_too():
    """A turn may tell more than it names; a number without bounds costs no time."""
    named = (PolicyViolation(rule="r", severity="minor"),)
    made = figures(turn(1, violations=named, policy_violations=10**12))
    assert value_of(made, "agentnet_policy_violations_total", agentnet_policy_rule="r") == 1
    assert value_of(made, "agentnet_policy_violations_total") == 10**12
