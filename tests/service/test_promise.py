"""What `serve` promises: what was acknowledged is on the disk, each turn once; troubles are told, and pass."""

import contextlib
import http.client
import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import pytest
from google.rpc.status_pb2 import Status
from test_limits import child_of, held_up
from turn_requests import EXPORT, batch, export, ids

from agentnet_otel.errors import BackendError
from agentnet_otel.sources.store.store import Store

pytestmark = pytest.mark.slow

TLS = Path(__file__).with_name("tls")


def free_ports(count):
    """Ports that nobody listens at."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def counted(bridge):
    """Turns in the metrics."""
    page = bridge.get("/metrics")[1].decode()
    return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith("agentnet_turns_total{"))


def wait_until_counted(bridge, turns):
    """The process that understands needs a moment to start."""
    end = time.monotonic() + 30
    while (found := counted(bridge)) != turns:
        assert found < turns
        assert time.monotonic() < end
        time.sleep(0.2)


class Sender(threading.Thread):
    """Sends turns, each until it is acknowledged, whatever happens to the server."""

    def __init__(self, address, first, stop):
        super().__init__()
        self.address, self.number, self.stop = address, first, stop
        self.acknowledged = []

    def run(self):
        """Until it is told to stop."""
        with grpc.insecure_channel(self.address) as channel:
            call = channel.unary_unary(EXPORT)
            while not self.stop.is_set():
                self.number += 1
                request = batch(self.number, children=2).SerializeToString()
                while not self.stop.is_set():
                    try:
                        call(request, timeout=5, wait_for_ready=True)
                    except grpc.RpcError:
                        continue
                    self.acknowledged.append(f"t{self.number}")
                    break
                time.sleep(0.005)


def test_killed_at_any_moment(serve):
    """The process, or the one that understands, again and again, while senders retry: each turn once, also counted."""
    chance = random.Random(7)
    door, web = free_ports(2)
    stop = threading.Event()
    senders = [Sender(f"127.0.0.1:{door}", first, stop) for first in (100_000, 200_000, 300_000)]
    options = ("--otlp-grpc", f"127.0.0.1:{door}", "--web", f"127.0.0.1:{web}")
    bridge = serve(*options)
    for sender in senders:
        sender.start()
    for _ in range(4):
        time.sleep(chance.uniform(0.2, 3))
        os.kill(child_of(bridge), signal.SIGKILL)
        time.sleep(chance.uniform(0.2, 3))
        bridge.stop(signal.SIGKILL)
        bridge = serve(*options)
    time.sleep(1)
    stop.set()
    for sender in senders:
        sender.join()
    acknowledged = {turn for sender in senders for turn in sender.acknowledged}
    turns = bridge.turns(len(acknowledged))
    assert len(acknowledged) > 50
    assert len(ids(turns)) == len(set(ids(turns)))
    assert acknowledged <= set(ids(turns))
    assert {turn["spans"] for turn in turns if turn["turn_id"] in acknowledged} == {3}
    assert counted(bridge) == len(bridge.turns())
    assert bridge.stop() == 0


def test_a_full_disk_is_told_and_passes(serve):
    """Senders are told to try again, readers that it is not ready; when there is room, it goes on by itself."""
    bridge = serve()
    export(bridge.grpc, batch(1).SerializeToString())
    bridge.turns(1)
    pids = [bridge.process.pid, child_of(bridge)]
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    with pytest.raises(grpc.RpcError) as raised:
        export(bridge.grpc, batch(2).SerializeToString())
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "store" in raised.value.details()
    status, body, headers = bridge.post(batch(3).SerializeToString())
    assert (status, "retry-after" in headers, headers["content-type"]) == (503, True, "application/x-protobuf")
    assert "store" in Status.FromString(body).message
    status, body, _ = bridge.get("/readyz")
    assert status == 503
    assert b"not ready: the store" in body
    assert bridge.get("/healthz")[0] == bridge.get("/api/turns")[0] == 200
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    while bridge.get("/readyz")[0] != 200:  # nobody sends to what is not ready
        time.sleep(0.1)
    export(bridge.grpc, batch(2).SerializeToString())
    assert ids(bridge.turns(2)) == ["t1", "t2"]
    assert bridge.stop() == 0
    assert "Traceback" not in "".join(bridge.told)


def test_a_full_disk_at_the_start_is_one_sentence(tmp_path):
    """Which names the store, be it the first file that finds no room or a later one."""
    code = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2); "
    code += "os.execv(sys.executable, [sys.executable, '-m', 'agentnet_otel', *sys.argv[2:]])"
    for size in ("0", "8192"):
        command = [sys.executable, "-c", code, size, "serve", "--web", "127.0.0.1:0", "--store", tmp_path / "store"]
        unmeasured = {
            name: value for name, value in os.environ.items() if not name.startswith("COV")
        }  # it has a file too
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=unmeasured)
        assert done.returncode == 1
        assert done.stderr.startswith(f"agentnet-otel: the store {tmp_path}")
        assert len(done.stderr.splitlines()) == 1


def test_turns_that_find_no_room_are_kept_later(serve):
    """Requests are taken meanwhile: they are on the disk, and their turns follow."""
    bridge = serve()
    export(bridge.grpc, batch(1).SerializeToString())
    bridge.turns(1)
    child = child_of(bridge)
    resource.prlimit(child, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    export(bridge.grpc, batch(2).SerializeToString())
    end = time.monotonic() + 30
    while bridge.get("/readyz")[0] == 200 and time.monotonic() < end:
        time.sleep(0.1)
    status, body, _ = bridge.get("/readyz")
    assert status == 503
    assert b"turns.sqlite" in body
    export(bridge.grpc, batch(3).SerializeToString())
    resource.prlimit(child, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    assert ids(bridge.turns(3)) == ["t1", "t2", "t3"]
    assert counted(bridge) == 3
    assert bridge.get("/readyz")[0] == 200


def test_sigterm_under_load(serve):
    """Whoever is answered is kept; the exit code is 0, also where the child does nothing and must be killed."""
    bridge = serve()
    stop = threading.Event()
    senders = [Sender(bridge.grpc, first, stop) for first in (1000, 2000)]
    for sender in senders:
        sender.start()
    time.sleep(1)
    bridge.process.send_signal(signal.SIGTERM)
    assert bridge.process.wait(60) == 0
    stop.set()
    for sender in senders:
        sender.join()
    acknowledged = {turn for sender in senders for turn in sender.acknowledged}
    again = serve()
    assert acknowledged <= set(ids(again.turns(len(acknowledged))))
    with held_up(again):
        begin = time.monotonic()
        again.process.send_signal(signal.SIGTERM)
        assert again.process.wait(60) == 0
        assert time.monotonic() - begin < 40


def test_connections_that_never_end_are_no_fault(serve):
    """A half-sent body, a page that is kept fresh, a connection that says nothing: SIGTERM ends all, without a word."""
    bridge = serve()
    export(bridge.grpc, batch(1).SerializeToString())
    bridge.turns(1)
    begun = {
        bridge.http: b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
        bridge.web: b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        bridge.grpc: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    }
    with contextlib.ExitStack() as opened:
        for door, head in begun.items():
            host, _, port = door.rpartition(":")
            opened.enter_context(socket.create_connection((host, int(port))))
            opened.enter_context(socket.create_connection((host, int(port)))).sendall(head)
        assert bridge.stop() == 0
    assert bridge.told == [f"agentnet-otel: listening at {bridge.grpc}, {bridge.http}, {bridge.web}"]


def test_a_terminal_that_is_closed_ends_it_orderly(serve):
    """Unless it was started to outlive its terminal."""
    start = "import os, signal, sys; signal.signal(signal.SIGHUP, signal.{}); os.execv(sys.argv[1], sys.argv[1:])"
    bridge = serve(before=(sys.executable, "-c", start.format("SIG_DFL")))
    export(bridge.grpc, batch(1).SerializeToString())
    assert bridge.stop(signal.SIGHUP) == 0
    bridge = serve(before=(sys.executable, "-c", start.format("SIG_IGN")))
    bridge.process.send_signal(signal.SIGHUP)
    export(bridge.grpc, batch(2).SerializeToString())
    assert ids(bridge.turns(2)) == ["t1", "t2"]
    assert bridge.stop() == 0


def test_retention_by_age_from_arrival(serve, tmp_path):
    """Old turns go though they just came only if they came long ago; what was counted stays counted."""
    bridge = serve("--keep-days", "0.0001")
    request = batch(1, 2)
    for span in request.resource_spans[0].scope_spans[0].spans:
        span.start_time_unix_nano, span.end_time_unix_nano = 1, 2
    export(bridge.grpc, request.SerializeToString())
    assert len(bridge.turns(2)) == 2
    end = time.monotonic() + 40
    while bridge.turns() and time.monotonic() < end:
        time.sleep(0.5)
    assert bridge.turns() == []
    assert counted(bridge) == 2
    export(bridge.grpc, batch(3).SerializeToString())
    assert ids(bridge.turns(1)) == ["t3"]
    bridge.stop(signal.SIGKILL)
    bridge = serve()  # their requests are still here, and are not read again
    assert ids(bridge.turns(1)) == ["t3"]
    wait_until_counted(bridge, 3)


def test_the_metrics_go_on_after_a_restart(serve):
    """Also those of turns that were told just before it was killed; with the start that they had."""
    bridge = serve()
    export(bridge.grpc, batch(1, 2, 3).SerializeToString())
    bridge.turns(3)
    accept = {"Accept": "application/openmetrics-text"}
    created = [line for line in bridge.get("/metrics", accept)[1].splitlines() if b"agentnet_turns_created" in line]
    assert len(created) == 1
    bridge.stop()
    bridge = serve()
    wait_until_counted(bridge, 3)
    export(bridge.grpc, batch(4).SerializeToString())
    bridge.turns(4)
    bridge.stop(signal.SIGKILL)
    bridge = serve()
    wait_until_counted(bridge, 4)
    page = bridge.get("/metrics", accept)[1].splitlines()
    assert [line for line in page if b"agentnet_turns_created" in line] == created


@pytest.mark.parametrize("name", ["lock", "turns.sqlite", "requests"])
def test_a_store_that_cannot_be_used_is_one_sentence(name, tmp_path):
    """Something else stands where a part of it should."""
    (tmp_path / "store").mkdir()
    if name == "requests":
        (tmp_path / "store" / name).write_text("")
    else:
        (tmp_path / "store" / name).mkdir()
    with pytest.raises(BackendError, match=r"^the store \S+ cannot be (written|used): "):
        Store(tmp_path / "store", print)


def test_a_store_that_is_removed_while_it_runs(serve):
    """Nothing is acknowledged that nobody will find again; it is told once, not with each request."""
    bridge = serve()
    export(bridge.grpc, batch(1).SerializeToString())
    bridge.turns(1)
    shutil.rmtree(bridge.store)
    status, body, _ = bridge.get("/readyz")
    assert (status, b"was removed" in body) == (503, True)
    for number in (2, 3):
        assert bridge.post(batch(number).SerializeToString())[0] == 503
    with pytest.raises(grpc.RpcError) as raised:
        export(bridge.grpc, batch(4).SerializeToString())
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert b"was removed" in bridge.get("/readyz")[1]
    assert bridge.stop() == 0
    assert sum("requests: " in line for line in bridge.told) == 1


def test_a_database_that_is_removed_while_it_runs(serve):
    """Requests are kept, turns follow after the next start, and no empty database takes its place in silence."""
    bridge = serve()
    export(bridge.grpc, batch(1).SerializeToString())
    bridge.turns(1)
    for path in bridge.store.glob("turns.sqlite*"):
        path.unlink()
    export(bridge.grpc, batch(2).SerializeToString())
    assert bridge.get("/readyz")[0] == 503
    os.kill(child_of(bridge), signal.SIGKILL)
    time.sleep(3)
    assert bridge.get("/api/turns")[0] == bridge.get("/readyz")[0] == 503
    assert bridge.stop() == 0
    assert "Traceback" not in "".join(bridge.told)
    bridge = serve()
    assert ids(bridge.turns(2)) == ["t1", "t2"]
    assert "gone or empty" in "".join(bridge.told)


def test_a_read_only_store_is_one_sentence(tmp_path):
    """For a user who may not write there."""
    store = tmp_path / "store"
    Store(store, print).close()
    for path in (*store.iterdir(), store):
        path.chmod(0o555 if path.is_dir() else 0o444)
    nobody = "import os; os.geteuid() or os.setuid(65534)\n"
    code = (
        "from pathlib import Path\nfrom agentnet_otel.sources.store.store import Store\n"
        f"{nobody}try:\n    Store(Path({str(store)!r}), print)\nexcept Exception as error:\n    print(repr(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    store.chmod(0o755)
    assert done.stdout.startswith(f"BackendError('the store {store} cannot be written: ")


def test_erasing_a_session(serve, tmp_path):
    """From the turns and from the requests; the rest stays, also after another start. Not while it runs."""
    request = batch(1, 2)
    for number, span in enumerate(request.resource_spans[0].scope_spans[0].spans):
        said = "very-private" if number < 2 else "other"
        span.attributes.add(key="gen_ai.conversation.id").value.string_value = said
    bridge = serve()
    export(bridge.grpc, request.SerializeToString())
    export(bridge.grpc, batch(3).SerializeToString())
    bridge.turns(3)
    command = [sys.executable, "-m", "agentnet_otel", "store", "purge", str(tmp_path / "store")]
    running = subprocess.run([*command, "--all"], capture_output=True, text=True, check=False)
    assert (running.returncode, "in use by process" in running.stderr) == (1, True)
    bridge.stop()
    nothing = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (nothing.returncode, "nothing is selected" in nothing.stderr) == (2, True)
    erased = subprocess.run([*command, "--session", "very-private", "--json"], capture_output=True, check=True)
    assert json.loads(erased.stdout) == {"turns": 1, "traces": 1, "spans": 2}
    files = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert not any(b"very-private" in path.read_bytes() for path in files)
    bridge = serve()
    export(bridge.grpc, batch(4).SerializeToString())
    assert ids(bridge.turns(3)) == ["t2", "t3", "t4"]
    bridge.stop()
    subprocess.run([*command, "--all", "-q"], check=True)
    with sqlite3.connect(tmp_path / "store" / "turns.sqlite") as db:
        assert db.execute("SELECT COUNT(*) FROM turns").fetchone() == (0,)
    db.close()
    bridge = serve()
    assert bridge.turns() == []
    assert counted(bridge) == 4


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--older-than-days", "inf"), "is not in the range 0"),
        (("--older-than-days", "1e300"), "is not in the range 0"),
        (("--trace", "8f14"), "'8f14' is no trace id"),
        (("--session", ""), "--session is empty"),
    ],
)
def test_what_could_erase_nothing_is_refused(options, told, tmp_path):
    """Whoever mistypes what has to go is not told that all went well."""
    command = [sys.executable, "-m", "agentnet_otel", "store", "purge", tmp_path]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert (done.returncode, told in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def test_tls(serve):
    """On every door; who speaks plainly, or does not trust the certificate, gets nowhere."""
    bridge = serve("--tls-cert", str(TLS / "certificate.pem"), "--tls-key", str(TLS / "key.pem"))
    trusted = (TLS / "certificate.pem").read_bytes()
    with grpc.secure_channel(bridge.grpc, grpc.ssl_channel_credentials(trusted)) as channel:
        channel.unary_unary(EXPORT)(batch(1).SerializeToString(), timeout=30)
    with pytest.raises(grpc.RpcError), grpc.secure_channel(bridge.grpc, grpc.ssl_channel_credentials()) as channel:
        channel.unary_unary(EXPORT)(batch(2).SerializeToString(), timeout=5)
    with pytest.raises(grpc.RpcError):
        export(bridge.grpc, batch(2).SerializeToString(), timeout_s=5)
    context = ssl.create_default_context(cadata=trusted.decode())
    for door in (bridge.http, bridge.web):
        host, _, port = door.rpartition(":")
        with (
            socket.create_connection((host, int(port)), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as one,
        ):
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert one.recv(100).startswith(b"HTTP/1.1 " + (b"200" if door == bridge.web else b"404"))
            assert one.version() in {"TLSv1.2", "TLSv1.3"}
        with socket.create_connection((host, int(port)), timeout=30) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200" not in plain.recv(100)


def get_over_tls(door, path, context, name="localhost"):
    """Status and text of a page; ``name``: whom the handshake asks for, None for nobody."""
    host, _, port = door.rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname=name) as one,
    ):
        one.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = http.client.HTTPResponse(one)
        answer.begin()
        return answer.status, answer.read().decode()


def test_a_renewed_certificate_is_taken(serve, tmp_path):
    """For new handshakes on every door, without another start; of a broken renewal nothing is used, and it is told."""
    files = {name: tmp_path / f"{name}.pem" for name in ("certificate", "key")}
    shutil.copy(TLS / "expired.pem", files["certificate"])
    shutil.copy(TLS / "key.pem", files["key"])
    bridge = serve("--tls-cert", str(files["certificate"]), "--tls-key", str(files["key"]))
    trusting = ssl.create_default_context(cafile=TLS / "certificate.pem")
    careless = ssl.create_default_context()
    careless.check_hostname, careless.verify_mode = False, ssl.CERT_NONE
    credentials = grpc.ssl_channel_credentials((TLS / "certificate.pem").read_bytes())

    def wait_until_told(words):
        end = time.monotonic() + 60
        while words not in (found := get_over_tls(bridge.web, "/readyz", careless)[1]):
            assert time.monotonic() < end, found
            time.sleep(0.2)

    for door in (bridge.http, bridge.web):
        with pytest.raises(ssl.SSLCertVerificationError):
            get_over_tls(door, "/", trusting)
    shutil.copy(TLS / "other_key.pem", files["key"])
    wait_until_told("is not that of the key")
    assert get_over_tls(bridge.web, "/healthz", careless)[0] == 200
    with grpc.secure_channel(bridge.grpc, credentials) as channel, pytest.raises(grpc.RpcError):
        channel.unary_unary(EXPORT)(batch(1).SerializeToString(), timeout=5)
    shutil.copy(TLS / "key.pem", files["key"])
    shutil.copy(TLS / "certificate.pem", tmp_path / "new")
    (tmp_path / "new").rename(files["certificate"])
    end = time.monotonic() + 60
    while "could not be renewed" in get_over_tls(bridge.web, "/readyz", careless)[1]:
        assert time.monotonic() < end
        time.sleep(0.2)
    for door in (bridge.http, bridge.web):
        assert get_over_tls(door, "/", trusting)[0] in {200, 404}
    trusting.check_hostname = False
    assert get_over_tls(bridge.web, "/readyz", trusting, name=None)[0] == 200
    with grpc.secure_channel(bridge.grpc, credentials) as channel:
        channel.unary_unary(EXPORT)(batch(1).SerializeToString(), timeout=30)
    assert bridge.stop() == 0
    assert sum("was renewed, and is used from now on" in line for line in bridge.told) == 1
    assert sum("could not be renewed" in line for line in bridge.told) == 1
    assert "Traceback" not in "".join(bridge.told)


@pytest.mark.parametrize(
    ("name", "told"),
    [("expired", "expired at 2021-01-01 00:00:00 UTC"), ("early", "is not valid before 2040-01-01 00:00:00 UTC")],
)
def test_a_certificate_out_of_its_time_is_told(serve, name, told):
    """At the start, by readiness and by the metric; whoever does not look at it may go on."""
    bridge = serve("--tls-cert", str(TLS / f"{name}.pem"), "--tls-key", str(TLS / "key.pem"))
    (line,) = (line for line in bridge.told if "listening" not in line)
    assert told in line
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE

    def get(path):
        connection = http.client.HTTPSConnection(bridge.web, timeout=30, context=context)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    status, text = get("/readyz")
    assert status == 200
    assert told in text
    (left,) = re.findall(r"^agentnet_bridge_certificate_left_seconds\{.*\} (\S+)", get("/metrics")[1], re.MULTILINE)
    assert (float(left) < 0) == (name == "expired")


ENDING = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agentnet_otel.service.bridge import Settings
from agentnet_otel.service.command import run
from agentnet_otel.sources.access import Access, Address
from agentnet_otel.sources.certificate import Certificate, Chain

now = datetime.now(UTC)
one = Certificate(name="this one", begins=now, ends=now + timedelta(seconds=6), issuer=b"", subject=b"")
web = Address(host="127.0.0.1", port=0)
run(Settings(store=Path(sys.argv[1]), web=web, access=Access(chain=Chain(certificates=(one,)))))
"""


