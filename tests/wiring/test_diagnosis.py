"""The doctor: what it finds, tries and advises; never raising, never long, never showing a secret."""

import dataclasses
import json
import logging
import os
import socket
import subprocess
import sys
import time

import msgspec
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from agentnet_otel.wiring.diagnosis import diagnose, diagnosis_lines
from agentnet_otel.wiring.probes import PROBE_TIMEOUT_S, probe_exporters

pytestmark = pytest.mark.usefixtures("no_otel_environment")


def doctor(*arguments, **environment):
    """Run the command; what it printed, what it said on standard error, and how long it took."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "agentnet_otel", "doctor", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr, time.monotonic() - began


def framework(folder, source):
    """A package of AgentNet's name in ``folder``."""
    (folder / "agentnet").mkdir()
    (folder / "agentnet" / "__init__.py").write_text(source)
    return {"PYTHONPATH": str(folder)}


# --- what is found ---------------------------------------------------------------------------------------


def test_without_anything():
    """Neither AgentNet nor an exporter: both are advice, and each section is there."""
    out, err, _ = doctor()
    assert err == ""
    titles = [line for line in out.splitlines() if line and not line.startswith(" ")]
    assert titles == [
        "Environment",
        "Extras",
        "AgentNet",
        "Hooked: 0",
        "Skipped, for this version has no such thing: 0",
        "Variables",
        "Export",
        "To know",
        "What to change",
    ]
    assert "  not found\n" in out
    assert "  AgentNet cannot be imported here" in out
    assert "  No exporter is configured: set OTEL_EXPORTER_OTLP_ENDPOINT, or call instrument(exporter=...).\n" in out


def test_as_json():
    """The same for machines, with the same keys always."""
    out, err, _ = doctor("--json")
    assert err == ""
    assert set(json.loads(out)) == {
        "environment",
        "extras",
        "framework",
        "hooked",
        "skipped",
        "variables",
        "exports",
        "notes",
        "advice",
    }


def test_quiet_tells_only_what_to_change():
    """With -q each line is something to do."""
    out, _, _ = doctor("-q")
    assert len(out.splitlines()) == 2


def test_a_framework_that_is_there(tmp_path):
    """Version and place are told; what it lacks is skipped, not an error; what it prints does not mix in."""
    noisy = "print('hello'); import logging; logging.getLogger('agentnet').warning('noise'); __version__ = '9.9'"
    out, err, _ = doctor("--json", **framework(tmp_path, noisy))
    read = json.loads(out)
    assert err == ""
    assert read["framework"] == f"version 9.9, at {tmp_path / 'agentnet'}"
    assert read["hooked"] == []
    assert "agentnet.core.agent.AgentNet.generate_reasoning_tree" in read["skipped"]
    assert not any("AgentNet" in advice for advice in read["advice"])


def test_hooks_are_told_by_class(repository):
    """On a whole AgentNet each class is a line with the names that are wrapped in it."""
    out, _, _ = doctor(PYTHONPATH=str(repository / "tests" / "agentnet" / "standin"))
    assert "\n  agentnet.tools.executor.ToolExecutor: execute_tool\n" in out
    assert "\n  agentnet.memory.manager.MemoryManager: retrieve, store\n" in out


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import package_that_is_missing", "found, but a package that it needs is not: package_that_is_missing"),
        ("1 / 0", "found, but its import fails: ZeroDivisionError: division by zero"),
        ("raise SystemExit('no')", "found, but its import fails: SystemExit: no"),
        ("def broken(", "found, but its import fails: SyntaxError"),
    ],
)
def test_a_framework_that_cannot_be_imported(tmp_path, source, found):
    """Whatever its import raises is the finding."""
    out, err, _ = doctor("--json", **framework(tmp_path, source))
    assert err == ""
    assert json.loads(out)["framework"].startswith(found)


def test_modules_that_fail_are_skipped(tmp_path):
    """A module of AgentNet that raises when it is imported takes only its own hooks along."""
    environment = framework(tmp_path, "")
    (tmp_path / "agentnet" / "tools").mkdir()
    (tmp_path / "agentnet" / "tools" / "__init__.py").write_text("raise SystemExit(3)")
    out, _, _ = doctor("--json", **environment)
    assert "agentnet.tools.executor.ToolExecutor.execute_tool" in json.loads(out)["skipped"]


def test_what_is_switched_off_is_advice():
    """Both ways of switching off are named."""
    out, _, _ = doctor("-q", OTEL_SDK_DISABLED="true", OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="agentnet")
    assert "OTEL_SDK_DISABLED=true switches everything off; unset it." in out
    assert "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS names this instrumentation; take it out." in out


def test_wrong_variables_are_advice():
    """Protocol, sampler and capture mode that do not exist: each a sentence, and no traceback."""
    out, err, _ = doctor(
        "-q",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_EXPORTER_OTLP_PROTOCOL="bogus",
        OTEL_TRACES_SAMPLER="sometimes",
        OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="yes",
    )
    assert err == ""
    assert "OTEL_EXPORTER_OTLP_PROTOCOL='bogus' is wrong; allowed: grpc, http/protobuf.\n" in out
    assert "OTEL_TRACES_SAMPLER='sometimes' is wrong; allowed: always_off, always_on" in out
    assert "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT='yes' is wrong; allowed: NO_CONTENT" in out
    assert "Export of traces by otlp fails: look at otlp and its variables.\n" in out


def test_the_limit_of_efficiency_is_told_with_figures():
    """From which share of output tokens on the documented limits can be reached at all without an evaluation."""
    (note,) = diagnose().notes
    assert "pass 0.7 only where more than 65% of a turn's tokens are output, and 0.5 only above 15%" in note


