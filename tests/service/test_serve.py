"""`serve` as a process: what was acknowledged is there, whatever happens to it."""

import contextlib
import gzip
import http.client
import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from turn_requests import EXPORT, batch, export, ids

from agentnet_otel.errors import ConfigurationError
from agentnet_otel.outputs.turn_rows import turn_line
from agentnet_otel.sources.access import read_access
from agentnet_otel.sources.rebuild import rebuild
from agentnet_otel.sources.store.raw_log import position
from agentnet_otel.sources.store.store import Store
from agentnet_otel.sources.store.turn_store import TurnStore

pytestmark = pytest.mark.slow


def test_every_door(serve):
    """Spans over gRPC and HTTP, protobuf and JSON, gzip or not, become turns; reports and health are served."""
    bridge = serve()
    assert not export(bridge.grpc, batch(1).SerializeToString()).partial_success.rejected_spans
    assert bridge.post(batch(2).SerializeToString())[0] == 200
    status, body, headers = bridge.post(gzip.compress(batch(3).SerializeToString()), **{"Content-Encoding": "gzip"})
    assert (status, headers["content-type"]) == (200, "application/x-protobuf")
    assert ExportTraceServiceResponse.FromString(body) == ExportTraceServiceResponse()
    span = {
        "traceId": "0" * 31 + "4", "spanId": "0" * 15 + "4", "name": "invoke_agent a", "startTimeUnixNano": "1",
        "endTimeUnixNano": "2", "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "invoke_agent"}},
            {"key": "gen_ai.agent.name", "value": {"stringValue": "a"}},
            {"key": "agentnet.turn.id", "value": {"stringValue": "t4"}}]}  # fmt: skip
    as_json = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    for same in (as_json, b"\xef\xbb\xbf" + as_json):
        status, body, _ = bridge.post(same, "application/json; charset=utf-8")
        assert (status, json.loads(body)) == (200, {})
    assert bridge.post(gzip.compress(as_json), "application/json", **{"Content-Encoding": "X-Gzip"})[0] == 200
    turns = bridge.turns(4)
    assert ids(turns) == ["t1", "t2", "t3", "t4"]
    assert {turn["input_tokens"] for turn in turns} == {7, None}
    assert bridge.get("/healthz")[0] == bridge.get("/readyz")[0] == 200
    assert bridge.get("/api/report")[1].startswith(b"# AgentNet Performance Report")
    assert json.loads(bridge.get("/api/report?format=json")[1])
    assert bridge.stop() == 0


@pytest.mark.parametrize("grouped", [True, False])
def test_calls_outside_turns_are_a_turn_on_request(serve, grouped):
    """Those of a trace are one, which later ones correct, also over a restart; else they are counted."""
    options = ["--group-calls"] if grouped else []
    bridge = serve(*options)
    for number in (1, 2):
        calls = batch(7)
        spans = calls.resource_spans[0].scope_spans[0].spans
        del spans[0]  # the turn
        spans[0].parent_span_id = b""
        spans[0].span_id = number.to_bytes(8, "big")
        export(bridge.grpc, calls.SerializeToString())
        if not grouped:
            continue
        while not (turns := bridge.turns(1)) or turns[0]["spans"] < number:
            time.sleep(0.1)
        assert [(turn["agent"], turn["input_tokens"], turn["revision"]) for turn in turns] == [
            (None, 7 * number, number)
        ]
        assert bridge.get(f"/turn?trace={turns[0]['trace_id']}&span={turns[0]['span_id']}")[0] == 200
        bridge.stop(signal.SIGKILL)
        bridge = serve(*options)
    page = ""
    counted = "agentnet_turns_total{" if grouped else 'agentnet_bridge_result="outside_turns"} 2'
    while counted not in page:
        page = bridge.get("/metrics")[1].decode()
    assert (re.findall(r"^agentnet_turns_total.* (\d+)$", page, re.MULTILINE), len(bridge.turns())) == (
        (["1"], 1) if grouped else ([], 0)
    )


def test_pages_of_turns(serve):
    """A cursor leads through all turns, each once."""
    bridge = serve()
    export(bridge.grpc, batch(*range(1, 26)).SerializeToString())
    bridge.turns(25)
    seen, cursor = [], "0"
    for _ in range(4):
        _, body, headers = bridge.get(f"/api/turns?limit=10&cursor={cursor}")
        seen += [json.loads(line) for line in body.splitlines()]
        cursor = headers["agentnet-next-cursor"]
    assert (len(seen), len(set(ids(seen)))) == (25, 25)
    for wrong in ("limit=0x", "limit=-1", "limit=10001", "cursor=a", "cursor=99999999999999999999"):
        status, body, _ = bridge.get(f"/api/turns?{wrong}")
        assert status == 400
        assert b"is not a whole number" in body


