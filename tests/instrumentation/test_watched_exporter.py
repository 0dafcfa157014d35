"""What waits for export, what was lost, what failed: told by metrics, whatever becomes of the exporters."""

import threading
import time

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from agentnet_otel.instrumentation import watched_exporter
from agentnet_otel.instrumentation.metrics import TurnMetrics, meter_of
from agentnet_otel.instrumentation.watched_exporter import WatchedBatch, WatchedExporter, failed_batches


class Held(SpanExporter):
    """Takes batches when it is told to, and then answers as it is told to."""

    def __init__(self, result=SpanExportResult.SUCCESS):
        self.result = result
        self.entered, self.released = threading.Event(), threading.Event()

    def export(self, spans):
        self.entered.set()
        self.released.wait(10)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def told():
    """The metrics of exports, by the ends of their names."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    TurnMetrics(meter_of(provider, "1"), lambda: 0)
    metrics = [
        metric
        for resource in reader.get_metrics_data().resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]
    provider.shutdown()
    wanted = ("spans.dropped", "export.failures", "export.queue")
    return {
        end: metric.data.data_points[0].value
        for metric in metrics
        for end in wanted
        if metric.name.endswith(f"otel.{end}")
    }


def grown(before):
    """How much each grew."""
    return {name: value - before[name] for name, value in told().items()}


def spans(provider, number):
    """End some spans."""
    tracer = provider.get_tracer("tests")
    for _ in range(number):
        tracer.start_span("turn").end()


def test_what_waits_and_what_found_no_room_is_counted(monkeypatch):
    """A queue of ten: what comes while the exporter is busy waits, and beyond ten the oldest are lost."""
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
    before = told()
    exporter = Held()
    watched = WatchedExporter(exporter)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(WatchedBatch(watched, max_queue_size=10))
    spans(provider, 10)
    assert exporter.entered.wait(10)
    assert grown(before)["export.queue"] == 0
    spans(provider, 10)
    assert grown(before)["export.queue"] == 10
    spans(provider, 3)
    assert grown(before) == {"spans.dropped": 3, "export.failures": 0, "export.queue": 10}
    exporter.released.set()
    provider.shutdown()
    assert grown(before) == {"spans.dropped": 3, "export.failures": 0, "export.queue": 0}


def test_a_batch_that_is_not_taken_is_lost_and_stays_counted():
    """A failure, and an exception, cost the spans of the batch; the counts outlive the exporter."""
    for result in (SpanExportResult.FAILURE, OSError("refused")):
        before = told()
        exporter = Held(result)
        exporter.released.set()
        provider = TracerProvider(shutdown_on_exit=False)
        batch = WatchedBatch(WatchedExporter(exporter))
        provider.add_span_processor(batch)
        spans(provider, 4)
        provider.force_flush()
        assert grown(before) == {"spans.dropped": 4, "export.failures": 1, "export.queue": 0}
        assert failed_batches(batch) == 1
        provider.shutdown()
        del provider, batch, exporter
        assert grown(before) == {"spans.dropped": 4, "export.failures": 1, "export.queue": 0}


def test_spans_that_are_not_sampled_wait_nowhere():
    """They are not queued."""
    before = told()
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    provider.add_span_processor(WatchedBatch(WatchedExporter(Held())))
    spans(provider, 4)
    assert grown(before)["export.queue"] == 0
    provider.shutdown()


class Deaf(SpanExporter):
    """Takes nothing, and tries again until it is shut down."""

    def __init__(self):
        self.entered, self.ended = threading.Event(), threading.Event()

    def export(self, spans):
        self.entered.set()
        self.ended.wait(60)
        return SpanExportResult.FAILURE

    def shutdown(self):
        assert not self.ended.is_set()
        self.ended.set()


class Slow(SpanExporter):
    """Takes each batch, but only after a while."""

    def __init__(self):
        self.taken = 0

    def export(self, spans):
        threading.Event().wait(0.2)
        self.taken += len(spans)
        return SpanExportResult.SUCCESS


def test_the_end_does_not_wait_for_an_exporter_that_takes_nothing(monkeypatch):
    """It is closed long before it would give up by itself, and every span that it did not take is counted as lost."""
    monkeypatch.setattr(watched_exporter, "PATIENCE_S", 0.3)
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
    before = told()
    deaf = Deaf()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(WatchedBatch(WatchedExporter(deaf)))
    spans(provider, 10)
    assert deaf.entered.wait(10)
    spans(provider, 25)
    started_s = time.monotonic()
    provider.shutdown()
    assert time.monotonic() - started_s < 20
    assert deaf.ended.is_set()
    while grown(before)["spans.dropped"] < 35 and time.monotonic() - started_s < 20:
        time.sleep(0.01)  # the exporter lets go of its batch in a thread
    assert grown(before)["spans.dropped"] == 35
    assert grown(before)["export.queue"] == 0


def test_the_end_waits_for_an_exporter_that_takes_batches(monkeypatch):
    """However slow it is, nothing is lost: with each batch that it takes it gets more time."""
    monkeypatch.setattr(watched_exporter, "PATIENCE_S", 5.0)
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
    before = told()
    slow = Slow()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(WatchedBatch(WatchedExporter(slow)))
    spans(provider, 95)
    provider.shutdown()
    assert slow.taken == 95
    assert grown(before)["spans.dropped"] == 0
