"""The bridge as a process: doors, store, pages, and the child that understands, joined; started, and ended in order.

Ending: the doors close first, what was taken is written, what can be understood in time is understood, the files
close. A process that is killed instead loses nothing that was acknowledged: the requests are on the disk.
"""

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from opentelemetry.sdk.metrics.export import MetricsData

from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.model import MetricsMode
from agentnet_otel.outputs.local_page.frame import EVENTS_PATH, REPORT_PATH
from agentnet_otel.outputs.prometheus import PrometheusEndpoint
from agentnet_otel.service.alerting import Alerting, AlertSettings
from agentnet_otel.service.api import Api
from agentnet_otel.service.child import Child
from agentnet_otel.service.http import Application, Streams, reader_app, receiver_app
from agentnet_otel.service.http_server import MAX_CONNECTIONS, HttpServer
from agentnet_otel.service.local_page import LocalPage
from agentnet_otel.service.messages import Begin, Forgotten
from agentnet_otel.service.open_files import connections_of_a_door
from agentnet_otel.service.own_figures import OwnState, own_data
from agentnet_otel.service.retention import Retention
from agentnet_otel.service.turn_figures import TurnFigures
from agentnet_otel.sources.access import Access, Address
from agentnet_otel.sources.intake import MAX_BACKLOG_BYTES, Intake
from agentnet_otel.sources.otlp_grpc import GrpcReceiver
from agentnet_otel.sources.renewal import Renewal
from agentnet_otel.sources.store.store import Store
from agentnet_otel.sources.store.turn_store import TurnStore

GRACE_S: Final = 5.0
"""How long requests that run may take at the end."""
RETENTION_EVERY_S: Final = 10.0
MAX_DAMAGE_TOLD: Final = 20
"""Damaged turns that are told one by one."""
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
    group_calls: bool = False
    metrics: MetricsMode = MetricsMode.AUTO
    max_backlog_bytes: int = MAX_BACKLOG_BYTES
    trace_url: str | None = None
    alerts: AlertSettings = field(default_factory=AlertSettings)


