"""Which format a scraper gets, by what it says that it takes."""

import pytest

from agentnet_otel.outputs.prometheus.negotiation import accepts_gzip, prefers_openmetrics

OF_PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;"
    "version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
ACCEPTS = [
    (OF_PROMETHEUS_3, True),
    ("application/openmetrics-text", True),
    ('application/openmetrics-text; version="1.0.0"', True),
    ("text/plain;q=0.5, application/openmetrics-text;q=0.5", True),
    ("text/plain;version=0.0.4;q=0.9,application/openmetrics-text;version=1.0.0;q=0.1", False),
    ("application/openmetrics-text;q=0", False),
    ("application/openmetrics-text;version=2.0.0", False),
    ("application/openmetrics-text;q=high", False),
    ("APPLICATION/OpenMetrics-Text;Q=1.0", True),
    ("text/html,application/xhtml+xml,*/*;q=0.8", False),
    ("application/*", False),
    ("*/*", False),
    ("", False),
    (";;,/,", False),
]


@pytest.mark.parametrize(("accept", "openmetrics"), ACCEPTS)
def test_openmetrics_is_for_those_who_name_it_and_prefer_it(accept, openmetrics):
    """A browser gets the classic text, and so does whoever values it higher."""
    assert prefers_openmetrics(accept) is openmetrics


@pytest.mark.parametrize(
    ("accept_encoding", "compressed"),
    [("gzip", True), ("deflate, GZIP;q=0.5", True), ("gzip;q=0", False), ("identity", False), ("", False)],
)
def test_the_page_is_compressed_for_those_who_take_that(accept_encoding, compressed):
    """As the header says, quality 0 meaning no."""
    assert accepts_gzip(accept_encoding) is compressed
