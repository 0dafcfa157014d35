"""The command `rules`."""

import pytest

from agentnet_otel import cli


def test_rules_are_written_where_they_are_asked_for(tmp_path, capsys):
    """Standard output, a file, or two files in a directory."""
    assert cli.run(["rules"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("# Made by `agentnet-otel rules`")
    assert cli.run(["rules", "-o", str(tmp_path / "new" / "agentnet.rules.yml")]) == 0
    assert (tmp_path / "new" / "agentnet.rules.yml").read_text() == text
    assert cli.run(["rules", "-o", str(tmp_path)]) == 0
    assert sorted(path.name for path in tmp_path.glob("*.yml")) == [
        "agentnet-alerts.rules.yml",
        "agentnet-recording.rules.yml",
    ]


def test_links_lead_where_the_servers_are(capsys):
    """Runbooks, dashboards and traces at addresses of one's own."""
    links = [
        "--runbooks",
        "https://wiki.example/runbooks/",
        "--grafana",
        "https://g.example",
        "--jaeger",
        "https://j.example/",
    ]
    assert cli.run(["rules", *links]) == 0
    text = capsys.readouterr().out
    assert "https://wiki.example/runbooks/AgentNetNoData.md" in text
    assert "https://g.example/d/agentnet-overview?var-service=" in text
    assert "https://j.example/search?service=" in text


def test_native_histograms_and_objectives_are_options(capsys):
    """Other rules, other documents."""
    assert cli.run(["rules", "--native"]) == 0
    assert "histogram_fraction" in capsys.readouterr().out
    assert cli.run(["rules", "--openslo"]) == 0
    assert capsys.readouterr().out.startswith("apiVersion: openslo/v1")
    assert cli.run(["rules", "--openslo", "--native"]) == 2
    assert "leave --native out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("success_rate: {critical: 99}\n", "limits.yaml:1: success_rate: critical 99 has to lie below recommended 95"),
        ("turn_latency: {critical: 400000}\n", "turn_latency: 400000 ms lies beyond the last bucket"),
        ("turn_latency: {critical: 40000000}\n", "turn_latency: 40000000 ms lies beyond the last bucket"),
        ("agents: {a: {success_rate: {recommended: 100}}}\n", "agent a: success_rate: nothing lies above 100 %"),
    ],
)
def test_wrong_limits_are_wrong_use(tmp_path, capsys, text, told):
    """One sentence, exit code 2."""
    file = tmp_path / "limits.yaml"
    file.write_text(text)
    assert cli.run(["rules", "--thresholds", str(file)]) == 2
    assert told in capsys.readouterr().err
