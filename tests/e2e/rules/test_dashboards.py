"""One application, its metrics on three paths at once, a real Prometheus at the end of each.

Every sample is the same on all paths, and every query of every dashboard and every rule works on each, unchanged.
"""

import contextlib
import json
import math
import re
import sys
import urllib.parse
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.outputs.dashboards.catalogue import dashboards
from agentnet_otel.outputs.rules.catalogue import RuleOptions, all_rules
from tests.e2e.conftest import ROOT, START_TIMES, command_line, eventually, free_port, get_json

HERE = Path(__file__).parent
SECONDS = 30
"""What `$__rate_interval` is here: scrapes are a second apart."""
PATHS = ("pull", "collector", "otlp")
DIFFERING = ("job", "instance")
"""Labels that may differ: who was scraped. Where Prometheus is written to, they are the service and its instance."""
IDENTITY = ("service_name", "service_instance_id", "service_namespace")
"""What the Collector and Prometheus tell of a resource by `job` and `instance`, and our page by these."""
ROUNDING = 1e-9
"""A reader that is read often adds the same numbers in other portions: their sums differ in the last digits."""
MOMENTARY = "agentnet_turn_active_oldest_age_seconds"
"""An age: each path reads it at another moment."""
SERIES = f'{{__name__=~"(agentnet|gen_ai)_.+", __name__!="{MOMENTARY}", service_name="shop"}}'
RECORDED = "agent:agentnet_turns:increase5m"
QUERIES = {
    f"{spec.uid}: {panel.title}: {place}": query.expr
    for spec in dashboards(ThresholdTable())
    for _, panels in spec.rows
    for panel in panels
    for place, query in enumerate(panel.queries)
}


RUNBOOKS = {
    f"{page.stem}: {place}": query
    for page in sorted((ROOT / "docs" / "runbooks").glob("*.md"))
    for block in re.findall(r"```promql\n(.*?)```", page.read_text(), re.DOTALL)
    for place, query in enumerate(block.strip().split("\n\n"))
}
RARE = ("agentnet_policy_violations_total", "agentnet_otel_", "error|fault|timeout", "error_type", "failed:ratio")
"""What a few turns of the demo may have none of."""


def filled_in(expr):
    """A query as Grafana sends it where everything is chosen."""
    chosen = expr.replace("$__rate_interval", f"{SECONDS}s")
    for variable in ("service", "agent", "model"):
        chosen = chosen.replace(f"${variable}", ".*")
    return chosen


class Prometheus:
    """A Prometheus that is asked."""

    def __init__(self, address):
        self.url = f"http://{address}"

    def __call__(self, path, **parameters):
        return get_json(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}")["data"]

    def samples(self, selector):
        """The value of each series by its labels, without those that may differ; ``le`` as a number."""
        found = {}
        for series in self("query", query=selector)["result"]:
            labels = {name: value for name, value in series["metric"].items() if name not in DIFFERING}
            if "le" in labels:
                labels["le"] = float(labels["le"])
            assert frozenset(labels.items()) not in found, labels
            found[frozenset(labels.items())] = float(series["value"][1])
        return found


def started_prometheus(servers, path, address, targets):
    """One with the configuration of deploy/, only faster; ``targets`` are the jobs it has, and where."""
    folder = servers.folder / path
    folder.mkdir()
    (folder / "agentnet.rules.yml").write_text(all_rules(RuleOptions()))
    configuration = YAML(typ="safe").load(ROOT / "deploy" / "prometheus" / "prometheus.yml")
    known = {job["job_name"]: job for job in configuration["scrape_configs"]}
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["scrape_configs"] = [
        {
            **{name: value for name, value in known.get(job, {}).items() if "sd_configs" not in name},
            "job_name": job,
            "static_configs": [{"targets": [target]}],
        }
        for job, target in targets.items()
    ]
    for job in configuration["scrape_configs"]:
        job.pop("authorization", None)
    del configuration["alerting"]
    servers.prometheus(configuration, features=f"exemplar-storage,{START_TIMES}", folder=folder, address=address)
    return Prometheus(address)


