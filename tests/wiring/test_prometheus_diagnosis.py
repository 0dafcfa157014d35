"""`doctor --prometheus`: each finding, with the change to make, on answers as Prometheus gives them."""

import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ruamel.yaml import YAML

from agentnet_otel import cli, semconv
from agentnet_otel.core.thresholds import DOCUMENTED, Metric, ThresholdTable, with_limits
from agentnet_otel.errors import BackendError, ConfigurationError
from agentnet_otel.outputs.rules.catalogue import RuleOptions, alerts, all_rules
from agentnet_otel.sources.prometheus_api import PrometheusApi
from agentnet_otel.wiring.prometheus_diagnosis import examine

NAMES = sorted({alert.alert for alert in alerts(RuleOptions())})


def loaded(options):
    """The rules as Prometheus tells them: other spaces, other spellings of numbers."""
    made = YAML(typ="safe").load(all_rules(options))["groups"]
    return [
        {
            "name": rule.get("alert") or rule["record"],
            "query": rule["expr"].replace("\n", " ").replace("0.05", "5e-02"),
        }
        for group in made
        for rule in group["rules"]
    ]


class FakePrometheus:
    """Answers questions by a table: the first part of a question that it holds decides."""

    def __init__(self):
        self.answers = {
            "count(agentnet_turns_total)": [({}, 3)],
            "count by (service_name) (agentnet_turns_total)": [({"service_name": "shop"}, 3)],
            "count(agentnet_turn_duration_seconds_bucket": [({}, 1)],
            "count by (le)": [({"le": "5.0"}, 1)],
            "count(agentnet_turn_cost_usd_count)": [({}, 1)],
        }
        self.rules = loaded(RuleOptions())
        self.flags = {"enable-feature": "exemplar-storage,created-timestamp-zero-ingestion"}
        self.status, self.raw, self.unknown = 200, None, ()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                parts = urllib.parse.urlsplit(self.path)
                body = fake.body(parts.path, dict(urllib.parse.parse_qsl(parts.query)))
                self.send_response(404 if parts.path.endswith(fake.unknown) and fake.unknown else fake.status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = False  # so that closing waits for those who answer
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def body(self, path, parameters):
        """The answer to a question."""
        if self.raw is not None:
            return self.raw
        if path.endswith("/rules"):
            data = {"groups": [{"rules": self.rules}]}
        elif path.endswith("/flags"):
            data = self.flags
        else:
            found = next((rows for part, rows in self.answers.items() if part in parameters["query"]), [])
            data = {"result": [{"metric": labels, "value": [0, str(value)]} for labels, value in found]}
        return json.dumps({"status": "success", "data": data}).encode()

    def findings(self, table=None):
        """What is found."""
        return examine(PrometheusApi(self.url), table or ThresholdTable())

    def changes(self):
        """What is to change."""
        return [finding.change for finding in self.findings() if finding.change]

    def close(self):
        """End."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)


@pytest.fixture
def prometheus():
    """A server where all is well."""
    made = FakePrometheus()
    yield made
    made.close()


def test_where_all_is_well_nothing_is_to_change(prometheus):
    """Services, how ``le`` is printed, and the rules are told."""
    assert prometheus.changes() == []
    told = " ".join(finding.what for finding in prometheus.findings())
    assert "shop" in told
    assert "le is printed as 5.0" in told
    assert f"{len(NAMES)} of {len(NAMES)} alerts are loaded" in told


WHO = {"service_name": "shop", "gen_ai_agent_name": "planner"}


@pytest.mark.parametrize(
    ("question", "rows", "change"),
    [
        ("count by (service_name) (agentnet_turns_total)", [({}, 1)], "promote_resource_attributes: [service.name]"),
        ("resets(agentnet_turns_total", [({"service_name": "shop"}, 99)], "TEMPORALITY_PREFERENCE"),
        (", job) (agentnet_turns_total", [(WHO, 2)], "serve --metrics auto"),
        (
            "min_over_time(agentnet_turns_total[1h]) > 0 unless",
            [({"job": "shop"}, 1)],
            "let Prometheus scrape OpenMetrics",
        ),
        ("count(agentnet_turn_cost_usd_count)", [], "install the extra prices"),
        ("agentnet_turn_token_efficiency_bucket", [(WHO, 1)], "limits of these agents' own"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_change(prometheus, question, rows, change):
    """One change for each finding."""
    prometheus.answers = {question: rows, **{k: v for k, v in prometheus.answers.items() if k != question}}
    (told,) = prometheus.changes()
    assert change in told


def test_agents_that_have_too_few_turns_are_told(prometheus):
    """Their alerts cannot fire; a command judges them."""
    prometheus.answers["increase(agentnet_turns_total[2h])"] = [
        ({**WHO, "gen_ai_agent_name": f"agent-{number}"}, 1) for number in range(7)
    ]
    (told,) = [f.what for f in prometheus.findings() if "fewer than 10 turns" in f.what]
    assert "shop/agent-0" in told
    assert "and 2 more" in told


def test_buckets_that_are_not_there_are_told(prometheus):
    """Native histograms need other rules, and other edges hide the limit."""
    prometheus.answers["histogram_count"] = [({}, 1)]
    prometheus.answers["count(agentnet_turn_duration_seconds_bucket"] = []
    assert any("with --native" in change for change in prometheus.changes())
    prometheus.rules = loaded(RuleOptions(native=True))
    assert prometheus.changes() == []
    prometheus.answers["histogram_count"] = []
    assert any("drops histograms" in change for change in prometheus.changes())
    prometheus.answers = {"bucket{le=~": [], **prometheus.answers}
    prometheus.answers["count(agentnet_turn_duration_seconds_bucket"] = [({}, 1)]
    assert any("without --native" in change for change in prometheus.changes())
    assert len([change for change in prometheus.changes() if "bucket edges" in change]) == 2


def test_buckets_around_own_limits_are_needed(prometheus):
    """A limit between two edges is weighed by both."""
    prometheus.answers = {'bucket{le=~"1.5"}': [], 'bucket{le=~"3': [], **prometheus.answers}
    own = {Metric.TURN_LATENCY: with_limits(DOCUMENTED[Metric.TURN_LATENCY], 2600, 5000)}
    table = ThresholdTable(agents={"planner": own})
    prometheus.answers["count by (gen_ai_agent_name)"] = [({"gen_ai_agent_name": "planner"}, 1)]
    found = {finding.what for finding in prometheus.findings(table) if "bucket edges" in finding.change}
    needed = {edge for edge in semconv.EDGES_TURN_SECONDS if edge in {2.5, 3}}
    assert needed
    assert len(found) == len(needed & {3})


def test_limits_of_nobody_are_told(prometheus):
    """A name that is written otherwise than in the label has no turns."""
    own = {Metric.COST_PER_TURN: with_limits(DOCUMENTED[Metric.COST_PER_TURN], 1, 2)}
    prometheus.rules = loaded(RuleOptions(table=ThresholdTable(agents={"planner": own})))
    prometheus.answers["count by (gen_ai_agent_name)"] = [({"gen_ai_agent_name": "planner"}, 1)]
    assert not [f for f in prometheus.findings(ThresholdTable(agents={"planner": own})) if f.change]
    table = ThresholdTable(agents={"planner": own, "Planner": own}, models={"m": own})
    prometheus.rules = loaded(RuleOptions(table=table))
    whats = [finding.what for finding in prometheus.findings(table) if finding.change]
    assert [what.partition(": ")[2].partition(".")[0] for what in whats] == ["Planner", "m"]


def test_rules_that_are_missing_or_fail_are_told(prometheus):
    """By name."""
    prometheus.rules = [rule for rule in loaded(RuleOptions()) if rule["name"] != NAMES[0]]
    prometheus.rules[0]["lastError"] = "many-to-many matching"
    told = [finding.what for finding in prometheus.findings() if finding.change]
    assert any(f"missing: {NAMES[0]}" in what for what in told)
    assert any(what.endswith("fails: many-to-many matching") for what in told)


def test_rules_of_other_limits_are_told(prometheus):
    """Limits that were changed since, or of an agent of whom the rules know nothing."""
    for metric, named in (
        (Metric.SUCCESS_RATE, {"AgentNetSuccessRateWarning"}),
        (Metric.TURN_LATENCY, {"AgentNetTurnLatencyWarning", "agent:agentnet_turns_above_recommended:increase15m"}),
    ):
        base = DOCUMENTED[metric]
        own = {metric: with_limits(base, base.recommended * 1.01, None)}
        for table in (ThresholdTable(default={**DOCUMENTED, **own}), ThresholdTable(agents={"planner": own})):
            prometheus.answers["count by (gen_ai_agent_name)"] = [({"gen_ai_agent_name": "planner"}, 1)]
            prometheus.rules = loaded(RuleOptions())
            (told,) = [finding.what for finding in prometheus.findings(table) if "--thresholds" in finding.change]
            assert any(name in told for name in named)
            prometheus.rules = loaded(RuleOptions(table=table))
            (told,) = [f.what for f in prometheus.findings() if "--thresholds" in f.change]
            assert any(name in told for name in named)


def test_rules_that_are_loaded_twice_are_told(prometheus):
    """Two files with the same rules; rules of others are nobody's business."""
    prometheus.rules = [*loaded(RuleOptions()), {"name": "AgentNetOfMine", "query": "1"}, {"name": "x", "query": "1"}]
    assert prometheus.changes() == []
    prometheus.rules += loaded(RuleOptions())[:1]
    (change,) = prometheus.changes()
    assert change == "name one file with them under rule_files."


def test_servers_that_do_not_know_all(prometheus):
    """Those that speak Prometheus' API without its flags or rules are looked at all the same."""
    prometheus.unknown = ("/flags", "/rules")
    assert prometheus.changes() == []
    told = " ".join(finding.what for finding in prometheus.findings())
    assert "does not tell its flags" in told
    assert "does not tell its rules" in told
    prometheus.unknown = "/query"
    with pytest.raises(BackendError, match="answers 404"):
        prometheus.findings()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"<html>",
        b'{"status": "success", "data": null}',
        b'{"status": "error", "error": "no"}',
        b'{"data": {"resultType": "scalar", "result": [1, "5"]}}',
        b'{"data": {"result": [{"metric": {}, "value": [1, "x"]}]}}',
        b'{"data": {"result": [{"metric": {"a": 1}, "value": [1, "1"]}]}}',
    ],
)
def test_answers_of_other_servers(prometheus, raw):
    """One sentence, whatever it is."""
    prometheus.raw = raw
    api = PrometheusApi(prometheus.url)
    for question in (lambda: api.query("up"), api.rules, api.flags):
        with pytest.raises(BackendError, match="this is no answer of Prometheus"):
            question()


