"""The JSON report: strict, versioned, the same keys always."""

import json
import math
from datetime import datetime

import jsonschema
import pytest

from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.model import CostSource, Outcome, PolicyViolation, TokenUsage, ToolCall
from agentnet_otel.outputs.json_text import indented_json, strict_json
from agentnet_otel.outputs.reports.content import report_on
from agentnet_otel.outputs.reports.json_report import SCHEMA_VERSION, render_json

GENERATED_NS = 1_700_000_000_000_000_000

KEYS = {
    "schema_version": None,
    "metadata": {
        "generated_at",
        "generated_at_unix_nano",
        "agentnet_version",
        "agentnet_otel_version",
        "report_type",
        "format",
    },
    "executive_summary": {
        "total_benchmarks",
        "benchmark_success_rate",
        "avg_turn_latency_ms",
        "total_tokens_analyzed",
        "overall_efficiency_score",
        "turns",
        "agents",
        "sessions",
        "first_start_time_unix_nano",
        "last_end_time_unix_nano",
        "verdict",
        "outcomes",
        "error_types",
        "key_findings",
    },
    "verdicts": [
        {
            "metric",
            "label",
            "agent",
            "model",
            "unit",
            "value",
            "interval",
            "recommended",
            "critical",
            "verdict",
            "n",
            "needed",
            "sufficient",
            "limit_within_interval",
        }
    ],
    "findings": [{"text", "n", "verdict", "measure", "turns"}],
    "remarks": {"verdicts", "latency", "tokens"},
    "runs": None,
    "comparison": None,
    "differences": None,
    "latency": {
        "count",
        "mean_ms",
        "mean_interval",
        "min_ms",
        "max_ms",
        "stdev_ms",
        "quantiles",
        "outliers",
        "buckets",
        "histogram",
        "peak_concurrency",
    },
    "latency_over_time": [{"start_ns", "end_ns", "turns", "failed", "median_ms", "p95_ms", "p95_sufficient"}],
    "time_to_first_token": {"turns", "median_ms", "p95_ms", "p95_sufficient"},
    "components": [
        {
            "component",
            "turns",
            "calls",
            "total_ms",
            "share",
            "mean_ms",
            "p95_ms",
            "mean_sufficient",
            "p95_sufficient",
        }
    ],
    "tokens": {
        "usage",
        "by_category",
        "turns_with_tokens",
        "estimated_turns",
        "cost_usd",
        "cost_by_source",
        "turns_with_cost",
        "mean_efficiency",
        "quality_sources",
        "weighted",
    },
    "agents": [
        {
            "agent",
            "turns",
            "success_rate",
            "mean_ms",
            "p95_ms",
            "tokens",
            "cost_usd",
            "efficiency",
            "component_ms",
            "mean_sufficient",
            "p95_sufficient",
        }
    ],
    "models": [{"model", "turns", "usage", "cost_usd"}],
    "slowest_turns": [
        {
            "turn_id",
            "trace_id",
            "span_id",
            "agent",
            "duration_ms",
            "outcome",
            "component",
            "component_ms",
            "components_ms",
            "steps",
            "steps_left_out",
            "url",
        }
    ],
    "tools": [{"tool", "calls", "failures", "trace_id", "url"}],
    "policy_violations": [{"rule", "severity", "count", "trace_id", "url"}],
    "optimization_opportunities": [{"kind", "title", "limit", "turns", "of", "examples"}],
    "benchmark_analysis": set(),
    "latency_analysis": set(),
    "token_analysis": set(),
    "trends": None,
    "recommendations": [{"category", "priority", "title", "description", "action"}],
    "environment": {"Python"},
    "data_quality": {
        "spans",
        "duplicates",
        "late_spans",
        "dropped_spans",
        "bad_lines",
        "oversized_lines",
        "cut_off_ends",
        "cut_windows",
        "unreadable_sources",
        "evicted_traces",
        "damaged_turns",
        "dropped_turns",
        "calls_outside_turns",
        "clipped_spans",
        "incomplete_turns",
        "revised_turns",
        "estimated_turns",
        "sampled_turns",
        "turns_of_unknown_sampling",
        "notes",
    },
}
"""What version 1 of the schema holds: a key that goes needs a new version, a new one only a line here."""


def refuse(constant):
    """Strict JSON knows no NaN and no infinity."""
    message = f"{constant} is no JSON"
    raise ValueError(message)


