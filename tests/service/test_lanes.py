"""Work of one kind holds up no other kind: over real sockets, with pages that take as long as the test wants."""

import asyncio
import contextlib
import http.client
import threading
import time

import pytest

from agentnet_otel.service.answers import text_answer
from agentnet_otel.service.http import PAGES_AT_ONCE, WAITING_REPORTS, reader_app
from agentnet_otel.service.http_server import HttpServer
from agentnet_otel.service.lanes import Lane
from agentnet_otel.sources.access import Access, Address


class SlowPages:
    """Pages that wait until they may be answered."""

    def __init__(self):
        self.open = threading.Event()
        self.made = []

    def page(self, query):
        """One that waits."""
        self.made.append(query)
        assert self.open.wait(30)
        return text_answer(200, "made")


@pytest.fixture
def slow():
    """The pages; they end with the test."""
    made = SlowPages()
    yield made
    made.open.set()


@pytest.fixture
def address(slow):
    """Where a server of these pages listens."""
    app = reader_app(
        pages={"/report": slow.page, "/turns": slow.page, "/metrics": lambda _: text_answer(200, "metrics")},
        open_pages={"/healthz": lambda _: text_answer(200, "ok")},
        browser_pages={},
        events={},
        access=Access(),
        costly={"/report"},
        scraped={"/metrics"},
    )
    server = HttpServer(app, Address(host="127.0.0.1", port=0), Access(), "--web")
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    yield server.address
    slow.open.set()
    server.stop()
    thread.join()
    wait_until(lambda: not any(one.name.startswith("agentnet-otel-") for one in threading.enumerate()))


@contextlib.contextmanager
def asked(address, path):
    """A question whose answer is not read yet."""
    connection = http.client.HTTPConnection(address.host, address.port, timeout=30)
    try:
        connection.request("GET", path)
        yield connection
    finally:
        connection.close()


def status_of(address, path):
    """What is answered."""
    with asked(address, path) as connection:
        return connection.getresponse().status


def wait_until(holds):
    """For ten seconds at most."""
    end = time.monotonic() + 10
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    assert holds()


def test_reports_and_pages_hold_up_no_probe(slow, address):
    """One report is made, so many wait, further ones are told to come back; pages, scrapes and probes go on."""
    with contextlib.ExitStack() as stack:
        reports = [stack.enter_context(asked(address, "/report")) for _ in range(WAITING_REPORTS + 1)]
        pages = [stack.enter_context(asked(address, "/turns")) for _ in range(PAGES_AT_ONCE + 3)]
        wait_until(lambda: len(slow.made) == 1 + PAGES_AT_ONCE)
        wait_until(lambda: status_of(address, "/report") == 503)
        with asked(address, "/report") as refused:
            answer = refused.getresponse()
            assert (answer.status, answer.getheader("retry-after")) == (503, "5")
            assert b"come back" in answer.read()
        assert status_of(address, "/healthz") == status_of(address, "/metrics") == 200
        slow.open.set()
        assert {one.getresponse().status for one in (*reports, *pages)} == {200}
    assert status_of(address, "/report") == 200


def test_what_nobody_waits_for_is_not_made(slow, address):
    """Whoever asked and went away before the report's turn came costs nothing."""
    with asked(address, "/report") as first:
        wait_until(lambda: len(slow.made) == 1)
        for _ in range(3):
            with asked(address, "/report"):
                pass
        with asked(address, "/report") as last:
            time.sleep(0.2)
            slow.open.set()
            assert first.getresponse().status == last.getresponse().status == 200
    assert len(slow.made) == 2


def test_a_failure_gives_the_place_back():
    """The next one's turn comes."""

    async def run():
        lane = Lane("tests", 1, 0)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await lane.run(lambda: 1 // 0)
        done = await lane.run(lambda: "done")
        lane.close()
        return done

    assert asyncio.run(run()) == "done"
    wait_until(lambda: not any(one.name.startswith("agentnet-otel-") for one in threading.enumerate()))
