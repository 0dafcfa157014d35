"""`Handle.prometheus()`, and the page that the standard variables ask for; what is global has its own process."""

import os
import subprocess
import sys

import pytest
from opentelemetry.metrics import NoOpMeterProvider

import agentnet_otel
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.testing import InMemoryTelemetry

READ = """
import urllib.request
def scrape(port):
    return urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
def turns(page):
    return [line.rpartition(" ")[2] for line in page.splitlines() if line.startswith("agentnet_turns_total")]
"""


def run(code, **environment):
    """Standard output and error of a process."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AGENTNET_OTEL_"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", READ + code],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_the_handle_shows_what_its_provider_counts(telemetry, handle):
    """The provider given, pulled besides its own reader; after the shutdown the page is empty."""
    page = handle.prometheus()
    assert handle.prometheus() is page
    with agentnet_otel.turn("planner", model="m-large"):
        pass
    body = page.scrape().body.decode()
    assert 'agentnet_turns_total{service_name="' in body
    handle.shutdown()
    assert page.scrape().body == b""


def test_a_provider_that_is_not_the_sdks_is_a_clear_error():
    """There is nothing to read from."""
    telemetry = InMemoryTelemetry()
    handle = agentnet_otel.instrument(tracer_provider=telemetry.tracer_provider, meter_provider=NoOpMeterProvider())
    with pytest.raises(ConfigurationError, match="NoOpMeterProvider is none"):
        handle.prometheus()
    handle.shutdown()
    telemetry.close()


def test_the_variable_of_the_exporter_starts_the_page():
    """``OTEL_METRICS_EXPORTER=prometheus`` serves at the standard variables' address; shutdown gives it back."""
    code = """
import agentnet_otel, socket
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
import os
os.environ["OTEL_EXPORTER_PROMETHEUS_PORT"] = str(port)
handle = agentnet_otel.instrument()
with agentnet_otel.turn("planner"):
    pass
print(turns(scrape(port)))
handle.shutdown()
socket.create_server(("127.0.0.1", port)).close()
"""
    assert run(code, OTEL_METRICS_EXPORTER="prometheus") == ("['1']\n", "")


def test_a_port_that_is_none_costs_the_page_and_nothing_else():
    """One warning says what is wrong; the application goes on."""
    code = 'import agentnet_otel\nwith agentnet_otel.instrument() and agentnet_otel.turn("planner"): print("went on")'
    out, err = run(code, OTEL_METRICS_EXPORTER="prometheus", OTEL_EXPORTER_PROMETHEUS_PORT="http")
    assert out == "went on\n"
    assert "exporter 'prometheus' is left out: OTEL_EXPORTER_PROMETHEUS_PORT='http' is no port" in err


def test_two_ways_out_of_one_process_are_told():
    """Pushed and pulled, each turn would count twice."""
    code = "import agentnet_otel\nagentnet_otel.instrument().shutdown()"
    environment = {"OTEL_METRICS_EXPORTER": "console,prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": "0"}
    assert "turns count twice" in run(code, **environment)[1]


@pytest.mark.parametrize("preference", ["delta", "LowMemory"])
def test_deltas_towards_prometheus_are_refused_at_set_up(preference):
    """The sentence names the variable and the address; the application goes on without these metrics."""
    code = 'import agentnet_otel\nwith agentnet_otel.instrument() and agentnet_otel.turn("planner"): print("went on")'
    out, err = run(
        code,
        OTEL_METRICS_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_EXPORTER_OTLP_METRICS_ENDPOINT="http://127.0.0.1:9/api/v1/otlp/v1/metrics",
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=preference,
    )
    assert out == "went on\n"
    assert "needs cumulative values: unset it, or set it to cumulative" in err


def test_a_forked_child_counts_from_zero_on_a_port_of_its_own():
    """Its page has its own turns, with an instance of its own; its parent's page goes on as it was."""
    code = """
import agentnet_otel, os, re
handle = agentnet_otel.instrument()
server = handle.prometheus().start_http_server(port=0)
def one_turn():
    with agentnet_otel.turn("planner"):
        pass
def instance(page):
    return re.search(r'service_instance_id="([^"]*)"', page)[1]
one_turn(); one_turn()
read, write = os.pipe()
child = os.fork()
if child == 0:
    own = handle.prometheus().start_http_server(port=0)
    before = turns(scrape(own.port))
    one_turn()
    page = scrape(own.port)
    os.write(write, f"{before} {turns(page)} {instance(page)}".encode())
    os._exit(0)
os.waitpid(child, 0)
told = os.read(read, 1000).decode()
page = scrape(server.port)
print(told.rpartition(" ")[0], turns(page), told.endswith(instance(page)))
handle.shutdown()
server.close()
"""
    out, _ = run("import warnings; warnings.simplefilter('ignore', DeprecationWarning)" + code)
    assert out == "[] ['1'] ['2'] False\n"
