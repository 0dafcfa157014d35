"""The handle that `instrument()` returns: its turns, trackers and report, and how it exports, flushes and ends."""

import json
import logging
import os
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import NoOpTracerProvider

import agentnet_otel
from agentnet_otel import Outcome
from agentnet_otel.core.thresholds import DOCUMENTED, Metric, ThresholdTable, with_limits
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.instrumentation.watched_exporter import WatchedExporter, failed_batches
from agentnet_otel.sources.rebuild import rebuild
from agentnet_otel.wiring.deadline import all_within

pytestmark = pytest.mark.usefixtures("no_otel_environment")


def one_turn(agent="planner"):
    """A turn with an inference."""
    with agentnet_otel.turn(agent, prompt="why?") as turn, turn.component("inference", model="m") as call:
        call.record_tokens(input=10, output=20)
        call.record_cost(usd=0.01)


def run(source, *arguments, code=0, **environment):
    """Run a script in a process of its own; what it printed, and what it said on standard error."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


# --- what it tells ---------------------------------------------------------------------------------------


def test_turns_come_in_order_of_ending(handle):
    """A turn is there as soon as it ended; one within another ends first."""
    with agentnet_otel.turn("outer"):
        one_turn("inner")
        assert [turn.agent for turn in handle.turns()] == ["inner"]
    assert [turn.agent for turn in handle.turns()] == ["inner", "outer"]


def test_the_trackers_are_fed_live(handle):
    """The documented trackers answer with the turns of this process."""
    one_turn()
    (measured,) = handle.latency.get_measurements()
    assert (measured.agent_id, measured.prompt_length, measured.tokens_processed) == ("planner", 4, 30)
    assert handle.latency.get_latency_statistics()["count"] == 1
    summary = handle.tokens.get_agent_token_summary("planner")
    assert summary["tokens"]["total"] == 30
    assert summary["cost"]["total_usd"] == pytest.approx(0.01)


def test_a_report_of_this_process(handle):
    """As Markdown by default, as JSON when asked, with limits and links of one's own."""
    one_turn()
    assert handle.report().startswith("# AgentNet Performance Report\n")
    assert "1 turns of 1 agents" in handle.report("md")
    strict = ThresholdTable(
        default=DOCUMENTED | {Metric.COST_PER_TURN: with_limits(DOCUMENTED[Metric.COST_PER_TURN], 0.001, 0.002)},
    )
    read = json.loads(handle.report("json", thresholds=strict, trace_url="http://host/{trace_id}"))
    assert [row["verdict"] for row in read["verdicts"] if row["metric"] == "cost_per_turn"] == ["FAIL"]
    assert read["slowest_turns"][0]["url"] == f"http://host/{handle.turns()[0].trace_id}"
    assert read["data_quality"]["spans"] == 2


def test_a_report_before_any_turn(handle):
    """Nothing was recorded, and the report says so."""
    assert "No turn was found" in handle.report()
    assert handle.turns() == []


@pytest.mark.parametrize("wrong", [{"format": "docx"}, {"trace_url": "http://host/"}])
def test_a_wrong_request_for_a_report(handle, wrong):
    """An unknown format and a template without a trace id are told."""
    with pytest.raises(ConfigurationError, match=r"docx|\{trace_id\}"):
        handle.report(**wrong)


def test_turns_that_are_no_longer_held_are_told(handle, monkeypatch):
    """The report tells that it is on the newest turns only, and how many are gone."""
    monkeypatch.setattr(handle.live, "_kept_turns", 3)
    for _ in range(5):
        one_turn()
    assert "2 older turns are no longer held" in handle.report()
    assert json.loads(handle.report("json"))["data_quality"]["dropped_turns"] == 2


def test_names_that_no_json_can_hold(handle):
    """Half of a surrogate pair in a name keeps neither report from being written."""
    one_turn("a\ud800b")
    json.loads(handle.report("json"))
    handle.report("md").encode()


# --- ending ----------------------------------------------------------------------------------------------


def test_shutdown_takes_everything_back_once(telemetry):
    """Afterwards nothing is recorded for it, the turns stay readable, and a second call does nothing."""
    handle = agentnet_otel.instrument(tracer_provider=telemetry.tracer_provider)
    one_turn()
    handle.shutdown()
    handle.shutdown()
    one_turn("later")
    assert [turn.agent for turn in handle.turns()] == ["planner"]
    assert handle.flush()