def test_a_certificate_that_expires_while_it_runs_is_told(tmp_path):
    """Its end before, and when it is over."""
    with subprocess.Popen(
        [sys.executable, "-c", ENDING, tmp_path / "store"], stderr=subprocess.PIPE, text=True
    ) as process:
        assert "this one expires at " in process.stderr.readline()
        assert "listening" in process.stderr.readline()
        assert "this one expired at " in process.stderr.readline()
        process.terminate()
        assert process.stderr.read() == ""
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--tls-cert", "{tls}/key.pem", "--tls-key", "{tls}/key.pem"), "holds a key and no certificate"),
        (("--tls-cert", "{tls}/certificate.pem", "--tls-key", "{tls}/other_key.pem"), "is not that of the key"),
        (("--tls-cert", "{tls}/certificate.pem", "--tls-key", "{tls}/locked_key.pem"), "is encrypted"),
        (("--tls-cert", "{tls}/certificate.pem", "--tls-key", "{tls}/none"), "cannot be read"),
        (("--tls-cert", "/dev/null", "--tls-key", "{tls}/key.pem"), "holds no certificate (PEM, "),
        (("--tls-cert", "{tls}/certificate.pem", "--tls-key", "/dev/zero"), "more than 1,000,000 characters"),
        (("--metrics", "some"), "some"),
        (("--max-backlog-mb", "0"), "is not in the range 1<=x"),
    ],
)
def test_wrong_options_of_doors(options, told, tmp_path):
    """Exit code 2 and a sentence, before anything is opened."""
    command = [sys.executable, "-m", "agentnet_otel", "serve", "--web", "127.0.0.1:0", "--store", tmp_path / "store"]
    given = [option.format(tls=TLS) for option in options]
    done = subprocess.run([*command, *given], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "store").exists()
