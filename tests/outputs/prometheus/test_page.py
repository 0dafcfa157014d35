"""The page that Prometheus pulls: families, samples, exemplars, start times, as strict parsers read them."""

import time

import pytest
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import Counter, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from agentnet_otel.errors import ConfigurationError
from agentnet_otel.outputs.prometheus import PrometheusEndpoint
from agentnet_otel.outputs.prometheus.exemplars import ExemplarMemory
from agentnet_otel.outputs.prometheus.families import snapshot


def samples(family, suffix=""):
    """Labels without service_name, as sorted pairs -> sample."""
    return {
        tuple(sorted((k, v) for k, v in sample.labels.items() if k != "service_name")): sample
        for sample in family.samples
        if sample.name == family.name + suffix
    }


def test_a_counter_has_name_unit_help_total_and_start(pulled):
    """One family with its help, a value that is exact, and the time since when it is counted."""
    before = time.time()
    page = pulled()
    page.meter.create_counter("agentnet.tokens", "{token}", "Tokens used.").add(
        2**53 + 1, {"gen_ai.token.type": "input"}
    )
    family = page.families()["agentnet_tokens"]
    assert (family.type, family.documentation, family.unit) == ("counter", "Tokens used.", "")
    key = (("gen_ai_token_type", "input"),)
    assert f'agentnet_tokens_total{{service_name="shop",gen_ai_token_type="input"}} {2**53 + 1}\n' in page.text()
    assert before - 1 <= samples(family, "_created")[key].value <= time.time()


def test_five_errors_in_a_series_just_born_are_an_increase_of_five(pulled):
    """From its start, at which it was 0, to the first scrape the new series grew by all that it has."""
    page = pulled()
    turns = page.meter.create_counter("agentnet.turns", "{turn}")
    turns.add(1, {"outcome": "success"})
    page.text()
    for _ in range(5):
        turns.add(1, {"outcome": "error"})
    scraped = time.time()
    family = page.families()["agentnet_turns"]
    key = (("outcome", "error"),)
    value, created = samples(family, "_total")[key].value, samples(family, "_created")[key].value
    assert value == 5
    assert created <= scraped


def test_a_histogram_has_cumulative_buckets_count_sum_and_the_newest_exemplar_of_each(pulled):
    """Buckets by ``le``, of which each shows the span that came last."""
    page = pulled()
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    duration = page.meter.create_histogram(
        "agentnet.turn.duration", "s", explicit_bucket_boundaries_advisory=[2.0, 5.0]
    )
    spans = {}
    for seconds in (1.0, 1.5, 5.0, 9.0):
        with tracer.start_as_current_span("turn") as span:
            duration.record(seconds, {"gen_ai.agent.name": "planner"})
        spans[seconds] = span.get_span_context()
    family = page.families()["agentnet_turn_duration_seconds"]
    assert (family.type, family.unit) == ("histogram", "seconds")
    buckets = {s.labels["le"]: s for s in family.samples if s.name.endswith("_bucket")}
    assert {le: sample.value for le, sample in buckets.items()} == {"2.0": 2, "5.0": 3, "+Inf": 4}
    shown = {le: (sample.exemplar.value, sample.exemplar.labels) for le, sample in buckets.items()}
    newest = {"2.0": 1.5, "5.0": 5.0, "+Inf": 9.0}
    assert shown == {
        le: (
            value,
            {"trace_id": format(spans[value].trace_id, "032x"), "span_id": format(spans[value].span_id, "016x")},
        )
        for le, value in newest.items()
    }
    (total,) = [s.value for s in family.samples if s.name.endswith("_sum")]
    assert total == 16.5


def test_a_measurement_outside_any_span_has_no_exemplar(pulled):
    """An exemplar that leads nowhere is none."""
    page = pulled()
    page.meter.create_counter("agentnet.turns").add(1)
    assert " # {" not in page.text()


def test_gauges_and_levels_are_gauges_and_one_of_unit_1_is_a_ratio(pulled):
    """Up-down counters and gauges have no ``_total``; the unit 1 becomes a word only there."""
    page = pulled()
    page.meter.create_up_down_counter("agentnet.turn.active", "{turn}").add(3)
    page.meter.create_observable_gauge("cache.hits", [lambda _: [Observation(0.25)]], "1")
    page.meter.create_histogram("agentnet.turn.token.efficiency", "1").record(0.5)
    families = page.families()
    assert {name: family.type for name, family in families.items()} == {
        "agentnet_turn_active": "gauge",
        "cache_hits_ratio": "gauge",
        "agentnet_turn_token_efficiency": "histogram",
        "target": "info",
    }


def test_exemplars_stay_until_there_are_newer_ones(pulled):
    """The SDK tells an exemplar once; a second scrape shows it all the same, and a forgotten series has none."""
    page = pulled()
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    turns = page.meter.create_counter("agentnet.turns")
    shown = []
    for _ in range(2):
        with tracer.start_as_current_span("turn") as span:
            turns.add(1)
        shown += [samples(page.families()["agentnet_turns"], "_total")[()].exemplar.labels["span_id"] for _ in range(2)]
        assert shown[-2:] == [format(span.get_span_context().span_id, "016x")] * 2
    assert shown[0] != shown[2]


