"""Real servers on free ports of loopback: built once, waited for, their logs shown when a test fails, ended by id."""

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).resolve().parents[2]
START_S = 60
WAIT_S = 90
LOG_CHARACTERS = 4000
PORTS = (15_000, 32_000)
START_TIMES = "created-timestamp-zero-ingestion"
"""The feature of Prometheus by which the first value of a new series counts."""


def pytest_collection_modifyitems(items):
    """What needs a server is marked so."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


def unavailable(reason):
    """Say why a test cannot run; where everything is checked that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def program():
    """The path of a real program by its name, built where it is missing."""
    found = {}

    def path_of(name):
        if name not in found:
            command = [sys.executable, ROOT / "tools" / "build_servers.py", name]
            built = subprocess.run(command, capture_output=True, text=True, check=False)
            found[name] = built.stdout.strip().split(" ", 1)[1] if built.returncode == 0 else built.stderr
        if not Path(found[name]).is_absolute():
            unavailable(found[name].strip())
        return found[name]

    return path_of


def free_port():
    """A port of loopback that nobody listens on, below those that the system gives to whoever connects."""
    while True:
        port = random.SystemRandom().randrange(*PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def without_telemetry():
    """The environment of this process without what it says about telemetry."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AGENTNET_OTEL_"))}


def eventually(ask, what, timeout_s=WAIT_S):
    """The first true answer of ``ask``; fails after the time with the last one."""
    end = time.monotonic() + timeout_s
    while not (answer := ask()):
        assert time.monotonic() < end, f"{what}: not within {timeout_s} s; the last answer was {answer!r}"
        time.sleep(0.1)
    return answer


def get(url, headers=None):
    """Status and body of a page; (None, reason) where nobody answers."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=10) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError as error:
        return None, str(error).encode()


def get_json(url, headers=None):
    """The JSON at an address that has to answer."""
    status, body = get(url, headers)
    assert status == 200, (url, status, body[:500])
    return json.loads(body)


class Process:
    """One process that writes to a log, ready when ``ready`` says so."""

    def __init__(self, name, command, *, ready, folder, environment=None):
        self.name, self.folder = name, folder
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=folder,
                env={**without_telemetry(), **(environment or {})},
            )
        try:
            eventually(lambda: self.ended() or ready(), f"{name} is ready", START_S)
            assert not self.ended(), f"{name} ended with {self.process.returncode}:\n{self.tail()}"
        except BaseException:
            self.stop()
            raise

    def ended(self):
        return self.process.poll() is not None

    def tail(self):
        return self.log.read_text(encoding="utf-8", errors="replace")[-LOG_CHARACTERS:]

    def stop(self):
        """Ask it to end, and make it."""
        if not self.ended():
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)
        return self.process.returncode


