"""What one scrape costs the application: 500 counters and 500 histograms, beside the SDK's own exporter for Prometheus.

Both ways collect from a provider of their own that holds the same values; each format is measured beside the same one.
In OpenMetrics ours has exemplars and start times besides.
"""

from collections.abc import Callable

from measuring import Timings, arguments, publish
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from agentnet_otel.outputs.prometheus import PrometheusEndpoint, PullReader

OPENMETRICS = "application/openmetrics-text"


def filled(reader: MetricReader, metrics: int) -> MeterProvider:
    """A provider with as many counters as histograms, one series each."""
    provider = MeterProvider([reader], shutdown_on_exit=False)
    meter = provider.get_meter("bench")
    for number in range(metrics):
        labels = {"gen_ai.agent.name": f"agent-{number % 20}", "gen_ai.request.model": "m-large", "outcome": "success"}
        meter.create_counter(f"counter.{number}", "{turn}", "Counted.").add(number, labels)
        meter.create_histogram(f"histogram.{number}", "s", "Measured.").record(number / 100, labels)
    return provider


def main() -> None:
    """Measure, print, keep."""
    asked = arguments(__doc__, metrics=500, rounds=15)
    ours, theirs = PullReader(), PrometheusMetricReader()
    providers = [filled(reader, asked.metrics) for reader in (ours, theirs)]
    endpoint = PrometheusEndpoint.of_reader(ours)
    ways: dict[str, Callable[[], object]] = {
        "classic": lambda: endpoint.scrape("text/plain"),
        "openmetrics": lambda: endpoint.scrape(OPENMETRICS),
        "stock": lambda: generate_latest(REGISTRY),
        "stock_openmetrics": lambda: generate_openmetrics(REGISTRY),
    }
    assert b'histogram_7_seconds_bucket{service_name="unknown_service' in endpoint.scrape("text/plain").body
    assert b"histogram_7_seconds_bucket{" in generate_latest(REGISTRY)
    timings = Timings({name: _without_result(way) for name, way in ways.items()}, asked.rounds)
    for name in ways:
        print(f"{name}: {1000 * timings.median(name):.1f} ms")
    ratios = {
        "beside_stock": timings.ratio("classic", "stock"),
        "openmetrics_beside_stock": timings.ratio("openmetrics", "stock_openmetrics"),
    }
    publish("scrape", ratios, save=asked.save)
    for provider in providers:
        provider.shutdown()


def _without_result(way: Callable[[], object]) -> Callable[[], None]:
    def work() -> None:
        way()

    return work


if __name__ == "__main__":
    main()