def test_the_exemplars_kept_are_bounded(pulled):
    """Beyond the bound, the series without a new one for longest lose theirs; the values stay."""
    page = pulled()
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    turns = page.meter.create_counter("agentnet.turns")
    memory = ExemplarMemory(max_series=10)
    for number in range(20):
        with tracer.start_as_current_span("turn"):
            turns.add(1, {"agent": str(number)})
        snapshot(lambda: [page.reader.read()], memory)
    (family,) = snapshot(lambda: [page.reader.read()], memory).families
    assert [bool(series.exemplars) for series in family.series] == [False] * 10 + [True] * 10


def test_the_target_is_told_once_with_the_resource(pulled):
    """``target_info`` has what the resource has; ``service_name`` stands on each series besides."""
    page = pulled()
    page.meter.create_counter("agentnet.turns").add(1)
    families = page.families()
    (info,) = families["target"].samples
    assert info.labels == {"service_name": "shop", "service_version": "7"}
    assert {s.labels["service_name"] for f in families.values() for s in f.samples} == {"shop"}


def test_the_classic_text_is_the_same_without_exemplars_units_and_starts(pulled):
    """What does not understand OpenMetrics gets the values all the same."""
    page = pulled()
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    with tracer.start_as_current_span("turn"):
        page.meter.create_counter("agentnet.turns", "{turn}", "Turns\nthat \\ ended.").add(2, {"outcome": "error"})
        page.meter.create_histogram("agentnet.turn.duration", "s").record(1.0)
    found = page.classic_families()
    assert found["agentnet_turns"].documentation == "Turns\nthat \\ ended."
    (turns,) = found["agentnet_turns"].samples
    assert (turns.name, turns.value) == ("agentnet_turns_total", 2)
    assert found["agentnet_turn_duration_seconds"].type == "histogram"
    assert found["target_info"].type == "gauge"
    text = page.text("text/plain")
    assert "_created" not in text
    assert "# UNIT" not in text
    assert "trace_id" not in text


@pytest.mark.parametrize("value", ['say "hi"', "back\\slash", "two\nlines", "ümlaut", "", "a,b=c}"])
def test_any_label_value_comes_back(pulled, value):
    """Both formats escape what would end a label."""
    page = pulled()
    page.meter.create_counter("agentnet.turns").add(1, {"gen_ai.agent.name": value})
    for families in (page.families(), page.classic_families()):
        assert families["agentnet_turns"].samples[0].labels["gen_ai_agent_name"] == value


def test_numbers_of_any_size_come_back(pulled):
    """Small, large and negative ones; prometheus_client reads them back as they were."""
    page = pulled()
    values = {"tiny": 1e-300, "huge": 1.5e300, "below": -0.1, "whole": -3, "exact": 123456789.125}
    for name, value in values.items():
        page.meter.create_observable_gauge(name, [lambda _, value=value: [Observation(value)]])
    families = page.families()
    assert {name: families[name].samples[0].value for name in values} == values


def test_keys_that_become_one_label_are_joined(pulled):
    """As the specification says: one label, the values in order of the keys."""
    page = pulled()
    page.meter.create_counter("agentnet.turns").add(1, {"a.b": "2", "a-b": "1"})
    assert page.families()["agentnet_turns"].samples[0].labels["a_b"] == "1;2"


def test_two_scopes_with_one_name_are_told_apart(pulled):
    """Same name and labels in two scopes: two series with the scope as a label; alone a scope is no label."""
    page = pulled()
    for scope in ("one", "two"):
        page.provider.get_meter(scope).create_counter("calls").add(1, {"agent": "a"})
    page.meter.create_counter("agentnet.turns").add(1)
    families = page.families()
    assert {s.labels["otel_scope_name"] for s in families["calls"].samples} == {"one", "two"}
    assert "otel_scope_name" not in families["agentnet_turns"].samples[0].labels


def test_a_metric_that_contradicts_another_is_left_out_and_told_once(pulled, warnings_of_ours):
    """A counter and a histogram of one name cannot stand on one page: the first stays."""
    page = pulled()
    page.provider.get_meter("one").create_counter("contradiction").add(1)
    page.provider.get_meter("two").create_histogram("contradiction").record(1)
    assert page.families()["contradiction"].type == "counter"
    page.text()
    assert len([text for text in warnings_of_ours() if "contradiction" in text]) == 1


def test_two_readers_of_one_service_give_one_series(pulled, warnings_of_ours):
    """The same series twice would make Prometheus refuse the page: it is left out and told."""
    one, two = pulled(), pulled()
    for page in (one, two):
        page.meter.create_counter("twice").add(1)
    endpoint = PrometheusEndpoint(lambda: [one.reader.read(), two.reader.read()])
    text = endpoint.scrape("application/openmetrics-text").body.decode()
    assert text.count('twice_total{service_name="shop"}') == 1
    assert any("twice" in told for told in warnings_of_ours())


