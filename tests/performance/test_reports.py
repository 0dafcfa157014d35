"""The documented reporter: files, keys, headings, findings, recommendations, trends."""

import json
import random
import re
from datetime import datetime
from pathlib import Path

import jsonschema
import pytest

from agentnet_otel.core.thresholds import DOCUMENTED, Metric, ThresholdTable, with_limits
from agentnet_otel.errors import BackendError
from agentnet_otel.model import CostSource, Outcome, TokenUsage, Turn
from agentnet_otel.performance import LatencyTracker, PerformanceReporter, ReportFormat, TokenUtilizationTracker
from agentnet_otel.performance.benchmark import BenchmarkConfig, BenchmarkResult, BenchmarkType
from agentnet_otel.performance.latency import LatencyComponent
from agentnet_otel.performance.samples import OperationSample
from agentnet_otel.testing import FakeClock

MS = 1_000_000
DOCUMENTED_KEYS = {
    "metadata": {"generated_at", "agentnet_version", "report_type", "format"},
    "executive_summary": {
        "total_benchmarks",
        "benchmark_success_rate",
        "avg_turn_latency_ms",
        "total_tokens_analyzed",
        "overall_efficiency_score",
        "key_findings",
    },
    "benchmark_analysis": {
        "summary",
        "latency_metrics",
        "throughput_metrics",
        "success_metrics",
        "benchmark_breakdown",
    },
    "latency_analysis": {
        "summary",
        "overall_statistics",
        "component_breakdown",
        "performance_issues",
        "agent_analysis",
    },
    "token_analysis": {"system_overview", "optimization_opportunities", "recommendations", "agent_breakdown"},
    "trends": {"benchmark_trends", "latency_trends", "token_trends"},
}


def result(name="bench", *, mean=1000.0, success=1.0, start=0.0, tokens=1000, efficiency=0.8, **facts):
    """A result of ten operations, as somebody may put it together by hand."""
    good = round(10 * success)
    return BenchmarkResult(
        BenchmarkConfig(name, BenchmarkType.SINGLE_TURN, min_success_rate=0.95, max_turn_latency_ms=1500.0),
        start, start + 10, 10.0, mean, mean / 2, mean * 2, mean * 1.5, tokens, tokens / 10, efficiency, 10, good,
        10 - good, success, 1.0 + start, 10.0, **facts,
    )  # fmt: skip


def turn(number, ms=100.0, **facts):
    """A turn with spans."""
    return Turn(
        turn_id=f"t{number}",
        trace_id=format(number + 1, "032x"),
        span_id=format(number + 1, "016x"),
        agent="planner",
        start_ns=number * MS,
        end_ns=number * MS + round(ms * MS),
        **{"outcome": Outcome.SUCCESS, **facts},
    )


def filled_trackers(turns=30, ms=100, slow=0):
    """Both trackers, filled by hand: turns of 250 tokens, the last ones slow."""
    clock = FakeClock()
    latency = LatencyTracker(clock=clock)
    tokens = TokenUtilizationTracker()
    for number in range(turns):
        turn_id = f"turn_{number:03}"
        latency.start_turn_measurement(turn_id, "agent_1", prompt_length=100)
        latency.start_component_measurement(turn_id, LatencyComponent.INFERENCE)
        clock.advance(5000 if number >= turns - slow else ms)
        latency.end_component_measurement(turn_id, LatencyComponent.INFERENCE)
        latency.end_turn_measurement(turn_id, response_length=200)
        tokens.record_token_usage("agent_1", turn_id, 100, 150)
    return latency, tokens


def read(path):
    """A report's text."""
    return Path(path).read_text(encoding="utf-8")


@pytest.fixture
def reporter(tmp_path):
    """A reporter with a folder that is not there yet."""
    return PerformanceReporter(tmp_path / "deep" / "er")


@pytest.fixture
def written(reporter):
    """The parsed JSON report on what is given."""

    def write(*given, **options):
        path = reporter.generate_comprehensive_report(*given, format="json", **options)
        return json.loads(read(path), parse_constant=pytest.fail)

    return write


@pytest.fixture
def markdown(reporter):
    """The Markdown report on what is given."""

    def write(*given, **options):
        return read(reporter.generate_comprehensive_report(*given, **options))

    return write


