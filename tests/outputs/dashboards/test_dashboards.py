"""The dashboards as Grafana reads them: what is committed, units, descriptions, variables, queries, links, limits."""

import json
import re
from pathlib import Path

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins

from agentnet_otel import cli
from agentnet_otel.core.thresholds import DOCUMENTED, Metric, ThresholdTable, with_limits
from agentnet_otel.outputs.dashboards.catalogue import dashboards
from agentnet_otel.outputs.dashboards.grafana import dashboard_files, models
from agentnet_otel.outputs.rules.annotations import Links
from agentnet_otel.outputs.rules.catalogue import RuleOptions, alerts

ROOT = Path(__file__).resolve().parents[3]
FILES = {path.name: json.loads(path.read_text()) for path in sorted((ROOT / "dashboards").glob("*.json"))}
PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}")
    for name, built in FILES.items()
    for panel in built["panels"]
    if panel["type"] != "row"
]
VARIABLES = {"datasource", "service", "agent", "model", "jaeger"}


def test_the_committed_files_are_what_is_made():
    """Whoever changes a panel or a limit makes them anew: agentnet-otel dashboards."""
    made = dashboard_files(dashboards(ThresholdTable()), Links())
    assert {path.name: path.read_text() for path in (ROOT / "dashboards").glob("*.json")} == made


@pytest.mark.parametrize("name", FILES)
def test_a_dashboard_comes_back_from_the_sdk_as_it_was(name):
    """Grafana's own types read it, and write the same."""
    register_default_plugins()
    again = json.loads(JSONEncoder(sort_keys=True).encode(models.Dashboard.from_json(FILES[name])))
    assert again == FILES[name]


@pytest.mark.parametrize("name", FILES)
def test_a_dashboard_has_its_variables_and_an_address(name):
    """Data source, service, agent, model; the file's name is its address, and each panel has a number of its own."""
    built = FILES[name]
    assert f"{built['uid']}.json" == name
    assert built["description"]
    assert {variable["name"] for variable in built["templating"]["list"]} == VARIABLES
    numbers = [panel["id"] for panel in built["panels"]]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_in_which_unit(panel):
    """Title, description, unit, and the data source that is chosen."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["targets"]


@pytest.mark.parametrize("panel", PANELS)
def test_the_queries_of_a_panel_hold_on_every_path(panel):
    """Sums are by what is named; known variables; a bucket's edge is matched in both spellings; no label of a path."""
    for target in panel["targets"]:
        expr = target["expr"]
        assert "without" not in expr
        assert not re.search(r"\bsum\s*\((?!rate|increase|agentnet)", expr)
        assert set(re.findall(r"\$(\w+)", expr)) <= VARIABLES | {"__rate_interval"}
        assert not re.search(r'\ble="', expr)
        assert "otel_scope" not in expr
        if "histogram_quantile" in expr:
            assert re.search(r"sum by \(le\b", expr)


def test_latency_shows_single_turns():
    """Exemplars are on where a panel is about turns that take time."""
    targets = {
        panel["title"]: [target["exemplar"] for target in panel["targets"]]
        for panel in FILES["agentnet-overview.json"]["panels"]
        if panel["type"] != "row"
    }
    assert targets["Latency of turns"] == [True, True, True]
    assert targets["Cost per turn by agent"] == [True]


def test_the_lines_are_the_limits():
    """Yellow from the recommended limit on, red from the critical one; limits of one's own move them."""

    def steps(files):
        panels = json.loads(files["agentnet-overview.json"])["panels"]
        (panel,) = [panel for panel in panels if panel["title"] == "Latency of turns"]
        return [(step["value"], step["color"]) for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]

    latency = DOCUMENTED[Metric.TURN_LATENCY]
    assert steps(dashboard_files(dashboards(ThresholdTable()), Links())) == [
        (None, "green"),
        (latency.recommended / 1000, "yellow"),
        (latency.critical / 1000, "red"),
    ]
    own = ThresholdTable(default={**DOCUMENTED, Metric.TURN_LATENCY: with_limits(latency, 700, 900)})
    assert [value for value, _ in steps(dashboard_files(dashboards(own), Links()))] == [None, 0.7, 0.9]


def test_every_alert_has_a_panel_that_leads_to_its_runbook():
    """From the figure to what to do."""
    links = {link["url"].rpartition("/")[2] for panel in PANELS for link in panel.values[0]["links"]}
    assert {f"{alert.alert}.md" for alert in alerts(RuleOptions())} <= links


def test_the_command_writes_the_files(tmp_path, capsys):
    """Each with its name told, unless it is asked to be quiet; links and limits as given."""
    limits = tmp_path / "limits.yaml"
    limits.write_text("cost_per_turn: {recommended: 0.5, critical: 0.75}\n")
    command = [
        "dashboards",
        "-o",
        str(tmp_path / "out"),
        "--thresholds",
        str(limits),
        "--jaeger",
        "https://traces.example/",
    ]
    assert cli.run(command) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == len(FILES)
    text = (tmp_path / "out" / "agentnet-tokens.json").read_text()
    assert '"value": 0.75' in text
    assert "https://traces.example" in text
    assert cli.run([*command, "-q"]) == 0
    assert capsys.readouterr().err == ""