class Bridge:
    """One process of `serve`. ``tell`` gets sentences for whoever runs it.

    Raises:
        BackendError: an address or the store is taken, or the store cannot be used.
    """

    def __init__(self, settings: Settings, tell: Callable[[str], None]) -> None:
        self._settings = settings
        self._tell = tell
        self._clock_offset_ns = time.time_ns() - time.monotonic_ns()
        self._started_ns = self._now_ns()
        self._stored_turns = 0
        self._streams = Streams()
        self._told_damage: set[str] = set()
        self._telling_damage = threading.Lock()
        self._waiting_since_ns = self._started_ns
        self._renewal = Renewal(settings.access)
        self._told_certificate: set[str] = set()
        self._tell_certificate()
        with ExitStack() as opened:
            self._store = Store(settings.store, tell)
            opened.callback(self._store.close)
            begin = Begin(
                folder=str(settings.store),
                quiet_ns=round(settings.quiet_period_s * _NANOS),
                metrics=settings.metrics,
                clock_offset_ns=self._clock_offset_ns,
                group_calls=settings.group_calls,
            )
            self.child = Child(
                begin,
                self._store.locks,
                tell,
                self._forget_requests,
                self._tell_damage,
                died=self._store.died,
                set_aside=self._set_aside,
            )
            self._store.log.told_end = self.child.grown
            self._alerting = self._alerts(settings)
            self.intake = Intake(self._store.log, self._now_ns, self._queue_bytes, settings.max_backlog_bytes)
            self._grpc: GrpcReceiver | None = None
            self._servers: list[HttpServer] = []
            self._open_doors(settings)
            opened.pop_all()

    def _open_doors(self, settings: Settings) -> None:
        access = settings.access
        doors = sum(address is not None for address in (settings.otlp_grpc, settings.otlp_http, settings.web))
        most = connections_of_a_door(doors, MAX_CONNECTIONS, self._tell)
        if settings.otlp_grpc is not None:
            self._grpc = GrpcReceiver(settings.otlp_grpc, access, self.intake, self._renewal, most)
        if settings.otlp_http is not None:
            app = receiver_app(self.intake, access)
            self._servers.append(HttpServer(app, settings.otlp_http, access, "--otlp-http", most, self._renewal))
        if settings.web is not None:
            app = self._pages(access)
            self._servers.append(HttpServer(app, settings.web, access, "--web", most, self._renewal))

    @property
    def addresses(self) -> list[Address]:
        """Where it listens: gRPC, HTTP, web, as far as they are open."""
        return [*([] if self._grpc is None else [self._grpc.address]), *(server.address for server in self._servers)]

    async def run(self, started: Callable[[], None]) -> None:
        """Serve until SIGTERM, SIGINT, or SIGHUP: a terminal that is closed, unless it was started to outlive that.

        ``started`` is called when the doors are open.
        """
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, stop.set)
        self.child.start(self._store.place, self._store.log.end)
        if self._grpc is not None:
            self._grpc.start()
        serving = [asyncio.create_task(server.serve()) for server in self._servers]
        if self._alerting is not None:
            self._alerting.start()
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

    def _alerts(self, settings: Settings) -> Alerting | None:
        if not settings.alerts.wanted:
            return None
        return Alerting(
            settings.alerts, settings.thresholds, settings.store, self._now_ns, self._tell, self._tell_damage
        )

    def _end(self) -> None:
        if self._grpc is not None:
            self._grpc.stop(GRACE_S)
        if self._alerting is not None:
            self._alerting.stop()
        self._store.log.drain()
        self.child.stop()
        self._store.close()

    # --- what is kept --------------------------------------------------------------------------------

    async def _keep_within(self) -> None:
        retention = self._settings.retention
        while True:
            before_ns = self._now_ns() - round(retention.age_s * _NANOS)
            self.child.forget(before_ns, retention.max_bytes)
            self._store.aside.forget_before(before_ns)
            self._tell_certificate()
            self._store.log.try_again()
            await asyncio.sleep(RETENTION_EVERY_S)

    def _set_aside(self, place: int) -> str | None:
        path = self._store.set_aside(place)
        return None if path is None else f"{path} (to read it: agentnet-otel turns {path})"

    def _forget_requests(self, forgotten: Forgotten) -> None:
        self._stored_turns = forgotten.stored_turns
        try:
            self._store.log.forget_before(forgotten.place)
        except OSError as error:
            self._tell(f"requests that nobody needs cannot be deleted: {error.strerror or error}")

    # --- how it stands -------------------------------------------------------------------------------

    def _now_ns(self) -> int:
        """Epoch time as it was at the start, and what went by since: setting the clock changes nothing."""
        return self._clock_offset_ns + time.monotonic_ns()

    def _queue_bytes(self) -> int:
        """Bytes of requests that wait to be understood."""
        waiting = self._store.log.bytes_from(self.child.progress.place)
        if not waiting:
            self._waiting_since_ns = self._now_ns()
        return waiting

    def _lag_s(self, queue_bytes: int) -> float:
        """For how long the oldest request waits that is not understood."""
        since_ns = max(self._waiting_since_ns, self.child.progress.arrived_ns)
        return max(0, self._now_ns() - since_ns) / _NANOS if queue_bytes else 0.0

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._now_ns() / _NANOS, UTC)

    def _tell_certificate(self) -> None:
        """Take it if it was renewed, and tell what is wrong with it by now, each once."""
        if (renewed := self._renewal.look()) is not None:
            self._told_certificate.clear()
            self._tell(renewed)
        chain = self._renewal.chain
        for what in (*chain.remarks, *chain.warnings(self._now())):
            if what not in self._told_certificate:
                self._told_certificate.add(what)
                self._tell(f"{what}. A new one is taken from the same files")

    def _certificate_left_s(self) -> float | None:
        ends = self._renewal.chain.ends
        return None if ends is None else (ends - self._now()).total_seconds()

    def _not_ready(self) -> str | None:
        if (trouble := self._store.trouble()) is not None:
            return trouble
        if self._queue_bytes() > self._settings.max_backlog_bytes:
            return f"{self._standing()}; senders are asked to come back"
        return self.child.trouble

    def _standing(self) -> str:
        waiting = self._queue_bytes()
        parts = [f"{waiting:,} bytes of requests wait to be understood, the oldest for {self._lag_s(waiting):.1f} s"]
        if (aside := self._store.aside).count:
            parts.append(f"requests that could not be understood are kept in {aside.folder}: {aside.count:,}")
        certificate = self._renewal.trouble, self._renewal.chain.trouble(self._now())
        parts.extend(filter(None, certificate))
        return "; ".join(parts)

    # --- pages ---------------------------------------------------------------------------------------

    def _pages(self, access: Access) -> Application:
        api = Api(
            self._open_turns,
            lambda: self.child.progress.counts,
            self._not_ready,
            self._settings.thresholds,
            standing=self._standing,
            endpoint=PrometheusEndpoint(self._readings),
            trace_url=self._settings.trace_url,
        )
        local = LocalPage(self._open_turns, self._settings.thresholds, self._settings.trace_url)
        return reader_app(
            pages={"/api/turns": api.turns, "/api/report": api.report, "/metrics": api.metrics},
            open_pages={"/healthz": api.healthy, "/readyz": api.ready},
            browser_pages={**local.pages(), REPORT_PATH: api.report_page},
            events={EVENTS_PATH: local.last},
            access=access,
            streams=self._streams,
            costly={"/api/report", REPORT_PATH},
            scraped={"/metrics"},
        )

    def _open_turns(self) -> TurnStore:
        return TurnStore(self._settings.store, read_only=True, unreadable=self._tell_damage)

    def _tell_damage(self, what: str) -> None:
        """Tell of a damaged turn once, not with each page and by each process; of very many only of the first ones."""
        with self._telling_damage:
            known = what in self._told_damage or len(self._told_damage) >= MAX_DAMAGE_TOLD
            if not known:
                self._told_damage.add(what)
        if not known:
            self._tell(what)

    def _readings(self) -> Iterable[MetricsData]:
        """The metrics of turns, and the bridge's own."""
        told = self.child.figures()
        figures = TurnFigures(self._settings.metrics, self._now_ns)
        figures.restore(bytes(told.body))
        queue_bytes = self._queue_bytes()
        state = OwnState(
            started_ns=self._started_ns,
            now_ns=self._now_ns(),
            intake=self.intake.counts,
            progress=self.child.progress,
            figures=told,
            queue_bytes=queue_bytes,
            lag_s=self._lag_s(queue_bytes),
            log_bytes=self._store.log.bytes_from(0),
            turns_bytes=self._store.turns_bytes(),
            stored_turns=self._stored_turns,
            restarts=self.child.restarts,
            set_aside=self.child.aside,
            streams_open=self._streams.open,
            streams_accepted=self._streams.accepted,
            streams_refused=self._streams.refused,
            alerts=None if self._alerting is None else self._alerting.counts,
            certificate_left_s=self._certificate_left_s(),
            unjudged=0 if self._alerting is None else self._alerting.left_out,
        )
        return figures.data(), own_data(state)