class Servers:
    """Starts servers, each once, and ends them, the last first. ``folder`` is theirs alone."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.running = []

    def start(self, name, command, *, ready, environment=None):
        started = Process(name, command, ready=ready, folder=self.folder, environment=environment)
        self.running.append(started)
        return started

    def start_http(self, name, command, url, environment=None):
        """Start what answers 200 at an address as soon as it is ready."""
        return self.start(name, command, ready=lambda: get(url)[0] == 200, environment=environment)

    def stop(self):
        for process in reversed(self.running):
            process.stop()

    def logs(self):
        return [(process.name, process.tail()) for process in self.running]

    def collector(self, *configurations, environment, name="collector"):
        """The Collector on configuration files; ``environment`` fills in what they leave open."""
        health = f"127.0.0.1:{free_port()}"
        environment = {"HEALTH_ENDPOINT": health, "TELEMETRY_PORT": str(free_port()), **environment}
        files = [part for path in configurations for part in ("--config", path)]
        return self.start_http(
            name, [self.program("otelcol"), *files], f"http://{environment['HEALTH_ENDPOINT']}", environment
        )

    def prometheus(self, configuration, *options, features=START_TIMES, folder=None, address=None):
        """Prometheus, which takes OTLP too; its process, and its address. ``folder``: of its configuration and data."""
        folder, address = folder or self.folder, address or f"127.0.0.1:{free_port()}"
        (folder / "prometheus.yml").write_text(json.dumps(configuration))
        command = [
            self.program("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--web.listen-address={address}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--web.enable-otlp-receiver",
            f"--enable-feature={features}",
            *options,
        ]
        return self.start_http(f"prometheus of {folder.name}", command, f"http://{address}/-/ready"), address

    def jaeger(self):
        """Jaeger in memory; where it takes spans and where it is asked."""
        names = ("otlp.grpc", "otlp.http", "query", "query.grpc", "http", "grpc", "admin", "a", "b", "c")
        port = {name: f"127.0.0.1:{free_port()}" for name in names}
        flags = {
            "collector.otlp.grpc.host-port": port["otlp.grpc"],
            "collector.otlp.http.host-port": port["otlp.http"],
            "collector.http-server.host-port": port["http"],
            "collector.grpc-server.host-port": port["grpc"],
            "query.http-server.host-port": port["query"],
            "query.grpc-server.host-port": port["query.grpc"],
            "admin.http.host-port": port["admin"],
            "processor.jaeger-binary.server-host-port": port["a"],
            "processor.jaeger-compact.server-host-port": port["b"],
            "processor.zipkin-compact.server-host-port": port["c"],
            "http-server.host-port": f"127.0.0.1:{free_port()}",
        }
        command = [self.program("jaeger"), "--log-level=warn", *(f"--{flag}={value}" for flag, value in flags.items())]
        environment = {"SPAN_STORAGE_TYPE": "memory", "OTEL_TRACES_SAMPLER": "always_off"}  # it traces itself
        self.start_http("jaeger", command, f"http://{port['query']}/api/services", environment)
        return port["otlp.grpc"], port["query"]

    def bridge(self, *options, environment=None):
        """`agentnet-otel serve`; where it takes spans over gRPC, its pages, its store."""
        grpc, web = (f"127.0.0.1:{free_port()}" for _ in range(2))
        store = self.folder / "bridge-store"
        command = [sys.executable, "-m", "agentnet_otel", "serve", "--otlp-grpc", grpc, "--web", web]
        self.start_http("bridge", [*command, "--store", store, *options], f"http://{web}/readyz", environment)
        return grpc, web, store


@pytest.fixture(scope="module")
def servers(request, program):
    """Real servers for the tests of a module."""
    folder = Path(tempfile.mkdtemp(prefix="agentnet-otel-e2e-"))
    made = Servers(program, folder)
    request.node.stash[_SERVERS] = made
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


_SERVERS = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """What the servers said stands below a test that failed."""
    report = yield
    servers = item.getparent(pytest.Module).stash.get(_SERVERS, None)
    if report.failed and servers is not None:
        report.sections += [(f"log of {name}", text) for name, text in servers.logs()]
    return report


def command_line(*arguments, environment=None):
    """Run `agentnet-otel`; it has to succeed. Returns its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "agentnet_otel", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_workload(source, turns, *, service=None, **environment):
    """Run agents in a process of their own that sends what it records; its turns, as they were there."""
    if service is not None:
        environment["OTEL_SERVICE_NAME"] = service
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("workload.py"), source, str(turns), "7"],
        capture_output=True,
        text=True,
        check=False,
        env={**without_telemetry(), "PYTHONPATH": str(ROOT / "tests" / "agentnet" / "standin"), **environment},
    )
    assert done.returncode == 0, done.stderr
    return by_span(map(json.loads, done.stdout.splitlines()))


def facts(turns):
    """All fields of turns, by what identifies a turn."""
    return by_span(json.loads(msgspec.json.encode(turn)) for turn in turns)


def by_span(turns):
    """Each turn once, by what identifies it."""
    found = {}
    for turn in turns:
        assert found.setdefault((turn["trace_id"], turn["span_id"]), turn) is turn
    return found
