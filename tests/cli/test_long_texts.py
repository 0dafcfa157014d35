"""Texts of 100 kB from spans, agents and files: what people read is cut with an ellipsis, machines get it whole."""

import json
import sys

import pytest

LONG = "Z" * 100_000
LONGEST = 2_100
"""Characters of a line that a terminal may be given, with what stands before a text that is cut."""

AGENT = '''
"""An agent that raises a text of 100 kB."""


class Agent:
    def generate_reasoning_tree(self, prompt):
        raise RuntimeError("Z" * 100_000)
'''


@pytest.fixture
def long_names(spans_file):
    """A file in which every name is long, and two lines that cannot be read whose words are."""
    more = {"gen_ai.request.model": LONG, "error.type": LONG, "gen_ai.conversation.id": LONG}
    path = spans_file(80, name="long.jsonl", ms=9000, outcome="error", agents=(f"a{LONG}", f"b{LONG}"), more=more)
    bad_id = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": LONG, "spanId": LONG, "name": LONG}]}]}]}
    with path.open("a") as file:
        file.writelines(f"{json.dumps(line)}\n" for line in ({LONG: 1}, bad_id))
    return path


def lines_of(done):
    """Each line that was shown, wherever."""
    return [*done.stdout.splitlines(), *done.stderr.splitlines()]


@pytest.mark.parametrize("command", ["check", "report", "diff"])
def test_what_is_printed_of_spans_is_cut(cli, long_names, command):
    """Tables, findings and remarks, and what could not be read: an ellipsis shows that there is more."""
    shown = lines_of(cli(command, *[long_names] * (2 if command == "diff" else 1)))
    assert max(map(len, shown)) <= LONGEST
    assert any("Z\u2026" in line for line in shown)


def test_verdicts_of_an_agent_and_of_other_agents_than_before(cli, spans_file, tmp_path):
    """Limits of an agent with as long a name as YAML takes are judged, and agents that the baseline lacks are named."""
    base, limits, name = tmp_path / "base.json", tmp_path / "limits.yaml", "Z" * 1000
    assert cli("check", spans_file(), "--save-baseline", base).returncode == 0
    limits.write_text(json.dumps({"agents": {name: {"turn_latency": {"recommended": 1, "critical": 2}}}}))
    now = spans_file(name="now.jsonl", agents=[f"{name}{number}" if number else name for number in range(10)])
    done = cli("check", now, "--baseline", base, "--thresholds", limits)
    assert "Not alike: agents that the baseline does not have" in done.stdout
    assert f"Turn latency (p95): {'Z' * 179}\u2026" in done.stdout
    assert max(map(len, lines_of(done))) <= LONGEST


def test_what_an_agent_raises_is_cut(cli, tmp_path, monkeypatch):
    """The reasons of a benchmark's failures."""
    (tmp_path / "long_agents.py").write_text(AGENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "long_agents", raising=False)
    done = cli("bench", "long_agents:Agent", "--iterations", 2, "--warmup", 1)
    assert max(map(len, lines_of(done))) <= LONGEST
    assert "Z\u2026" in done.stdout


def test_machines_get_names_whole(cli, long_names):
    """Rows of turns, for whoever joins them with other data."""
    rows = [json.loads(line) for line in cli("turns", long_names).stdout.splitlines()]
    assert {row["agent"] for row in rows} == {f"a{LONG}", f"b{LONG}"}
