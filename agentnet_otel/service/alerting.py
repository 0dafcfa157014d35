"""Alerts of `serve`: its turns judged each minute in a thread of its own, which takes nothing from whoever sends.

Another thread tells Alertmanager, so that one that hangs delays no notice of a webhook, nor the other way round.
"""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.errors import AgentNetOtelError
from agentnet_otel.outputs.alerts.judging import Judge
from agentnet_otel.outputs.alerts.lifecycle import Standing
from agentnet_otel.outputs.alerts.minutes import KEPT_MINUTES, MINUTE_NS, TurnMinutes
from agentnet_otel.outputs.alerts.posting import Target
from agentnet_otel.outputs.alerts.pushing import FILE_NAME, PushCounts, Pusher
from agentnet_otel.outputs.alerts.repeating import ENDS_AFTER_NS, Repeater
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
        tell_damage: Callable[[str], None],
    ) -> None:
        """``tell_damage`` gets a sentence on a turn of the store that is damaged, and left out, each time it is met."""
        self._settings = settings
        self._folder = folder
        self._tell_damage = tell_damage
        self._now_ns = now_ns
        self._tell = tell
        self._judge = Judge(RuleOptions(table=table, links=settings.links))
        self._minutes = TurnMinutes(table)
        self._pusher = Pusher(folder / FILE_NAME, tell, webhook=settings.webhook)
        self._repeating = None if settings.alertmanager is None else Repeating(settings.alertmanager, tell)
        self._seq = 0
        self._due_ns = 0
        self._trouble = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="agentnet-otel-alerts", daemon=True)

    @property
    def counts(self) -> PushCounts:
        """What was sent to anybody, fires and waits."""
        counts = self._pusher.counts
        if self._repeating is None:
            return counts
        sent, failed = self._repeating.counts
        return replace(counts, sent=counts.sent + sent, failed=counts.failed + failed)

    @property
    def left_out(self) -> int:
        """Figures of turns that are not judged, for there are too many names."""
        return self._minutes.left_out

    def start(self) -> None:
        """Begin."""
        if self._repeating is not None:
            self._repeating.start()
        self._thread.start()

    def stop(self) -> None:
        """End; what is not sent by then waits in the file."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(_END_S)
        if self._repeating is not None:
            self._repeating.stop()

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
            if self._repeating is not None:
                self._repeating.put(self._pusher.to_repeat, now_ns + ENDS_AFTER_NS)
        self._pusher.deliver(self._now_ns)

    def _take_in(self, now_ns: int) -> None:
        store = TurnStore(self._folder, read_only=True, unreadable=self._tell_damage)
        try:
            for stored, arrived_ns in store.new_with_arrival(self._seq, now_ns - KEPT_MINUTES * MINUTE_NS):
                self._minutes.add(stored.turn, arrived_ns)
                self._seq = stored.seq
        finally:
            store.close()
        self._minutes.forget(now_ns)


class Repeating:
    """A thread that tells Alertmanager the newest of how alerts stand; what is older by then needs no telling."""

    def __init__(self, alertmanager: Target, tell: Callable[[str], None]) -> None:
        self._repeater = Repeater(alertmanager, tell)
        self._newest: tuple[Sequence[Standing], int] | None = None
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="agentnet-otel-alertmanager", daemon=True)

    @property
    def counts(self) -> tuple[int, int]:
        """Posts that were taken, and that were not."""
        return self._repeater.sent, self._repeater.failed

    def put(self, standings: Sequence[Standing], until_ns: int) -> None:
        """How alerts stand; what fires ends at ``until_ns``, epoch nanoseconds, unless it is told again."""
        with self._changed:
            self._newest = standings, until_ns
            self._changed.notify()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after what is to be told was told, if that takes no longer than `_END_S`."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(_END_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest is not None or self._ended)
                newest, self._newest = self._newest, None
            if newest is None:
                return
            self._repeater.tell(*newest)
