"""The rules as text: what is committed, what each alert has, limits for single agents and models, native histograms."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from agentnet_otel import semconv
from agentnet_otel.core.thresholds import DOCUMENTED, Metric, ThresholdTable, with_limits
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.outputs.rules.annotations import Links, links_of
from agentnet_otel.outputs.rules.catalogue import RuleOptions, alerts, all_rules, rule_files
from agentnet_otel.outputs.rules.health import burnable
from agentnet_otel.outputs.rules.openslo import openslo
from agentnet_otel.outputs.rules.promql import edge, number, one_of
from agentnet_otel.outputs.rules.windows import FAST_BURNS, SLOW_BURNS
from agentnet_otel.sources.threshold_file import read_thresholds

ROOT = Path(__file__).resolve().parents[3]
LATENCY, SUCCESS, COST = Metric.TURN_LATENCY, Metric.SUCCESS_RATE, Metric.COST_PER_TURN


def parsed(text):
    """A YAML file's groups."""
    return YAML(typ="safe").load(text)["groups"]


def rules_in(text):
    """All rules of a file."""
    return [rule for group in parsed(text) for rule in group["rules"]]


def with_own(metric, recommended, critical, *, agent=None, model=None):
    """Options with limits of one agent, or of one model."""
    own = {metric: with_limits(DOCUMENTED[metric], recommended, critical)}
    table = ThresholdTable(agents={agent: own} if agent else {}, models={model: own} if model else {})
    return RuleOptions(table=table)


def test_the_committed_files_are_what_is_made():
    """Whoever changes a limit or a rule makes them anew: agentnet-otel rules -o deploy/prometheus."""
    made = rule_files(RuleOptions())
    committed = {path.name: path.read_text() for path in (ROOT / "deploy" / "prometheus").glob("*.rules.yml")}
    assert committed == made


def test_one_file_has_what_two_have():
    """The same rules, whichever way they are written."""
    files = [rule for text in rule_files(RuleOptions()).values() for rule in rules_in(text)]
    assert files == rules_in(all_rules(RuleOptions()))


def test_each_alert_says_what_it_must():
    """Severity, how long it holds, value, runbook, dashboard; about agents also example traces."""
    for rule in rules_in(rule_files(RuleOptions())["agentnet-alerts.rules.yml"]):
        assert rule["alert"].startswith("AgentNet")
        assert rule["labels"].keys() == {"severity"}
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["for"]
        assert rule["keep_firing_for"] == "5m"
        annotations = rule["annotations"]
        assert "$value" in annotations["description"]
        assert annotations["summary"]
        assert annotations["runbook_url"].endswith(f"/docs/runbooks/{rule['alert']}.md")
        assert "/d/agentnet-" in annotations["dashboard_url"]
        if "gen_ai_agent_name" in annotations["summary"]:
            assert "/search?service=" in annotations["traces_url"]


def test_the_alerts_of_the_limits_have_their_names():
    """Four metrics at two levels; efficiency twice, for information where nobody evaluated."""
    found = [(alert.alert, alert.severity.value) for alert in alerts(RuleOptions())]
    for name in ("TurnLatency", "SuccessRate", "TokenEfficiency", "CostPerTurn"):
        assert (f"AgentNet{name}Warning", "warning") in found
        assert (f"AgentNet{name}Critical", "critical") in found
    assert [severity for name, severity in found if name == "AgentNetTokenEfficiencyWarning"] == ["warning", "info"]


def test_sums_are_by_what_is_named():
    """``without`` would let labels in that only one path has."""
    text = all_rules(RuleOptions())
    assert "without" not in re.sub(r'".*?"', "", text)
    assert "sum by (service_name, gen_ai_agent_name)" in text


def test_the_limits_are_those_of_the_table():
    """Seconds and shares in the rules come from the table, buckets are matched in both spellings."""
    text = all_rules(RuleOptions())
    for limit in (DOCUMENTED[LATENCY].recommended, DOCUMENTED[LATENCY].critical):
        assert f'le=~"{limit / 1000:g}(\\\\.0)?"' in text
    other = with_limits(DOCUMENTED[LATENCY], 500, 7500)
    changed = all_rules(RuleOptions(table=ThresholdTable(default={**DOCUMENTED, LATENCY: other})))
    assert 'le=~"0\\\\.5"' in changed
    assert 'le=~"7\\\\.5"' in changed
    assert 'le=~"2(\\\\.0)?"' not in changed