def test_services_on_one_page_keep_their_names(pulled):
    """The bridge shows many services: each series has its own, and each has its target."""
    one, two = pulled(service="shop"), pulled(service="desk")
    for page, count in ((one, 1), (two, 2)):
        page.meter.create_counter("agentnet.turns").add(count)
    endpoint = PrometheusEndpoint(lambda: [None, one.reader.read(), two.reader.read()])
    families = {
        f.name: f for f in text_string_to_metric_families(endpoint.scrape("application/openmetrics-text").body.decode())
    }
    totals = {s.labels["service_name"]: s.value for s in families["agentnet_turns"].samples if "_total" in s.name}
    assert totals == {"shop": 1, "desk": 2}
    assert len(families["target"].samples) == 2


def test_an_exponential_histogram_does_not_break_the_page(pulled):
    """It has no fixed edges: count, sum and one bucket are shown."""
    page = pulled(views=[View(instrument_name="waits", aggregation=ExponentialBucketHistogramAggregation())])
    histogram = page.meter.create_histogram("waits", "s")
    for seconds in (1, 2, 3):
        histogram.record(seconds)
    family = page.families()["waits_seconds"]
    values = {s.name.removeprefix("waits_seconds"): s.value for s in family.samples}
    assert (values["_bucket"], values["_count"], values["_sum"]) == (3, 3, 6)


def test_a_reader_of_deltas_is_refused(pulled):
    """One sentence says which metric, and what to change."""
    reader = InMemoryMetricReader(preferred_temporality={Counter: AggregationTemporality.DELTA})
    provider = MeterProvider([reader], shutdown_on_exit=False)
    provider.get_meter("tests").create_counter("agentnet.turns").add(1)
    endpoint = PrometheusEndpoint(lambda: [reader.get_metrics_data()])
    with pytest.raises(ConfigurationError, match=r"agentnet\.turns as deltas.*preferred_temporality"):
        endpoint.scrape()
    provider.shutdown()


def test_our_reader_is_cumulative_whatever_is_preferred_for_pushing(pulled, monkeypatch):
    """Two scrapes without anything between them show the same value, also where OTLP goes out as deltas."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
    page = pulled()
    page.meter.create_counter("agentnet.turns").add(4)
    assert [page.families()["agentnet_turns"].samples[0].value for _ in range(2)] == [4, 4]


def test_a_registry_of_prometheus_client_shows_the_same_page(pulled):
    """Registered, the collector gives what the endpoint's own writer gives, exemplars and starts included."""
    page = pulled()
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    with tracer.start_as_current_span("turn"):
        page.meter.create_counter("agentnet.turns", "{turn}", "Turns.").add(1, {"outcome": "error"})
        page.meter.create_histogram("agentnet.turn.duration", "s", "Time.").record(3.0, {"outcome": "error"})
        page.meter.create_up_down_counter("agentnet.turn.active", "{turn}", "Open.").add(1)
    registry = CollectorRegistry()
    collector = page.endpoint.register(registry)

    def told(text):
        return {
            (s.name, tuple(sorted(s.labels.items())), round(s.value, 3), s.exemplar and s.exemplar.value)
            for family in text_string_to_metric_families(text)
            for s in family.samples
        }

    assert told(generate_latest(registry).decode()) == told(page.text())
    registry.unregister(collector)
    assert generate_latest(registry) == b"# EOF\n"


def test_a_registry_shows_the_page_once(pulled):
    """An application that is set up twice registers twice, perhaps with another registry, or takes it off before."""
    page = pulled()
    page.meter.create_counter("agentnet.turns").add(1)
    registry, other = CollectorRegistry(), CollectorRegistry()
    for one in (registry, registry, other):
        collector = page.endpoint.register(one)
    for one in (registry, other):
        assert generate_latest(one).decode().count("# TYPE agentnet_turns ") == 1
    other.unregister(collector)
    assert b"agentnet_turns" not in generate_latest(other)
    page.endpoint.register(other)
    assert generate_latest(other).decode().count("# TYPE agentnet_turns ") == 1


def test_a_provider_that_was_shut_down_has_an_empty_page(pulled, warnings_of_ours):
    """No error: there is nothing any more."""
    page = pulled()
    page.meter.create_counter("agentnet.turns").add(1)
    page.provider.shutdown()
    assert page.text() == "# EOF\n"
    assert warnings_of_ours() == []


def test_a_failing_observation_costs_itself_alone(pulled):
    """The SDK contains what a callback raises; the other metrics are there."""
    page = pulled()

    def fail(_: CallbackOptions):
        raise ValueError("no sensor")

    page.meter.create_observable_gauge("broken", [fail])
    page.meter.create_counter("agentnet.turns").add(1)
    assert page.families()["agentnet_turns"].samples[0].value == 1
