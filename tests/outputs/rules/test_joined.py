"""Limit, alert, case of promtool and runbook belong together: none is forgotten."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from agentnet_otel.core.thresholds import DOCUMENTED, Metric, Threshold
from agentnet_otel.outputs.rules import documented, health, windows
from agentnet_otel.outputs.rules.catalogue import RuleOptions, alerts
from agentnet_otel.outputs.rules.documented import ALERTS

ROOT = Path(__file__).resolve().parents[3]
NAMES = {alert.alert for alert in alerts(RuleOptions())}
ENDS = ("Warning", "Critical")
LIMITED = {"AgentNetTurnLatency", "AgentNetSuccessRate", "AgentNetTokenEfficiency", "AgentNetCostPerTurn"}
SECTIONS = ["Meaning", "Impact", "Look at first", "Silence", "Fix"]


@pytest.fixture(scope="module")
def cases():
    """The cases of promtool, by alert."""
    folder = ROOT / "tests" / "e2e" / "rules"
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location("cases_of_rules", folder / "test_rules.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module.CASES


def table():
    """Alert -> its row in docs/alerts.md."""
    rows = re.findall(
        r"^\| \[(\w+)\]\((\S+)\) \| (.+?) \| .+ \| `(\S+)` \|$", (ROOT / "docs/alerts.md").read_text(), re.MULTILINE
    )
    return {name: (link, severities, test) for name, link, severities, test in rows}


def test_every_limit_has_alerts():
    """Each metric of the table of limits, at both levels."""
    assert set(ALERTS) == set(Metric)
    assert {field for field in Threshold.__dataclass_fields__ if field in {"recommended", "critical"}} == {
        "recommended",
        "critical",
    }


def test_every_alert_has_cases(cases):
    """Those that every alert needs have their names."""
    assert set(cases) == NAMES
    for alert, found in cases.items():
        names = " ".join(case.name for case in found)
        assert len({case.name for case in found}) >= 5, alert
        for wanted in ("fires", "not ", "resolves", "gap"):
            assert wanted in names, f"{alert}: no case {wanted!r}"


def test_every_alert_has_a_runbook():
    """One page each, with the same sections, a query to begin with, and how to silence just this alert."""
    pages = {path.stem: path.read_text() for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert set(pages) == NAMES
    for name, text in pages.items():
        assert text.startswith(f"# {name}\n")
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS, name
        assert "```promql" in text
        assert f"alertname={name}" in text
        of_table = re.sub("(Warning|Critical)$", "", name) in {*LIMITED, "AgentNetErrorBudgetBurn"}
        assert ("`--thresholds`" in text) == of_table, f"{name}: whether a limit of one's own can be set"


def said(number):
    """A number as the pages write it: .7, not 0.7."""
    return f"{number:g}".removeprefix("0")


def numbers_of_table():
    """Alert -> what its row has to say."""
    latency, success = table_of(Metric.TURN_LATENCY), table_of(Metric.SUCCESS_RATE)
    efficiency, cost = table_of(Metric.TOKEN_EFFICIENCY), table_of(Metric.COST_PER_TURN)
    percent = f"{100 * documented.ALLOWED_SLOW_SHARE:g}%"
    budget = f"{100 - success[0]:g}%"
    (fast, slower), (slow, slowest) = windows.FAST_BURNS, windows.SLOW_BURNS
    assert [burn.pair.long for burn in (fast, slower, slow, slowest)] == ["1h", "6h", "1d", "3d"]
    return {
        **{f"AgentNetTurnLatency{end}": (percent, f"{ms / 1000:g} s") for end, ms in zip(ENDS, latency, strict=True)},
        **{f"AgentNetSuccessRate{end}": (f"{share:g}%",) for end, share in zip(ENDS, success, strict=True)},
        **{f"AgentNetTokenEfficiency{end}": (said(mean),) for end, mean in zip(ENDS, efficiency, strict=True)},
        **{f"AgentNetCostPerTurn{end}": (f"{said(usd)} USD",) for end, usd in zip(ENDS, cost, strict=True)},
        "AgentNetErrorBudgetBurnCritical": (
            budget,
            f"{fast.factor:g} times too fast over 1 hour",
            f"{slower.factor:g} times over 6",
        ),
        "AgentNetErrorBudgetBurnWarning": (f"{slow.factor:g} times over a day", "once over 3 days"),
        "AgentNetTurnStuck": (f"{health.STUCK_S // 60} minutes",),
        "AgentNetPolicyViolations": (f"{said(health.VIOLATION_SHARE)} violations a turn",),
        "AgentNetToolFailures": (f"{100 * health.TOOL_FAILURE_SHARE:g}% of the calls",),
        "AgentNetBridgeBehind": ("a minute",),
        "AgentNetBridgeDown": ("5 minutes",),
    }


def table_of(metric):
    """The two limits of a metric."""
    return DOCUMENTED[metric].recommended, DOCUMENTED[metric].critical


def test_the_table_says_the_numbers_of_the_rules():
    """A limit or a share that changes has to change there too."""
    text = (ROOT / "docs/alerts.md").read_text()
    for alert, numbers in numbers_of_table().items():
        row = next(line for line in text.splitlines() if line.startswith(f"| [{alert}]"))
        assert [number for number in numbers if number not in row] == [], row


def test_every_alert_stands_in_the_table_with_its_test():
    """docs/alerts.md names page, severities and test of each, and no other."""
    severities = {}
    for alert in alerts(RuleOptions()):
        severities.setdefault(alert.alert, []).append(alert.severity.value)
    assert table() == {
        name: (f"runbooks/{name}.md", ", ".join(severities[name]), f"test_alert[{name}]") for name in NAMES
    }
