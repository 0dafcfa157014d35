"""deploy/ on the real servers: the same files and options on other ports; spans in at one end, checks at the others."""

import json
import os
import secrets
import shlex
import shutil
import subprocess
import sys
import time
import urllib.parse
from collections import Counter
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from agentnet_otel.sources.rebuild import rebuild
from tests.e2e.conftest import ROOT, command_line, eventually, facts, free_port, get, get_json, run_workload

TOKEN = secrets.token_hex()
TURNS = 300
SERVICE = "shop"
SLOW_TURNS = 120
"""Enough for a verdict within minutes: the rules ask for fifty."""
SLOW_SERVICE, SLOW_AGENT = "slow-shop", "researcher"
LATENCY_ALERTS = ("AgentNetTurnLatencyWarning", "AgentNetTurnLatencyCritical")
NOTIFIED_S = 300


class Stack:
    """Every server of deploy/, started as the compose file says; only where they are differs."""

    def __init__(self, servers):
        self.servers = servers
        self.folder = servers.folder / "deploy"
        shutil.copytree(ROOT / "deploy", self.folder, ignore=shutil.ignore_patterns("data", "secrets", ".env"))
        self.services = YAML(typ="safe").load(self.folder / "compose.yaml")["services"]
        self.ports = {}
        self._make_secrets()

    def at(self, name):
        """An address of its own for whatever has that name."""
        return self.ports.setdefault(name, f"127.0.0.1:{free_port()}")

    def _make_secrets(self):
        for folder in ("prometheus", "alertmanager"):
            (self.folder / folder / "secrets").mkdir()
        for path in (self.folder / "bridge_token", self.folder / "prometheus" / "secrets" / "bridge_token"):
            path.write_text(TOKEN)
        (self.folder / "alertmanager" / "secrets" / "notification_url").write_text(
            f"http://{self.at('notifications')}/"
        )

    def options(self, service, **places):
        """The options of a service in the compose file; ``places`` are put where its own places are."""
        found = []
        for option in map(str, self.services[service]["command"]):
            name, equals, value = option.partition("=")
            place = places.get(name.lstrip("-").replace(".", "_").replace("-", "_"), value)
            found.append(f"{name}{equals}{place}")
        return found

    def environment_of_collector(self, name):
        """What the configurations of the Collector leave open."""
        return {
            "OTLP_GRPC_ENDPOINT": self.at(f"{name} grpc"),
            "OTLP_HTTP_ENDPOINT": self.at(f"{name} http"),
            "GATEWAY_ENDPOINT": self.at("gateway grpc"),
            "BRIDGE_ENDPOINT": self.at("bridge grpc"),
            "BRIDGE_TOKEN_FILE": str(self.folder / "bridge_token"),
            "JAEGER_ENDPOINT": self.at("jaeger grpc"),
            "PROMETHEUS_OTLP_ENDPOINT": f"http://{self.at('prometheus')}/api/v1/otlp",
            "PROMETHEUS_SCRAPE_ENDPOINT": self.at("scraped gateway"),
            "QUEUE_FOLDER": str(self.servers.folder / f"queue of {name}"),
            "HEALTH_ENDPOINT": self.at(f"{name} health"),
            "TELEMETRY_HOST": "127.0.0.1",
            "TELEMETRY_PORT": self.at(f"{name} telemetry").split(":")[1],
            "DECISION_WAIT": "4s",
        }

    def start_collector(self, name, *files):
        paths = [self.folder / "collector" / file for file in files]
        return self.servers.collector(*paths, environment=self.environment_of_collector(name), name=name)

    def start_jaeger(self):
        data = self.servers.folder / "jaeger data"
        listen = {
            "collector.otlp.grpc": self.at("jaeger grpc"),
            "collector.otlp.http": self.at("jaeger http"),
            "collector.http-server": self.at("jaeger thrift"),
            "collector.grpc-server": self.at("jaeger proto"),
            "query.http-server": self.at("jaeger"),
            "query.grpc-server": self.at("jaeger query grpc"),
            "admin.http": self.at("jaeger admin"),
            "http-server": self.at("jaeger strategies"),
            **{
                f"processor.{kind}.server": self.at(kind)
                for kind in ("jaeger-binary", "jaeger-compact", "zipkin-compact")
            },
        }
        places = [
            f"--{name}{'-' if name.startswith('processor') else '.'}host-port={at}" for name, at in listen.items()
        ]
        self.servers.start_http(
            "jaeger",
            [
                self.servers.program("jaeger"),
                *self.options("jaeger", config_file=self.folder / "jaeger" / "jaeger.yaml"),
                *(f"--badger.directory-{part}={data / part}" for part in ("key", "value")),
                *places,
            ],
            f"http://{self.at('jaeger')}/api/services",
            self.services["jaeger"]["environment"],
        )

    def start_bridge(self):
        options = self.options(
            "bridge",
            otlp_grpc=self.at("bridge grpc"),
            web=self.at("bridge"),
            store=self.store,
            token_file=self.folder / "bridge_token",
        )
        command = [sys.executable, "-m", "agentnet_otel", *options]
        self.servers.start_http("bridge", command, f"http://{self.at('bridge')}/readyz")

    @property
    def store(self):
        return self.servers.folder / "bridge store"

    def start_prometheus(self):
        folder = self.folder / "prometheus"
        self._write_targets(folder / "targets")
        options = self.options(
            "prometheus",
            config_file=folder / "prometheus.yml",
            storage_tsdb_path=self.servers.folder / "prometheus data",
            web_external_url=f"http://{self.at('prometheus')}",
        )
        command = [self.servers.program("prometheus"), *options, f"--web.listen-address={self.at('prometheus')}"]
        self.servers.start_http("prometheus", command, f"http://{self.at('prometheus')}/-/ready")

    def _write_targets(self, folder):
        telemetry = [self.at(f"{name} telemetry") for name in ("agent", "gateway")]
        targets = {
            "alertmanager": [self.at("alertmanager")],
            "bridge": [self.at("bridge")],
            "gateway": [self.at("scraped gateway")],
            "servers": [*telemetry, self.at("jaeger admin"), self.at("prometheus"), self.at("alertmanager")],
        }
        assert {path.stem for path in folder.iterdir()} == targets.keys()
        for name, found in targets.items():
            (folder / f"{name}.yml").write_text(json.dumps([{"targets": found}]))

    def start_alertmanager(self):
        printer = self.folder / "notifications" / "print_notifications.py"
        at = self.at("notifications")
        self.printed = self.servers.start_http("notifications", [sys.executable, printer, at], f"http://{at}/").log
        folder = self.folder / "alertmanager"
        options = self.options(
            "alertmanager",
            config_file=folder / "alertmanager.yml",
            storage_path=self.servers.folder / "alertmanager data",
            web_external_url=f"http://{self.at('alertmanager')}",
        )
        command = [self.servers.program("alertmanager"), *options, f"--web.listen-address={self.at('alertmanager')}"]
        in_its_folder = f"cd {shlex.quote(str(folder))} && exec {shlex.join(map(str, command))}"
        self.servers.start_http(
            "alertmanager", ["/bin/sh", "-c", in_its_folder], f"http://{self.at('alertmanager')}/-/ready"
        )

    def application(self):
        """Variables of an application that sends everything to the agent."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{self.at('agent grpc')}"}

    def start_slow_application(self):
        """One whose agents take too long; it runs beside the tests."""
        variables = {
            **self.application(),
            "OTEL_SERVICE_NAME": SLOW_SERVICE,
            "OTEL_METRIC_EXPORT_INTERVAL": "2000",
            "PYTHONPATH": str(ROOT),
        }
        script = Path(__file__).with_name("workload.py")
        command = [sys.executable, script, "slow", str(SLOW_TURNS), "7"]
        return self.servers.start("slow application", command, ready=lambda: True, environment=variables)

    def query(self, expression):
        """The value of each series of an instant query, by its labels."""
        asked = urllib.parse.urlencode({"query": expression})
        answer = get_json(f"http://{self.at('prometheus')}/api/v1/query?{asked}")["data"]["result"]
        return {frozenset(series["metric"].items()): float(series["value"][1]) for series in answer}

    def turns(self):
        """The rows that the bridge serves."""
        header = {"Authorization": f"Bearer {TOKEN}"}
        return get(f"http://{self.at('bridge')}/api/turns?limit=10000", header)[1].splitlines()

    def traces(self, service=SERVICE):
        """Ids of the traces of an application in Jaeger."""
        answer = get_json(f"http://{self.at('jaeger')}/api/traces?service={service}&lookback=1h&limit=1400")
        return {trace["traceID"].zfill(32) for trace in answer["data"]}

    def notified(self):
        """Alerts that were notified, each as often as it was."""
        alerts = [json.loads(line) for line in self.printed.read_text().splitlines()]
        return [alert for alert in alerts if alert["labels"]["alertname"] in LATENCY_ALERTS]


@pytest.fixture(scope="module")
def stack(servers):
    """All servers. An application ran while the gateway was down, the agent was killed, and all has arrived since."""
    made = Stack(servers)
    made.start_jaeger()
    made.start_bridge()
    made.start_alertmanager()
    made.start_prometheus()
    agent = made.start_collector("agent", "agent.yaml")
    made.live = run_workload("plain", TURNS, service=SERVICE, **made.application())
    agent.process.kill()
    agent.process.wait(20)
    made.start_collector("gateway", "gateway.yaml")
    made.start_collector("agent", "agent.yaml")
    slow = made.start_slow_application()
    eventually(lambda: len(made.turns()) == TURNS + SLOW_TURNS, "all turns are in the bridge")
    assert slow.process.wait(60) == 0
    return made


@pytest.mark.parametrize("files", [("agent.yaml",), ("gateway.yaml",), ("gateway.yaml", "scraped.yaml")])
def test_the_collector_accepts_its_files(program, tmp_path, files):
    """`otelcol validate` finds nothing wrong, with nothing set but where the token is."""
    token = tmp_path / "token"
    token.write_text(TOKEN)
    paths = [part for file in files for part in ("--config", ROOT / "deploy" / "collector" / file)]
    environment = {**os.environ, "BRIDGE_TOKEN_FILE": str(token), "QUEUE_FOLDER": str(tmp_path)}
    command = [program("otelcol"), "validate", *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr


def test_prometheus_accepts_its_files(program, tmp_path):
    """`promtool check config` finds nothing wrong, neither in the configuration nor in the rules beside it."""
    folder = shutil.copytree(ROOT / "deploy" / "prometheus", tmp_path / "prometheus")
    (folder / "secrets").mkdir(exist_ok=True)
    (folder / "secrets" / "bridge_token").write_text(TOKEN)
    command = [program("promtool"), "check", "config", "--lint=all", "--lint-fatal", folder / "prometheus.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alertmanager_accepts_its_files(program):
    """`amtool check-config` finds nothing wrong, and every alert of an agent goes to the receiver."""
    path = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
    done = subprocess.run([program("amtool"), "check-config", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    routed = [program("amtool"), "config", "routes", "test", f"--config.file={path}", "severity=warning"]
    assert subprocess.run(routed, capture_output=True, text=True, check=True).stdout.strip() == "notifications"


def test_compose_accepts_its_file(program):
    """The file has the schema of the Compose Specification, in which no field may stand that it does not name."""
    schema = json.loads(Path(program("compose-schema"), "compose-spec.json").read_text())
    compose = YAML(typ="safe").load(ROOT / "deploy" / "compose.yaml")
    validator = jsonschema.Draft7Validator(schema)
    validator.validate(compose)
    compose["services"]["bridge"]["unknown"] = True
    assert not validator.is_valid(compose)


def test_the_image_of_the_bridge_holds_what_it_needs(tmp_path):
    """What the Dockerfile copies and installs, and nothing else, runs `serve`."""
    lines = (ROOT / "deploy" / "bridge" / "Dockerfile").read_text().split("FROM")[1].splitlines()
    uv = Path(sys.executable).with_name("uv")
    python = tmp_path / "opt" / "bin" / "python"
    source = tmp_path / "src"
    source.mkdir()
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "opt"], check=True)
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "COPY":
            *copied, target = rest.split()
            for name in copied:
                if (ROOT / name).is_dir():
                    shutil.copytree(ROOT / name, source / target)
                else:
                    (source / target).mkdir(exist_ok=True)
                    shutil.copy(ROOT / name, source / target)
        elif word == "RUN" and "pip install" in rest:
            options = [part for part in rest.partition("pip install")[2].split() if part != "--no-cache-dir"]
            command = [uv, "pip", "install", "--quiet", "--python", python, *options]
            subprocess.run(command, check=True, cwd=source, capture_output=True)
    command = [
        python.with_name("agentnet-otel"),
        "serve",
        "--otlp-grpc=127.0.0.1:0",
        "--web",
        f"127.0.0.1:{free_port()}",
    ]
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    with subprocess.Popen(command, cwd=tmp_path, env=clean, stderr=subprocess.PIPE, text=True) as serving:
        try:
            assert "listening" in serving.stderr.readline()
        finally:
            serving.terminate()


def test_nothing_is_lost_while_a_server_is_away(stack):
    """What an agent took that had no gateway, and was killed, is in the bridge: each turn once, field by field."""
    assert len(stack.live) == TURNS
    kept = [turn for turn in rebuild([stack.store]).turns if turn.service_name == SERVICE]
    assert facts(kept) == stack.live


def test_the_bridge_asks_for_its_token(stack):
    """Turns and metrics are for those who have it; health is for everybody."""
    for page, status in (("/api/turns", 401), ("/metrics", 401), ("/readyz", 200)):
        assert get(f"http://{stack.at('bridge')}{page}")[0] == status


def test_totals_are_those_before_sampling(stack):
    """Prometheus counts every turn once, under its outcome, and the bridge none of them a second time."""
    wanted = Counter(turn["outcome"] for turn in stack.live.values())

    def counted():
        found = stack.query(
            f'sum by (service_name, agentnet_turn_outcome) (agentnet_turns_total{{service_name="{SERVICE}"}})'
        )
        return found == {
            frozenset({("service_name", SERVICE), ("agentnet_turn_outcome", outcome)}): count
            for outcome, count in wanted.items()
        }

    eventually(counted, "the counters are those of the application")
    tokens = stack.query(f'sum(agentnet_tokens_total{{service_name="{SERVICE}"}})')
    assert tokens == {
        frozenset(): sum(sum(turn["tokens"][kind] for kind in ("input", "output")) for turn in stack.live.values())
    }


def test_the_tail_keeps_what_matters(stack):
    """Jaeger has every trace of a turn that failed or was slow, and a share of the others."""
    marked = {
        turn["trace_id"]
        for turn in stack.live.values()
        if turn["outcome"] != "success" or turn["end_ns"] - turn["start_ns"] >= 2_000_000_000
    }
    others = {turn["trace_id"] for turn in stack.live.values()} - marked
    eventually(lambda: marked <= stack.traces(), "all traces that matter are in Jaeger")
    time.sleep(5)  # what the tail sampler still holds
    kept = stack.traces() - marked
    assert kept <= others
    assert 0.03 * len(others) < len(kept) < 0.25 * len(others)


def test_prometheus_finds_every_server(stack):
    """Each target answers, the bridge to its token too."""

    def states():
        found = get_json(f"http://{stack.at('prometheus')}/api/v1/targets")["data"]["activeTargets"]
        health = {(target["scrapePool"], target["health"]) for target in found}
        return health == {("bridge", "up"), ("servers", "up"), ("gateway", "down")} and found

    eventually(states, "all targets are up but for the one that is not started")


def test_the_other_way_of_metrics(stack):
    """Scraped from the Collector instead of written by it, series have the same names, labels and values."""
    stack.start_collector("scraped gateway", "gateway.yaml", "scraped.yaml")
    service = "scraped-shop"
    door = f"http://{stack.at('scraped gateway grpc')}"
    live = run_workload("plain", 50, service=service, OTEL_EXPORTER_OTLP_ENDPOINT=door)
    expression = 'agentnet_turns_total{{service_name="{}"}}'
    found = eventually(lambda: stack.query(expression.format(service)), "Prometheus scraped the Collector")
    assert sum(found.values()) == len(live)
    keys = {frozenset(dict(labels)) - {"job", "instance"} for labels in found}
    assert keys == {frozenset(dict(labels)) - {"job", "instance"} for labels in stack.query(expression.format(SERVICE))}


def test_agents_that_get_slow_wake_somebody_who_finds_out_why(stack):
    """The shipped rules fire, the worst alert alone is notified, and an exemplar leads to a slow turn and its trace."""
    eventually(stack.notified, "a notification arrives", NOTIFIED_S)
    alerts = get_json(f"http://{stack.at('alertmanager')}/api/v2/alerts?filter=service_name={SLOW_SERVICE}")
    states = {alert["labels"]["alertname"]: alert["status"]["state"] for alert in alerts}
    assert [states[name] for name in LATENCY_ALERTS] == ["suppressed", "active"]
    (notified,) = stack.notified()
    labels = {"service_name": SLOW_SERVICE, "gen_ai_agent_name": SLOW_AGENT, "severity": "critical"}
    assert notified["labels"].items() >= labels.items()
    assert notified["labels"]["alertname"] == "AgentNetTurnLatencyCritical"
    assert SLOW_AGENT in notified["annotations"]["summary"]

    exemplar = slow_exemplar(stack)
    eventually(lambda: exemplar["labels"]["trace_id"] in stack.traces(SLOW_SERVICE), "its trace is in Jaeger")
    source = f"jaeger+http://{stack.at('jaeger')}?service={SLOW_SERVICE}&lookback=1h"
    rows = [json.loads(line) for line in command_line("turns", source).splitlines()]
    (row,) = (row for row in rows if row["trace_id"] == exemplar["labels"]["trace_id"])
    assert row["span_id"] == exemplar["labels"]["span_id"]
    assert row["duration_ms"] / 1000 == pytest.approx(float(exemplar["value"]), abs=0.001)
    assert row["components"]["inference"] > 5000


def slow_exemplar(stack):
    """An exemplar of a turn that took five seconds or more."""
    series = f'agentnet_turn_duration_seconds_bucket{{service_name="{SLOW_SERVICE}"}}'
    asked = urllib.parse.urlencode({"query": series, "start": time.time() - 3600, "end": time.time()})
    answer = get_json(f"http://{stack.at('prometheus')}/api/v1/query_exemplars?{asked}")["data"]
    found = [exemplar for one in answer for exemplar in one["exemplars"] if float(exemplar["value"]) >= 5]
    assert found
    return found[0]