def test_a_server_without_rules(prometheus):
    """None, or null, are no rules."""
    prometheus.raw = b'{"data": {"groups": null}}'
    assert PrometheusApi(prometheus.url).rules() == []


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://h:x", "http://h:0", "http://a b", "http://h/?x", "http://ü", ""]
)
def test_what_is_no_address_of_prometheus(url):
    """It is told before anything is asked."""
    with pytest.raises(ConfigurationError, match="is no address of Prometheus"):
        PrometheusApi(url)


def test_a_password_in_the_address_is_not_told():
    """It is not taken there, and stands in no message."""
    with pytest.raises(ConfigurationError, match="without a password") as raised:
        PrometheusApi("http://me:secret@host:9090")
    assert "secret" not in str(raised.value)


def test_start_times_that_are_not_used_are_told(prometheus):
    """The flag is named."""
    prometheus.flags = {"enable-feature": ""}
    assert any("created-timestamp-zero-ingestion" in change for change in prometheus.changes())


def test_deltas_that_are_stored_as_they_come_are_told(prometheus):
    """An increase of deltas is none."""
    prometheus.flags = {"enable-feature": "otlp-native-delta-ingestion,created-timestamp-zero-ingestion"}
    (change,) = prometheus.changes()
    assert "otlp-deltatocumulative" in change


