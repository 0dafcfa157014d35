"""Names are those that the Collector and Prometheus make of the same metric."""

import pytest

from agentnet_otel.outputs.prometheus.naming import family_name, label_name

NAMES = [
    ("agentnet.turns", "{turn}", "counter", "agentnet_turns", ""),
    ("agentnet.turn.duration", "s", "histogram", "agentnet_turn_duration_seconds", "seconds"),
    ("agentnet.turn.active.oldest_age", "s", "gauge", "agentnet_turn_active_oldest_age_seconds", "seconds"),
    ("agentnet.turn.cost.usd", "{USD}", "histogram", "agentnet_turn_cost_usd", ""),
    ("agentnet.turn.token.efficiency", "1", "histogram", "agentnet_turn_token_efficiency", ""),
    ("cpu.utilization", "1", "gauge", "cpu_utilization_ratio", "ratio"),
    ("hit.ratio.cache", "1", "gauge", "hit_cache_ratio", "ratio"),
    ("jobs", "1", "counter", "jobs", ""),
    ("jobs.total.done", "", "counter", "jobs_done", ""),
    ("request.seconds.sum", "s", "histogram", "request_seconds_sum", ""),
    ("network.io", "By/s", "gauge", "network_io_bytes_per_second", "bytes_per_second"),
    ("queue", "widgets", "gauge", "queue_widgets", "widgets"),
    ("9lives", "", "gauge", "_9lives", ""),
    ("a..b__c", "", "gauge", "a_b_c", ""),
    ("load", "%", "gauge", "load_percent", "percent"),
]


@pytest.mark.parametrize(("name", "unit", "kind", "family", "shown_unit"), NAMES)
def test_a_family_is_named_by_the_rules_of_opentelemetry(name, unit, kind, family, shown_unit):
    """Words joined by underscores, the unit behind them, and told as unit only where it ends the name."""
    assert family_name(name, unit, kind) == (family, shown_unit)


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("gen_ai.agent.name", "gen_ai_agent_name"),
        ("a--b", "a_b"),
        ("1st", "key_1st"),
        ("_own", "key_own"),
        ("error.type", "error_type"),
    ],
)
def test_a_label_is_named_by_the_same_rules(key, label):
    """As keys become labels elsewhere."""
    assert label_name(key) == label