# --- exporters -------------------------------------------------------------------------------------------


def test_exporters_that_accept(otlp_server, monkeypatch):
    """Each signal is tried: traces with one span, the others with nothing that a backend would keep."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", otlp_server.address)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    found = {export.signal: export for export in probe_exporters()}
    assert [export.ok for export in found.values()] == [True] * 3
    assert found["traces"].result == "a span was accepted"
    assert found["traces"].target == f"{otlp_server.address}/v1/traces (http/protobuf)"
    assert found["metrics"].result == "an empty request was accepted"
    assert otlp_server.span_names() == ["agentnet-otel doctor"]
    assert otlp_server.metric_names() == set()
    assert [len(r.resource_logs) for r in otlp_server.of(ExportLogsServiceRequest)] == [0]


def test_a_backend_that_refuses(otlp_server, monkeypatch):
    """Its reason is the result, and where it went is told with what to do."""
    otlp_server.status = 401
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{otlp_server.address}/v1/traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    found = diagnose()
    (export,) = found.exports
    assert not export.ok
    assert "401" in export.result
    assert f"start what should listen at {otlp_server.address}/v1/traces (http/protobuf)" in found.advice[-1]


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_an_endpoint_where_nothing_listens(protocol):
    """It is told within seconds, with the reason of the connection, and without the exporters' own chatter."""
    out, err, seconds = doctor(
        "--json", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_EXPORTER_OTLP_PROTOCOL=protocol
    )
    exports = json.loads(out)["exports"]
    assert [export["ok"] for export in exports] == [False] * 3
    assert all("refused" in export["result"] for export in exports)
    assert err == ""
    assert seconds < PROBE_TIMEOUT_S + 10


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_an_endpoint_that_never_answers(protocol):
    """A server that takes connections and says nothing does not hold the doctor."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        out, _, seconds = doctor(
            "--json",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{server.getsockname()[1]}",
            OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
            OTEL_METRICS_EXPORTER="none",
            OTEL_LOGS_EXPORTER="none",
        )
    (export,) = json.loads(out)["exports"]
    assert export["result"].startswith("failed: ")
    assert seconds < PROBE_TIMEOUT_S + 10


def test_no_secret_is_shown():
    """Headers, users and parameters of addresses appear nowhere, in text or JSON."""
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://someone:hunter2@127.0.0.1:9/?api-key=hunter2",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=hunter2",
    }
    for arguments in ((), ("--json",)):
        out, err, _ = doctor(*arguments, **environment)
        assert "OTEL_EXPORTER_OTLP_HEADERS" in out
        assert "hunter2" not in out + err
        assert "someone" not in out + err


def test_exporters_that_print_or_wait_are_not_tried(monkeypatch, capsys):
    """The console exporter would print into the diagnosis."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    (export,) = probe_exporters()
    assert (export.ok, export.target, export.result) == (True, None, "writes to standard output; not tried")
    assert capsys.readouterr() == ("", "")


def test_an_exporter_that_does_not_exist(monkeypatch):
    """Its name is told, and which ones there are."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "foo")
    (export,) = probe_exporters()
    assert not export.ok
    assert export.result.startswith("failed: OTEL_TRACES_EXPORTER: no exporter 'foo' is installed; there are: console")


PLUGIN = """
import threading
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

class Mute(SpanExporter):
    def export(self, spans):
        return SpanExportResult.FAILURE

class Hanging(SpanExporter):
    def export(self, spans):
        threading.Event().wait()

class Reader(InMemoryMetricReader):
    pass
"""

ENTRY_POINTS = """
[opentelemetry_traces_exporter]
mute = plugin:Mute
hanging = plugin:Hanging

[opentelemetry_metrics_exporter]
reader = plugin:Reader
"""


@pytest.fixture
def plugin(tmp_path):
    """Exporters of somebody else, installed."""
    (tmp_path / "plugin.py").write_text(PLUGIN)
    metadata = tmp_path / "plugin-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    return {"PYTHONPATH": str(tmp_path)}


def test_exporters_of_others(plugin):
    """One that fails without a word, one that hangs for ever, one that is read: each has a result, in time."""
    out, err, seconds = doctor("--json", OTEL_TRACES_EXPORTER="mute,hanging", OTEL_METRICS_EXPORTER="reader", **plugin)
    results = {export["exporter"]: (export["ok"], export["result"]) for export in json.loads(out)["exports"]}
    assert results == {
        "mute": (False, "failed: the exporter gives no reason"),
        "hanging": (False, "failed: no answer within 4 s"),
        "reader": (True, "waits to be read; not tried"),
    }
    assert err == ""
    assert seconds < PROBE_TIMEOUT_S + 10


def test_loggers_are_left_as_they_were(otlp_server, monkeypatch):
    """Listening to exporters changes no logger for good."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "foo")
    loggers = [logging.getLogger(name) for name in ("opentelemetry", "agentnet")]
    before = [(logger.level, logger.propagate, list(logger.handlers)) for logger in loggers]
    diagnose()
    assert [(logger.level, logger.propagate, list(logger.handlers)) for logger in loggers] == before


def test_lines_for_people(otlp_server, monkeypatch):
    """A diagnosis reads as sections; an export says what, by whom, where to, and what came of it."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{otlp_server.address}/v1/traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    found = diagnose()
    line = f"  traces by otlp to {otlp_server.address}/v1/traces (http/protobuf): a span was accepted"
    assert line in diagnosis_lines(found)
    nothing = dataclasses.replace(found, advice=())
    assert diagnosis_lines(nothing)[-2:] == ["What to change", "  nothing"]
    msgspec.json.encode(found)
