"""Seeds of the corpus: small inputs that are right, one of each shape, which mutations lead astray.

Run as a program it writes them anew; findings stay as they are.
"""

import gzip
import json
import struct

import zstandard
from driver import CORPUS
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from targets import TARGETS, log_record

TRACE, PARENT, CHILD = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"
START_NS = 1_700_000_000_000_000_000


def attributes(**values):
    """Pairs as OTLP JSON has them."""
    return [{"key": key.replace("__", "."), "value": value} for key, value in values.items()]


def request():
    """A turn with a call of a model, with a value of each kind."""
    root = {
        "traceId": TRACE, "spanId": PARENT, "name": "invoke_agent a", "kind": 1, "flags": 257,
        "startTimeUnixNano": str(START_NS), "endTimeUnixNano": str(START_NS + 10**9),
        "attributes": attributes(
            gen_ai__operation__name={"stringValue": "invoke_agent"}, gen_ai__agent__name={"stringValue": "a"}
        ),
        "events": [{"timeUnixNano": str(START_NS), "name": "exception", "attributes": []}],
        "status": {"code": 2, "message": "no"}, "traceState": "ot=th:8",
    }  # fmt: skip
    call = {
        "traceId": TRACE, "spanId": CHILD, "parentSpanId": PARENT, "name": "chat m", "kind": "SPAN_KIND_CLIENT",
        "startTimeUnixNano": START_NS, "endTimeUnixNano": START_NS + 10**8,
        "attributes": attributes(
            gen_ai__operation__name={"stringValue": "chat"},
            gen_ai__usage__input_tokens={"intValue": "7"},
            gen_ai__usage__cost={"doubleValue": 0.5},
            flag={"boolValue": True},
            raw={"bytesValue": "AAE="},
            many={"arrayValue": {"values": [{"stringValue": "x"}, {"intValue": 1}]}},
            map={"kvlistValue": {"values": attributes(k={"stringValue": "v"})}},
        ),
    }  # fmt: skip
    resource = {"attributes": attributes(service__name={"stringValue": "s"})}
    scope_spans = {"scope": {"name": "x", "version": "1"}, "spans": [root, call]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [scope_spans]}]}


def foreign(**said):
    """One span of another dialect, whose figures are JSON in attributes."""
    span = {
        "traceId": TRACE, "spanId": CHILD, "name": "n", "startTimeUnixNano": "1", "endTimeUnixNano": "5",
        "attributes": attributes(**said),
    }  # fmt: skip
    return as_json({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})


def as_json(document):
    """Without spaces."""
    return json.dumps(document, separators=(",", ":")).encode()


def as_protobuf(document):
    """The same request in protobuf: ids are bytes there."""
    found = json.loads(json.dumps(document), object_hook=_ids)
    return ParseDict(found, TracesData()).SerializeToString()


def _ids(value):
    import base64  # noqa: PLC0415 - of this alone

    for key in ("traceId", "spanId", "parentSpanId"):
        if key in value:
            value[key] = base64.b64encode(bytes.fromhex(value[key])).decode()
    return value


def jaeger_trace():
    """A trace as Jaeger's API has it."""
    span = {
        "traceID": TRACE, "spanID": CHILD, "operationName": "chat m", "startTime": START_NS // 1000, "duration": 9,
        "references": [{"refType": "CHILD_OF", "traceID": TRACE, "spanID": PARENT}], "processID": "p1",
        "tags": [
            {"key": "gen_ai.operation.name", "type": "string", "value": "invoke_agent"},
            {"key": "gen_ai.agent.name", "type": "string", "value": "a"},
            {"key": "error", "type": "bool", "value": True}, {"key": "n", "type": "int64", "value": 5},
        ],
        "logs": [{"timestamp": 5, "fields": [{"key": "event", "value": "e"}]}],
    }  # fmt: skip
    return {"traceID": TRACE, "spans": [span], "processes": {"p1": {"serviceName": "s", "tags": []}}}


