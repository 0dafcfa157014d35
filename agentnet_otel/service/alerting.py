"""Alerts of `serve`: its turns judged each minute in a thread of its own, which takes nothing from whoever sends."""

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.errors import AgentNetOtelError
from agentnet_otel.outputs.alerts.judging import Judge
from agentnet_otel.outputs.alerts.minutes import KEPT_MINUTES, MINUTE_NS, TurnMinutes
from agentnet_otel.outputs.alerts.posting import Target
from agentnet_otel.outputs.alerts.pushing import FILE_NAME, PushCounts, Pusher
from agentnet_otel.outputs.rules.annotations import Links
from agentnet_otel.outputs.rules.catalogue import RuleOptions
from agentnet_otel.sources.store.turn_store import TurnStore

_LOOK_EVERY_S: Final = 1.0
_END_S: Final = 5.0
"""How long a post may still take at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """Who is told. ``every_s``: seconds between two evaluations."""

    alertmanager: Target | None = None
    webhook: Target | None = None
    links: Links = field(default_factory=Links)
    every_s: float = 60.0

    @property
    def wanted(self) -> bool:
        """Whether anybody is."""
        return self.alertmanager is not None or self.webhook is not None


class Alerting:
    """Judges the turns of a store, by when they arrived: clocks of senders may be wrong.

    Raises:
        BackendError: the file with how alerts stand cannot be read.
    """

    def __init__(
        self,
        settings: AlertSettings,
        table: ThresholdTable,
        folder: Path,
        now_ns: Callable[[], int],
        tell: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._now_ns = now_ns
        self._tell = tell
        self._judge = Judge(RuleOptions(table=table, links=settings.links))
        self._minutes = TurnMinutes(table)
        self._pusher = Pusher(folder / FILE_NAME, tell, alertmanager=settings.alertmanager, webhook=settings.webhook)
        self._seq = 0
        self._due_ns = 0
        self._trouble = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="agentnet-otel-alerts", daemon=True)

    @property
    def counts(self) -> PushCounts:
        """What was sent, fires and waits."""
        return self._pusher.counts

    @property
    def left_out(self) -> int:
        """Figures of turns that are not judged, for there are too many names."""
        return self._minutes.left_out

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is not sent by then waits in the file."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(_END_S)

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_EVERY_S):
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next minute may be better, and nobody else judges
                trouble = str(error) if isinstance(error, AgentNetOtelError | sqlite3.Error | OSError) else repr(error)
                if trouble != self._trouble:
                    self._tell(f"alerts cannot be judged now: {trouble}")
                self._trouble = trouble
            else:
                self._trouble = ""

    def _look(self) -> None:
        if self._now_ns() >= self._due_ns:
            now_ns = self._now_ns()
            self._due_ns = now_ns + round(self._settings.every_s * 1_000_000_000)
            self._take_in(now_ns)
            self._pusher.evaluate(self._judge.active(self._minutes, now_ns), now_ns)
        self._pusher.deliver(self._now_ns)

    def _take_in(self, now_ns: int) -> None:
        store = TurnStore(self._folder, read_only=True)
        try:
            for stored, arrived_ns in store.new_with_arrival(self._seq, now_ns - KEPT_MINUTES * MINUTE_NS):
                self._minutes.add(stored.turn, arrived_ns)
                self._seq = stored.seq
        finally:
            store.close()
        self._minutes.forget(now_ns)