@pytest.mark.parametrize(
    ("limit", "wanted"), [(5.0, r'le=~"5(\\.0)?"'), (0.25, r'le=~"0\\.25"'), (120.0, r'le=~"120(\\.0)?"')]
)
def test_a_bucket_is_matched_however_it_is_printed(limit, wanted):
    """Whole numbers come with and without a fraction."""
    assert edge(limit) == wanted


def test_an_agent_with_limits_of_its_own_is_judged_by_them_alone():
    """The rule for all leaves it out; its own rule has its label and its limit."""
    options = with_own(SUCCESS, 80, 50, agent='pla"n.er')
    mine = [alert for alert in alerts(options) if alert.labels]
    assert {alert.labels["limits"] for alert in mine} == {'agent pla"n.er'}
    assert {alert.alert for alert in mine} >= {"AgentNetSuccessRateWarning", "AgentNetSuccessRateCritical"}
    assert any("<= 0.8\n" in alert.expr for alert in mine)
    text = all_rules(options)
    assert r'gen_ai_agent_name!~"pla\"n\\.er"' in text
    assert r'gen_ai_agent_name="pla\"n.er"' in text
    assert len({(rule.get("alert"), str(rule["labels"])) for rule in rules_in(text) if "alert" in rule}) == len(
        alerts(options)
    )


def test_a_model_with_limits_of_its_own_is_judged_by_them():
    """Its alerts say the model."""
    options = with_own(COST, 0.2, 0.5, model="m-large")
    (warning,) = [a for a in alerts(options) if a.alert == "AgentNetCostPerTurnWarning" and a.labels]
    assert warning.labels == {"limits": "model m-large"}
    assert "$labels.gen_ai_request_model" in warning.annotations["summary"]
    assert "var-model=" in warning.annotations["dashboard_url"]
    assert 'gen_ai_request_model!~"m-large"' in all_rules(options)


def test_a_limit_between_two_buckets_is_weighed():
    """What lies in the bucket around it counts in proportion."""
    text = all_rules(with_own(LATENCY, 1800, 5000, agent="planner"))
    assert 'le=~"1\\\\.5"' in text
    assert "0.4 * (" in text
    assert "0.6 * (" in text


def test_a_limit_beyond_the_last_bucket_is_refused():
    """Prometheus could not tell; the sentence says so, with both figures."""
    beyond = semconv.EDGES_TURN_SECONDS[-1] * 1000 + 1
    with pytest.raises(ConfigurationError, match=rf"{beyond:g} ms lies beyond the last bucket .*\(300000 ms\)"):
        all_rules(with_own(LATENCY, 2000, beyond, agent="planner"))


def test_native_histograms_have_rules_of_their_own():
    """No bucket, and the same alerts."""
    native = RuleOptions(native=True)
    text = all_rules(native)
    assert "_bucket" not in text
    assert "histogram_fraction(0, 2," in text
    assert [alert.expr for alert in alerts(native)] == [alert.expr for alert in alerts(RuleOptions())]


@pytest.mark.parametrize(
    ("objective", "factors"), [(95, [14.4, 6, 3, 1]), (90, [6, 3, 1]), (50, [1]), (0, []), (100, [])]
)
def test_a_budget_that_cannot_burn_so_fast_has_no_such_alert(objective, factors):
    """Factor times budget stays below 1; without a budget there is nothing to use."""
    assert [burn.factor for burn in burnable((*FAST_BURNS, *SLOW_BURNS), objective)] == factors


def test_limits_by_agent_and_by_model_come_from_a_file(tmp_path):
    """An agent's own go before a model's, and what is left out keeps the documented limit."""
    file = tmp_path / "limits.yaml"
    file.write_text(
        "agents:\n  planner:\n    turn_latency: {critical: 9000}\n"
        "models:\n  m-large:\n    turn_latency: {recommended: 3000}\n"
    )
    table = read_thresholds(file)
    assert table.of(LATENCY, "planner", "m-large").critical == 9000
    assert table.of(LATENCY, "critic", "m-large").recommended == 3000
    assert table.of(LATENCY, "critic", "m-small") == DOCUMENTED[LATENCY]
    assert {alert.labels.get("limits") for alert in alerts(RuleOptions(table=table))} == {
        None,
        "agent planner",
        "model m-large",
    }