def test_what_senders_do_wrong(serve):
    """Each gets the answer that OTLP has for it; nothing else is lost."""
    bridge = serve()
    good = batch(1)
    with pytest.raises(grpc.RpcError) as raised:
        export(bridge.grpc, b"\x0a\xff\xff")
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(grpc.RpcError) as raised, grpc.insecure_channel(bridge.grpc) as channel:
        channel.unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export")(b"", timeout=10)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert raised.value.details() == "logs are not taken here, only traces are"
    status, body, _ = bridge.post(b"\x0a\xff\xff")
    assert status == 400
    assert "protobuf" in Status.FromString(body).message
    status, body, _ = bridge.post(b"{", "application/json")
    assert (status, json.loads(body)["code"]) == (400, 3)
    assert bridge.post(b"x", "text/plain")[0] == 415
    assert bridge.post(b"x", **{"Content-Encoding": "br"})[0] == 415
    assert bridge.post(b"x", **{"Content-Encoding": "gzip"})[0] == 400
    assert bridge.get("/v1/traces", door=bridge.http)[0] == 405
    assert bridge.get("/nothing")[0] == 404
    assert bridge.get("/api/turns?" + "x" * 5000)[0] == 414
    bad = batch(2)
    bad.resource_spans[0].scope_spans[0].spans.add(name="no ids")
    told = export(bridge.grpc, bad.SerializeToString()).partial_success
    assert (told.rejected_spans, told.error_message != "") == (1, True)
    assert bridge.post(good.SerializeToString())[0] == 200
    assert ids(bridge.turns(2)) == ["t1", "t2"]


def test_another_signal_is_refused_by_name(serve):
    """Wherever it is sent, in the format of the request: nothing that is not kept is answered as if it were."""
    bridge = serve()
    metrics = ExportMetricsServiceRequest()
    metric = metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="requests")
    metric.gauge.data_points.add(as_int=1, time_unix_nano=1)
    for path, expected in (("/v1/traces", 400), ("/v1/metrics", 404), ("/v1/logs/", 404)):
        status, body, headers = bridge.post(metrics.SerializeToString(), path=path)
        assert (status, headers["content-type"]) == (expected, "application/x-protobuf")
        assert ("logs" if "logs" in path else "metrics") in Status.FromString(body).message
        status, body, headers = bridge.post(b'{"resourceLogs": []}', "application/json", path=path)
        assert (status, headers["content-type"]) == (expected, "application/json")
        assert ("metrics" if "metrics" in path else "logs") in json.loads(body)["message"]
    assert bridge.post(bytes(20_000_000), path="/v1/metrics")[0] == 404
    with pytest.raises(grpc.RpcError) as raised:
        export(bridge.grpc, metrics.SerializeToString())
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "these are metrics, no spans" in raised.value.details()


def test_questions_that_cannot_have_been_meant_are_refused(serve):
    """Unknown and repeated parameters, and a cursor that was never given: it belongs to a store that is gone."""
    bridge = serve()
    bridge.post(batch(1).SerializeToString())
    bridge.turns(1)
    for path, status, told in (
        ("/api/turns?limt=5", 400, "'limt' is unknown; allowed are: limit, cursor"),
        ("/api/turns?limit=5&limit=6", 400, "limit is given more than once"),
        ("/api/turns?cursor=2", 410, "the newest is 1"),
        ("/api/turns?cursor=1", 200, ""),
        ("/api/report?style=md", 400, "'style' is unknown; allowed are: format"),
        ("/api/report?format=md&format=html", 400, "format is given more than once"),
    ):
        answer = bridge.get(path)
        assert (answer[0], told in answer[1].decode()) == (status, True), path


