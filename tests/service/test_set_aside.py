"""A request at which the process that understands dies each time: it is set aside, and all else goes on."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToJson
from test_limits import child_of
from turn_requests import batch, export, ids

from agentnet_otel.service.child import DEATHS_TOGETHER
from agentnet_otel.sources.store.raw_log import LogReader
from agentnet_otel.sources.store.store import LOG
from agentnet_otel.sources.store.whereabouts import Whereabouts

pytestmark = pytest.mark.slow

DYING = """
import os, signal, sys

if sys.orig_argv[1:3] == ["-m", "agentnet_otel.service.understanding"]:
    if os.environ.get("DIES_AT") == "request":
        from agentnet_otel.sources.plain_payloads import PlainDecoder

        decode = PlainDecoder.decode

        def dying(self, data, form):
            if b"deadly" in data:
                os.kill(os.getpid(), signal.SIGKILL)
            return decode(self, data, form)

        PlainDecoder.decode = dying
    elif os.environ.get("DIES_AT") == "turn":
        from agentnet_otel.sources.native import turns

        turn_of = turns.native_turn_of

        def dying(spans, prices):
            if any("deadly" in str(span.attributes) for span in spans.values()):
                os.kill(os.getpid(), signal.SIGKILL)
            return turn_of(spans, prices)

        turns.native_turn_of = dying
"""
"""What Python starts with: the process that understands dies in a decoder, or in what makes turns."""


@pytest.fixture
def dies_at(tmp_path):
    """The environment of a `serve` whose child dies where it is told to, at what says that it is deadly."""
    (tmp_path / "dying").mkdir()
    (tmp_path / "dying" / "sitecustomize.py").write_text(DYING)
    path = os.pathsep.join(filter(None, (str(tmp_path / "dying"), os.environ.get("PYTHONPATH"))))
    return lambda where: {"PYTHONPATH": path, "DIES_AT": where}


def command(*arguments):
    """Standard output of a command."""
    done = subprocess.run([sys.executable, "-m", "agentnet_otel", *arguments], capture_output=True, check=True)
    return done.stdout.decode()


def wait_for_told(bridge, words):
    """The line of standard error that has them."""
    patience = threading.Timer(60, bridge.process.kill)
    patience.start()
    try:
        for line in bridge.process.stderr:
            bridge.told.append(line.strip())
            if words in line:
                return line.strip()
    finally:
        patience.cancel()
    raise AssertionError(bridge.told)


@pytest.mark.parametrize(("where", "kind"), [("request", "protobuf"), ("turn", "protobuf"), ("request", "json")])
def test_a_deadly_request_is_set_aside(serve, dies_at, where, kind):
    """After it died three times there; before and behind it every turn is told, once, and the file can be read."""
    bridge = serve(environment=dies_at(where))
    export(bridge.grpc, batch(1).SerializeToString())
    bridge.turns(1)
    deadly = batch(2, agent="deadly")
    if kind == "protobuf":
        export(bridge.grpc, deadly.SerializeToString())
    else:  # its ids in Base64, which is read too
        assert bridge.post(MessageToJson(deadly).encode(), "application/json")[0] == 200
    export(bridge.grpc, batch(3).SerializeToString())
    told = wait_for_told(bridge, "set aside")
    path = told.rpartition("agentnet-otel turns ")[2].rstrip(")")
    assert ids(bridge.turns(2)) == ["t1", "t3"]
    page = bridge.get("/metrics")[1].decode()
    assert 'agentnet_bridge_requests_total{service_name="agentnet-otel",agentnet_bridge_result="set_aside"} 1\n' in page
    status, ready, _ = bridge.get("/readyz")
    assert status == 200
    assert f"requests that could not be understood are kept in {bridge.store}/aside: 1" in ready.decode()
    export(bridge.grpc, batch(4).SerializeToString())
    assert ids(bridge.turns(3)) == ["t1", "t3", "t4"]
    assert [json.loads(line)["agent"] for line in command("turns", path).splitlines()] == ["deadly"]
    assert bridge.stop() == 0
    again = serve()
    assert ids(again.turns(3)) == ["t1", "t3", "t4"]
    again.post(Path(path).read_bytes(), "application/x-protobuf" if kind == "protobuf" else "application/json")
    assert ids(again.turns(4)) == ["t1", "t2", "t3", "t4"]
    assert again.stop() == 0


def test_deaths_elsewhere_set_nothing_aside(serve):
    """Somebody who kills it again and again while it does nothing costs no request."""
    bridge = serve()
    for number in range(1, 5):
        export(bridge.grpc, batch(number).SerializeToString())
        assert ids(bridge.turns(number)) == [f"t{one}" for one in range(1, number + 1)]
        os.kill(child_of(bridge), signal.SIGKILL)
        wait_for_told(bridge, "is started again")
        end = time.monotonic() + 30
        while bridge.get("/readyz")[0] != 200 and time.monotonic() < end:
            time.sleep(0.05)
    assert not (bridge.store / "aside").exists()
    assert bridge.stop() == 0


def test_who_kills_all_of_it_has_no_request_set_aside(serve):
    """Not before it was found dead at the same one ten times in a row."""
    bridge = serve()
    export(bridge.grpc, batch(1).SerializeToString())
    assert ids(bridge.turns(1)) == ["t1"]
    assert bridge.stop() == 0
    place = next(LogReader(bridge.store / LOG).read(0, 1 << 62)).start
    for times in range(1, DEATHS_TOGETHER + 1):
        whereabouts = Whereabouts(bridge.store)
        whereabouts.note(place)
        if times < DEATHS_TOGETHER - 1:
            assert whereabouts.died() == (place, times)
        else:
            again = serve()
            assert ids(again.turns(1)) == ["t1"]
            assert again.stop() == 0
            assert (bridge.store / "aside").exists() == (times == DEATHS_TOGETHER)
        whereabouts.close()


def test_what_is_set_aside_goes_with_the_rest(serve, dies_at):
    """Erasing all erases it, bytes in the log included; erasing a session tells that it may be there."""
    bridge = serve(environment=dies_at("request"))
    export(bridge.grpc, batch(1, agent="deadly").SerializeToString())
    wait_for_told(bridge, "set aside")
    assert bridge.stop() == 0
    command_line = [sys.executable, "-m", "agentnet_otel", "store", "purge", str(bridge.store)]
    done = subprocess.run([*command_line, "--session", "s"], capture_output=True, text=True, check=True)
    assert f"{bridge.store}/aside holds requests that could not be understood" in done.stderr
    subprocess.run([*command_line, "--all"], capture_output=True, check=True)
    assert not any(b"deadly" in path.read_bytes() for path in bridge.store.rglob("*") if path.is_file())
