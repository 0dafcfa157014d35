"""The page of metrics that Prometheus pulls: of a handle, and as the standard variables ask for it."""

import os
from typing import Final

from opentelemetry.metrics import MeterProvider

from agentnet_otel.errors import AgentNetOtelError, ConfigurationError
from agentnet_otel.instrumentation import faults, sdk_setup
from agentnet_otel.outputs.prometheus import MetricsServer, PrometheusEndpoint, PullReader
from agentnet_otel.outputs.prometheus.endpoint import DEFAULT_PORT, LOOPBACK

HOST_VARIABLE: Final = "OTEL_EXPORTER_PROMETHEUS_HOST"
PORT_VARIABLE: Final = "OTEL_EXPORTER_PROMETHEUS_PORT"
MAX_PORT: Final = 65_535


class Pulling:
    """The endpoint of one handle, its reader, and the server that the environment asked for."""

    def __init__(self, given: MeterProvider | None) -> None:
        self._given = given
        self._endpoint: PrometheusEndpoint | None = None
        self._export: sdk_setup.MetricExport | None = None
        self._server: MetricsServer | None = None

    def endpoint(self) -> PrometheusEndpoint:
        """Made when first asked for.

        Raises:
            ConfigurationError: the meter provider is not the SDK's, or several processes would share the page.
        """
        if self._endpoint is None:
            reader = PullReader()
            endpoint = PrometheusEndpoint.of_reader(reader)
            self._export = sdk_setup.read_metrics([reader], self._given)
            self._endpoint = endpoint
        return self._endpoint

    def serve_as_asked(self, *, also_pushed: bool) -> None:
        """Serve the page where ``OTEL_METRICS_EXPORTER`` names prometheus; what stands against it is told."""
        if also_pushed:
            faults.logger.warning(
                "agentnet_otel: metrics are pushed and pulled: where both reach one Prometheus, turns count twice; "
                "name one exporter in %s",
                sdk_setup.METRICS.exporter_variable,
            )
        try:
            self._server = self.endpoint().start_http_server(_port(), os.environ.get(HOST_VARIABLE) or LOOPBACK)
        except AgentNetOtelError as error:
            faults.logger.warning("agentnet_otel: exporter 'prometheus' is left out: %s", error)

    def shutdown(self) -> None:
        """Give the port and the reader back."""
        if self._server is not None:
            self._server.close()
        if self._export is not None:
            self._export.shutdown()


def _port() -> int:
    text = os.environ.get(PORT_VARIABLE) or str(DEFAULT_PORT)
    if not text.isdecimal() or int(text) > MAX_PORT:
        message = f"{PORT_VARIABLE}={text!r} is no port: a number from 0 to {MAX_PORT}"
        raise ConfigurationError(message)
    return int(text)