def test_nobody_is_sent_elsewhere(serve):
    """A path that is not there is answered with those that are, not with an address made of what the caller says."""
    bridge = serve()
    status, body, headers = bridge.get("/api/turns/", {"Host": "evil.example"})
    assert (status, "location" in headers) == (404, False)
    assert b"/api/turns" in body
    assert headers["x-content-type-options"] == "nosniff"
    status, body, _ = bridge.get("/v1/metrics", door=bridge.http)
    assert (status, b"POST /v1/traces" in body) == (404, True)
    connection = http.client.HTTPConnection(bridge.http, timeout=30)
    connection.request("POST", "/v1/traces/", batch(1).SerializeToString(), {"Content-Type": "application/x-protobuf"})
    assert connection.getresponse().status == 200
    connection.close()
    assert ids(bridge.turns(1)) == ["t1"]


def test_what_clients_do_wrong_they_are_told_and_nobody_else(serve):
    """Rubbish, the beginning of HTTP/2, an upgrade, a body that breaks off: not a line, and no trace of the program."""
    bridge = serve()
    host, _, port = bridge.web.rpartition(":")
    for wrong in (
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nrubbish\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=30) as one:
            one.sendall(wrong)
            assert one.recv(4096).startswith(b"HTTP/1.1 ")
    assert bridge.get("/healthz")[0] == 200
    assert bridge.stop() == 0
    assert len(bridge.told) == 1, bridge.told


def test_what_senders_write_does_nothing_to_the_terminal(serve):
    """An id that would clear the screen and is 100 kB long: shown as an escape, on one line, and cut."""
    bridge = serve()
    good = {
        "traceId": "0" * 31 + "4", "spanId": "0" * 15 + "4", "name": "n", "startTimeUnixNano": "1",
        "endTimeUnixNano": "2", "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "invoke_agent"}},
            {"key": "gen_ai.agent.name", "value": {"stringValue": "a"}}]}  # fmt: skip
    spans = [{**good, "traceId": "\x1b[2J\n" + "Z" * 100_000}, good]
    request = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
    assert bridge.post(json.dumps(request).encode(), "application/json")[0] == 200
    bridge.turns(1)
    bridge.stop()
    (told,) = [line for line in bridge.told if "left out" in line]
    assert "'\\x1b[2J\\nZZZ" in told
    assert "Z\u2026" in told
    assert len(told) < 2100


def test_bombs_and_giants_are_refused(serve):
    """A body that unpacks to more than the limit, and one that is larger, cost nobody memory."""
    bridge = serve()
    bomb = gzip.compress(bytes(200_000_000))
    assert bridge.post(bomb, **{"Content-Encoding": "gzip"})[0] == 413
    with grpc.insecure_channel(bridge.grpc, compression=grpc.Compression.Gzip) as channel:
        with pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary(EXPORT)(bytes(100_000_000), timeout=30)
        assert raised.value.code() in {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL}
    status = Path(f"/proc/{bridge.process.pid}/status").read_text(encoding="ascii")
    peak_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert peak_kb < 400_000
    assert bridge.get("/readyz")[0] == 200


def test_kill_9_loses_nothing_that_was_acknowledged(serve, tmp_path):
    """Killed again and again while senders send and retry: each acknowledged turn is there, once."""
    acknowledged, number = set(), 0
    for _ in range(3):
        bridge = serve()
        until = threading.Timer(1.0, bridge.process.kill)
        until.start()
        while True:
            number += 1
            request = batch(number).SerializeToString()
            try:
                export(bridge.grpc, request)
                export(bridge.grpc, request)  # a client that retries
            except grpc.RpcError:
                break
            acknowledged.add(f"t{number}")
        until.join()
        bridge.process.communicate()
    bridge = serve()
    turns = bridge.turns(len(acknowledged))
    found = ids(turns)
    assert len(found) == len(set(found))
    assert acknowledged <= set(found)
    assert all(turn["spans"] == 2 for turn in turns if turn["turn_id"] in acknowledged)
    assert len(acknowledged) > 10
    assert bridge.stop() == 0


def test_sigterm_drains(serve, tmp_path):
    """What was taken just before the end is understood after the next start; the exit code is 0."""
    bridge = serve()
    for number in range(1, 20):
        export(bridge.grpc, batch(number).SerializeToString())
    assert bridge.stop() == 0
    assert len(serve().turns(19)) == 19


