"""A real `serve` process on loopback, and clients for it."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

START_S = 60
WAIT_S = 60


class Serve:
    """One process of `serve` with all doors open, at addresses that the system chose."""

    def __init__(self, store, *options, environment=None, before=()):
        """``before``: a command that runs the one behind it."""
        self.store = store
        command = [
            *before,
            sys.executable,
            "-m",
            "agentnet_otel",
            "serve",
            "--quiet-period",
            "0.5",
            "--store",
            str(store),
        ]
        doors = ("--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0", "--web", "127.0.0.1:0")
        self.process = subprocess.Popen(
            [*command, *doors, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self.told = []
        self.grpc, self.http, self.web = self._addresses()

    def _addresses(self):
        for line in self.process.stderr:
            self.told.append(line.strip())
            found = re.findall(r"127\.0\.0\.1:\d+", line)
            if "listening" in line:
                return found
        self.process.communicate()
        raise AssertionError(f"it ended with {self.process.returncode}: {self.told}")

    def get(self, path, headers=None, door=None):
        """Status and body."""
        connection = http.client.HTTPConnection(door or self.web, timeout=10)
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        finally:
            connection.close()

    def post(self, body, content_type="application/x-protobuf", path="/v1/traces", **headers):
        """Export over HTTP: status, body, headers."""
        connection = http.client.HTTPConnection(self.http, timeout=30)
        try:
            connection.request("POST", path, body, {"Content-Type": content_type, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        finally:
            connection.close()

    def turns(self, at_least=0):
        """The turns as soon as there are so many."""
        end = time.monotonic() + WAIT_S
        while True:
            found = [json.loads(line) for line in self.get("/api/turns?limit=10000")[1].splitlines()]
            if len(found) >= at_least or time.monotonic() > end:
                return found
            time.sleep(0.1)

    def stop(self, number=signal.SIGTERM):
        """End it by a signal; returns the exit code and what it told."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        _, rest = self.process.communicate(timeout=START_S)
        self.told += rest.splitlines()
        return self.process.returncode


@contextlib.contextmanager
def starting(folder):
    """Starts processes, and ends those that are left."""
    started = []

    def start(*options, store=None, environment=None, before=()):
        made = Serve(Path(store or folder / "store"), *options, environment=environment, before=before)
        started.append(made)
        return made

    try:
        yield start
    finally:
        for one in started:
            if one.process.poll() is None:
                one.process.kill()
            one.process.wait()
            one.process.stdout.close()
            one.process.stderr.close()
