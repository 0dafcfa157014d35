"""How many spans a second `serve` takes in over gRPC and keeps, each acknowledged when it is on the disk.

Processes of clients send batches as fast as they are taken. At the end the server is killed with SIGKILL, and what it
had acknowledged is looked for on the disk: in the requests that wait to be understood, or among the turns. Beside it,
in the same run, stands a gRPC server that answers without looking at what it got.

The disk is that of temporary files: TMPDIR names another.
"""

import argparse
import itertools
import multiprocessing
import os
import re
import secrets
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc
from measuring import arguments, publish
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agentnet_otel.sources.store.raw_log import RawLog
from agentnet_otel.sources.store.turn_store import FILE_NAME

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
SPANS_OF_A_TURN = 5
TURNS_OF_A_BATCH = 100
BATCH_SPANS = SPANS_OF_A_TURN * TURNS_OF_A_BATCH
MARK = b"\xfe\xdc\xba\x98\x76\x54\x32\x10"
"""The first half of each trace id of the template; each request gets one of its own."""
WARM_UP_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What one client did: marks of acknowledged requests, seconds of each export, and how often it had to wait."""

    marks: list[bytes]
    seconds: list[float]
    refused: int


def template() -> bytes:
    """A request with a hundred turns of five spans, as the recorder writes them."""
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.add(key="service.name").value.string_value = "bench"
    spans = of_resource.scope_spans.add()
    spans.scope.name = "agentnet_otel"
    now = time.time_ns()
    for number in range(TURNS_OF_A_BATCH):
        trace_id = MARK + number.to_bytes(8, "big")
        for part in range(SPANS_OF_A_TURN):
            span = spans.spans.add(start_time_unix_nano=now, end_time_unix_nano=now + 5_000_000 - part, kind=1)
            span.trace_id, span.span_id = trace_id, (number * 8 + part + 1).to_bytes(8, "big")
            said: dict[str, str | int] = {"gen_ai.agent.name": f"agent-{number % 4}", "agentnet.turn.id": f"t-{number}"}
            if part:
                span.name, span.parent_span_id = "chat m-large", (number * 8 + 1).to_bytes(8, "big")
                said |= {"agentnet.latency.component": "inference", "gen_ai.operation.name": "chat"}
                said |= {"gen_ai.request.model": "m-large", "gen_ai.provider.name": "openai"}
                said |= {"gen_ai.usage.input_tokens": 400 + number, "gen_ai.usage.output_tokens": 120}
            else:
                span.name = "invoke_agent"
                said |= {"gen_ai.operation.name": "invoke_agent", "agentnet.turn.outcome": "success"}
            for key, value in said.items():
                attribute = span.attributes.add(key=key)
                if isinstance(value, int):
                    attribute.value.int_value = value
                else:
                    attribute.value.string_value = value
    return request.SerializeToString()


def send(address: str, seconds: float, in_flight: int, results: "multiprocessing.SimpleQueue[Sent]") -> None:
    """Send until the time is over, ``in_flight`` requests at once."""
    body, took, marks, refused = template(), [], [], itertools.count()
    end = time.monotonic() + seconds
    with grpc.insecure_channel(address) as channel, ThreadPoolExecutor(in_flight) as pool:
        export = channel.unary_unary(EXPORT)

        def one_sender() -> None:
            while time.monotonic() < end:
                mark = secrets.token_bytes(len(MARK))
                begin = time.perf_counter()
                try:
                    export(body.replace(MARK, mark), timeout=60)
                except grpc.RpcError as error:
                    if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                        raise
                    next(refused)
                    time.sleep(0.1)
                else:
                    took.append(time.perf_counter() - begin)
                    marks.append(mark)

        for future in [pool.submit(one_sender) for _ in range(in_flight)]:
            future.result()
    results.put(Sent(marks=marks, seconds=took, refused=next(refused)))


def started(store: Path) -> tuple["subprocess.Popen[bytes]", str]:
    """A server, and where it listens for gRPC. What it says goes to a file beside the store."""
    command = (sys.executable, "-m", "agentnet_otel", "serve", "--otlp-grpc", "127.0.0.1:0", "--store", str(store))
    said = store.with_suffix(".log")
    with said.open("wb") as file:
        server = subprocess.Popen(command, stderr=file)
    while server.poll() is None:
        if found := re.search(r"listening at (\S+?)(,|$)", said.read_text(), re.MULTILINE):
            return server, found[1]
        time.sleep(0.1)
    sys.exit(f"the server did not start: {said.read_text()}")


def processes_of(pid: int) -> list[int]:
    """The process and its children."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [pid, *(int(child) for children in lists for child in children.read_text(encoding="ascii").split())]


