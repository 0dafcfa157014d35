"""What is fuzzed: each reader of what others wrote, and what has to hold of it whatever the bytes are.

A target takes bytes, and returns nothing: it raises what it finds. Errors of ours are no findings: they are what a
reader is to raise. A stream has to give the same whether its bytes come at once or one by one.
"""

import io
import socket
import struct
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from pathlib import Path

from agentnet_otel.core.assembler import Counts
from agentnet_otel.core.dialects import read_facts
from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.core.trace_window import TraceWindow
from agentnet_otel.core.turn_parts import member_of
from agentnet_otel.errors import AgentNetOtelError, InputError
from agentnet_otel.outputs.prometheus import PrometheusEndpoint
from agentnet_otel.outputs.turn_rows import row_line, turn_line
from agentnet_otel.performance.baseline import Baseline
from agentnet_otel.service.answers import Query
from agentnet_otel.service.api import Api
from agentnet_otel.service.otlp_http import take_export
from agentnet_otel.sources.compression import decompressed, unpacked
from agentnet_otel.sources.decoding import PayloadDecoder
from agentnet_otel.sources.files import read_spans
from agentnet_otel.sources.framing import payloads
from agentnet_otel.sources.growing import GrowingPayloads
from agentnet_otel.sources.intake import Intake
from agentnet_otel.sources.jaeger_api import parse_jaeger_source, read_jaeger
from agentnet_otel.sources.jaeger_json import decode_jaeger, problem_in, trace_ids_in
from agentnet_otel.sources.otlp_json import JsonDecoder
from agentnet_otel.sources.otlp_protobuf import ProtobufDecoder, inspect_message
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.rebuild import TurnStream, rebuild
from agentnet_otel.sources.shape import Form
from agentnet_otel.sources.store.raw_log import RawLog
from agentnet_otel.sources.threshold_file import read_thresholds
from agentnet_otel.sources.turn_windows import row_window

MAX_UNPACKED_BYTES = 8 * 1024 * 1024
CONTENT_TYPES = ("application/x-protobuf", "application/json", "application/json; charset=utf-8", "text/plain", "")
ENCODINGS = ("", "gzip", "identity", "zstd")
SLOW_AT_MOST_BYTES = 2048
"""Longer inputs are not fed byte by byte: that is the same again, and takes long."""


class OneByOne(io.RawIOBase):
    """A pipe that brings a byte at a time."""

    def __init__(self, data):
        self._rest = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        one = self._rest.read(1)
        buffer[: len(one)] = one
        return len(one)


def stream(data: bytes) -> None:
    """A file or pipe of any format, compressed or not, through all that opens, cuts and decodes it."""
    at_once = _spans_of(io.BytesIO(data))
    if len(data) <= SLOW_AT_MOST_BYTES:
        assert at_once == _spans_of(io.BufferedReader(OneByOne(data)))


def growing(data: bytes) -> None:
    """The same where it comes bit by bit: however it is cut, and settled in between or not, the same payloads."""
    found, end = _fed([data])
    for size in (7, 1) if len(data) <= SLOW_AT_MOST_BYTES else (64,):
        in_parts, end_in_parts = _fed([data[at : at + size] for at in range(0, len(data), size)])
        assert end == end_in_parts
        assert in_parts[: len(found)] == found  # before damage, more is found in smaller parts
        assert len(in_parts) == len(found) or end is InputError


def _fed(parts):
    found, at_once = [], GrowingPayloads("x", ReadReport())
    try:
        for part in parts:
            found.extend(at_once.feed(part))
        found.extend(at_once.finish())
    except AgentNetOtelError as error:
        return found, type(error)
    return found, at_once.waiting_bytes


def _spans_of(raw):
    report, decoder, spans, bad = ReadReport(), PayloadDecoder(), [], []
    try:
        for payload in payloads(decompressed(raw, "x", report), "x", report):
            try:
                spans.extend(decoder.decode(payload.data, payload.form, bad.append))
            except InputError as error:
                report.tell(payload.where, str(error))
    except (AgentNetOtelError, OSError) as error:
        report.tell("x", str(error))
    return [repr(spans), bad, report]


def file(data: bytes) -> None:
    """The same as a file that a command reads: nothing is raised, and each way of reading it prints the same rows."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x")
        path.write_bytes(data)
        report = ReadReport()
        members = [member_of(span, read_facts(span)) for span in read_spans([path], report)]
        assert len(members) == report.spans
        for group_calls in (False, True):
            window = TraceWindow(turn_line, group_calls=group_calls)
            told = [line for _, line in [*window.feed(members), *window.finish()]]
            rebuilt = rebuild([path], group_calls=group_calls)
            assert rebuilt.read == report
            assert rebuilt.counts == window.counts
            assert sorted(map(turn_line, rebuilt.turns)) == sorted(told)
            rows = TurnStream([path], row_window(group_calls=group_calls))
            assert sorted(map(row_line, rows.in_order())) == sorted(told)
            assert rows.counts == window.counts


def json_request(data: bytes) -> None:
    """One OTLP JSON request, on a line or spread over several."""
    _only_input_errors(lambda: list(JsonDecoder().decode(data, _ignore)))


def protobuf_request(data: bytes) -> None:
    """One OTLP protobuf request: what is counted before it is kept is what is understood later."""
    bad = []
    spans = _only_input_errors(lambda: list(ProtobufDecoder().decode(data, bad.append)))
    counted = _only_input_errors(lambda: inspect_message(data))
    assert (spans is None) is (counted is None)
    assert spans is None or counted[1] <= len(bad)
    assert spans is None or counted[0] == len(spans) + len(bad)


def payload(data: bytes) -> None:
    """What stands in a framed stream: JSON or protobuf, perhaps a zstd frame."""
    for form in Form:
        _only_input_errors(lambda form=form: list(PayloadDecoder().decode(data, form, _ignore)))


def zstd_frame(data: bytes) -> None:
    """One zstd frame with a limit to what it unpacks to."""
    content = _only_input_errors(lambda: unpacked(data, MAX_UNPACKED_BYTES))
    assert content is None or len(content) <= MAX_UNPACKED_BYTES


def jaeger(data: bytes) -> None:
    """Jaeger's JSON: an answer, a download, a trace; and what it says to a refusal."""
    _only_input_errors(lambda: list(decode_jaeger(data, _ignore)))
    _only_input_errors(lambda: trace_ids_in(data))
    assert isinstance(problem_in(data), str)


