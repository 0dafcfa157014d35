"""`doctor --prometheus` on real servers that are set up wrongly: each fault is found, with the change to make."""

import json
import threading
import time
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agentnet_otel import semconv
from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.outputs.rules.catalogue import RuleOptions, alerts, all_rules
from agentnet_otel.sources.prometheus_api import PrometheusApi
from agentnet_otel.wiring.prometheus_diagnosis import examine
from tests.e2e.conftest import START_TIMES, command_line, eventually, free_port, get_json

OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
PROMOTED = {"promote_resource_attributes": ["service.name"]}
CUMULATIVE, DELTA = 2, 1
ALERTS = {alert.alert for alert in alerts(RuleOptions())}


def page(turns, *, edges=semconv.EDGES_TURN_SECONDS, le=float, who='service_name="shop",', costs=True, created=True):
    """A page of an agent's metrics, as OpenMetrics."""
    label = f'{who}gen_ai_agent_name="planner",gen_ai_request_model="m",agentnet_turn_outcome="success"'
    born = time.time() - 5
    lines = ["# TYPE agentnet_turns counter", f"agentnet_turns_total{{{label}}} {turns}"]
    lines += [f"agentnet_turns_created{{{label}}} {born}"] if created else []
    lines += ["# TYPE agentnet_turn_duration_seconds histogram"]
    for edge in edges:
        lines.append(f'agentnet_turn_duration_seconds_bucket{{{label},le="{le(edge)}"}} {turns}')
    lines.append(f'agentnet_turn_duration_seconds_bucket{{{label},le="+Inf"}} {turns}')
    lines += [f"agentnet_turn_duration_seconds_{part}{{{label}}} {turns}" for part in ("count", "sum")]
    if costs:
        lines += ["# TYPE agentnet_turn_cost_usd histogram", f'agentnet_turn_cost_usd_bucket{{le="+Inf"}} {turns}']
        lines += [f"agentnet_turn_cost_usd_{part} {turns}" for part in ("count", "sum")]
    return "\n".join([*lines, "# EOF", ""])