def test_uninstrument_ends_the_handle_in_use(telemetry):
    """The next `instrument()` makes another one, and only that one is fed; without one nothing happens."""
    agentnet_otel.uninstrument()
    first = agentnet_otel.instrument(tracer_provider=telemetry.tracer_provider)
    assert agentnet_otel.instrument() is first
    agentnet_otel.uninstrument()
    second = agentnet_otel.instrument(tracer_provider=telemetry.tracer_provider)
    one_turn()
    assert second is not first
    assert (len(first.turns()), len(second.turns())) == (0, 1)


def test_an_old_handle_does_not_end_a_new_one(telemetry):
    """Shutting down a handle again, after another took its place, leaves that one working."""
    first = agentnet_otel.instrument(tracer_provider=telemetry.tracer_provider)
    first.shutdown()
    second = agentnet_otel.instrument(tracer_provider=telemetry.tracer_provider)
    first.shutdown()
    one_turn()
    assert len(second.turns()) == 1


@pytest.mark.parametrize(
    ("name", "value"), [("OTEL_SDK_DISABLED", "true"), ("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "flask, agentnet")]
)
def test_switched_off_by_the_environment(monkeypatch, name, value, caplog):
    """The handle works and stays empty; that it is off is said once, at INFO."""
    monkeypatch.setenv(name, value)
    with caplog.at_level(logging.INFO, logger="agentnet_otel"):
        handle = agentnet_otel.instrument(exporter="console")
    assert "switched off by the environment" in caplog.text
    assert handle.flush()
    assert "No turn was found" in handle.report()
    handle.shutdown()


# --- exporting -------------------------------------------------------------------------------------------

EXPORTING = """
    import json, sys
    import agentnet_otel
    handle = agentnet_otel.instrument(exporter=sys.argv[1] or None)
    with agentnet_otel.turn("planner") as turn, turn.component("inference", model="m") as call:
        call.record_tokens(input=1, output=2)
    print(handle.flush(10), len(handle.turns()))
    handle.shutdown()
"""


@pytest.mark.parametrize("exporter", ["otlp", ""])
def test_otlp_gets_spans_and_metrics(otlp_server, exporter):
    """``exporter="otlp"``, or an endpoint alone, sends both signals, under the service's name and the headers given."""
    out, err = run(
        EXPORTING,
        exporter,
        OTEL_EXPORTER_OTLP_ENDPOINT=otlp_server.address,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_EXPORTER_OTLP_HEADERS="x-key=abc",
        OTEL_SERVICE_NAME="shop",
    )
    assert (out, err) == ("True 1\n", "")
    assert otlp_server.span_names() == ["chat m", "invoke_agent planner"]
    assert {"agentnet.turns", "agentnet.turn.duration", "agentnet.tokens"} <= otlp_server.metric_names()
    assert {headers["x-key"] for headers in otlp_server.headers} == {"abc"}
    resources = [r.resource for request in otlp_server.of(ExportTraceServiceRequest) for r in request.resource_spans]
    resources += [
        r.resource for request in otlp_server.of(ExportMetricsServiceRequest) for r in request.resource_metrics
    ]
    named = {a.value.string_value for r in resources for a in r.attributes if a.key == "service.name"}
    assert named == {"shop"}


def test_a_second_set_up_exports_again(otlp_server):
    """After `uninstrument()` another `instrument()` sends spans and metrics anew: neither provider is a dead one."""
    out, err = run(
        """
        import agentnet_otel
        for agent in ("first", "second"):
            agentnet_otel.instrument(exporter="otlp")
            with agentnet_otel.turn(agent):
                pass
            agentnet_otel.uninstrument()
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=otlp_server.address,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
    )
    assert (out, err) == ("", "")
    assert otlp_server.span_names() == ["invoke_agent first", "invoke_agent second"]
    agents = {
        attribute.value.string_value
        for request in otlp_server.of(ExportMetricsServiceRequest)
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "agentnet.turns"
        for point in metric.sum.data_points
        for attribute in point.attributes
        if attribute.key == "gen_ai.agent.name"
    }
    assert agents == {"first", "second"}


def test_a_refused_export_is_a_failed_flush(otlp_server):
    """The backend answers 400: the flush is over in time, and says that it failed."""
    otlp_server.status = 400
    out, _ = run(
        EXPORTING,
        "otlp",
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_METRICS_EXPORTER="none",
        OTEL_EXPORTER_OTLP_ENDPOINT=otlp_server.address,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
    )
    assert out == "False 1\n"


def test_a_flush_returns_in_time(otlp_server):
    """A backend that does not answer holds neither the flush nor the shutdown beyond the time given."""
    otlp_server.open.clear()
    out, err = run(
        """
        import time
        import agentnet_otel
        handle = agentnet_otel.instrument(exporter="otlp")
        with agentnet_otel.turn("planner"):
            pass
        began = time.monotonic()
        print(handle.flush(0.3), time.monotonic() - began < 2)
        began = time.monotonic()
        handle.shutdown(0.3)
        print(time.monotonic() - began < 2, len(handle.turns()))
        """,
        OTEL_EXPORTER_OTLP_ENDPOINT=otlp_server.address,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
        OTEL_METRICS_EXPORTER="none",
    )
    assert out == "False True\nTrue 1\n"
    assert "agentnet_otel: what waited for export was not all sent within 0.3 s" in err


def test_a_file_is_whole_after_shutdown(tmp_path):
    """``exporter="file:PATH"`` writes lines that the reader takes, into folders that are made."""
    path = tmp_path / "deep" / "spans.jsonl"
    out, err = run(EXPORTING, f"file:{path}")
    assert (out, err) == ("True 1\n", "")
    (turn,) = rebuild([path]).turns
    assert (turn.agent, turn.tokens.total, turn.outcome) == ("planner", 3, Outcome.SUCCESS)


def test_the_console_gets_spans():
    """``exporter="console"`` prints them at once."""
    out, err = run(EXPORTING, "console")
    assert err == ""
    assert out.count('"name": "') >= 2
    assert '"name": "invoke_agent planner"' in out


def test_a_provider_that_is_there_gets_the_exporter(tmp_path, telemetry):
    """With a provider given, or a global one set, the exporter is added to it, and taken out again at the end."""
    path = tmp_path / "spans.jsonl"
    handle = agentnet_otel.instrument(tracer_provider=telemetry.tracer_provider, exporter=f"file:{path}")
    one_turn()
    assert handle.flush()
    handle.shutdown()
    with telemetry.tracer_provider.get_tracer("theirs").start_as_current_span("after"):
        pass
    assert [span.name for span in telemetry.spans()] == ["chat m", "invoke_agent planner", "after"]
    read = rebuild([path])
    assert ([turn.agent for turn in read.turns], read.read.spans) == (["planner"], 2)


def test_a_global_provider_is_not_replaced(tmp_path):
    """Its own exporters go on, ours is added; no second provider is made."""
    out, err = run(
        """
        import sys
        from opentelemetry import trace
        from agentnet_otel.testing import InMemoryTelemetry
        import agentnet_otel
        everyone = InMemoryTelemetry()
        trace.set_tracer_provider(everyone.tracer_provider)
        handle = agentnet_otel.instrument(exporter="file:" + sys.argv[1])
        with agentnet_otel.turn("planner"):
            pass
        handle.shutdown()
        print([span.name for span in everyone.spans()], trace.get_tracer_provider() is everyone.tracer_provider)
        """,
        tmp_path / "spans.jsonl",
    )
    assert (out, err) == ("['invoke_agent planner'] True\n", "")
    assert len(rebuild([tmp_path / "spans.jsonl"]).turns) == 1


def test_a_provider_of_another_kind_takes_no_exporter(tmp_path, warnings_of_ours):
    """A provider that is not the SDK's works for spans; an exporter for it is refused in a sentence."""
    with pytest.raises(ConfigurationError, match=r"needs a TracerProvider of the SDK, and NoOpTracerProvider"):
        agentnet_otel.instrument(tracer_provider=NoOpTracerProvider(), exporter=f"file:{tmp_path / 'spans.jsonl'}")
    handle = agentnet_otel.instrument(tracer_provider=NoOpTracerProvider())
    one_turn()
    assert handle.turns() == []
    assert handle.latency.get_latency_statistics()["count"] == 1
    assert warnings_of_ours() == []


@pytest.mark.parametrize("exporter", ["", "file:", "jaeger", "FILE:x", 5])
def test_an_unknown_exporter_is_refused(exporter):
    """The error names what is allowed, and nothing was instrumented."""
    with pytest.raises(ConfigurationError, match="allowed are: otlp, console, file:PATH"):
        agentnet_otel.instrument(exporter=exporter)
    assert agentnet_otel.current_turn() is None


def test_a_file_that_cannot_be_opened_is_refused(tmp_path):
    """The error names the file and the reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"cannot write spans to .*: a part of the path is a file"):
        agentnet_otel.instrument(exporter=f"file:{tmp_path / 'file' / 'spans.jsonl'}")


@pytest.mark.parametrize(
    ("name", "value"),
    [("OTEL_BSP_MAX_QUEUE_SIZE", "10"), ("OTEL_BSP_MAX_QUEUE_SIZE", "-5"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "bogus")],
)
def test_wrong_variables_are_told_where_an_exporter_was_asked_for(monkeypatch, name, value):
    """What the SDK would raise in the middle of a start is a sentence about the configuration."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=r"OTEL_\*|allowed are: grpc, http/protobuf"):
        agentnet_otel.instrument(exporter="otlp")


@pytest.mark.parametrize(
    ("name", "value"), [("OTEL_BSP_MAX_QUEUE_SIZE", "10"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "bogus")]
)
def test_wrong_variables_alone_do_not_stop_an_application(name, value):
    """Where only the environment asks for export, what is wrong in it is told, and the application goes on."""
    out, err = run(
        EXPORTING,
        "",
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_METRICS_EXPORTER="none",
        **{name: value},
    )
    assert out == "True 1\n"
    assert "is left out" in err


class Slow(SpanExporter):
    """Fails, and tells when it was asked."""

    def __init__(self):
        self.calls = 0

    def export(self, spans):
        self.calls += 1
        if self.calls == 1:
            message = "the disk is gone"
            raise OSError(message)
        return SpanExportResult.FAILURE if self.calls == 2 else SpanExportResult.SUCCESS


def test_a_watched_exporter_counts_what_failed():
    """What is raised and what is refused count, what is taken does not; errors pass on to the processor."""
    watched = WatchedExporter(Slow())
    with pytest.raises(OSError, match="gone"):
        watched.export([])
    assert watched.export([]) is SpanExportResult.FAILURE
    assert watched.export([]) is SpanExportResult.SUCCESS
    assert watched.failures == 2
    assert watched.force_flush()
    watched.shutdown()
    assert failed_batches(object()) == 0


# --- calls with a deadline -------------------------------------------------------------------------------


def test_calls_run_at_the_same_time():
    """Two that wait for each other both come back."""
    barrier = threading.Barrier(2, timeout=10)
    assert all_within(10, [("a", barrier.wait), ("b", barrier.wait)])


def test_a_call_that_hangs_is_left_behind():
    """The time is kept, the others count."""
    release = threading.Event()
    began = time.monotonic()
    assert not all_within(0.1, [("hangs", release.wait), ("fine", lambda: None)])
    assert time.monotonic() - began < 5
    release.set()
    for thread in threading.enumerate():
        if thread.name == "agentnet_otel hangs":
            thread.join()


def test_a_call_that_says_no_or_raises(warnings_of_ours):
    """False is a no, None is fine, and what is raised is contained and told once."""
    assert not all_within(1, [("no", lambda: False)])
    assert all_within(1, [("none", lambda: None)])
    assert all_within(1, [])

    def fail():
        message = "broken"
        raise ValueError(message)

    assert not all_within(1, [("fails", fail)])
    assert len(warnings_of_ours()) == 1


def test_late_in_an_interpreter_calls_are_made_directly(monkeypatch):
    """Where no thread can be started any more, the call is made all the same."""

    def refuse(thread):
        message = "can't create new thread at interpreter shutdown"
        raise RuntimeError(message)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    called = []
    assert all_within(1, [("direct", lambda: called.append(1))])
    assert called == [1]


def test_joining_a_provider_that_is_no_sdk(caplog):
    """It is said once at INFO that its turns cannot be read live."""
    with caplog.at_level(logging.INFO, logger="agentnet_otel"):
        agentnet_otel.instrument(tracer_provider=NoOpTracerProvider())
        one_turn()
    assert "NoOpTracerProvider is not the SDK's: no live turns" in caplog.text


def test_strict_and_capture_are_checked():
    """Wrong arguments are refused before anything is changed."""
    with pytest.raises(ConfigurationError, match="capture mode"):
        agentnet_otel.instrument(capture_content="everything")
    provider = TracerProvider(shutdown_on_exit=False)
    handle = agentnet_otel.instrument(tracer_provider=provider, strict=True)
    handle.shutdown()
    provider.shutdown()