def jaeger_server(data: bytes) -> None:
    """What answers where Jaeger should: anything, as whole HTTP answers to each question."""
    server = _server()
    server.says = data
    query = parse_jaeger_source(f"jaeger+http://127.0.0.1:{server.port}?service=s&limit=2")
    _only_ours(lambda: list(read_jaeger(query, ReadReport(), now_us=4_000_000_000, pause=_ignore)))


class _Server:
    """Answers every connection with the bytes it is given, and closes it."""

    def __init__(self):
        self.says = b""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while (connection := self._next()) is not None:
            with connection, suppress(OSError):
                connection.recv(65536)
                connection.sendall(self.says)

    def _next(self):
        try:
            return self._listening.accept()[0]
        except OSError:  # it was closed
            return None

    def close(self):
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()


@cache
def _server():
    return _Server()


def close_server() -> None:
    """End the server, if it was asked for."""
    if _server.cache_info().currsize:
        _server().close()
        _server.cache_clear()


def jaeger_address(data: bytes) -> None:
    """An address as somebody types it."""
    text = data.decode("utf-8", errors="surrogateescape")
    _only_ours(lambda: parse_jaeger_source(f"jaeger+{text}"))


def thresholds(data: bytes) -> None:
    """A file of limits."""
    _only_ours(lambda: _with_file(data, read_thresholds))


def baseline(data: bytes) -> None:
    """A file to compare with: what is taken can be compared."""

    def load(path):
        loaded = Baseline.load(path)
        loaded.compare(loaded)

    _only_ours(lambda: _with_file(data, load))


def _with_file(data, read):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x")
        path.write_bytes(data)
        return read(path)


def export_request(data: bytes) -> None:
    """A request to the receiver; its first two bytes choose the content type and the encoding."""
    kept = []

    class Log:
        def append(self, kind, arrived_ns, body):
            kept.append(body)
            done = Future()
            done.set_result(None)
            return done

    first = (data[:2] + b"\0\0")[:2]
    kind, encoding = CONTENT_TYPES[first[0] % len(CONTENT_TYPES)], ENCODINGS[first[1] % len(ENCODINGS)]
    answer = take_export(Intake(Log(), lambda: 0, lambda: 0), kind, encoding, data[2:])
    assert answer.status in {200, 400, 413, 415}
    assert (answer.status == 200) is bool(kept)
    for body in kept:
        form = Form.PROTOBUF if "protobuf" in kind else Form.JSON
        list(PayloadDecoder().decode(body, form, _ignore))  # what was acknowledged can be understood


def question(data: bytes) -> None:
    """A question to the page of turns."""

    class Turns:
        def after(self, cursor, limit):
            assert 0 <= cursor < 2**63
            assert 0 <= limit <= 10_000
            return []

        def newest_first(self, limit):
            return []

        def last_seq(self):
            return 0

        def close(self):
            pass

    limit, _, cursor = data.decode("utf-8", errors="replace")[:4096].partition("&")
    endpoint = PrometheusEndpoint(list)
    api = Api(Turns, Counts, lambda: None, ThresholdTable(), standing=str, endpoint=endpoint)
    assert api.turns(Query(parameters={"limit": limit, "cursor": cursor})).status in {200, 400, 410}
    assert api.report(Query(parameters={"format": limit})).status in {200, 400}
    assert api.metrics(Query(accept=limit)).status == 200


def raw_log(data: bytes) -> None:
    """The requests that `serve` kept, on a disk that failed: what is whole is read, the rest is put aside."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "0000000001.log").write_bytes(data)
        Path(folder, "0000000002.log").write_bytes(data)
        log = RawLog(Path(folder), _ignore)
        try:
            found = list(log.read(0))
        finally:
            log.close()
        assert len({record.end for record in found}) == len(found)


def log_record(kind: int, data: bytes) -> bytes:
    """A record as the log writes it, for seeds."""
    import zlib  # noqa: PLC0415 - of this alone

    checked = struct.pack("<BxxxQ", kind, 0) + data
    return struct.pack("<II", len(data), zlib.crc32(checked)) + checked


def _only_input_errors(run):
    try:
        return run()
    except InputError:
        return None


def _only_ours(run):
    try:
        return run()
    except AgentNetOtelError as error:
        if not str(error):
            raise
        return None


def _ignore(_):
    pass


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        stream,
        file,
        growing,
        json_request,
        protobuf_request,
        payload,
        zstd_frame,
        jaeger,
        jaeger_server,
        jaeger_address,
        thresholds,
        baseline,
        export_request,
        question,
        raw_log,
    )
}