def resident_mb(pid: int) -> list[float]:
    """Memory of the server's processes."""
    pages = (int(Path(f"/proc/{one}/statm").read_text(encoding="ascii").split()[1]) for one in processes_of(pid))
    return [count * os.sysconf("SC_PAGE_SIZE") / 1e6 for count in pages]


def missing(store: Path, marks: set[bytes]) -> int:
    """How many acknowledged requests are not on the disk."""
    log = RawLog(store / "requests", print)
    for record in log.read(0):
        start = record.data.find(b"\x0a\x10", 0) if record.data else -1
        while start >= 0 and (mark := record.data[start + 2 : start + 10]) not in marks:
            start = record.data.find(b"\x0a\x10", start + 1)
        if start >= 0:
            marks.discard(mark)
    log.close()
    with sqlite3.connect(store / FILE_NAME) as db:
        whole = db.execute("SELECT substr(trace_id, 1, 16), COUNT(*) FROM turns GROUP BY 1")
        marks -= {bytes.fromhex(mark) for mark, turns in whole if turns == TURNS_OF_A_BATCH}
    db.close()
    return len(marks)


def run_clients(address: str, options: argparse.Namespace) -> list[Sent]:
    """What all clients did."""
    results: multiprocessing.SimpleQueue[Sent] = multiprocessing.SimpleQueue()
    given = (address, options.seconds, options.in_flight, results)
    clients = [multiprocessing.Process(target=send, args=given) for _ in range(options.clients)]
    for client in clients:
        client.start()
    sent = [results.get() for _ in clients]
    for client in clients:
        client.join()
    return sent


class Unlooking(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Takes everything, and keeps nothing."""

    def service(self, handler_call_details: object) -> object:
        """One handler for all methods."""
        del handler_call_details
        return grpc.unary_unary_rpc_method_handler(answer_nothing)


def answer_nothing(request: bytes, context: object) -> bytes:
    """To whatever was sent."""
    del request, context
    return b""


def answer_without_looking(told: "multiprocessing.SimpleQueue[int]") -> None:
    """A server that keeps nothing, until it is killed."""
    server = grpc.server(ThreadPoolExecutor(16), handlers=[Unlooking()])
    told.put(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    server.wait_for_termination()


def rate_of_unlooking(options: argparse.Namespace) -> float:
    """Spans a second that a server takes which keeps nothing."""
    told: multiprocessing.SimpleQueue[int] = multiprocessing.SimpleQueue()
    server = multiprocessing.Process(target=answer_without_looking, args=(told,))
    server.start()
    sent = run_clients(f"127.0.0.1:{told.get()}", options)
    server.kill()
    server.join()
    return rate_of(sent, options)


def rate_of(sent: Sequence[Sent], options: argparse.Namespace) -> float:
    """Spans a second that were acknowledged."""
    return sum(len(one.marks) for one in sent) * BATCH_SPANS / float(options.seconds)


def main() -> None:
    """Measure, kill, and look."""
    options = arguments(__doc__, seconds=60, clients=2, in_flight=2)
    # What understands requests outlives a killed parent by a moment, and may still write.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        store = Path(folder) / "store"
        server, address = started(store)
        sent = run_clients(address, options)
        memory = resident_mb(server.pid)
        server.send_signal(signal.SIGKILL)
        server.wait()
        marks = {mark for one in sent for mark in one.marks}
        times = sorted(second for one in sent for second in one.seconds)
        lost = missing(store, set(marks))
    beside = rate_of_unlooking(options)
    print(
        f"{rate_of(sent, options):,.0f} spans a second, acknowledged on the disk; {beside:,.0f} where nothing is kept"
    )
    print(f"export of {BATCH_SPANS} spans: p50 {statistics.median(times) * 1e3:.1f} ms, "
          f"p99 {times[int(len(times) * 0.99)] * 1e3:.1f} ms, most {times[-1] * 1e3:.1f} ms")  # fmt: skip
    each = " and ".join(f"{one:.0f}" for one in memory)
    print(f"{sum(memory):.0f} MB at the end ({each}); {sum(one.refused for one in sent)} requests refused for now")
    print(f"{len(marks):,} requests acknowledged, {lost} of them lost")
    ratios = {"beside_keeping_nothing": rate_of(sent, options) / beside, "lost_of_acknowledged": lost / len(marks)}
    publish("serve", ratios, save=options.save)
    sys.exit(bool(lost))


if __name__ == "__main__":
    main()
