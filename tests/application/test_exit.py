"""However a process ends, what is open then is ended, marked and exported; or there is a good reason why not."""

import signal

import pytest

from agentnet_otel.sources.rebuild import rebuild

PRELUDE = """
import os, signal, sys, threading, time
import agentnet_otel
from agentnet_otel import LatencyComponent

handle = agentnet_otel.instrument(exporter="file:" + sys.argv[1])
with agentnet_otel.turn("before"):
    pass
"""


@pytest.fixture
def turns_after(run_application, tmp_path):
    """Runs an application that is left while turns are open; its turns, and what it wrote to standard error."""

    def run(source, code=0):
        spans = tmp_path / "spans.jsonl"
        done = run_application(PRELUDE + source, spans, code=code)
        rebuilt = rebuild([spans])
        assert not rebuilt.read.problems
        return {turn.agent: turn for turn in rebuilt.turns}, done.stderr

    return run


def interrupted(turn):
    """Whether a turn is marked as one that its process left open."""
    return (turn.interrupted, turn.outcome.value, turn.error_type) == (True, "cancelled", "interrupted")


def test_turns_that_nobody_ended(turns_after):
    """Session, turn, nested turn, component, and a component outside any turn, at the normal end of the program."""
    turns, told = turns_after("""
@agentnet_otel.traced_component(LatencyComponent.TOOL_EXECUTION, "outside")
def work():
    yield

kept = work()
next(kept)
sessions = agentnet_otel.session("debate", "c-1").start()
outer = agentnet_otel.turn("outer").start()
outer.component(LatencyComponent.TOOL_EXECUTION, "t").start()
inner = agentnet_otel.turn("inner").start()
inner.component(LatencyComponent.INFERENCE, model="m").start().record_tokens(input=1, output=2)
""")
    assert set(turns) == {"before", "outer", "inner"}
    assert interrupted(turns["outer"])
    assert interrupted(turns["inner"])
    assert turns["inner"].tokens.total == 3
    assert turns["outer"].spans == 2
    assert {turns["outer"].session, turns["inner"].session} == {"c-1"}
    assert told == ""


@pytest.mark.parametrize(
    ("leave", "code", "error_type"),
    [
        ("sys.exit(3)", 3, "SystemExit"),
        ("raise LookupError('secret')", 1, "LookupError"),
        ("raise KeyboardInterrupt", -signal.SIGINT, "KeyboardInterrupt"),
    ],
)
def test_left_by_an_exception(turns_after, leave, code, error_type):
    """The `with` block sees it; what it says is the program's matter alone."""
    turns, told = turns_after(f"with agentnet_otel.turn('left'):\n    {leave}\n", code)
    assert turns["left"].error_type == error_type
    assert not turns["left"].interrupted
    assert "agentnet_otel" not in told


def test_os_exit(turns_after):
    """It runs nothing: what was flushed is there, whole lines, and no more."""
    turns, told = turns_after("handle.flush()\nagentnet_otel.turn('open').start()\nos._exit(0)\n")
    assert set(turns) == {"before"}
    assert told == ""


def test_sigterm(turns_after):
    """By default it is as `os._exit`; a handler that exits makes it an exit like any other."""
    turns, _ = turns_after(
        "handle.flush()\nwith agentnet_otel.turn('left'):\n    os.kill(os.getpid(), signal.SIGTERM)\n", -signal.SIGTERM
    )
    assert set(turns) == {"before"}
    turns, _ = turns_after(
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
        "with agentnet_otel.turn('left'):\n    os.kill(os.getpid(), signal.SIGTERM)\n    time.sleep(60)\n"
    )
    assert turns["left"].error_type == "SystemExit"


def test_threads_that_still_run(turns_after):
    """A daemon's turn is interrupted, silently also where it goes on meanwhile; others are waited for."""
    turns, told = turns_after("""
def forever():
    with agentnet_otel.turn("daemon") as turn:
        begun.set()
        while True:
            with turn.component(LatencyComponent.TOOL_EXECUTION, "t"):
                turn.record_quality(0.5)

def a_while():
    with agentnet_otel.turn("thread"):
        time.sleep(0.3)

begun = threading.Event()
threading.Thread(target=forever, daemon=True).start()
threading.Thread(target=a_while).start()
begun.wait()
""")
    assert interrupted(turns["daemon"])
    assert turns["thread"].outcome.value == "success"
    assert told == ""


def test_a_loop_that_is_interrupted(turns_after):
    """`asyncio.run` cancels its tasks: they end as cancelled."""
    turns, _ = turns_after(
        """
import asyncio

async def main():
    async with agentnet_otel.turn("left"):
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)

asyncio.run(main())
""",
        -signal.SIGINT,
    )
    assert turns["left"].error_type == "CancelledError"


LATE_PROVIDERS = """
import sys
import agentnet_otel
handle = agentnet_otel.instrument()
with agentnet_otel.turn("early"):
    pass

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(sys.argv[1] + "/v1/traces")))
trace.set_tracer_provider(provider)
reader = PeriodicExportingMetricReader(OTLPMetricExporter(sys.argv[1] + "/v1/metrics"))
metrics.set_meter_provider(MeterProvider([reader]))
agentnet_otel.turn("open").start()
"""


def test_providers_that_came_later_are_fed_before_they_close(run_application, receiver):
    """Exit handlers run in the order in which they are wanted: first ours, then those of the SDK, which flush."""
    done = run_application(LATE_PROVIDERS, receiver.endpoint)
    assert done.stderr == ""
    assert receiver.agents() == {"open": 1}
    assert sum(receiver.metric("agentnet.turns").values()) == 1
    assert set(receiver.metric("agentnet.turn.active").values()) == {0}


@pytest.mark.parametrize(
    "source",
    [
        "page = handle.prometheus()",
        "server = handle.prometheus().start_http_server(port=0)",
        "handle.prometheus(); agentnet_otel.uninstrument()",
        "pid = os.fork()\nif pid == 0:\n    os._exit(0)\nos.waitpid(pid, 0)\npage = handle.prometheus()",
    ],
)
def test_a_page_of_metrics_is_let_go_once(turns_after, source):
    """At the exit, by the handle and by itself; nobody is told of a reader that is gone already."""
    assert turns_after(source)[1] == ""