@pytest.fixture(scope="module")
def ways(servers):
    """A Prometheus at the end of each path, all of the same application; the bridge is scraped by each."""
    grpc, web, _ = servers.bridge("--webhook", f"http://127.0.0.1:{free_port()}")
    app, gateway, scraped, written = (f"127.0.0.1:{free_port()}" for _ in range(4))
    token = servers.folder / "token"
    token.write_text("unused")
    environment = {
        "OTLP_HTTP_ENDPOINT": gateway,
        "OTLP_GRPC_ENDPOINT": f"127.0.0.1:{free_port()}",
        "PROMETHEUS_SCRAPE_ENDPOINT": scraped,
        "BRIDGE_ENDPOINT": grpc,
        "BRIDGE_TOKEN_FILE": str(token),
        "JAEGER_ENDPOINT": f"127.0.0.1:{free_port()}",
        "QUEUE_FOLDER": str(servers.folder / "queue"),
        "TELEMETRY_HOST": "127.0.0.1",
    }
    files = [ROOT / "deploy" / "collector" / name for name in ("gateway.yaml", "scraped.yaml")]
    servers.collector(*files, environment=environment)
    made = {
        "pull": started_prometheus(servers, "pull", f"127.0.0.1:{free_port()}", {"shop": app, "bridge": web}),
        "collector": started_prometheus(
            servers, "collector", f"127.0.0.1:{free_port()}", {"gateway": scraped, "bridge": web}
        ),
        "otlp": started_prometheus(servers, "otlp", written, {"bridge": web}),
    }
    command = [
        sys.executable,
        HERE / "steady.py",
        app.split(":")[1],
        f"http://{gateway}/v1/metrics",
        f"http://{written}/api/v1/otlp/v1/metrics",
        servers.folder / "rest",
    ]
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{grpc}",
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
    }
    servers.start_http("steady", command, f"http://{app}/metrics", variables)
    for path, ask in made.items():
        eventually(lambda ask=ask: ask("query", query=RECORDED)["result"], f"a recorded series on {path}")
    return made


@pytest.fixture(params=PATHS)
def prometheus(request, ways):
    """The Prometheus of a path."""
    return ways[request.param]


@pytest.fixture(scope="module")
def at_rest(servers, ways):
    """The same, once the application does nothing any more."""
    (servers.folder / "rest").touch()
    return ways


def test_each_query_of_each_dashboard_has_data(prometheus):
    """No panel is empty: each query gives series, at the latest when a few scrapes are there."""

    def empty():
        return [name for name, expr in QUERIES.items() if not prometheus("query", query=filled_in(expr))["result"]]

    assert eventually(lambda: empty() == [], "data in each panel", 60), empty()


def test_each_query_of_each_runbook_works(prometheus):
    """As somebody writes it at night: names in the place of SERVICE, AGENT and TOOL, and it has an answer."""

    def empty():
        found = []
        for name, expr in RUNBOOKS.items():
            asked = re.sub(r'="(SERVICE|AGENT|TOOL)"', '=~".+"', expr).replace("SERVICE", "")
            result = prometheus("query", query=asked)["result"]
            if not result and not any(part in expr for part in RARE):
                found.append(name)
        return found

    assert len(RUNBOOKS) > 40
    assert eventually(lambda: empty() == [], "an answer to each query", 60), empty()


def test_each_metric_of_the_bridge_has_series(prometheus):
    """Also those whose panels show 0 where there are none."""
    names = {name for expr in QUERIES.values() for name in re.findall(r"agentnet_bridge_\w+", expr)}
    names -= {"agentnet_bridge_result", "agentnet_bridge_door", "agentnet_bridge_part"}  # labels
    assert len(names) > 15
    assert [name for name in names if not prometheus("query", query=f"count({name})")["result"]] == []


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


@pytest.mark.parametrize(("path", "le"), [("pull", "5.0"), ("collector", "5.0"), ("otlp", "5")])
def test_the_doctor_finds_series_and_rules(ways, path, le):
    """On a real server nothing is to change: services, buckets, rules and start times are as they should be.

    An agent that has not ended ten turns yet is told all the same.
    """
    told = json.loads(command_line("doctor", "--prometheus", ways[path].url, "--json"))["findings"]
    whats = " ".join(finding["what"] for finding in told)
    assert "turns of the services shop" in whats
    assert f"le is printed as {le};" in whats
    changes = [finding for finding in told if finding["change"]]
    assert [finding for finding in changes if not finding["what"].startswith("fewer than 10 turns")] == []


def unlike(path, pull, other):
    """Series that one of two has alone, or whose values differ by more than the order in which numbers are added."""
    for labels in pull.keys() | other.keys():
        found = pull.get(labels), other.get(labels)
        if None in found or not math.isclose(*found, rel_tol=ROUNDING):
            yield f"{path}: {dict(labels)}: {found}"


def test_every_sample_is_the_same_on_all_paths(at_rest):
    """Names, labels and values: of every series of ours, buckets included, all that the pulled page has and no more."""
    differing = []

    def same():
        pull, *others = (at_rest[path].samples(SERIES) for path in PATHS)
        differing[:] = [
            text for path, other in zip(PATHS[1:], others, strict=True) for text in unlike(path, pull, other)
        ]
        return not differing

    with contextlib.suppress(AssertionError):  # what differs says more
        eventually(same, "the same samples everywhere", 30)
    assert not differing, "\n".join(differing)
    names = {dict(labels)["__name__"] for labels in at_rest["pull"].samples(SERIES)}
    assert names >= {"agentnet_turns_total", "agentnet_turn_duration_seconds_bucket", "agentnet_turn_cost_usd_sum"}


def test_the_resource_is_the_same_on_all_paths(at_rest):
    """`target_info` says once on each path what else is known of the application."""
    told = [
        [
            {name: value for name, value in dict(labels).items() if name not in IDENTITY}
            for labels in at_rest[path].samples('target_info{deployment_environment_name="test"}')
        ]
        for path in PATHS
    ]
    assert len(told[0]) == 1
    assert told[0] == told[1] == told[2]
