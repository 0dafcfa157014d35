"""Alerts of sources that a command has read: judged at the end of the last turn, and told."""

import os
import sys
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Final

from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.errors import BackendError, reason_of
from agentnet_otel.model import Turn
from agentnet_otel.outputs.alerts.judging import Judge
from agentnet_otel.outputs.alerts.minutes import MINUTE_NS, TurnMinutes
from agentnet_otel.outputs.alerts.posting import Target
from agentnet_otel.outputs.alerts.pushing import Pusher
from agentnet_otel.outputs.alerts.repeating import Repeater
from agentnet_otel.outputs.alerts.replay import REPLAYED_MINUTES, firing_at, gone_on
from agentnet_otel.outputs.rules.annotations import Links
from agentnet_otel.outputs.rules.catalogue import RuleOptions

_RETRY_AFTER_S: Final = (1.0, 3.0)
"""Pauses before Alertmanager is told again, where it did not take it."""
_PATIENCE_S: Final = 30.0
"""How long a webhook is tried; what it did not take waits in the file."""
_CLOCKS_DIFFER_NS: Final = 5 * MINUTE_NS
_LOOK_EVERY_S: Final = 0.2


class AlertPush:
    """Takes turns in order of ending, then judges and tells. ``state`` is the file with what was told before.

    ``lasting_s``: for how long Alertmanager holds what is not told again.

    One at a time has the file, until `close`.

    Raises:
        BackendError: the file cannot be read or written, is none of ours, or another process has it.
    """

    def __init__(
        self,
        table: ThresholdTable,
        state: Path,
        lasting_s: float,
        tell: Callable[[str], None],
        *,
        alertmanager: Target | None = None,
        webhook: Target | None = None,
        links: Links | None = None,
    ) -> None:
        # Closed with this object too: reading may fail before anybody is told.
        self._claim = weakref.finalize(self, os.close, _claimed(state))
        self._pusher = Pusher(state, tell, webhook=webhook)
        self._repeater = None if alertmanager is None else Repeater(alertmanager, tell)
        self._state = state
        self._lasting_ns = round(lasting_s * 1_000_000_000)
        self._tell = tell
        self._judge = Judge(RuleOptions(table=table, links=links or Links()))
        self._minutes = TurnMinutes(table)
        self._now_ns = time.time_ns()
        self._last_ns = 0
        self._kept_from_ns = 0
        self._ahead = 0

    def add(self, turn: Turn) -> None:
        """Count a turn. One that ends in the future is left out, for all others would be long ago."""
        if turn.end_ns > self._now_ns + _CLOCKS_DIFFER_NS:
            self._ahead += 1
            return
        at_ns = min(turn.end_ns, self._now_ns)
        self._minutes.add(turn, at_ns)
        self._last_ns = max(self._last_ns, at_ns)
        if self._last_ns - self._kept_from_ns > REPLAYED_MINUTES * MINUTE_NS:
            self._kept_from_ns = self._last_ns
            self._minutes.forget(self._last_ns - REPLAYED_MINUTES * MINUTE_NS)

    def push(self) -> bool:
        """Judge at the end of the last turn, and tell what has changed; whether all of it was taken.

        Without any turn nothing is judged: what was told stays, and what waits is sent.
        """
        if self._last_ns:
            firing = firing_at(self._last_ns, self._judge, self._minutes)
            self._pusher.take(gone_on(self._pusher.standings, firing, self._now_ns), self._now_ns)
        if self._ahead:
            self._tell(f"{self._ahead:,} turns end in the future and were not judged for alerts")
        if self._minutes.left_out:
            self._tell(f"{self._minutes.left_out:,} figures of too many agents were not judged for alerts")
        self._pusher.deliver(time.time_ns)  # before Alertmanager, which may hang, and again after it
        taken = self._tell_alertmanager()
        waiting = self._deliver()
        if waiting:
            self._tell(f"{waiting:,} notices for the webhook wait in {self._state} for the next time")
        return taken and not waiting and not self._pusher.counts.failed

    def close(self) -> None:
        """Let another process have the file."""
        self._claim()

    def _tell_alertmanager(self) -> bool:
        if self._repeater is None:
            return True
        told, until_ns = self._pusher.to_repeat, self._now_ns + self._lasting_ns
        for pause_s in _RETRY_AFTER_S:
            if self._repeater.tell(told, until_ns):
                return True
            time.sleep(pause_s)
        return self._repeater.tell(told, until_ns)

    def _deliver(self) -> int:
        """Send what the webhook is to be told; how many notices are left."""
        deadline = time.monotonic() + _PATIENCE_S
        self._pusher.deliver(time.time_ns)
        while (waiting := self._pusher.counts.waiting) and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY_S)
            self._pusher.deliver(time.time_ns)
        return waiting


def _claimed(state: Path) -> int:
    """A descriptor that holds a lock beside the file, which itself is replaced whenever it is written."""
    beside = state.with_name(f"{state.name}.lock")
    try:
        descriptor = os.open(beside, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        message = f"{state} cannot be written: {reason_of(error)}. Name another file: --alert-state FILE"
        raise BackendError(message) from None
    if sys.platform != "win32":
        import fcntl  # noqa: PLC0415 - Windows has none

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            message = f"another process tells alerts from {state} now; give each its own with --alert-state FILE"
            raise BackendError(message) from None
    return descriptor