@pytest.mark.parametrize(
    ("form", "ending"),
    [
        (ReportFormat.MARKDOWN, "md"),
        (ReportFormat.JSON, "json"),
        (ReportFormat.HTML, "html"),
        (ReportFormat.CSV, "csv"),
        ("markdown", "md"),
        ("csv", "csv"),
    ],
)
def test_files_have_the_documented_names(reporter, form, ending):
    """A path as text, named by date and second; the enum and its value work; a taken name gets a number."""
    paths = [reporter.generate_comprehensive_report([result()], format=form) for _ in range(3)]
    assert len(set(paths)) == 3
    for path in paths:
        assert isinstance(path, str)
        assert re.fullmatch(rf"performance_report_\d{{8}}_\d{{6}}(_\d+)?\.{ending}", path.rsplit("/", 1)[1])
        assert reporter.output_dir.as_posix() in path


def test_the_default_folder_is_the_documented_one(tmp_path, monkeypatch):
    """Nothing is made before the first report."""
    monkeypatch.chdir(tmp_path)
    reporter = PerformanceReporter()
    assert not list(tmp_path.iterdir())
    assert reporter.generate_comprehensive_report([]).startswith("performance_reports/performance_report_")


def test_json_has_the_documented_keys(written):
    """All of them at each level, strict JSON; the summaries have no other ones."""
    latency, tokens = filled_trackers()
    found = written([result("a"), result("b", start=1.0)], latency_tracker=latency, token_tracker=tokens)
    for key, inside in DOCUMENTED_KEYS.items():
        assert inside <= set(found[key]), key
    assert set(found["benchmark_analysis"]["summary"]) == {
        "total_benchmarks",
        "passed_benchmarks",
        "failed_benchmarks",
    }
    assert set(found["latency_analysis"]["summary"]) == {"total_measurements", "unique_agents"}
    assert set(found["benchmark_analysis"]["latency_metrics"]) == {
        *("avg_latency_ms", "min_latency_ms", "max_latency_ms", "p95_latency_ms"),
    }
    assert {"name", "type", "latency_ms", "success_rate", "ops_per_sec", "passed_thresholds"} <= set(
        found["benchmark_analysis"]["benchmark_breakdown"][0]
    )
    assert set(found["latency_analysis"]["agent_analysis"]["agent_1"]) == {"statistics", "issues"}
    assert set(found["token_analysis"]["agent_breakdown"]["agent_1"]) == {"summary", "opportunities"}
    assert found["metadata"]["report_type"] == "comprehensive_performance"
    assert found["metadata"]["format"] == "json"
    assert datetime.fromisoformat(found["metadata"]["generated_at"]).tzinfo is not None
    assert set(found["recommendations"][0]) == {"category", "priority", "title", "description", "action"}


def test_the_trackers_answers_are_in_it_as_they_give_them(written):
    """Statistics, breakdown, issues, overview, opportunities, and the latest metrics as an object."""
    latency, tokens = filled_trackers()
    found = written([], latency, tokens)
    assert found["latency_analysis"]["overall_statistics"] == latency.get_latency_statistics()
    assert found["latency_analysis"]["component_breakdown"] == latency.get_component_breakdown()
    assert found["latency_analysis"]["performance_issues"] == latency.identify_performance_issues()
    assert found["token_analysis"]["optimization_opportunities"] == tokens.identify_optimization_opportunities()
    assert found["token_analysis"]["recommendations"] == tokens.generate_optimization_recommendations()
    latest = found["token_analysis"]["system_overview"]["agents"]["agent_1"]["latest_metrics"]
    assert latest["turn_id"] == "turn_029"
    assert latest["total_tokens"] == 250
    assert found["executive_summary"]["total_tokens_analyzed"] == 30 * 250


