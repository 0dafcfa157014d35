"""What senders and readers cannot do to `serve`: over real sockets, with real exporters."""

import contextlib
import gzip
import http.client
import os
import signal
import socket
import ssl
import sys
import threading
import time
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace.export import SpanExportResult
from turn_requests import batch, export, ids

import agentnet_otel
from agentnet_otel.service.http_server import MAX_CONNECTIONS as MAX_HTTP_CONNECTIONS
from agentnet_otel.sources.otlp_grpc import MAX_CONNECTIONS
from agentnet_otel.testing import InMemoryTelemetry

pytestmark = pytest.mark.slow

EXPORTERS = {
    "grpc": lambda bridge: GrpcExporter(f"http://{bridge.grpc}", timeout=60),
    "grpc, gzip": lambda bridge: GrpcExporter(f"http://{bridge.grpc}", timeout=60, compression=grpc.Compression.Gzip),
    "http": lambda bridge: HttpExporter(f"http://{bridge.http}/v1/traces", timeout=60),
    "http, gzip": lambda bridge: HttpExporter(
        f"http://{bridge.http}/v1/traces", timeout=60, compression=Compression.Gzip
    ),
}


def spans_of_turns(*agents):
    """What an instrumented application has to export: a turn for each of these."""
    telemetry = InMemoryTelemetry()
    handle = agentnet_otel.instrument(
        tracer_provider=telemetry.tracer_provider, meter_provider=telemetry.meter_provider
    )
    for agent in agents:
        with agentnet_otel.turn(agent) as turn, turn.component("inference", model="m") as call:
            call.record_tokens(input=3, output=4)
    handle.shutdown()
    spans = telemetry.spans()
    telemetry.close()
    return spans


def child_of(bridge):
    """The process that understands."""
    lists = Path(f"/proc/{bridge.process.pid}/task").glob("*/children")
    (child,) = [int(pid) for one in lists for pid in one.read_text(encoding="ascii").split()]
    return child


@contextlib.contextmanager
def held_up(bridge):
    """While the process that understands does nothing."""
    child = child_of(bridge)
    os.kill(child, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):  # killed because it did nothing
            os.kill(child, signal.SIGCONT)


def connection_to(door):
    """A socket that waits for half a minute."""
    host, _, port = door.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=30)


@pytest.fixture(scope="module")
def bridge(serve_module):
    """One process for tests that leave it as it was."""
    return serve_module()


def test_real_exporters_of_the_sdk(bridge):
    """Over gRPC and HTTP, packed or not: what they export is there, and their application is the one that counts it."""
    for name, exporter_of in EXPORTERS.items():
        exporter = exporter_of(bridge)
        assert exporter.export(spans_of_turns(name)) is SpanExportResult.SUCCESS
        exporter.shutdown()
    turns = bridge.turns(len(EXPORTERS))
    assert sorted(turn["agent"] for turn in turns) == sorted(EXPORTERS)
    assert all((turn["spans"], turn["input_tokens"], turn["output_tokens"]) == (2, 3, 4) for turn in turns)
    page = bridge.get("/metrics")[1].decode()
    assert "agentnet_turns_total" not in page
    assert 'agentnet_bridge_turns_total{service_name="agentnet-otel",agentnet_bridge_result="left_out"} 4' in page


def test_slow_senders_are_let_go(bridge):
    """Silent connections, heads and later heads byte by byte: closed within seconds, and nobody else waits."""
    lines = {
        "silent": b"",
        "head": b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nX-A: ",
        "second head": b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nX-A: ",
    }
    closed = {}

    def drip(name):
        with connection_to(bridge.web) as one:
            one.sendall(lines[name])
            begin = time.monotonic()
            with contextlib.suppress(OSError):
                while time.monotonic() < begin + 25:
                    if name != "silent":
                        one.sendall(b"a")
                    one.settimeout(0.5)
                    with contextlib.suppress(TimeoutError):
                        if not one.recv(4096):
                            break
            closed[name] = time.monotonic() - begin

    threads = [threading.Thread(target=drip, args=(name,)) for name in lines]
    for thread in threads:
        thread.start()
    assert bridge.get("/healthz")[0] == 200
    for thread in threads:
        thread.join()
    assert all(seconds < 20 for seconds in closed.values()), closed


