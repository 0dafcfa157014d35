"""The file exporter: what it writes is read again, and whatever happens to the file costs only itself."""

import json
import math
import threading

import msgspec
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agentnet_otel.errors import ConfigurationError
from agentnet_otel.instrumentation.file_exporter import FileSpanExporter
from agentnet_otel.sources.captured import to_record
from agentnet_otel.sources.files import read_spans
from agentnet_otel.sources.read_report import ReadReport

ODD_VALUES = {
    "largest": 2**63 - 1,
    "smallest": -(2**63),
    "beyond": 2**63,
    "beyond all": 10**5000,
    "nan": math.nan,
    "infinite": math.inf,
    "minus": -math.inf,
    "list": [1.5, math.nan],
    "half": "a\ud800b",
    "flag": True,
    "bytes": b"\x00\xff",
}
READ_AGAIN = {
    **ODD_VALUES,
    "beyond": str(2**63),
    "beyond all": hex(10**5000),
    "list": (1.5, math.nan),
    "half": "a?b",
}


@pytest.fixture
def exported(tmp_path):
    """Ends a span with attributes; returns the file that it was written to and the SDK's span."""
    path, memory = tmp_path / "deep" / "spans.jsonl", InMemorySpanExporter()
    exporter = FileSpanExporter(path)
    provider = TracerProvider(shutdown_on_exit=False)
    for each in (exporter, memory):
        provider.add_span_processor(SimpleSpanProcessor(each))

    def export(**attributes):
        with provider.get_tracer("t").start_as_current_span("s", attributes=attributes) as span:
            span.add_event("e", attributes)
        return path, memory.get_finished_spans()[-1]

    yield export
    provider.shutdown()


def same(left, right):
    """Equality under which NaN is itself."""
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    both_nan = isinstance(left, float) and isinstance(right, float) and math.isnan(left) and math.isnan(right)
    return both_nan or left == right


def test_values_that_json_has_no_words_for(exported):
    """NaN, infinities, whole numbers beyond 64 bits, half a surrogate pair: a strict reader takes the line."""
    path, held = exported(**ODD_VALUES)
    expected = {key: value for key, value in READ_AGAIN.items() if key in held.attributes}
    assert len(expected) >= len(READ_AGAIN) - 1  # the SDK keeps bytes since 1.45
    text = path.read_text(encoding="utf-8")
    (line,) = text.splitlines()
    json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    (span,) = read_spans([path], ReadReport())
    assert span.attributes.keys() == expected.keys()
    assert [key for key, value in expected.items() if not same(span.attributes[key], value)] == []
    (event,) = span.events
    assert event.attributes.keys() == expected.keys()


def test_a_span_is_read_as_it_was(exported):
    """What the file says and what the SDK's own span says is one record."""
    path, span = exported(a=1, b=["x"], c=2.5)
    (read,) = read_spans([path], ReadReport())
    assert read.resource["service.name"] == read.service_name
    assert msgspec.structs.replace(read, resource=to_record(span).resource) == to_record(span)


def test_no_write_after_the_end(tmp_path):
    """However the end falls among writes: each line is whole or not there, and none reaches another file."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    with provider.get_tracer("t").start_as_current_span("s"):
        pass
    spans = memory.get_finished_spans()
    for number in range(20):
        exporter = FileSpanExporter(tmp_path / f"{number}.jsonl")
        results, begun = [], threading.Event()

        def write(exporter=exporter, results=results, begun=begun):
            while not results or results[-1] is SpanExportResult.SUCCESS:
                results.append(exporter.export(spans))
                begun.set()

        thread = threading.Thread(target=write)
        thread.start()
        begun.wait()
        exporter.shutdown()
        other = (tmp_path / f"{number}.other").open("wb")  # gets the number of the closed file
        thread.join()
        other.close()
        lines = (tmp_path / f"{number}.jsonl").read_bytes().splitlines()
        assert len(lines) == results.count(SpanExportResult.SUCCESS)
        assert all(json.loads(line) for line in lines)
        assert (tmp_path / f"{number}.other").read_bytes() == b""
        exporter.shutdown()
        assert exporter.force_flush()


def test_a_full_disk_costs_its_batch(exported, warnings_of_ours):
    """The application goes on, the failure is told once."""
    exporter = FileSpanExporter("/dev/full")
    _, span = exported()
    assert [exporter.export([span]), exporter.export([span])] == [SpanExportResult.FAILURE] * 2
    assert exporter.export([]) is SpanExportResult.SUCCESS
    exporter.shutdown()
    assert exporter.export([]) is SpanExportResult.FAILURE
    (told,) = warnings_of_ours()
    assert "file exporter (/dev/full)" in told


@pytest.mark.parametrize("path", ["", "taken/spans.jsonl"])
def test_a_file_that_cannot_be_opened(tmp_path, path):
    """Told at once, with the file and what to write instead."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConfigurationError, match=r"cannot write spans to .*Name another file"):
        FileSpanExporter(tmp_path / path)