def test_figures_of_several_benchmarks(written):
    """Averages, extremes and shares, from the results."""
    found = written([result("a", mean=1000.0), result("b", mean=3000.0, success=0.5, start=1.0)])
    summary, analysis = found["executive_summary"], found["benchmark_analysis"]
    assert (summary["total_benchmarks"], summary["benchmark_success_rate"]) == (2, 0.5)
    assert summary["avg_turn_latency_ms"] == 2000.0
    assert (summary["total_tokens_analyzed"], summary["overall_efficiency_score"]) == (2000, 0.8)
    assert analysis["summary"] == {"total_benchmarks": 2, "passed_benchmarks": 1, "failed_benchmarks": 1}
    assert list(analysis["latency_metrics"].values()) == [2000.0, 1000.0, 3000.0, 3000.0]
    assert list(analysis["throughput_metrics"].values()) == [1.5, 1.0, 2.0]
    assert list(analysis["success_metrics"].values()) == [0.75, 0.5, 1.0]


def test_without_input_analyses_are_empty(written):
    """{} for what was not given, a finding nevertheless, and one general recommendation."""
    found = written([])
    assert found["benchmark_analysis"] == found["latency_analysis"] == found["token_analysis"] == {}
    assert found["trends"] == {"benchmark_trends": {}, "latency_trends": {}, "token_trends": {}}
    assert found["executive_summary"]["total_benchmarks"] == 0
    assert found["executive_summary"]["key_findings"] == ["No turn was found: nothing can be said."]
    assert [item["category"] for item in found["recommendations"]] == ["general"]
    empty = written([], LatencyTracker(), TokenUtilizationTracker())
    assert empty["latency_analysis"] == empty["token_analysis"] == {}
    assert empty["trends"]["token_trends"] == {}


def test_findings_by_the_documented_limits(written):
    """Pass share, mean latency, efficiency and the tracker's mean are findings beyond their limits, with figures."""
    latency, tokens = filled_trackers(ms=1600)
    findings = written([result("slow one", mean=2500.0)], latency, tokens)["executive_summary"]["key_findings"]
    assert findings[0] == "1 of 1 benchmarks did not keep their limits: slow one."
    assert findings[1] == "Turns took more than 2,000 ms on average in 1 benchmarks: slow one (2,500 ms)."
    assert findings[2].startswith("Token efficiency is 0.4")
    assert findings[3] == "The 30 measured turns took 1,600 ms on average, more than 1,500 ms."


def test_on_the_limits_there_is_no_documented_finding(written):
    """4 of 5 passing, 2,000 ms and .6 are on the limits, not beyond."""
    results = [result(str(place), start=float(place), efficiency=0.6) for place in range(4)]
    results.append(result("4", mean=2000.0, start=4.0, efficiency=0.6))
    findings = written(results)["executive_summary"]["key_findings"]
    assert not any("benchmarks" in finding for finding in findings)
    assert not any("tokens are wasted" in finding for finding in findings)


def test_many_names_in_a_finding_are_cut(written):
    """Three names, and how many more."""
    results = [result(f"b{place}", mean=1800.0, start=float(place)) for place in range(5)]
    assert "b0, b1, b2 and 2 more" in written(results)["executive_summary"]["key_findings"][0]


def test_recommendations_by_the_documented_limits(written):
    """Slow averages and failures are high, tokens and slow turns medium; the most urgent come first."""
    latency, tokens = filled_trackers(slow=2)
    found = written([result(mean=2500.0, success=0.8, error_details=["Iteration 1 failed: boom"])], latency, tokens)[
        "recommendations"
    ]
    kinds = [(item["category"], item["priority"]) for item in found]
    assert kinds[:2] == [("latency", "high"), ("reliability", "high")]
    assert ("latency", "medium") in kinds
    assert kinds.count(("token_efficiency", "medium")) >= 2
    assert "boom" in found[1]["description"]
    texts = [item["description"] for item in found if item["category"] == "token_efficiency"]
    assert set(tokens.generate_optimization_recommendations()) <= set(texts)
    order = [{"high": 0, "medium": 1, "low": 2}[priority] for _, priority in kinds]
    assert order == sorted(order)


def test_where_all_is_well_one_general_recommendation_is_made(written):
    """A good result without turns: nothing else to say."""
    found = written([result(samples=[], individual_results=[{"duration_ms": 10.0, "success": True}] * 80)])
    assert [(item["category"], item["priority"]) for item in found["recommendations"]] == [("general", "low")]