def test_sizes_of_heads_and_bodies(bridge):
    """Too long a head, a body that says so and one that does not: each is answered, and costs nothing else."""
    assert bridge.get("/healthz", {"X-Long": "x" * 20_000})[0] == 431
    with connection_to(bridge.web) as one:
        one.sendall(b"GET /healthz HTTP/1.1\r\nX-Long: " + b"x" * 20_000)
        assert b" 400 " in one.recv(4096)
    with connection_to(bridge.http) as one:
        one.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
            b"Content-Length: 99999999999\r\n\r\n"
        )
        assert b" 413 " in one.recv(4096)
    host, _, port = bridge.http.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    pieces = (bytes(1_000_000) for _ in range(40))
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.request(
            "POST", "/v1/traces", pieces, {"Content-Type": "application/x-protobuf"}, encode_chunked=True
        )
    with contextlib.suppress(ConnectionResetError):
        assert connection.getresponse().status == 413
    connection.close()
    with pytest.raises(grpc.RpcError) as raised:
        export(bridge.grpc, b"", metadata=(("x-long", "x" * 40_000),))
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert bridge.get("/readyz")[0] == 200


def test_handshakes_that_never_end_are_connections(serve):
    """Thousands that only connect to a TLS door cost no more files than it may have; it is open when they are gone."""
    tls = Path(__file__).parent / "tls"
    process = serve("--tls-cert", str(tls / "certificate.pem"), "--tls-key", str(tls / "key.pem"))
    context = ssl.create_default_context(cafile=tls / "certificate.pem")
    files = Path(f"/proc/{process.process.pid}/fd")
    before = len(list(files.iterdir()))
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_HTTP_CONNECTIONS + 200):
            stack.enter_context(connection_to(process.web))
        end = time.monotonic() + 2
        while time.monotonic() < end:
            assert len(list(files.iterdir())) < before + MAX_HTTP_CONNECTIONS + 50
    end = time.monotonic() + 30
    while len(list(files.iterdir())) > before + 20 and time.monotonic() < end:
        time.sleep(0.1)
    with context.wrap_socket(connection_to(process.web), server_hostname="localhost") as one:
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert one.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_bad_gzip(bridge):
    """Cut off, several members, rubbish behind it, a bomb in a bomb."""
    good = batch(77).SerializeToString()
    packed = gzip.compress(good)
    encoding = {"Content-Encoding": "gzip"}
    assert bridge.post(packed[:-9], **encoding)[0] == 400
    assert bridge.post(gzip.compress(good[:50]) + gzip.compress(good[50:]), **encoding)[0] == 200
    assert bridge.post(packed + b"rubbish", **encoding)[0] == 400
    assert bridge.post(gzip.compress(gzip.compress(bytes(10**8))), **encoding)[0] == 400
    assert bridge.post(b"", **encoding)[0] == 200


def test_more_connections_than_a_door_has(bridge):
    """Further ones are told to come back; when others go, there is room again."""
    with contextlib.ExitStack() as opened:
        taken = [opened.enter_context(connection_to(bridge.web)) for _ in range(540)]
        refused = 0
        for one in taken[-20:]:
            with contextlib.suppress(OSError):
                refused += one.recv(100).startswith(b"HTTP/1.1 503 ")
        assert refused == 20
    end = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if bridge.get("/healthz")[0] == 200:
                break
        assert time.monotonic() < end
        time.sleep(0.1)


def test_more_connections_than_the_grpc_door_has(bridge):
    """Further ones are closed; when others go, exporters get through again."""
    greeting = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
    with contextlib.ExitStack() as opened:
        refused = 0
        for _ in range(MAX_CONNECTIONS + 20):
            one = opened.enter_context(connection_to(bridge.grpc))
            with contextlib.suppress(OSError):
                one.sendall(greeting)
                refused += not one.recv(100)
        assert refused >= 20
    exporter = EXPORTERS["grpc"](bridge)
    assert exporter.export(spans_of_turns("after the crowd")) is SpanExportResult.SUCCESS
    exporter.shutdown()