def test_a_prometheus_without_our_series_is_told(prometheus):
    """Nothing there, or there under other names."""
    prometheus.answers = {}
    assert any("scrape handle.prometheus()" in change for change in prometheus.changes())
    prometheus.answers = {"count by (__name__)": [({"__name__": "agentnet.turns"}, 1)]}
    assert any("UnderscoreEscapingWithSuffixes" in change for change in prometheus.changes())


def test_what_is_no_prometheus_is_a_clear_error(prometheus):
    """A refusal, another server, nobody, and no address."""
    prometheus.status = 503
    with pytest.raises(BackendError, match=r"/api/v1/query: Prometheus answers 503"):
        prometheus.findings()
    prometheus.status, prometheus.raw = 200, b"<html>"
    with pytest.raises(BackendError, match="no answer of Prometheus"):
        prometheus.findings()
    with pytest.raises(BackendError, match=r"no answer: .*refused"):
        examine(PrometheusApi("http://127.0.0.1:1"), ThresholdTable())
    with pytest.raises(ConfigurationError, match="it looks like http://host:9090"):
        PrometheusApi("localhost:9090")


def test_the_command_tells_the_findings(prometheus, capsys):
    """As text, as JSON, or with -q only what is to change."""
    assert cli.run(["doctor", "--prometheus", prometheus.url]) == 0
    assert "alerts are loaded" in capsys.readouterr().out
    prometheus.flags = {}
    assert cli.run(["doctor", "--prometheus", prometheus.url, "-q"]) == 0
    out = capsys.readouterr().out
    assert "created-timestamp-zero-ingestion" in out
    assert "alerts are loaded" not in out
    assert cli.run(["doctor", "--prometheus", prometheus.url, "--json"]) == 0
    assert {tuple(found) for found in json.loads(capsys.readouterr().out)["findings"]} == {("what", "change")}
    assert cli.run(["doctor", "--prometheus", "localhost:9090"]) == 2
