"""An application whose metrics go three ways at once: pulled, to the Collector, to Prometheus' OTLP receiver.

usage: steady.py PORT COLLECTOR PROMETHEUS REST; the two are addresses of OTLP metrics over HTTP. Turns of the demo's
agents, one with a violation now and then, until there is a file REST: from then on it only sends what it has counted.
"""

import asyncio
import itertools
import sys
import threading
from pathlib import Path

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

import agentnet_otel
from agentnet_otel.demo.builtin import run_builtin
from agentnet_otel.demo.plan import make_plan
from agentnet_otel.outputs.prometheus import PrometheusEndpoint, PullReader

EVERY_MS = 1000


def main(port, collector, prometheus, rest):
    """Run turns until it is to rest."""
    pulled = PullReader()
    pushed = [
        PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=address), export_interval_millis=EVERY_MS)
        for address in (collector, prometheus)
    ]
    agentnet_otel.instrument(meter_provider=MeterProvider(metric_readers=[pulled, *pushed]))
    PrometheusEndpoint.of_reader(pulled).start_http_server(port=int(port))
    for seed in itertools.count(1):
        if Path(rest).exists():
            threading.Event().wait()
        asyncio.run(run_builtin(make_plan(24, seed), lambda: None))
        with agentnet_otel.turn("planner", model="m-large") as turn:
            turn.record_policy_violation("no-secrets", severity="minor")
            turn.record_cost(usd=0.001)


if __name__ == "__main__":
    main(*sys.argv[1:])
