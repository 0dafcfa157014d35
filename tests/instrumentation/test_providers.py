"""Which providers count: given, global, set later by the application, private; nothing global is made unasked."""

import gc
import logging
import subprocess
import sys
import textwrap
import threading
import weakref

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NoOpTracerProvider

import agentnet_otel
from agentnet_otel.instrumentation import providers, runtime
from agentnet_otel.instrumentation.providers import TracerChoice, is_configured
from agentnet_otel.instrumentation.relay import relay_of

pytestmark = pytest.mark.usefixtures("no_otel_environment")

PRELUDE = """
import sys
import agentnet_otel
from opentelemetry import metrics, trace
from opentelemetry.sdk.trace import TracerProvider
from agentnet_otel.testing import InMemoryTelemetry

def one_turn(agent):
    with agentnet_otel.turn(agent):
        pass

def names(telemetry):
    return [span.name for span in telemetry.spans()]
"""


def run(tmp_path, source):
    """Run a script in a process of its own; what it prints. Anything on standard error fails."""
    script = tmp_path / "script.py"
    script.write_text(PRELUDE + textwrap.dedent(source))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def one_turn():
    """A turn."""
    with agentnet_otel.turn("a"):
        pass


def test_a_given_provider_goes_first(tmp_path):
    """Spans and metrics go to what was given, and nothing to the global one."""
    out = run(
        tmp_path,
        """
        everyone, ours = InMemoryTelemetry(), InMemoryTelemetry()
        trace.set_tracer_provider(everyone.tracer_provider)
        metrics.set_meter_provider(everyone.meter_provider)
        handle = agentnet_otel.instrument(
            tracer_provider=ours.tracer_provider, meter_provider=ours.meter_provider
        )
        one_turn("a")
        print(names(ours), names(everyone), len(handle.turns()))
        print(len(ours.metric("agentnet.turns")), len(everyone.metric("agentnet.turns")))
        """,
    )
    assert out == "['invoke_agent a'] [] 1\n1 0\n"


def test_the_global_provider_comes_second(tmp_path):
    """Without arguments the global providers are used, and the turns are readable too."""
    out = run(
        tmp_path,
        """
        everyone = InMemoryTelemetry()
        trace.set_tracer_provider(everyone.tracer_provider)
        metrics.set_meter_provider(everyone.meter_provider)
        handle = agentnet_otel.instrument()
        one_turn("a")
        print(names(everyone), len(handle.turns()), len(everyone.metric("agentnet.turns")))
        """,
    )
    assert out == "['invoke_agent a'] 1 1\n"


def test_an_application_may_set_its_provider_later(tmp_path):
    """From then on that one counts, for spans and metrics; the turns of before stay readable."""
    out = run(
        tmp_path,
        """
        handle = agentnet_otel.instrument()
        one_turn("early")
        everyone = InMemoryTelemetry()
        trace.set_tracer_provider(everyone.tracer_provider)
        metrics.set_meter_provider(everyone.meter_provider)
        one_turn("late")
        one_turn("late")
        print(names(everyone), [turn.agent for turn in handle.turns()])
        print(everyone.metric("agentnet.turns").values(), everyone.metric("agentnet.otel.misuse"))
        """,
    )
    assert out == ("['invoke_agent late', 'invoke_agent late'] ['early', 'late', 'late']\ndict_values([2]) {(): 0}\n")


def test_the_manual_api_follows_the_global_provider_without_instrument(tmp_path):
    """No line of set-up but the application's own is needed to get spans."""
    out = run(
        tmp_path,
        """
        one_turn("early")
        everyone = InMemoryTelemetry()
        trace.set_tracer_provider(everyone.tracer_provider)
        metrics.set_meter_provider(everyone.meter_provider)
        one_turn("a")
        print(names(everyone), len(everyone.metric("agentnet.turns")))
        """,
    )
    assert out == "['invoke_agent a'] 1\n"


def test_nothing_global_is_made(caplog):
    """Plain `instrument()` keeps turns to itself, and one INFO line says how to export."""
    caplog.set_level(logging.INFO, logger="agentnet_otel")
    handle = agentnet_otel.instrument()
    one_turn()
    assert [turn.agent for turn in handle.turns()] == ["a"]
    assert not is_configured(trace.get_tracer_provider())
    assert not is_configured(metrics.get_meter_provider())
    assert not is_configured(_logs.get_logger_provider())
    (line,) = [record for record in caplog.records if record.name == "agentnet_otel"]
    assert line.levelname == "INFO"
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in line.getMessage()
    assert "exporter='otlp' | 'console' | 'file:PATH'" in line.getMessage()