def test_recommendations_can_be_left_out(reporter, markdown, written):
    """The word is absent in Markdown and HTML; in JSON the list is empty."""
    latency, tokens = filled_trackers(slow=2)
    given = ([result(mean=2500.0)], latency, tokens)
    assert "## Recommendations" in markdown(*given)
    assert "Recommendations" not in markdown(*given, include_recommendations=False)
    assert written(*given, include_recommendations=False)["recommendations"] == []
    path = reporter.generate_comprehensive_report(*given, format="html", include_recommendations=False)
    assert "Recommendations" not in read(path)


def test_trends_compare_the_latest_benchmark_with_the_first(written):
    """By start, whatever the order they are given in; from 0 there is no per cent; equal is stable."""
    late, early = result("late", mean=1200.0, success=0.9, start=9.0), result("early", mean=1000.0, start=1.0)
    found = written([late, early])["trends"]["benchmark_trends"]
    assert found["latency_trend"] == found["success_trend"] == "degrading"
    assert found["latest_vs_first"]["latency_change_pct"] == pytest.approx(20.0)
    assert found["latest_vs_first"]["success_change_pct"] == pytest.approx(-10.0)
    same = written([result("a", success=0.0, mean=0.0), result("b", success=0.0, mean=0.0, start=1.0)])
    assert same["trends"]["benchmark_trends"] == {
        "latency_trend": "stable",
        "success_trend": "stable",
        "latest_vs_first": {"latency_change_pct": None, "success_change_pct": None},
    }
    better = written([result("a", success=0.5), result("b", mean=900.0, start=1.0)])["trends"]["benchmark_trends"]
    assert better["latency_trend"] == better["success_trend"] == "improving"


def test_trends_of_trackers_compare_the_newest_tenth(written):
    """The tracker's own trend, with both figures and the change."""
    latency, tokens = filled_trackers(turns=40, slow=4)
    found = written([], latency, tokens)["trends"]
    assert found["latency_trends"]["trend"] == "stable"
    assert found["latency_trends"]["recent_p95_ms"] == 5000.0
    assert found["token_trends"]["trend"] == "stable"
    assert found["token_trends"]["change_pct"] == pytest.approx(0.0, abs=1e-9)


def test_markdown_has_the_documented_headings(markdown):
    """Line 1 and the headings in their order; benchmark and agent names are in it."""
    latency, tokens = filled_trackers()
    text = markdown([result("nightly"), result("b", start=1.0)], latency, tokens)
    assert text.splitlines()[0] == "# AgentNet Performance Report"
    places = [
        text.index(heading)
        for heading in (
            "## Executive Summary",
            "### Key Findings",
            "## Benchmark Analysis",
            "## Performance Metrics",
            "### Latency Tracker",
            "### Token Tracker",
            "### Trends",
            "## Recommendations",
            "## Environment",
            "## Data Quality",
        )
    ]
    assert places == sorted(places)
    assert "| nightly | single_turn |" in text
    assert "| agent_1 | 30 |" in text
    assert "is assumed: nobody told it" in text


@pytest.mark.parametrize("form", list(ReportFormat))
def test_every_format_has_the_verdict_table_and_the_names(reporter, form):
    """All four metrics with their verdicts, benchmark and agent names, in each format."""
    latency, tokens = filled_trackers()
    path = reporter.generate_comprehensive_report([result("nightly")], latency, tokens, form)
    text = read(path)
    for label in ("Turn latency (p95)", "Success rate", "Token efficiency (mean)", "Cost per turn (mean)"):
        assert label in text
    for word in ("PASS", "n/a", "nightly", "agent_1"):
        assert word in text


def test_names_cannot_break_the_files(reporter, tmp_path):
    """A hostile benchmark, agent and error text does nothing in any format."""
    bad = "<script>alert('x')</script>|\u202e\n=1+1"
    latency, tokens = LatencyTracker(), TokenUtilizationTracker()
    latency.start_turn_measurement("t", bad)
    latency.end_turn_measurement("t")
    tokens.record_token_usage(bad, "t", 1, 1)
    hostile = result(bad, success=0.5, error_details=[bad], warnings=[bad])
    for form in ReportFormat:
        text = read(reporter.generate_comprehensive_report([hostile], latency, tokens, form))
        if form is ReportFormat.JSON:
            assert bad in json.loads(text)["latency_analysis"]["agent_analysis"]
        else:
            assert "\u202e" not in text
        if form is ReportFormat.HTML:
            assert text.count("<script") == 1
            assert "&lt;script&gt;alert(&#x27;x&#x27;)" in text