def test_a_late_child_revises_the_turn_even_after_a_restart(serve):
    """The turn stays one, in its second revision."""
    whole = batch(1, children=2)
    early, late = ExportTraceServiceRequest(), ExportTraceServiceRequest()
    for part, spans in ((early, [0, 1]), (late, [2])):
        part.CopyFrom(whole)
        del part.resource_spans[0].scope_spans[0].spans[:]
        part.resource_spans[0].scope_spans[0].spans.extend(
            whole.resource_spans[0].scope_spans[0].spans[i] for i in spans
        )
    bridge = serve()
    export(bridge.grpc, early.SerializeToString())
    (turn,) = bridge.turns(1)
    assert (turn["spans"], turn["revision"]) == (2, 1)
    bridge.stop(signal.SIGKILL)
    bridge = serve()
    export(bridge.grpc, late.SerializeToString())
    end = time.monotonic() + 30
    while bridge.turns()[0]["spans"] < 3 and time.monotonic() < end:
        time.sleep(0.2)
    (turn,) = bridge.turns(1)
    assert (turn["spans"], turn["revision"], turn["input_tokens"]) == (3, 2, 14)


def test_the_folder_is_a_source(serve, tmp_path):
    """Its turns are those of the page, while it runs and afterwards."""
    bridge = serve()
    export(bridge.grpc, batch(1, 2, 3).SerializeToString())
    turns = bridge.turns(3)
    for _ in range(2):
        rebuilt = rebuild([tmp_path / "store"])
        assert [json.loads(turn_line(turn)) for turn in rebuilt.turns] == sorted(turns, key=lambda t: t["trace_id"])
        assert not rebuilt.read.problems
        bridge.stop()


def test_nobody_else_can_read_the_store(serve):
    """Neither the folder nor a file in it, whatever the umask; a folder that was there stays as its owner made it."""
    bridge = serve(before=("sh", "-c", 'umask 0; exec "$@"', "sh"))
    export(bridge.grpc, batch(1).SerializeToString())
    bridge.turns(1)
    files = [bridge.store, *bridge.store.rglob("*")]
    assert len(files) > 4
    assert {path.name for path in files if path.is_file() and path.stat().st_mode & 0o077} == set()
    assert bridge.store.stat().st_mode & 0o777 == 0o700
    bridge.stop()
    bridge.store.chmod(0o755)
    serve().stop()
    assert bridge.store.stat().st_mode & 0o777 == 0o755


def test_two_processes_on_one_store(serve, tmp_path):
    """The second refuses, says who has it, and harms nothing."""
    bridge = serve()
    command = [sys.executable, "-m", "agentnet_otel", "serve", "--web", "127.0.0.1:0", "--store", tmp_path / "store"]
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert f"in use by process {bridge.process.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    (tmp_path / "store" / "lock").unlink()  # taken for a left one
    third = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (third.returncode, "in use by another process" in third.stderr) == (1, True)
    export(bridge.grpc, batch(1).SerializeToString())
    assert len(bridge.turns(1)) == 1


@pytest.mark.parametrize("empty", [True, False])
def test_a_database_that_is_gone_is_told(serve, tmp_path, empty):
    """A store that has requests had turns: they are rebuilt from what is there, and not in silence."""
    bridge = serve()
    export(bridge.grpc, batch(1, 2).SerializeToString())
    bridge.turns(2)
    assert bridge.stop() == 0
    path = tmp_path / "store" / "turns.sqlite"
    path.write_bytes(b"") if empty else path.unlink()
    bridge = serve()
    assert ids(bridge.turns(2)) == ["t1", "t2"]
    assert bridge.stop() == 0
    assert any("it is gone or empty" in line and "older ones are missing" in line for line in bridge.told)
    assert not any("gone" in line for line in serve(store=tmp_path / "new").told)


def test_a_damaged_database_is_put_aside_and_told(serve, tmp_path):
    """Turns come back from the requests that are still there; the damaged file is kept."""
    bridge = serve()
    export(bridge.grpc, batch(1, 2).SerializeToString())
    bridge.turns(2)
    bridge.stop()
    (tmp_path / "store" / "turns.sqlite").write_bytes(b"rubbish" * 1000)
    bridge = serve()
    assert any("damaged" in line and "quarantine" in line for line in bridge.told)
    assert ids(bridge.turns(2)) == ["t1", "t2"]
    assert (tmp_path / "store" / "quarantine" / "1" / "turns.sqlite").read_bytes().startswith(b"rubbish")