@pytest.mark.parametrize("section", ["agents", "models"])
def test_a_wrong_limit_is_told_with_its_line(tmp_path, section):
    """File, line, and what is allowed."""
    file = tmp_path / "limits.yaml"
    file.write_text(f"success_rate: {{critical: 80}}\n{section}:\n  one:\n    latency: {{critical: 1}}\n")
    with pytest.raises(
        ConfigurationError, match=r"limits\.yaml:4: unknown metric 'latency'; allowed are: turn_latency"
    ):
        read_thresholds(file)
    file.write_text(f"{section}: 7\n")
    with pytest.raises(ConfigurationError, match=rf"limits\.yaml:1: {section} has to be a mapping"):
        read_thresholds(file)


def test_objectives_are_openslo():
    """One service, a share that succeeds and one that is fast, each with a good and a total count and a target."""
    service, success, latency = YAML(typ="safe").load_all(openslo(ThresholdTable()))
    assert (service["kind"], success["kind"]) == ("Service", "SLO")
    assert [d["spec"]["objectives"][0]["target"] for d in (success, latency)] == [0.95, 0.95]
    metric = latency["spec"]["indicator"]["spec"]["ratioMetric"]
    assert r'le=~"2(\\.0)?"' in metric["good"]["metricSource"]["spec"]["query"]


def test_objectives_have_names_of_their_own():
    """As OpenSLO takes them: names that would look alike, or are too long, have a digest."""
    agents = ["plan-b", "Plan B", "plan b", "検索", "検", "x" * 300, "x" * 301, "b-"]
    own = {SUCCESS: with_limits(DOCUMENTED[SUCCESS], 80, 50)}
    text = openslo(ThresholdTable(agents=dict.fromkeys(agents, own)))
    names = [document["metadata"]["name"] for document in YAML(typ="safe").load_all(text)]
    assert "agentnet-success-rate-agent-plan-b" in names
    assert len(set(names)) == len(names) == len(agents) + 3
    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name) for name in names)


def test_an_objective_below_all_buckets_is_refused():
    """There would be no series that counts such turns."""
    with pytest.raises(ConfigurationError, match=r"agent a: turn_latency: no bucket of .* ends before 20 ms"):
        openslo(with_own(LATENCY, 20, 50, agent="a").table)


@pytest.mark.parametrize(
    ("metric", "limits", "told"),
    [
        (SUCCESS, (100, 99), "success_rate: nothing lies above 100 %, .* Choose a lower"),
        (Metric.TOKEN_EFFICIENCY, (1, 0.9), "token_efficiency: nothing lies above 1, .* Choose a lower"),
        (LATENCY, (0, 1), "turn_latency: nothing lies below 0 ms, .* Choose a higher"),
        (Metric.COST_PER_TURN, (0, 0), "cost_per_turn: nothing lies below 0 USD, .* Choose a higher"),
    ],
)
def test_a_limit_that_nobody_can_meet_has_no_alert(metric, limits, told):
    """It would always fire: a value equal to a limit is on its bad side."""
    own = with_limits(DOCUMENTED[metric], *limits)
    with pytest.raises(ConfigurationError, match=f"agent a: {told}"):
        all_rules(with_own(metric, *limits, agent="a"))
    with pytest.raises(ConfigurationError, match=f"all agents: {told}"):
        all_rules(RuleOptions(table=ThresholdTable(default={**DOCUMENTED, metric: own})))


@pytest.mark.parametrize(
    "address", ["", "g", "javascript:1", "http://", "http://g:x", "http://g/{{ $value }}", "http://a b", "http://g\n"]
)
def test_links_begin_with_an_address(address):
    """Nothing that a template or a browser would take for something else."""
    for place, option in enumerate(("--runbooks", "--grafana", "--jaeger")):
        given = [None, None, None]
        given[place] = address
        if address:
            with pytest.raises(ConfigurationError, match=f"{option} takes an address"):
                links_of(*given)
        else:
            assert links_of(*given) == Links()


def test_numbers_and_names_are_written_as_promql_has_them():
    """Short, and escaped twice: for the expression, and for the string around it."""
    assert [number(value) for value in (0.05, 2.0, 1e-4, 1 - 0.95)] == ["0.05", "2", "0.0001", "0.05"]
    assert one_of(["a.b", "c|d"]) == r'"a\\.b|c\\|d"'
