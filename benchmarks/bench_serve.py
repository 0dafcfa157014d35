"""How many spans a second `serve` takes in over gRPC and keeps, each acknowledged when it is on the disk.

Processes of clients send batches as fast as they are taken. At the end the server is killed with SIGKILL, and what it
had acknowledged is looked for on the disk: in the requests that wait to be understood, or among the turns.
"""

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
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc
from measuring import arguments
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


def started(store: Path) -> tuple["subprocess.Popen[str]", str]:
    """A server, and where it listens for gRPC."""
    command = (sys.executable, "-m", "agentnet_otel", "serve", "--otlp-grpc", "127.0.0.1:0", "--store", str(store))
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    for line in server.stderr:
        if found := re.search(r"listening at (\S+?)(,|$)", line):
            threading.Thread(target=lambda: [print(rest, end="") for rest in server.stderr or ()], daemon=True).start()
            return server, found[1]
    sys.exit("the server did not start")


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


def main() -> None:
    """Measure, kill, and look."""
    options = arguments(__doc__, seconds=60, clients=2, in_flight=4)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        store = Path(folder) / "store"
        server, address = started(store)
        results: multiprocessing.SimpleQueue[Sent] = multiprocessing.SimpleQueue()
        given = (address, options.seconds, options.in_flight, results)
        clients = [multiprocessing.Process(target=send, args=given) for _ in range(options.clients)]
        for client in clients:
            client.start()
        sent = [results.get() for _ in clients]
        memory = resident_mb(server.pid)
        server.send_signal(signal.SIGKILL)
        server.wait()
        for client in clients:
            client.join()
        marks = {mark for one in sent for mark in one.marks}
        times = sorted(second for one in sent for second in one.seconds)
        acknowledged = len(marks)
        print(f"{acknowledged * BATCH_SPANS / options.seconds:,.0f} spans a second, acknowledged on the disk")
        print(f"export of {BATCH_SPANS} spans: p50 {statistics.median(times) * 1e3:.1f} ms, "
              f"p99 {times[int(len(times) * 0.99)] * 1e3:.1f} ms, most {times[-1] * 1e3:.1f} ms")  # fmt: skip
        each = " and ".join(f"{one:.0f}" for one in memory)
        print(f"{sum(memory):.0f} MB at the end ({each}); {sum(one.refused for one in sent)} requests refused for now")
        lost = missing(store, marks)
        print(f"{acknowledged:,} requests acknowledged, {lost} of them lost")
    sys.exit(bool(lost))


if __name__ == "__main__":
    main()