def test_a_damaged_index_is_made_anew(serve, tmp_path):
    """No turn is lost or kept twice, and it is told."""
    bridge = serve()
    export(bridge.grpc, batch(*range(1, 301)).SerializeToString())
    bridge.turns(300)
    bridge.stop()
    path = tmp_path / "store" / "turns.sqlite"
    content = path.read_bytes()
    key = (7).to_bytes(16, "big").hex().encode() + (7).to_bytes(8, "big").hex().encode()
    at = content.index(key, content.index(key) + 1)  # once in the table, once in the index: which comes first is open
    for place in (content.index(key), at):
        path.write_bytes(content[:place] + b"f" + content[place + 1 :])
        told = []
        store = Store(tmp_path / "store", told.append)
        store.close()
        turns = TurnStore(tmp_path / "store")
        assert (len(told), turns.count()) == (1, 300)
        assert "was damaged in an index" in told[0]
        turns.close()
    path.write_bytes(content[:at] + b"f" + content[at + 1 :])
    bridge = serve()
    export(bridge.grpc, batch(*range(1, 310)).SerializeToString())
    assert len(ids(bridge.turns(309))) == 309


@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA user_version = -1",
        "PRAGMA user_version = 0",
        "DROP TABLE progress",
        "UPDATE progress SET place = 'nowhere'",
        "UPDATE progress SET place = 9223372036854775807",
    ],
)
def test_a_sound_database_that_cannot_be_ours_is_put_aside_and_told(statement, tmp_path):
    """As a damaged one is: it was another program's, or somebody changed it."""
    told = []
    Store(tmp_path, told.append).close()
    with contextlib.closing(sqlite3.connect(tmp_path / "turns.sqlite")) as db:
        db.execute("INSERT OR REPLACE INTO progress VALUES (1, 0)")
        db.execute(statement)
        db.commit()
    store = Store(tmp_path, told.append)
    assert store.place == 0
    store.close()
    assert len(told) == 1
    assert "is damaged (it " in told[0]
    assert (tmp_path / "quarantine" / "1" / "turns.sqlite").exists()
    Store(tmp_path, told.append).close()
    assert len(told) == 1


def test_requests_that_are_gone_take_none_of_the_next_ones_along(serve):
    """Somebody emptied the folder, or damage cut a segment: what comes then is read, though its place was read once."""
    bridge = serve()
    export(bridge.grpc, batch(*range(1, 100)).SerializeToString())
    bridge.turns(99)
    bridge.stop()
    with contextlib.closing(sqlite3.connect(bridge.store / "turns.sqlite")) as db:  # as an hour later
        (segment,) = (bridge.store / "requests").glob("*.log")
        db.execute("UPDATE progress SET place = ?", (position(1, segment.stat().st_size),))
        db.commit()
    segment.unlink()
    for _ in range(2):
        bridge = serve()
        export(bridge.grpc, batch(1000).SerializeToString())
        assert len(bridge.turns(100)) == 100
        end = time.monotonic() + 30
        while not bridge.get("/readyz")[1].startswith(b"ready; 0 bytes"):
            assert time.monotonic() < end
            time.sleep(0.1)
        assert bridge.stop() == 0
    assert not any("are missing" in line for line in bridge.told)


def test_other_files_among_the_requests_are_no_segments(tmp_path):
    """Whatever their names have of digits."""
    (tmp_path / "requests").mkdir()
    for name in ("x.log", "\N{SUPERSCRIPT TWO}.log", "\N{ARABIC-INDIC DIGIT TWO}.log", "9999999999.log", "5.log"):
        (tmp_path / "requests" / name).write_bytes(b"something else")
    told = []
    Store(tmp_path, told.append).close()
    assert told == []


def test_a_damaged_turn_is_told_once(serve, tmp_path):
    """Though the process that understands reads it to count it, and the one that answers reads it with each page."""
    bridge = serve()
    export(bridge.grpc, batch(1, 2).SerializeToString())
    bridge.turns(2)
    bridge.stop()
    with sqlite3.connect(tmp_path / "store" / "turns.sqlite") as db:
        db.execute("UPDATE turns SET body = '{' WHERE seq = 1")
        db.execute("UPDATE figures SET seq = 0, body = ''")
    db.close()
    bridge = serve()
    assert len(bridge.turns(1)) == len(bridge.turns(1)) == 1
    assert bridge.get("/metrics")[0] == 200
    assert bridge.stop() == 0
    assert sum("turn 1 cannot be read" in line for line in bridge.told) == 1


