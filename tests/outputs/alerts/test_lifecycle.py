"""Pending, firing and resolved, by tables of minutes; and the words of alerts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel.errors import ConfigurationError
from agentnet_otel.outputs.alerts.judging import Active
from agentnet_otel.outputs.alerts.lifecycle import advanced, fingerprint
from agentnet_otel.outputs.alerts.rendering import rendered
from agentnet_otel.outputs.rules.catalogue import RuleOptions, alerts

MINUTE_NS = 60_000_000_000
RULE = alerts(RuleOptions())[0]
LABELS = {"alertname": RULE.alert, "service_name": "shop", "gen_ai_agent_name": "a b"}
ODD = {**LABELS, "odd": '"\\'}


def told(line):
    """How an alert stands each minute: ``x`` where it is true in ``line``; -, p(ending), F(iring), R(esolved)."""
    known, states = {}, ""
    for minute, sign in enumerate(line):
        active = [Active(rule=RULE, labels=LABELS, value=0.5)] if sign == "x" else []
        known = advanced(known, active, minute * MINUTE_NS)
        standing = known.get(fingerprint(LABELS))
        if standing is None:
            states += "-"
        elif standing.resolved_ns is not None:
            states += "R"
        else:
            states += "F" if standing.firing else "p"
    return states


@pytest.mark.parametrize(
    ("line", "states"),
    [
        ("..", "--"),
        ("x.", "p-"),
        ("xx", "pF"),
        ("x.xx", "p-pF"),
        ("xx.x", "pFFF"),
        ("xx.......", "pFFFFFFR-"),
        ("xx....x......", "pFFFFFFFFFFFR"),
        ("xx......xx", "pFFFFFFRpF"),
    ],
)
def test_table_of_minutes(line, states):
    """It is held for a minute, kept for five after it is over, and resolved once."""
    assert told(line) == states


@given(st.text(alphabet="x.", max_size=60))
def test_resolved_once_after_each_firing(line):
    """Whatever comes and goes, nothing is resolved that did not fire, and nothing twice."""
    states = told(line)
    runs = [state for place, state in enumerate(states) if place == 0 or states[place - 1] != state]
    for before, state in zip(["-", *runs], runs, strict=False):
        assert (state == "R") <= (before == "F")
        assert (before == "F") <= (state == "R")
    assert "RR" not in states


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ $labels.gen_ai_agent_name }} of {{ $labels.none }}.", "a b of ."),
        ("{{ $labels.gen_ai_agent_name | urlquery }}", "a+b"),
        ('{{ $labels.odd | reReplaceAll `["\\\\]` `\\$0` }}', '\\"\\\\'),
        ("{{ $value | humanizePercentage }}", "12.35%"),
        ('{{ $value | printf "%.2f" }}', "0.12"),
    ],
)
def test_words(template, text):
    """The forms that the limits use."""
    assert rendered(template, ODD, 0.123456) == text


def test_unknown_words_are_told():
    """A form that nobody wrote here is no text."""
    with pytest.raises(ConfigurationError, match="humanizeDuration"):
        rendered("{{ $value | humanizeDuration }}", LABELS, 1.0)
