"""The relay: processors come and go behind one that stays."""

import pytest
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import NoOpTracerProvider

from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.relay import Relay, relay_of


class Seen(SpanProcessor):
    """Remembers what it is told."""

    def __init__(self, *, flushed=True):
        self.calls = []
        self.flushed = flushed

    def on_start(self, span, parent_context=None):
        self.calls.append(f"start {span.name}")

    def on_end(self, span):
        self.calls.append(f"end {span.name}")

    def shutdown(self):
        self.calls.append("shutdown")

    def force_flush(self, timeout_millis=30_000):
        self.calls.append(f"flush {timeout_millis}")
        return self.flushed


class Broken(SpanProcessor):
    """Fails at everything."""

    def on_start(self, span, parent_context=None):
        raise RuntimeError("start")

    def on_end(self, span):
        raise RuntimeError("end")

    def shutdown(self):
        raise RuntimeError("shutdown")

    def force_flush(self, timeout_millis=30_000):
        raise RuntimeError("flush")


@pytest.fixture
def provider():
    """A provider of the SDK."""
    made = TracerProvider(shutdown_on_exit=False)
    yield made
    made.shutdown()


def test_processors_come_and_go(provider):
    """What is added sees spans until it is removed; removing does not shut it down."""
    relay = relay_of(provider)
    early, late = Seen(), Seen()
    relay.add(early)
    relay.add(early)
    tracer = provider.get_tracer("t")
    first = tracer.start_span("a")
    relay.add(late)
    first.end()
    relay.remove(early)
    relay.remove(early)
    tracer.start_span("b").end()
    assert early.calls == ["start a", "end a"]
    assert late.calls == ["end a", "start b", "end b"]


def test_one_relay_a_provider(provider):
    """It is made once, and only for providers of the SDK."""
    assert relay_of(provider) is relay_of(provider)
    assert relay_of(provider) is not relay_of(TracerProvider(shutdown_on_exit=False))
    assert relay_of(NoOpTracerProvider()) is None
    assert len(provider._active_span_processor._span_processors) == 1


def test_a_failing_processor_harms_nobody(provider, warnings_of_ours):
    """Neither the application nor the processors beside it notice; each kind of fault is told once."""
    relay, seen = relay_of(provider), Seen()
    relay.add(Broken())
    relay.add(seen)
    for name in "ab":
        provider.get_tracer("t").start_span(name).end()
    assert relay.force_flush(5) is False
    provider.shutdown()
    assert seen.calls == ["start a", "end a", "start b", "end b", "flush 5", "shutdown"]
    assert faults.log.faults == {
        "Broken.on_start": 2,
        "Broken.on_end": 2,
        "Broken.force_flush": 1,
        "Broken.shutdown": 1,
    }
    assert len(warnings_of_ours()) == 4


def test_flush_is_true_only_if_each_did():
    """One that did not flush makes the whole false, and the others flush all the same."""
    relay, slow, fast = Relay(), Seen(flushed=False), Seen()
    assert relay.force_flush() is True
    relay.add(slow)
    relay.add(fast)
    assert relay.force_flush(7) is False
    assert fast.calls == ["flush 7"]