def test_damaged_requests_are_put_aside_and_told(serve, tmp_path):
    """Whole requests before the damage are kept, and the file that was damaged too."""
    bridge = serve()
    export(bridge.grpc, batch(1).SerializeToString())
    export(bridge.grpc, batch(2).SerializeToString())
    bridge.turns(2)
    bridge.stop()
    (log,) = (tmp_path / "store" / "requests").glob("*.log")
    data = bytearray(log.read_bytes())
    data[-30] ^= 0xFF
    log.write_bytes(data)
    bridge = serve()
    assert any("is damaged at byte" in line for line in bridge.told)
    assert list((tmp_path / "store" / "requests" / "quarantine").iterdir())
    assert len(bridge.turns(2)) == 2
    export(bridge.grpc, batch(3).SerializeToString())
    assert ids(bridge.turns(3)) == ["t1", "t2", "t3"]


def test_a_store_of_a_newer_version_is_refused(serve, tmp_path):
    """One sentence, and the file is left as it was."""
    bridge = serve()
    bridge.stop()
    with sqlite3.connect(tmp_path / "store" / "turns.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(AssertionError, match="version 99"):
        serve()


def test_an_unwritable_store_is_one_sentence(tmp_path):
    """A file where the folder should be."""
    path = tmp_path / "file"
    path.write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "agentnet_otel", "serve", "--web", "127.0.0.1:0", "--store", path / "store"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


def test_a_token_opens_each_door(serve, tmp_path):
    """Without it nobody gets in, but probes; the token is never told."""
    secret = tmp_path / "token"
    secret.write_text("open-sesame\n")
    bridge = serve("--token-file", str(secret))
    assert bridge.get("/api/turns")[0] == 401
    assert bridge.get("/healthz")[0] == 200
    assert bridge.get("/api/turns", {"Authorization": "Bearer open-sesame"})[0] == 200
    assert bridge.get("/api/turns", {"Authorization": "Basic open-sesame"})[0] == 401
    status, body, headers = bridge.post(b"")
    assert (status, headers["www-authenticate"], Status.FromString(body).code) == (401, "Bearer", 16)
    with pytest.raises(grpc.RpcError) as raised:
        export(bridge.grpc, batch(1).SerializeToString())
    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
    export(bridge.grpc, batch(1).SerializeToString(), metadata=(("authorization", "Bearer open-sesame"),))
    bridge.stop()
    assert "sesame" not in "".join(bridge.told)


@pytest.mark.parametrize("text", ["", " \n", "two\nlines", "p\u00e4ssword", "with\0nothing"])
def test_a_token_that_nobody_could_send_is_refused(text, tmp_path):
    """It is empty, or no header could carry it; and it is not told."""
    (tmp_path / "token").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"^the token (is empty|in \S+ is not one line of ASCII)") as raised:
        read_access(tmp_path / "token", None, None)
    assert text.strip() == "" or text not in str(raised.value)


def test_blanks_around_a_token_do_not_matter(tmp_path, monkeypatch):
    """Nor does the mark that some editors write before a text, be it in a file or in the environment."""
    (tmp_path / "token").write_text(" secret \r\n", encoding="utf-8-sig")
    monkeypatch.setenv("AGENTNET_OTEL_TOKEN", " secret ")
    for access in (read_access(tmp_path / "token", None, None), read_access(None, None, None)):
        assert access.admits("Bearer secret")
        assert not access.admits("Bearer  ")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--web", "0.0.0.0:0"], "set a token"),
        (["--web", "nothing"], "not an address"),
        (["--otlp-grpc", "127.0.0.1:99999"], "not an address"),
        (["--web", "127.0.0.1:0", "--tls-cert", "x"], "belong together"),
        (["--web", "127.0.0.1:0", "--token-file", "/nonexistent"], "cannot be read"),
        (["--web", "127.0.0.1:0", "--token-file", "/dev/zero"], "more than 4,096 characters"),
        (["--web", "127.0.0.1:\N{ARABIC-INDIC DIGIT THREE}"], "not an address"),
        (["--web", "127.0.0.1:0", "--keep-days", "inf"], "is not in the range"),
        (["--web", "127.0.0.1:0", "--quiet-period", "inf"], "is not in the range"),
        (["--web", "127.0.0.1:0", "--quiet-period", "1e300"], "is not in the range"),
        (["--web", "127.0.0.1:0", "--keep-mb", "9" * 30], "is not in the range"),
        (["--web", "127.0.0.1:0", "--max-backlog-mb", "9" * 30], "is not in the range"),
    ],
)
def test_wrong_options(options, told, tmp_path):
    """Exit code 2 and one sentence."""
    done = subprocess.run(
        [sys.executable, "-m", "agentnet_otel", "serve", "--store", tmp_path / "s", *options],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