@contextmanager
def serving(text, content_type=OPEN_METRICS):
    """The address where ``text()`` is scraped."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            """Answer."""
            body = text().encode()
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def prometheus(servers):
    """Starts a Prometheus; ``jobs``: where they scrape. Without ``rules`` it has none."""
    begun = []

    def start(jobs=None, *, features=START_TIMES, rules=True, otlp=None):
        folder = servers.folder / f"prometheus-{len(begun)}-{free_port()}"
        folder.mkdir()
        (folder / "agentnet.rules.yml").write_text(all_rules(RuleOptions()))
        configuration = {
            "global": {"scrape_interval": "100ms", "scrape_timeout": "100ms", "evaluation_interval": "1s"},
            "rule_files": ["agentnet.rules.yml"] if rules else [],
            "otlp": otlp or {},
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in (jobs or {}).items()
            ],
        }
        process, address = servers.prometheus(
            configuration, "--scrape.discovery-reload-interval=100ms", features=features, folder=folder
        )
        begun.append(process)
        return f"http://{address}"

    yield start
    for process in begun:
        process.stop()


def findings(url):
    """What is found, with what is to change."""
    return {finding.what: finding.change for finding in examine(PrometheusApi(url), ThresholdTable())}


def change_of(part, url):
    """The change for what is found with a part of its words; waited for, as samples have to come first."""

    def found():
        return [change for what, change in findings(url).items() if part in what]

    (change,) = eventually(found, f"a finding with {part!r}")
    return change


def wait_for(url, query):
    """Until a query has an answer."""
    eventually(lambda: get_json(f"{url}/api/v1/query?query={query}")["data"]["result"], query)


def send(url, temporality):
    """Counters of turns by OTLP, as an application sends them; the status of the answer."""
    now_ns = time.time_ns()
    point = {
        "attributes": [{"key": "gen_ai.agent.name", "value": {"stringValue": "planner"}}],
        "startTimeUnixNano": str(now_ns - 10**9),
        "timeUnixNano": str(now_ns),
        "asDouble": 20,
    }
    total = {"dataPoints": [point], "aggregationTemporality": temporality, "isMonotonic": True}
    metric = {"name": semconv.METRIC_TURNS, "unit": semconv.UNIT_TURN, "sum": total}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    body = {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]}
    request = urllib.request.Request(  # noqa: S310 - http, of this test
        f"{url}/api/v1/otlp/v1/metrics", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_where_all_is_well(prometheus):
    """Nothing is to change but what a new server cannot have: traffic."""
    grown = iter(range(20, 10_000))
    with serving(lambda: page(next(grown))) as target:
        url = prometheus({"shop": target})
        wait_for(url, "agentnet_turns_total")
        eventually(lambda: not any(findings(url).values()), "nothing to change")


def test_no_series_and_no_rules(prometheus):
    """A server that nobody told of us."""
    url = prometheus(rules=False)
    assert "scrape handle.prometheus()" in change_of("no series agentnet_turns_total", url)
    assert "name the file under rule_files" in change_of(f"0 of {len(ALERTS)} alerts are loaded", url)


def test_buckets_of_other_edges(prometheus):
    """A view took the edges away that the limits need; le is told as it is printed."""
    with serving(lambda: page(20, edges=(1, 10))) as target:
        url = prometheus({"shop": target})
        wait_for(url, "agentnet_turns_total")
        assert "other bucket edges" in change_of("ends at 2 s", url)
        assert "other bucket edges" in change_of("ends at 5 s", url)
        assert change_of("le is printed as nothing known", url) == ""


def test_latency_that_cannot_be_reached_by_these_rules(prometheus):
    """A server that drops the histograms."""
    with serving(lambda: page(20).replace("_duration_", "_endurance_")) as target:
        url = prometheus({"shop": target})
        wait_for(url, "agentnet_turns_total")
        assert "drops histograms" in change_of("no series agentnet_turn_duration_seconds_bucket", url)


def test_deltas_are_refused(prometheus):
    """As Prometheus is by default: there are no series, and why is told."""
    url = prometheus(otlp=PROMOTED)
    send(url, DELTA)
    assert "for deltas are refused" in change_of("no series agentnet_turns_total", url)


def test_deltas_are_stored_as_they_come(prometheus):
    """With a feature that makes every increase wrong."""
    url = prometheus(features=f"{START_TIMES},otlp-native-delta-ingestion", otlp=PROMOTED)
    assert send(url, DELTA) == 200
    wait_for(url, "agentnet_turns_total")
    assert "otlp-deltatocumulative" in change_of("deltas are stored as they come", url)


def test_service_name_is_not_promoted(prometheus):
    """The service is in job alone."""
    url = prometheus()
    assert send(url, CUMULATIVE) == 200
    wait_for(url, "agentnet_turns_total")
    assert "promote_resource_attributes: [service.name]" in change_of("series without service_name", url)


def test_two_jobs_write_the_same_turns(prometheus):
    """One page, scraped twice."""
    with serving(lambda: page(20)) as target:
        url = prometheus({"shop": target, "also-shop": target})
        wait_for(url, "count(agentnet_turns_total)==2")
        assert "serve --metrics auto" in change_of("turns of shop/planner come from more than one job", url)


def test_processes_share_one_page(prometheus):
    """Each scrape meets another process: the counter goes back all the time."""
    values = iter(range(10_000))
    with serving(lambda: page(100 if next(values) % 2 else 50)) as target:
        url = prometheus({"shop": target})
        assert "give each worker its own port" in change_of("counters of shop start anew all the time", url)


@pytest.mark.parametrize(("features", "part", "change"), [
    ("exemplar-storage", "start times are not used", START_TIMES),
    (START_TIMES, "come without their start times", "let Prometheus scrape OpenMetrics"),
])  # fmt: skip
def test_start_times_are_missing(prometheus, features, part, change):
    """Prometheus does not ask for them, or the page does not tell them."""
    with serving(lambda: page(20, created=False)) as target:
        url = prometheus({"shop": target}, features=features)
        wait_for(url, "agentnet_turns_total")
        assert change in change_of(part, url)


def test_limits_that_the_traffic_cannot_reach(prometheus, tmp_path):
    """Hardly a turn, none with a cost, and limits of an agent that is written otherwise."""
    limits = tmp_path / "limits.yaml"
    limits.write_text("agents:\n  Planner:\n    cost_per_turn: {recommended: 1, critical: 2}\n")
    with serving(lambda: page(2, costs=False)) as target:
        url = prometheus({"shop": target})
        wait_for(url, "increase(agentnet_turns_total[2h])")
        assert "agentnet-otel check" in change_of("fewer than 10 turns in 2h: shop/planner", url)
        assert "install the extra prices" in change_of("no turn has a cost", url)
        told = command_line("doctor", "--prometheus", url, "--thresholds", limits)
    assert "limits of agents without any turn: Planner" in told
