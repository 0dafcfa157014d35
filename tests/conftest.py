"""What all tests share, and a guard: no test leaves a provider, a wrap, a thread, an open span or a child behind."""

import logging
import multiprocessing
import os
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from opentelemetry import _logs, metrics, trace
from opentelemetry import context as otel_context

import agentnet_otel
from agentnet_otel.instrumentation import faults, runtime
from agentnet_otel.instrumentation.lifecycle import lifecycle
from agentnet_otel.testing import InMemoryTelemetry

# How busy the machine is says nothing about what is tested.
settings.register_profile(
    "steady",
    derandomize=True,
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")


def _environment():
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """Fail a test that changes the process for those after it."""
    threads = set(threading.enumerate())
    providers = (trace._TRACER_PROVIDER, metrics._internal._METER_PROVIDER, _logs._internal._LOGGER_PROVIDER)
    context = otel_context.get_current()
    environment = _environment()
    yield
    try:
        agentnet_otel.uninstrument()
        _compare(threads, providers, context, environment)
    finally:
        for span in list(lifecycle.open_spans()):
            span.end()
        runtime.use(None)
        faults.log.__init__()


def _compare(threads, providers, context, environment):
    left = [t for t in set(threading.enumerate()) - threads if t.is_alive() and not t.name.startswith("asyncio_")]
    assert not left, f"threads left behind: {left}"
    after = (trace._TRACER_PROVIDER, metrics._internal._METER_PROVIDER, _logs._internal._LOGGER_PROVIDER)
    assert after == providers, "a global provider was left behind"
    assert otel_context.get_current() == context, "a context was left attached"
    assert not multiprocessing.active_children(), "a child process was left behind"
    assert not list(lifecycle.open_spans()), "an open turn was left behind"
    assert _environment() == environment, "an environment variable was left behind"


@pytest.fixture
def telemetry():
    """In-memory providers."""
    made = InMemoryTelemetry()
    yield made
    made.close()


@pytest.fixture
def handle(telemetry):
    """`instrument()` on in-memory providers."""
    made = agentnet_otel.instrument(
        tracer_provider=telemetry.tracer_provider,
        meter_provider=telemetry.meter_provider,
        logger_provider=telemetry.logger_provider,
    )
    yield made
    made.shutdown()


@pytest.fixture
def warnings_of_ours(caplog):
    """Texts that our logger warned with."""
    caplog.set_level(logging.WARNING, logger="agentnet_otel")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "agentnet_otel"]


@pytest.fixture
def no_otel_environment(monkeypatch):
    """No standard variable of OpenTelemetry is set."""
    for name in list(os.environ):
        if name.startswith(("OTEL_", "AGENTNET_OTEL_")):
            monkeypatch.delenv(name)


@pytest.fixture
def repository():
    """The root of the checkout."""
    return Path(__file__).resolve().parent.parent
