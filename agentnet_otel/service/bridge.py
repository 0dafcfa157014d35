"""The bridge as a process: doors, store and the thread that understands, joined; started, and ended in order.

Ending: the doors close first, what was taken is written, what can be understood is understood, the files close. A
process that is killed instead loses nothing that was acknowledged: the requests are on the disk.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agentnet_otel.core.assembler import Assembler
from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.model import Turn
from agentnet_otel.prices import installed
from agentnet_otel.service.api import Api
from agentnet_otel.service.http import Application, HttpServer, reader_app, receiver_app
from agentnet_otel.service.ingest import ENDED_TURNS, MAX_SPANS, Ingest
from agentnet_otel.service.retention import Retention, keep_within
from agentnet_otel.sources.access import Access, Address
from agentnet_otel.sources.intake import MAX_BACKLOG_BYTES, Intake
from agentnet_otel.sources.otlp_grpc import GrpcReceiver
from agentnet_otel.sources.store.store import Store
from agentnet_otel.sources.store.turn_store import TurnStore

GRACE_S: Final = 5.0
"""How long requests that run may take at the end."""
RETENTION_EVERY_S: Final = 60.0
_NANOS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `serve` was asked for. None: that door stays closed."""

    store: Path
    otlp_grpc: Address | None = None
    otlp_http: Address | None = None
    web: Address | None = None
    access: Access = field(default_factory=Access)
    retention: Retention = field(default_factory=Retention)
    thresholds: ThresholdTable = field(default_factory=ThresholdTable)
    quiet_period_s: float = 5.0


class Bridge:
    """One process of `serve`. ``tell`` gets sentences for whoever runs it.

    Raises:
        BackendError: an address or the store is taken, or the store cannot be used.
    """

    def __init__(self, settings: Settings, tell: Callable[[str], None]) -> None:
        self._settings = settings
        self._tell = tell
        with ExitStack() as opened:
            self._store = Store(settings.store, tell)
            opened.callback(self._store.close)
            assembler = Assembler(
                quiet_ns=round(settings.quiet_period_s * _NANOS),
                max_spans=MAX_SPANS,
                ended_turns=ENDED_TURNS,
                prices=installed(),
            )
            self.ingest = Ingest(self._store, assembler, time.time_ns, self._take, tell)
            self.intake = Intake(self._store.log, time.time_ns, lambda: self.ingest.backlog_bytes)
            access = settings.access
            self._grpc = None if settings.otlp_grpc is None else GrpcReceiver(settings.otlp_grpc, access, self.intake)
            self._servers: list[HttpServer] = []
            if settings.otlp_http is not None:
                app = receiver_app(self.intake, access)
                self._servers.append(HttpServer(app, settings.otlp_http, access, "--otlp-http"))
            if settings.web is not None:
                self._servers.append(HttpServer(self._pages(access), settings.web, access, "--web"))
            opened.pop_all()

    @property
    def addresses(self) -> list[Address]:
        """Where it listens: gRPC, HTTP, web, as far as they are open."""
        return [*([] if self._grpc is None else [self._grpc.address]), *(server.address for server in self._servers)]

    async def run(self, started: Callable[[], None]) -> None:
        """Serve until SIGTERM or SIGINT; ``started`` is called when the doors are open."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        self.ingest.start()
        if self._grpc is not None:
            self._grpc.start()
        serving = [asyncio.create_task(server.serve()) for server in self._servers]
        started()
        retention = asyncio.create_task(self._keep_within())
        try:
            await stop.wait()
        finally:
            retention.cancel()
            for server in self._servers:
                server.stop()
            await asyncio.gather(*serving, retention, return_exceptions=True)
            await asyncio.to_thread(self._end)

    def _end(self) -> None:
        if self._grpc is not None:
            self._grpc.stop(GRACE_S)
        self._store.log.drain()
        self.ingest.stop()
        self._store.close()

    async def _keep_within(self) -> None:
        while True:
            await asyncio.sleep(RETENTION_EVERY_S)
            await asyncio.to_thread(self.ingest.between_batches, self._forget)

    def _forget(self) -> None:
        keep_within(self._settings.retention, self._store, time.time_ns())

    def _take(self, turns: Sequence[Turn]) -> None:
        del turns

    def _pages(self, access: Access) -> Application:
        api = Api(self._open_turns, lambda: self.ingest.assembler.counts, self._not_ready, self._settings.thresholds)
        pages = {"/api/turns": api.turns, "/api/report": api.report}
        return reader_app(pages, {"/healthz": api.healthy, "/readyz": api.ready}, access)

    def _open_turns(self) -> TurnStore:
        return TurnStore(self._settings.store, read_only=True)

    def _not_ready(self) -> str | None:
        if self._store.log.failure is not None:
            return self._store.log.failure
        if self.ingest.backlog_bytes > MAX_BACKLOG_BYTES:
            return f"{self.ingest.backlog_bytes:,} bytes of requests wait to be understood"
        return None