def judged(found):
    """The verdict table by metric."""
    return {row["metric"]: row for row in found["verdicts"]}


def test_verdicts_rest_on_the_turns_of_benchmarks_and_trackers_once(written):
    """A turn that a result and both trackers hold counts once."""
    draw = random.Random(1)
    facts = {"tokens": TokenUsage(input=50, output=50), "cost_usd": 0.02, "cost_source": CostSource.ENGINE}
    turns = [turn(place, 100 * draw.lognormvariate(0, 0.3), efficiency=0.6, **facts) for place in range(80)]
    latency, tokens = LatencyTracker.from_turns(turns), TokenUtilizationTracker.from_turns(turns)
    found = judged(written([result(turns=turns)], latency, tokens))
    assert found["turn_latency"]["n"] == 80
    assert found["cost_per_turn"]["verdict"] == "WARN"
    assert found["token_efficiency"]["verdict"] == "WARN"
    assert found["success_rate"]["n"] == 10  # operations, not turns
    alone = judged(written([], latency, tokens))
    assert alone["success_rate"]["n"] == 80
    assert alone["turn_latency"]["value"] == found["turn_latency"]["value"]


def test_verdicts_on_trackers_that_were_filled_by_hand(written):
    """Latency and efficiency are judged, assumed costs are not, and nobody knows who failed."""
    found = judged(written([], *filled_trackers(turns=80)))
    assert found["turn_latency"]["verdict"] == "PASS"
    assert found["turn_latency"]["value"] == pytest.approx(100.0)
    assert found["token_efficiency"]["verdict"] == "FAIL"
    assert found["cost_per_turn"]["verdict"] == "n/a"
    assert found["success_rate"]["verdict"] == "n/a"


def test_operations_that_failed_without_a_turn_are_in_the_success_rate(written):
    """The result counts operations, so a failure before any turn is a failure."""
    samples = [
        OperationSample(
            iteration=place,
            scheduled_ns=0,
            start_ns=0,
            service_ms=100.0,
            response_ms=100.0,
            outcome=Outcome.SUCCESS if place else Outcome.ERROR,
            turn_latencies_ms=(100.0 + place,) if place else (),
            turn_efficiencies=(0.9,),
            cost_usd=0.001,
        )
        for place in range(10)
    ]
    found = judged(written([result(success=0.9, samples=samples)]))
    assert (found["success_rate"]["value"], found["success_rate"]["n"]) == (90.0, 10)
    assert found["turn_latency"]["n"] == 9
    assert (found["token_efficiency"]["n"], found["token_efficiency"]["verdict"]) == (10, "PASS")
    assert found["cost_per_turn"]["value"] == pytest.approx(0.001)


def test_results_without_samples_are_judged_by_what_they_tell(written):
    """The worst p95, and means over operations; that there is no sample is told."""
    found = written([result("a", avg_cost_usd=0.1), result("b", mean=1400.0, start=1.0, efficiency=0.4)])
    rows = judged(found)
    assert (rows["turn_latency"]["value"], rows["turn_latency"]["sufficient"]) == (2100.0, False)
    assert rows["token_efficiency"]["value"] == pytest.approx(0.6)
    assert rows["cost_per_turn"]["verdict"] == "FAIL"
    assert "without samples are judged by the figures that they tell" in found["data_quality"]["notes"][0]
    nothing = judged(written([result(tokens=0)]))
    assert nothing["token_efficiency"]["verdict"] == nothing["cost_per_turn"]["verdict"] == "n/a"


