"""Where turns were measured, as their spans tell it."""

import json
import os
import subprocess
import sys

import pytest

from agentnet_otel import cli, semconv
from agentnet_otel.instrumentation.environment import environment, resource_attributes
from agentnet_otel.sources.environment_facts import MAX_LENGTH, MAX_VALUES, EnvironmentFacts
from agentnet_otel.sources.files import read_spans
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.testing import span_record

RESOURCE = {
    semconv.SERVICE_NAME: "shop",
    semconv.PROCESS_RUNTIME_VERSION: "3.12.1",
    semconv.HOST_ARCH: "arm64",
    "process.command_args": "--token=abc",
}


def facts(*spans):
    """What these spans tell."""
    found = EnvironmentFacts()
    for span in spans:
        found.note(span)
    return found.by_name()


def test_known_facts_are_taken_and_no_others():
    """By the names that benchmarks use; command lines and the like are left alone."""
    assert facts(span_record(1, resource=RESOURCE)) == {"python": "3.12.1", "machine": "arm64"}


def test_our_own_version_comes_from_the_scope():
    """The version of whoever wrote the turns, not of another instrumentation."""
    ours = span_record(1, resource=RESOURCE, scope_name=semconv.SCOPE_NAME, scope_version="0.1.0")
    others = span_record(2, resource=RESOURCE, scope_name="other", scope_version="9")
    assert facts(others, ours)["agentnet_otel"] == "0.1.0"
    assert "agentnet_otel" not in facts(others)


def test_an_sdk_alone_is_no_environment():
    """Its version says nothing about what the turns ran on."""
    assert facts(span_record(1, resource={semconv.TELEMETRY_SDK_VERSION: "1.40"})) == {}
    assert facts() == {}


def test_several_processes_are_listed_and_bounded():
    """Each value once; of very many the first, and that there are more; long ones are cut."""
    versions = [f"3.{minor}" for minor in range(MAX_VALUES + 10)] * 2
    spans = [span_record(1, resource={semconv.PROCESS_RUNTIME_VERSION: version}) for version in versions]
    assert facts(*spans)["python"] == "..., 3.0, 3.1, 3.2, 3.3, 3.4"
    long = facts(span_record(1, resource={semconv.OS_DESCRIPTION: "x" * 100_000}))
    assert len(long["system"]) == MAX_LENGTH


OTLP = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "host.arch", "value": {"stringValue": "arm64"}}]},
            "scopeSpans": [{"spans": [{"traceId": "1" * 32, "spanId": "1" * 16, "name": "a"}]}],
        }
    ]
}
JAEGER = {
    "data": [
        {
            "processes": {"p1": {"serviceName": "shop", "tags": [{"key": "host.arch", "value": "arm64"}]}},
            "spans": [{"traceID": "1" * 32, "spanID": "1" * 16, "processID": "p1", "operationName": "a"}],
        }
    ]
}


def field(number, content):
    """A field of a protobuf message that holds so many bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


PROTOBUF = field(
    1,
    field(1, field(1, field(1, b"host.arch") + field(2, field(1, b"arm64"))))
    + field(2, field(2, field(1, b"\x11" * 16) + field(2, b"\x11" * 8) + field(5, b"hello"))),
)
"""A resource with one attribute, and one span."""


@pytest.mark.parametrize(
    "data",
    [json.dumps(OTLP).encode(), json.dumps(JAEGER).encode(), PROTOBUF],
    ids=["OTLP JSON", "Jaeger JSON", "OTLP protobuf"],
)
def test_every_format_brings_the_resource(data, tmp_path):
    """The attributes of the resource (of Jaeger the process' tags) are with each span."""
    path = tmp_path / "spans"
    path.write_bytes(data)
    (span,) = read_spans([path], ReadReport())
    assert span.resource == {"host.arch": "arm64"}


def test_the_resource_says_what_benchmarks_say():
    """Spans and benchmarks tell the same facts by the same words, so that each can be the other's baseline."""
    told = facts(span_record(1, resource=resource_attributes()))
    measured = environment()
    assert told == {name: measured[name] for name in told}
    assert {"python", "implementation", "system", "machine"} <= set(told)


def test_a_baseline_knows_where_its_turns_were_measured(tmp_path, capsys):
    """`check` keeps the environment that spans tell, and names what differs later."""
    document = json.loads(json.dumps(OTLP))
    span = document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    span["attributes"] = [
        {"key": semconv.OPERATION_NAME, "value": {"stringValue": semconv.OP_INVOKE_AGENT}},
        {"key": semconv.AGENT_NAME, "value": {"stringValue": "planner"}},
    ]
    before, after, baseline = (tmp_path / name for name in ("a.json", "b.json", "baseline.json"))
    before.write_text(json.dumps(document), encoding="utf-8")
    after.write_text(json.dumps(document).replace("arm64", "x86_64"), encoding="utf-8")
    cli.run(["check", str(before), "--save-baseline", str(baseline)])
    assert json.loads(baseline.read_bytes())["environment"] == {"machine": "arm64"}
    capsys.readouterr()
    cli.run(["check", str(after), "--baseline", str(baseline)])
    assert "Not alike: machine is x86_64, in the baseline arm64." in capsys.readouterr().out


def test_what_the_user_says_of_the_resource_goes_first(tmp_path):
    """Spans of an SDK that `instrument()` set up tell where they are from; the standard variable overrides it."""
    path = tmp_path / "spans.jsonl"
    program = (
        f"import agentnet_otel; handle = agentnet_otel.instrument(exporter='file:{path}')\n"
        "with agentnet_otel.turn('planner'): pass\n"
        "handle.shutdown()"
    )
    told = {**os.environ, "OTEL_RESOURCE_ATTRIBUTES": "host.arch=toaster", "OTEL_SERVICE_NAME": "kitchen"}
    subprocess.run([sys.executable, "-c", program], env=told, check=True)
    (span,) = read_spans([path], ReadReport())
    assert span.service_name == "kitchen"
    assert facts(span)["machine"] == "toaster"
    assert facts(span)["python"] == environment()["python"]