@pytest.mark.parametrize(("soft", "hard", "told"), [(100, 4096, None), (700, 700, "so that each door takes 116 ")])
def test_doors_take_what_the_process_may_open(serve, soft, hard, told):
    """Limits that are low are raised; where that may not be, fewer connections are taken, and never too many."""
    limits = f"import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard})); "
    bridge = serve(before=[sys.executable, "-c", limits + "os.execv(sys.argv[1], sys.argv[1:])"])
    with contextlib.ExitStack() as opened:
        for door in (bridge.grpc, bridge.http, bridge.web):
            for _ in range(540):
                opened.enter_context(connection_to(door))
        time.sleep(0.5)
        assert len(list(Path(f"/proc/{bridge.process.pid}/fd").iterdir())) < (hard if told else 2048)
    exporter = EXPORTERS["grpc"](bridge)
    assert exporter.export(spans_of_turns("after the crowd")) is SpanExportResult.SUCCESS
    exporter.shutdown()
    assert len(bridge.turns(1)) == 1
    assert bridge.stop() == 0
    texts = [text for text in bridge.told if "listening" not in text]
    assert texts == [] if told is None else told in texts[0] and len(texts) == 1


def test_what_is_not_looked_at_is_counted(serve):
    """As bad: of another type, too large, not to be unpacked. As refused: more than 128 MB is being received."""
    process = serve()
    assert process.post(b"x", "text/plain")[0] == 415
    assert process.post(b"x", **{"Content-Encoding": "br"})[0] == 415
    assert process.post(b"x", **{"Content-Encoding": "gzip"})[0] == 400
    assert process.post(b"\x0a\xff\xff")[0] == 400
    head = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: %d\r\n\r\n"
    with connection_to(process.http) as one:
        one.sendall(head % (2**25 + 1))
        assert b" 413 " in one.recv(4096)
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            last = stack.enter_context(connection_to(process.http))
            with contextlib.suppress(OSError):  # it is answered, and closed, before it has sent all
                last.sendall(head % 2**25 + bytes(30 * 2**20))
        assert b" 429 " in last.recv(4096)
    page = process.get("/metrics")[1].decode()
    for result, number in (("bad", 5), ("refused", 1), ("accepted", 0)):
        assert f'agentnet_bridge_result="{result}"}} {number}' in page


def test_answers_are_safe(bridge):
    """Text of senders is never read as a page; unknown pages and methods tell nothing of the program."""
    export(bridge.grpc, batch(99, agent="<script>alert(1)</script>").SerializeToString())
    bridge.turns(5)
    _, body, headers = bridge.get("/api/report?format=html")
    assert b"<script>alert" not in body
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "script-src 'sha256-" in headers["content-security-policy"]  # of the page's own script, and no other
    for path in ("/api/turns", "/api/report?format=md", "/metrics", "/healthz"):
        _, _, headers = bridge.get(path)
        assert headers["x-content-type-options"] == "nosniff"
        assert "html" not in headers["content-type"]
    for path in ("/nothing", "/api/report?format=exe", "/../etc/passwd", "/api/turns?limit=%00"):
        status, body, _ = bridge.get(path)
        assert status in {400, 404}
        assert b"Traceback" not in body
        assert b".py" not in body


def test_answers_are_packed_for_who_takes_that(bridge):
    """Long ones, of whichever page; short ones and those of who does not ask come as they are."""
    bridge.post(batch(*range(90_001, 90_050)).SerializeToString())
    bridge.turns(49)
    for path in ("/api/turns", "/metrics", "/report", "/"):
        plain, packed = (bridge.get(path, {"Accept-Encoding": asked}) for asked in ("identity", "br;q=1, gzip;q=0.5"))
        assert (plain[0], packed[0], packed[2]["content-encoding"]) == (200, 200, "gzip")
        assert "content-encoding" not in plain[2]
        assert packed[2]["vary"] == plain[2]["vary"] == "Accept, Accept-Encoding"
        assert len(packed[1]) < len(plain[1]) / 2
        unpacked = gzip.decompress(packed[1])
        assert unpacked[:20] == plain[1][:20]
    assert "content-encoding" not in bridge.get("/healthz", {"Accept-Encoding": "gzip"})[2]
    assert "content-encoding" not in bridge.get("/api/turns", {"Accept-Encoding": "gzip;q=0"})[2]


