"""Metrics for Prometheus to pull: OpenMetrics with exemplars, or the classic text.

    reader = PullReader()
    provider = MeterProvider([reader])
    PrometheusEndpoint.of_reader(reader).start_http_server(port=9464)

`agentnet_otel.instrument().prometheus()` is the endpoint of what `instrument()` counts. Whoever has the SDK's metric
data from elsewhere makes one with `PrometheusEndpoint(readings)`, and asks its `scrape` for each request.
"""

from agentnet_otel.outputs.prometheus.endpoint import PrometheusEndpoint
from agentnet_otel.outputs.prometheus.families import Readings
from agentnet_otel.outputs.prometheus.http_server import MetricsServer
from agentnet_otel.outputs.prometheus.reader import PullReader
from agentnet_otel.outputs.prometheus.text import Exposition

__all__ = ["Exposition", "MetricsServer", "PrometheusEndpoint", "PullReader", "Readings"]