def test_limits_and_links_of_ones_own(tmp_path):
    """A reporter can have its own limits, for agents too, and a link for each trace."""
    latency = DOCUMENTED[Metric.TURN_LATENCY]
    limits = ThresholdTable(
        default={**DOCUMENTED, Metric.TURN_LATENCY: with_limits(latency, 50.0, 5000.0)},
        agents={"planner": {Metric.TURN_LATENCY: with_limits(latency, 20.0, 80.0)}},
    )
    reporter = PerformanceReporter(tmp_path, thresholds=limits, trace_url="http://traces.invalid/{trace_id}")
    path = reporter.generate_comprehensive_report([], LatencyTracker.from_turns([turn(0)]))
    text = read(path)
    assert "| Turn latency (p95) | 100 ms | - | < 50 ms | < 5,000 ms | WARN," in text
    assert "| Turn latency (p95): planner | 100 ms | - | < 20 ms | < 80 ms | FAIL," in text
    assert f"(<http://traces.invalid/{'0' * 31}1>)" in text


def test_the_environment_is_that_of_the_benchmark(written):
    """The newest result's; different ones are told; without any it is that of this process."""
    first = result("a", environment={"python": "3.11", "load_average_1m": "0.1"})
    second = result("b", start=1.0, environment={"python": "3.12", "agentnet": "0.5.0"})
    found = written([second, first])
    assert found["environment"] == {"python": "3.12", "agentnet": "0.5.0"}
    assert found["metadata"]["agentnet_version"] == "0.5.0"
    assert "different environments" in found["data_quality"]["notes"][0]
    same = written([first, result("b", start=1.0, environment={"python": "3.11", "load_average_1m": "9"})])
    assert not any("environments" in note for note in same["data_quality"]["notes"])
    assert "python" in written([])["environment"]


def test_a_benchmark_that_was_cut_short_says_so(markdown):
    """Neither passed nor failed; warnings and the first reasons of failures are listed."""
    text = markdown([result(completed=False, warnings=["fewer than 20 iterations"], error_details=["x"] * 5)])
    assert "| cut short |" in text
    assert "- bench: fewer than 20 iterations" in text
    assert text.count("- bench: Failed: x") == 3


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("benchmark_results", [1]),
        ("benchmark_results", None),
        ("benchmark_results", "abc"),
        ("latency_tracker", object()),
        ("token_tracker", LatencyTracker()),
        ("format", "pdf"),
    ],
)
def test_wrong_arguments_are_named(reporter, field, given):
    """The text says which argument, and what is allowed; nothing is written."""
    arguments = {"benchmark_results": [], field: given}
    with pytest.raises(ValueError, match=field):
        reporter.generate_comprehensive_report(**arguments)
    assert not reporter.output_dir.exists()


def test_a_folder_that_cannot_be_is_told(tmp_path):
    """Where a file is in the way, and where the folder is no path at all."""
    (tmp_path / "file").touch()
    with pytest.raises(BackendError, match="the report cannot be written"):
        PerformanceReporter(tmp_path / "file").generate_comprehensive_report([])
    with pytest.raises(ValueError, match="output_dir"):
        PerformanceReporter(3)


def keys_without_description(value, schema, path="$"):
    """Keys of a document that its schema does not know, where the schema lists the keys."""
    if isinstance(value, dict):
        known = schema.get("properties", {})
        further = schema.get("additionalProperties", {})
        for key, item in value.items():
            if key not in known and known and "additionalProperties" not in schema:
                yield f"{path}.{key}"
            yield from keys_without_description(item, known.get(key, further), f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from keys_without_description(item, schema.get("items", {}), f"{path}[]")


def test_the_json_report_is_as_its_published_schema_says(written, repository):
    """With everything and with nothing the report fits the schema, and the schema knows each of its keys."""
    schema = json.loads((repository / "docs" / "schemas" / "report.schema.json").read_bytes())
    check = jsonschema.Draft202012Validator(schema)
    check.check_schema(schema)
    turns = [
        turn(
            place,
            10.0 * (place + 1),
            time_to_first_token_ns=MS,
            tokens=TokenUsage(input=5, output=5),
            sampling_probability=0.5,
        )
        for place in range(90)
    ]
    latency, tokens = filled_trackers(slow=2)
    for found in (
        written([]),
        written([result("a", turns=turns), result("b", start=1.0)], latency, tokens),
    ):
        check.validate(found)
        assert list(keys_without_description(found, schema)) == []
    found["verdicts"][0]["verdict"] = "MAYBE"
    assert not check.is_valid(found)