def document(turns, **given):
    """The report on turns, read by a strict reader."""
    facts = {"thresholds": ThresholdTable(), "generated_ns": GENERATED_NS, "version": "0.0"}
    text = render_json(report_on(turns, **facts | {"environment": {"Python": "3"}} | given))
    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def full(make_turn):
    """A turn that fills every table."""
    return make_turn(
        ms=1500.0,
        session="s",
        outcome=Outcome.ERROR,
        error_type="ConnectionError",
        cost_source=CostSource.ENGINE,
        time_to_first_token_ns=5_000_000,
        tool_calls=(ToolCall(name="search", outcome="error"),),
        violations=(PolicyViolation(rule="r"),),
        policy_violations=1,
    )


def test_the_keys_of_this_schema_version(full):
    """Each part has exactly the keys of its version."""
    assert SCHEMA_VERSION == 1
    read = document([full])
    assert list(read) == list(KEYS)
    for key, expected in KEYS.items():
        if isinstance(expected, set):
            assert set(read[key]) == expected, key
        elif isinstance(expected, list):
            assert read[key], f"{key} is empty"
            assert all(set(row) == expected[0] for row in read[key]), key
    assert read["schema_version"] == SCHEMA_VERSION


def test_the_same_keys_without_turns():
    """An empty report has the same parts; what is unknown is null or empty, never left out."""
    read = document([])
    assert list(read) == list(KEYS)
    assert read["latency"] is None
    assert read["agents"] == []
    assert read["executive_summary"]["verdict"] == "n/a"
    assert read["executive_summary"]["first_start_time_unix_nano"] is None
    assert [row["value"] for row in read["verdicts"]] == [None] * 4
    assert read["tokens"]["cost_usd"] is None


def test_figures_are_numbers_in_the_unit_of_their_name(full):
    """Milliseconds, USD, shares; times as epoch nanoseconds and as text of ISO 8601."""
    read = document([full], trace_url="http://host/{trace_id}")
    assert datetime.fromisoformat(read["metadata"]["generated_at"]).timestamp() == GENERATED_NS / 1e9
    assert read["metadata"]["generated_at_unix_nano"] == GENERATED_NS
    assert read["latency"]["mean_ms"] == 1500.0
    assert read["latency"]["buckets"][5] == {"from_ms": 1000.0, "below_ms": 2000.0, "turns": 1}
    assert read["latency"]["quantiles"][3] == {"q": 0.99, "value_ms": 1500.0, "interval": None, "needed": 368}
    assert read["components"][0]["share"] == pytest.approx(0.75)
    assert read["tokens"]["usage"] == {"input": 20, "output": 80, "cached": None, "reasoning": None}
    assert read["slowest_turns"][0]["url"] == f"http://host/{full.trace_id}"
    assert read["time_to_first_token"] == {"turns": 1, "median_ms": 5.0, "p95_ms": 5.0, "p95_sufficient": False}


def test_rows_match_a_schema_of_types(make_turns):
    """The verdict rows keep their types, with and without data."""
    schema = {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "metric": {"enum": ["turn_latency", "success_rate", "token_efficiency", "cost_per_turn"]},
                "value": {"type": ["number", "null"]},
                "interval": {"type": ["object", "null"], "required": ["low", "high"]},
                "verdict": {"enum": ["PASS", "WARN", "FAIL", "n/a"]},
                "n": {"type": "integer"},
                "sufficient": {"type": "boolean"},
            },
        },
    }
    jsonschema.validate(document(make_turns(100))["verdicts"], schema)
    jsonschema.validate(document([])["verdicts"], schema)


def test_hostile_texts_stay_strings(make_turn):
    """Quotes, controls, halves of surrogates and a huge name: strict JSON all the same, and whole."""
    name = 'quote" \\ \n\x00 \ud800 <b> ' + "n" * 100_000
    read = document([make_turn(agent=name, models=(name,), tokens_by_model={name: TokenUsage(output=1)})])
    assert read["agents"][0]["agent"] == name.replace("\ud800", "?")
    assert read["models"][0]["model"] == name.replace("\ud800", "?")


def test_no_figure_is_not_a_number(make_turn):
    """What is no number is null, so that a strict reader takes the rest."""
    read = document([make_turn(cost_usd=math.nan, efficiency=math.inf)])
    assert read["tokens"]["cost_usd"] is None
    assert read["tokens"]["mean_efficiency"] is None


def test_strict_json_is_one_line():
    """Rows of `turns` are lines: no end of line within, also where a text holds one."""
    assert strict_json({"a": "x\ny", "b": (1, math.nan)}) == b'{"a":"x\\ny","b":[1,null]}'
    assert (
        indented_json({"a": ["\ud800", {"\udfff": 1}]}) == '{\n  "a": [\n    "?",\n    {\n      "?": 1\n    }\n  ]\n}\n'
    )
