"""Every query of every dashboard, and every recording rule, on a real Prometheus with the metrics of real processes."""

import json
import sys
import urllib.parse
from pathlib import Path

import pytest

from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.outputs.dashboards.catalogue import dashboards
from agentnet_otel.outputs.rules.catalogue import RuleOptions, all_rules
from tests.e2e.conftest import command_line, eventually, free_port, get_json

HERE = Path(__file__).parent
SECONDS = 30
"""What `$__rate_interval` is here: scrapes are a second apart."""
QUERIES = {
    f"{spec.uid}: {panel.title}: {place}": query.expr
    for spec in dashboards(ThresholdTable())
    for _, panels in spec.rows
    for panel in panels
    for place, query in enumerate(panel.queries)
}


def filled_in(expr):
    """A query as Grafana sends it where everything is chosen."""
    chosen = expr.replace("$__rate_interval", f"{SECONDS}s")
    for variable in ("service", "agent", "model"):
        chosen = chosen.replace(f"${variable}", ".*")
    return chosen


@pytest.fixture(scope="module")
def prometheus(servers):
    """A Prometheus that scrapes an application and the bridge, with our rules; asks it."""
    grpc, web, _ = servers.bridge()
    app, address = free_port(), f"127.0.0.1:{free_port()}"
    environment = {
        "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_EXPORTER_PROMETHEUS_PORT": str(app),
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{grpc}",
        "OTEL_SERVICE_NAME": "shop",
    }
    servers.start_http("steady", [sys.executable, HERE / "steady.py"], f"http://127.0.0.1:{app}/metrics", environment)
    (servers.folder / "agentnet.rules.yml").write_text(all_rules(RuleOptions()))
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["agentnet.rules.yml"],
        "scrape_configs": [
            {"job_name": "shop", "static_configs": [{"targets": [f"127.0.0.1:{app}"]}]},
            {"job_name": "bridge", "static_configs": [{"targets": [web]}]},
        ],
    }
    (servers.folder / "prometheus.yml").write_text(json.dumps(configuration))
    command = [
        servers.program("prometheus"),
        "--config.file=prometheus.yml",
        f"--web.listen-address={address}",
        "--storage.tsdb.path=data",
        "--enable-feature=exemplar-storage,created-timestamp-zero-ingestion",
    ]
    servers.start_http("prometheus", command, f"http://{address}/-/ready")

    def ask(path, **parameters):
        return get_json(f"http://{address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")["data"]

    ask.url = f"http://{address}"
    eventually(lambda: ask("query", query="agent:agentnet_turns:increase5m")["result"], "a recorded series")
    return ask


def test_each_query_of_each_dashboard_has_data(prometheus):
    """No panel is empty: each query gives series, at the latest when a few scrapes are there."""

    def empty():
        return [name for name, expr in QUERIES.items() if not prometheus("query", query=filled_in(expr))["result"]]

    assert eventually(lambda: empty() == [], "data in each panel", 60), empty()


def test_each_rule_is_evaluated_without_an_error(prometheus):
    """Prometheus has all rules, and each one that was evaluated is well; what looks back for days comes later."""

    def rules():
        return [rule for group in prometheus("rules")["groups"] for rule in group["rules"]]

    def waiting():
        groups = [group for group in prometheus("rules")["groups"] if group["interval"] == 1]
        return [rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "unknown"]

    assert len(rules()) == all_rules(RuleOptions()).count("expr: |-")
    eventually(lambda: not waiting(), "rules that were evaluated")
    assert not [(rule["name"], rule["lastError"]) for rule in rules() if rule.get("lastError")]


def test_exemplars_lead_to_turns(prometheus):
    """Prometheus keeps the exemplars of the page, each with a trace and a span."""
    exemplars = eventually(
        lambda: prometheus(
            "query_exemplars", query="agentnet_turn_duration_seconds_bucket", start="0", end="9999999999"
        ),
        "an exemplar",
    )
    labels = exemplars[0]["exemplars"][0]["labels"]
    assert {name: len(value) for name, value in labels.items()} == {"trace_id": 32, "span_id": 16}


def test_the_doctor_finds_series_and_rules(prometheus):
    """On a real server nothing is to change: services, buckets, rules and start times are as they should be."""
    told = json.loads(command_line("doctor", "--prometheus", prometheus.url, "--json"))["findings"]
    whats = " ".join(finding["what"] for finding in told)
    assert "turns of the services shop" in whats
    assert "le is printed as 5.0" in whats
    assert [finding for finding in told if finding["change"]] == []
