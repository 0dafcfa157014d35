"""What a gate says to CI servers."""

from xml.etree import ElementTree as ET

import pytest

from agentnet_otel.core.observations import observation_of
from agentnet_otel.core.regression import compare
from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.core.verdicts import judge
from agentnet_otel.model import Outcome
from agentnet_otel.outputs.gate import Gate, annotations, junit, summary


@pytest.fixture
def gate_on(make_turns):
    """A gate on turns, of an agent with limits of its own."""

    def made(n=40, before=None, **facts):
        turns = make_turns(n, **facts)
        agent = facts.get("agent", "planner")
        table = ThresholdTable(agents={agent: ThresholdTable().default})
        comparisons = []
        if before is not None:
            old, new = ([observation_of(turn) for turn in side] for side in (before, turns))
            comparisons = [("", compare(old, new))]
        return Gate(
            command="check", verdicts=judge(turns, table), comparisons=comparisons, turns=n, code=0, missed=["a: b"]
        )

    return made


def test_a_fine_gate_is_quiet(make_turns, gate_on):
    """No annotation but that of the limit that is not kept; the summary says what was judged."""
    gate = gate_on(before=make_turns(40))
    assert list(annotations(gate)) == ["::error title=Limit not kept::a: b"]
    assert "| Turn latency (p95) | 100 ms |" in summary(gate)
    cases = ET.fromstring(junit(gate)).iter("testcase")  # noqa: S314 - written by us
    assert {case.get("classname") for case in cases} == {
        "agentnet-otel.limits",
        "agentnet-otel.own limits",
        "agentnet-otel.baseline",
        "agentnet-otel.data",
    }


def test_few_turns_are_told(gate_on):
    """As a warning, in the summary, and as a test that fails."""
    gate = gate_on(n=5)
    assert "::warning title=Few turns::5 turns; a verdict needs 20 on each side" in list(annotations(gate))
    failed = [case for case in ET.fromstring(junit(gate)).iter("testcase") if case.find("failure") is not None]  # noqa: S314
    assert [case.get("name") for case in failed] == ["a: b", "at least 20 turns on a side"]


@pytest.mark.parametrize(
    "agent", ["a::b,%0A\n::error::x", '<x>&"', "\x00\x1b[0m\ufffe", "a|b\n| c |", "]]>\r<![CDATA[", "x" * 100_000]
)
def test_hostile_names_stay_text(gate_on, agent):
    """A name ends no command, no attribute, no element and no row, and is cut where it is long."""
    gate = gate_on(agent=agent, ms=9000.0, outcome=Outcome.ERROR)
    for line in annotations(gate):
        assert "\n" not in line
        assert line.startswith(("::error title=", "::warning title="))
    assert all(len(text) < 20_000 for text in (*annotations(gate), junit(gate), summary(gate)))
    tree = ET.fromstring(junit(gate))  # noqa: S314 - written by us
    assert int(tree.get("tests")) == len(list(tree.iter("testcase")))
    rows = [line for line in summary(gate).splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 8


JUNIT = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"}, {"testcase"}),
    "testcase": ({"name", "classname", "time"}, {"skipped", "error", "failure", "system-out", "system-err"}),
    "failure": ({"type", "message"}, set()),
    "skipped": ({"type", "message"}, set()),
    "system-out": (set(), set()),
}
"""What the schema that Jenkins checks by allows: attributes and children of each element."""


def test_junit_has_the_shape_of_the_common_schema(gate_on, make_turns):
    """Passed, failed and skipped cases have only what the schema has a place for, and are counted as they are."""
    gate = gate_on(ms=9000.0, cost_usd=None, before=make_turns(40, ms=100.0, cost_usd=None))
    tree = ET.fromstring(junit(gate))  # noqa: S314 - written by us
    for element in tree.iter():
        attributes, children = JUNIT[element.tag]
        assert set(element.attrib) <= attributes, element.tag
        assert {child.tag for child in element} <= children, element.tag
    suite = tree.find("testsuite")
    found = {tag: len(list(tree.iter(tag))) for tag in ("testcase", "failure", "skipped")}
    assert min(found.values()) > 0
    assert [int(suite.get(of)) for of in ("tests", "failures", "skipped")] == list(found.values())
