"""Metrics of the SDK, and the page that Prometheus would see of them."""

import pytest
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
from opentelemetry.sdk.resources import Resource
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_classic

from agentnet_otel.outputs.prometheus import PrometheusEndpoint, PullReader

OPENMETRICS = "application/openmetrics-text;version=1.0.0"


class Pulled:
    """A provider that is pulled."""

    def __init__(self, service="shop", **given):
        self.reader = PullReader()
        self.provider = MeterProvider(
            [self.reader],
            resource=Resource({"service.name": service, "service.version": "7"}),
            shutdown_on_exit=False,
            **given,
        )
        self.meter = self.provider.get_meter("tests")
        self.endpoint = PrometheusEndpoint.of_reader(self.reader)

    def text(self, accept=OPENMETRICS):
        """The page."""
        return self.endpoint.scrape(accept).body.decode()

    def families(self):
        """The page as the strict parser of prometheus_client reads it, by name."""
        return {family.name: family for family in parse_openmetrics(self.text())}

    def classic_families(self):
        """The classic page, parsed, by name."""
        return {family.name: family for family in parse_classic(self.text("text/plain"))}


@pytest.fixture
def pulled():
    """Makes providers that are pulled."""
    made = []

    def make(**given):
        made.append(Pulled(exemplar_filter=AlwaysOnExemplarFilter(), **given))
        return made[-1]

    yield make
    for one in made:
        one.provider.shutdown()
