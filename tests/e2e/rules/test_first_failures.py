"""A series that is just born counts from zero: five first errors are an increase of five, pulled and by OTLP."""

import urllib.parse

import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from agentnet_otel import semconv
from agentnet_otel.outputs.prometheus import PrometheusEndpoint, PullReader
from tests.e2e.conftest import eventually, free_port, get_json

INCREASE = 'increase(agentnet_turns_total{agentnet_turn_outcome="error"}[1m])'
SAMPLES = 'count_over_time(agentnet_turns_total{agentnet_turn_outcome="error"}[1m])'
ENOUGH = 40
"""With so many samples, what Prometheus adds beyond the last is little."""


@pytest.fixture
def prometheus(servers):
    """Starts one that scrapes a target and takes OTLP."""

    def start(target):
        configuration = {
            "global": {"scrape_interval": "100ms", "scrape_timeout": "100ms"},
            "scrape_configs": [{"job_name": "pulled", "static_configs": [{"targets": [target]}]}],
        }
        _, address = servers.prometheus(configuration, "--scrape.discovery-reload-interval=100ms")

        def ask(query):
            found = get_json(f"http://{address}/api/v1/query?{urllib.parse.urlencode({'query': query})}")
            return {one["metric"]["job"]: float(one["value"][1]) for one in found["data"]["result"]}

        return address, ask

    return start


def test_five_errors_are_an_increase_of_five(prometheus):
    """The page was scraped before, without the series; it is there at once with five."""
    pulled, target = PullReader(), free_port()
    address, ask = prometheus(f"127.0.0.1:{target}")
    exporter = OTLPMetricExporter(endpoint=f"http://{address}/api/v1/otlp/v1/metrics")
    pushed = PeriodicExportingMetricReader(exporter, export_interval_millis=100)
    provider = MeterProvider([pulled, pushed], Resource({"service.name": "sent"}), shutdown_on_exit=False)
    page = PrometheusEndpoint.of_reader(pulled).start_http_server(port=target)
    try:
        turns = provider.get_meter("tests").create_counter(semconv.METRIC_TURNS, semconv.UNIT_TURN)
        turns.add(1, {semconv.TURN_OUTCOME: "success"})
        eventually(lambda: set(ask("count by (job) (agentnet_turns_total)")) == {"pulled", "sent"}, "both ways")
        turns.add(5, {semconv.TURN_OUTCOME: "error"})

        def enough():
            samples = ask(SAMPLES)
            return set(samples) == {"pulled", "sent"} and min(samples.values()) >= ENOUGH

        eventually(enough, "samples of both ways")
        assert ask(INCREASE) == {"pulled": pytest.approx(5, rel=0.1), "sent": pytest.approx(5, rel=0.1)}
    finally:
        page.close()
        provider.shutdown()
