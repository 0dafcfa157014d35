"""What `agentnet-otel view` runs: the local page on turns that are held in memory."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from typing import Final

from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.model import Turn
from agentnet_otel.outputs.local_page.frame import REPORT_PATH
from agentnet_otel.outputs.reports.formats import render
from agentnet_otel.outputs.reports.html_report import POLICY
from agentnet_otel.service.answers import Answer, Query, page_answer
from agentnet_otel.service.http import reader_app
from agentnet_otel.service.http_server import HttpServer
from agentnet_otel.service.local_page import LocalPage
from agentnet_otel.sources.access import Access, Address
from agentnet_otel.sources.rebuild import Rebuilt
from agentnet_otel.sources.store.turn_store import StoredTurn
from agentnet_otel.wiring.reporting import make_report

LOOPBACK: Final = "127.0.0.1"


class HeldTurns:
    """Turns in memory, in the order of ending, which is taken for that of their arrival."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = turns
        self._by_ids = {(turn.trace_id, turn.span_id): turn for turn in turns}

    def before(self, place: int | None, limit: int) -> list[StoredTurn]:
        """Turns before a place (None: the last), the last first."""
        end = len(self._turns) if place is None else max(0, min(place - 1, len(self._turns)))
        return [StoredTurn(seq=seq, turn=self._turns[seq - 1]) for seq in range(end, max(0, end - limit), -1)]

    def find(self, trace_id: str, span_id: str) -> Turn | None:
        """A turn by its ids."""
        return self._by_ids.get((trace_id, span_id))

    def last_seq(self) -> int:
        """The place of the last."""
        return len(self._turns)

    def close(self) -> None:
        """Nothing is to be done."""


def run(
    rebuilt: Rebuilt, port: int, thresholds: ThresholdTable, trace_url: str | None, tell: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or Ctrl-C; ``tell`` gets the address when it can be opened.

    Raises:
        BackendError: the port is taken.
    """
    access = Access()
    held = HeldTurns(rebuilt.turns)
    page = LocalPage(lambda: held, thresholds, trace_url, live=False)
    report = _Report(rebuilt, thresholds, trace_url)
    app = reader_app(
        pages={},
        open_pages={},
        browser_pages={**page.pages(), REPORT_PATH: report.page},
        events={},
        access=access,
        costly={REPORT_PATH},
    )
    server = HttpServer(app, Address(host=LOOPBACK, port=port), access, "--port")
    asyncio.run(_serve(server, lambda: tell(f"http://{server.address}/")))


class _Report:
    """The report, made when it is first asked for."""

    def __init__(self, rebuilt: Rebuilt, thresholds: ThresholdTable, trace_url: str | None) -> None:
        self._rebuilt = rebuilt
        self._thresholds = thresholds
        self._trace_url = trace_url
        self._made: Answer | None = None

    def page(self, query: Query) -> Answer:
        """The report as a page."""
        del query
        if self._made is None:
            content = make_report(
                self._rebuilt.turns,
                self._rebuilt.counts,
                read=self._rebuilt.read,
                thresholds=self._thresholds,
                trace_url=self._trace_url,
                environment=self._rebuilt.environment,
            )
            self._made = page_answer(render(content, "html"), POLICY)
        return self._made


async def _serve(server: HttpServer, started: Callable[[], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    serving = asyncio.create_task(server.serve())
    started()
    await stop.wait()
    server.stop()
    await serving