def http(status, body, *headers):
    """An answer of HTTP."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def seeds():
    """The seeds of each target, by their name."""
    line, message = as_json(request()), as_protobuf(request())
    delimited = bytes([len(message) & 0x7F | 0x80, len(message) >> 7]) + message
    prefixed = struct.pack(">I", len(message)) + message
    trace = jaeger_trace()
    answer = as_json({"data": [trace], "total": 0, "limit": 0, "offset": 0, "errors": None})
    frame = zstandard.compress(line)
    dialects = {
        "usage-object": foreign(
            langfuse__observation__type={"stringValue": "agent"},
            langfuse__observation__usage_details={"stringValue": '{"input":1,"output":2,"total":3}'},
            langfuse__observation__cost_details={"stringValue": '{"total":0.5}'},
        ),
        "quoted": foreign(
            mlflow__spanType={"stringValue": '"AGENT"'},
            mlflow__chat__tokenUsage={"stringValue": '{"input_tokens": 1, "output_tokens": 2}'},
        ),
        "metadata": foreign(
            openinference__span__kind={"stringValue": "CHAIN"},
            metadata={"stringValue": '{"lc_agent_name": "a"}'},
            llm__token_count__prompt={"stringValue": "5"},
        ),
    }
    streams = {
        "lines": line + b"\n" + line + b"\r\n",
        "document": json.dumps(request(), indent=1).encode(),
        "message": message,
        "delimited": delimited * 2,
        "prefixed": prefixed * 2,
        "prefixed-zstd": struct.pack(">I", len(frame)) + frame,
        "jaeger-answer": answer,
        "jaeger-list": json.dumps([trace], indent=1).encode(),
        "gzip": gzip.compress(line + b"\n", mtime=0),
        "zstd": zstandard.compress(line + b"\n"),
        "metrics": b'{"resourceMetrics":[]}\n',
        "empty": b"",
        "bom": b"\xef\xbb\xbf" + line,
    }
    limits = b"turn_latency: {recommended: 1500, critical: 4000}\nagents:\n  a:\n    success_rate: {critical: 9.5}\n"
    sample = {"outcome": "success", "latency_ms": 5.0, "tokens": 7, "cost_usd": 0.5, "session": 1}
    kept = {
        "kind": "agentnet-otel baseline", "schema_version": 1, "agentnet_otel_version": "1", "created_at_unix_nano": 1,
        "turns": 2, "agents": {"a": 2}, "models": {"m": 1}, "environment": {"python": "3"}, "samples": [sample, sample],
    }  # fmt: skip
    records = log_record(1, message) + log_record(2, line)
    return {
        "stream": streams,
        "file": streams | dialects,
        "growing": streams,
        "json_request": {"request": line, "indented": streams["document"]} | dialects,
        "protobuf_request": {"request": message, "resource-only": b"\x0a\x02\x0a\x00"},
        "payload": {"json": line, "message": message, "zstd": frame, "jaeger": answer},
        "zstd_frame": {"frame": frame, "two": frame * 2, "empty": zstandard.compress(b"")},
        "jaeger": {
            "answer": answer,
            "trace": as_json(trace),
            "error": b'{"data":null,"errors":[{"code":404,"msg":"trace not found"}]}',
        },
        "jaeger_server": {
            "services": http("200 OK", b'{"data":["s"]}'),
            "both": http("200 OK", b'{"data":["s"],"errors":[]}', "Content-Type: application/json"),
            "traces": http("200 OK", answer),
            "busy": http("503 Service Unavailable", b"busy", "Retry-After: 3"),
            "chunked": b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ne\r\n{"data":["s"]}\r\n0\r\n\r\n',
            "page": http("404 Not Found", b"<html>"),
        },
        "jaeger_address": {
            "all": b"http://127.0.0.1:16686/base?service=s&lookback=1.5h&limit=20&tags=error:true,a:b&operation=o",
            "json-tags": b'https://[::1]:1?service=s&tags={"a":"b"}',
        },
        "thresholds": {"limits": limits, "flow": b"{turn_latency: {critical: 5}}\n", "nothing": b"# none\n"},
        "baseline": {"baseline": as_json(kept)},
        "export_request": {
            "protobuf": b"\0\0" + message,
            "json": b"\1\0" + line,
            "gzip": b"\0\1" + gzip.compress(message, mtime=0),
            "json-gzip": b"\1\1" + gzip.compress(line, mtime=0),
        },
        "question": {
            "numbers": b"100&5",
            "format": b"json&",
            "accept": b"application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1",
        },
        "raw_log": {"records": records, "torn": records[:-5], "zeros": records + b"\0" * 64},
    }


def main():
    """Write the seeds."""
    for target, found in seeds().items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in found.items():
            (folder / f"seed-{name}").write_bytes(data)
    assert seeds().keys() == TARGETS.keys()


if __name__ == "__main__":
    main()