def test_back_pressure(serve):
    """When too much waits, senders are told to come back, by each door in its way, and readers are told too.

    A real exporter does come back, and all that was acknowledged is there once.
    """
    bridge = serve("--max-backlog-mb", "1")
    large = batch(*range(1, 4001)).SerializeToString()
    with held_up(bridge):
        while True:
            try:
                export(bridge.grpc, large)
            except grpc.RpcError as error:
                raised = error
                break
        assert raised.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        details = dict(raised.trailing_metadata())["grpc-status-details-bin"]
        retry = RetryInfo()
        assert Status.FromString(details).details[0].Unpack(retry)
        assert retry.retry_delay.seconds > 0
        status, body, headers = bridge.post(large)
        assert (status, int(headers["retry-after"]) > 0) == (429, True)
        assert Status.FromString(body).code == 8
        status, body, _ = bridge.get("/readyz")
        assert status == 503
        assert b"wait to be understood" in body
        assert bridge.get("/healthz")[0] == 200
        page = bridge.get("/metrics")[1].decode()
        (lag,) = [line.split()[-1] for line in page.splitlines() if line.startswith("agentnet_bridge_lag_seconds{")]
        assert float(lag) > 0
        assert 'agentnet_bridge_requests_total{service_name="agentnet-otel",agentnet_bridge_result="refused"} 2' in page
        exporters = [EXPORTERS["grpc"](bridge), EXPORTERS["http"](bridge)]
        results = []
        spans = spans_of_turns("came back")
        threads = [threading.Thread(target=lambda one=one: results.append(one.export(spans))) for one in exporters]
        for thread in threads:
            thread.start()
        time.sleep(1)
    for thread in threads:
        thread.join()
    assert results == [SpanExportResult.SUCCESS] * 2
    turns = bridge.turns(4001)
    assert (len(turns), len(set(ids(turns)))) == (4001, 4001)
    assert bridge.get("/readyz")[0] == 200
    for exporter in exporters:
        exporter.shutdown()


def answers_to(door, data):
    """All that is answered to these bytes before the connection is closed."""
    with connection_to(door) as one:
        one.sendall(data)
        parts = []
        with contextlib.suppress(ConnectionResetError):
            while part := one.recv(65_536):
                parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        ("http://127.0.0.1/healthz", "127.0.0.1", b"200"),
        ("HTTPS://localhost:1/api/turns?limit=1", "localhost", b"200"),
        ("http://127.0.0.1", "127.0.0.1", b"200"),
        ("http://127.0.0.1/api/turns?limit=x", "127.0.0.1", b"400"),
        ("http://127.0.0.1/none", "127.0.0.1", b"404"),
        ("http://evil.example/", "127.0.0.1", b"421"),
        ("http://127.0.0.1/", "evil.example", b"200"),
    ],
)
def test_a_target_may_name_scheme_and_host(bridge, target, host, status):
    """Then these count, and not what the header says (RFC 9112, 3.2.2)."""
    request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    assert answers_to(bridge.web, request).split()[1] == status


SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        b"Transfer-Encoding: xchunked",
        b"Content-Length: +5",
    ],
)
def test_a_body_of_doubtful_length_ends_the_connection(bridge, head):
    """What stands behind it is no request: somebody in between may have taken it for a part of the body."""
    for door, line in ((bridge.web, b"GET /healthz"), (bridge.http, b"POST /v1/traces"), (bridge.http, b"GET /none")):
        answer = answers_to(door, line + b" HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n0\r\n\r\n" + SMUGGLED)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1") == 1


def test_asking_for_the_head_of_a_stream_holds_nothing(bridge):
    """It is answered, and the connection goes on."""
    request = b"HEAD /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = answers_to(bridge.web, request + last)
    assert b"text/event-stream" in answer
    assert answer.endswith(b"ok\n")


def test_a_body_that_is_packed_twice_is_refused_by_name(bridge):
    """Be the codings told in one header or in two."""
    head = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    twice = b"Content-Encoding: gzip\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"
    answer = answers_to(bridge.http, head + twice)
    assert answer.startswith(b"HTTP/1.1 415 ")
    assert b"'gzip, gzip' is not supported" in answer