def test_real_providers_are_told_from_placeholders():
    """A provider of the SDK, or of anybody, is real; also one that is named like a placeholder."""

    class ProxyForTests(NoOpTracerProvider):
        """Somebody's provider."""

    for kind in (TracerProvider, MeterProvider, LoggerProvider):
        assert is_configured(kind(shutdown_on_exit=False))
    assert is_configured(ProxyForTests())
    assert is_configured(NoOpTracerProvider())


def test_a_provider_that_is_not_the_sdks(caplog):
    """It is used; there are no live turns, which is told, and the trackers are fed all the same."""
    caplog.set_level(logging.INFO, logger="agentnet_otel")
    handle = agentnet_otel.instrument(tracer_provider=NoOpTracerProvider())
    one_turn()
    one_turn()
    assert handle.turns() == []
    assert len(handle.latency.get_measurements()) == 2
    assert [r.getMessage() for r in caplog.records if "NoOpTracerProvider is not the SDK's" in r.getMessage()] != []


def test_exporter_needs_the_sdks_provider(tmp_path):
    """An exporter cannot be put on another provider: refused with advice, and nothing is left behind."""
    with pytest.raises(agentnet_otel.errors.ConfigurationError, match="NoOpTracerProvider is none; add an exporter"):
        agentnet_otel.instrument(tracer_provider=NoOpTracerProvider(), exporter=f"file:{tmp_path}/spans.jsonl")
    assert runtime._runtime.recorder is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_SDK_DISABLED", " TRUE "),
        ("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "flask, agentnet"),
        ("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "*"),
    ],
)
def test_the_environment_switches_it_off(telemetry, monkeypatch, caplog, variable, value):
    """The handle is there and does nothing; one INFO line says so."""
    caplog.set_level(logging.INFO, logger="agentnet_otel")
    monkeypatch.setenv(variable, value)
    handle = agentnet_otel.instrument(tracer_provider=telemetry.tracer_provider)
    one_turn()
    assert (telemetry.spans(), handle.turns(), handle.latency.get_measurements()) == ([], [], [])
    assert "switched off by the environment" in caplog.text
    assert handle.flush() is True
    handle.shutdown()
    monkeypatch.delenv(variable)
    again = agentnet_otel.instrument(tracer_provider=telemetry.tracer_provider)
    assert again is not handle
    one_turn()
    assert len(again.turns()) == 1


@pytest.mark.parametrize(("value", "expected"), [("", False), ("false", False), ("true", True), ("True", True)])
def test_sdk_disabled(monkeypatch, value, expected):
    """Only the word true switches off."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", value)
    assert providers.sdk_disabled() is expected


def test_a_second_instrument_is_the_first(telemetry, handle):
    """It returns the same handle and changes nothing, whatever it is given."""
    assert agentnet_otel.instrument(strict=True) is handle
    assert runtime.recorder().strict is False
    one_turn()
    assert len(telemetry.spans()) == 1


def test_a_hundred_times(telemetry):
    """Instrumenting and taking it back can be repeated: each turn is told once, and nothing piles up."""
    for number in range(100):
        handle = agentnet_otel.instrument(
            tracer_provider=telemetry.tracer_provider, meter_provider=telemetry.meter_provider
        )
        one_turn()
        assert len(handle.turns()) == 1, number
        agentnet_otel.uninstrument()
        agentnet_otel.uninstrument()
    assert len(telemetry.spans()) == 100
    assert sum(telemetry.metric("agentnet.turns").values()) == 100
    assert telemetry.metric("agentnet.turn.active").popitem()[1] == 0
    assert relay_of(telemetry.tracer_provider)._processors == ()


def test_private_providers_do_not_stay():
    """What plain `instrument()` made for itself goes with its handle."""
    handle = agentnet_otel.instrument()
    one_turn()
    private = weakref.ref(runtime.recorder()._tracers.provider())
    assert isinstance(private(), TracerProvider)
    handle.shutdown()
    del handle
    gc.collect()
    assert private() is None


def test_one_fallback_for_all_threads():
    """Threads that begin at once get one provider, and it is announced once."""
    made, announced = [], []

    def make():
        made.append(TracerProvider(shutdown_on_exit=False))
        return made[-1]

    choice = TracerChoice(None, make, announced.append)
    barrier = threading.Barrier(8)

    def ask():
        barrier.wait()
        choice()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert announced == made
    assert len(made) == 1


def test_strict_mode_by_the_environment(telemetry, monkeypatch):
    """`AGENTNET_OTEL_STRICT` makes misuse raise, unless the argument says otherwise."""
    monkeypatch.setenv("AGENTNET_OTEL_STRICT", "1")
    agentnet_otel.instrument(tracer_provider=telemetry.tracer_provider)
    assert runtime.recorder().strict is True
    agentnet_otel.uninstrument()
    agentnet_otel.instrument(tracer_provider=telemetry.tracer_provider, strict=False)
    assert runtime.recorder().strict is False
