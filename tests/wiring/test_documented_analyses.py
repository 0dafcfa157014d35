"""The documented analyses in the report on turns of any source."""

import json

from agentnet_otel.core.assembler import Counts
from agentnet_otel.model import Outcome, TokenUsage, Turn
from agentnet_otel.outputs.reports.formats import render
from agentnet_otel.wiring import documented_analyses
from agentnet_otel.wiring.reporting import make_report

MS = 1_000_000


def turns(number):
    """Turns of two agents, the first of them without tokens."""
    return [
        Turn(
            turn_id=f"t{place}",
            trace_id=format(place + 1, "032x"),
            span_id=format(place + 1, "016x"),
            agent=f"agent-{place % 2}",
            start_ns=place * MS,
            end_ns=(place + 100 + place) * MS,
            outcome=Outcome.SUCCESS,
            tokens=TokenUsage(input=10, output=5) if place else TokenUsage(),
            cost_usd=0.001,
            quality=0.8,
        )
        for place in range(number)
    ]


def analyses(found, **asked):
    """Both analyses of the JSON report."""
    read = json.loads(render(make_report(found, Counts(), **asked), "json"))
    return read["latency_analysis"], read["token_analysis"]


def test_they_are_what_trackers_say_of_these_turns():
    """Counts, statistics and agents; a turn without tokens is in no analysis of tokens."""
    latency, tokens = analyses(turns(30), documented=True)
    assert latency["summary"] == {"total_measurements": 30, "unique_agents": 2}
    assert latency["overall_statistics"]["count"] == 30
    assert set(latency["agent_analysis"]) == {"agent-0", "agent-1"}
    assert tokens["system_overview"]["overview"]["total_turns"] == 29
    assert tokens["agent_breakdown"]["agent-1"]["summary"]["total_turns"] == 15


def test_they_are_there_only_where_they_are_asked_for():
    """Other formats do not tell them, so they are not made; without turns there are none."""
    assert analyses(turns(3)) == ({}, {})
    assert analyses([], documented=True) == ({}, {})


def test_of_very_many_turns_they_are_of_the_newest(monkeypatch):
    """Trackers hold so many; how many were left out is told."""
    monkeypatch.setattr(documented_analyses, "MAX_ANALYSED", 10)
    latency, tokens = analyses(turns(30), documented=True)
    assert (latency["summary"]["total_measurements"], latency["dropped_measurements"]) == (10, 20)
    assert tokens["dropped_turns"] == 19
