"""Tells a webhook: how alerts stand is kept in a file, what changed is sent, and nothing twice.

What a webhook is to be told is written down before it is sent, and that it is being sent, too. Whoever finds a notice
that was being sent when the process was killed cannot know whether it arrived, and does not send it again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from agentnet_otel.errors import BackendError
from agentnet_otel.outputs.alerts.judging import Active
from agentnet_otel.outputs.alerts.lifecycle import Standing, advanced, fingerprint
from agentnet_otel.outputs.alerts.minutes import MINUTE_NS
from agentnet_otel.outputs.alerts.notices import hook_body
from agentnet_otel.outputs.alerts.posting import Posted, Result, Target
from agentnet_otel.outputs.alerts.trouble import Trouble
from agentnet_otel.outputs.whole_files import replace_file

FILE_NAME: Final = "alerts.json"
MAX_NOTICES: Final = 1000
"""Waiting for a webhook; beyond it the oldest is dropped and counted."""
MAX_RESOLVED: Final = 1000
"""Kept for Alertmanager, which may be away."""
TELL_RESOLVED_NS: Final = 15 * MINUTE_NS
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 300.0
POSTS_A_ROUND: Final = 5
"""So that evaluation is not held up by a webhook that hangs."""
GIVE_UP_NS: Final = 24 * 3600 * 1_000_000_000
_NANOS: Final = 1_000_000_000
_MODE: Final = 0o600


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook is to be told. ``sending``: it was being sent when this was written."""

    standing: Standing
    made_ns: int
    not_before_ns: int = 0
    attempts: int = 0
    sending: bool = False


class State(msgspec.Struct, kw_only=True):
    """What the file holds."""

    version: int = 1
    standings: dict[str, Standing] = msgspec.field(default_factory=dict)
    resolved: list[Standing] = msgspec.field(default_factory=list)
    notices: list[Notice] = msgspec.field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class PushCounts:
    """Notices of the webhook, or posts to Alertmanager, since the start; ``firing`` and ``waiting``: now.

    ``sent`` were taken; ``failed`` posts were not; ``unknown`` may have been; ``dropped`` never will be sent.
    """

    sent: int = 0
    failed: int = 0
    unknown: int = 0
    dropped: int = 0
    firing: int = 0
    waiting: int = 0


class Pusher:
    """Keeps how alerts stand, and tells a webhook. One thread uses an instance; ``tell`` gets what goes wrong.

    Raises:
        BackendError: the file cannot be read, or is none of ours.
    """

    def __init__(
        self,
        path: Path,
        tell: Callable[[str], None],
        *,
        webhook: Target | None = None,
    ) -> None:
        self._path = path
        self._tell = tell
        self._webhook = webhook
        self._state = _read(path)
        self._counts = PushCounts()
        self._trouble = Trouble(tell)
        self._give_up_unknown()

    @property
    def counts(self) -> PushCounts:
        """What was sent since the start, and what fires and waits now."""
        firing = sum(standing.firing for standing in self._state.standings.values())
        return replace(self._counts, firing=firing, waiting=len(self._state.notices))

    @property
    def standings(self) -> Mapping[str, Standing]:
        """How alerts stood when they were judged last, by fingerprint."""
        return self._state.standings

    @property
    def to_repeat(self) -> Sequence[Standing]:
        """What Alertmanager is told each time: all that fires, and what was over lately."""
        return [*(one for one in self._state.standings.values() if one.firing), *self._state.resolved]

    def evaluate(self, active: Iterable[Active], now_ns: int) -> None:
        """Take in what is true now, epoch nanoseconds."""
        self.take(advanced(self._state.standings, active, now_ns), now_ns)

    def take(self, standings: dict[str, Standing], now_ns: int) -> None:
        """Keep how alerts stand now, and what the webhook is to be told of it."""
        before = self._state.standings
        changed = [after for key, after in standings.items() if _changed(before.get(key), after)]
        ended = [standing for standing in changed if standing.resolved_ns is not None]
        notices = self._state.notices
        if self._webhook is not None:
            notices = [*notices, *(Notice(standing=standing, made_ns=now_ns) for standing in changed)]
        self._count(dropped=max(0, len(notices) - MAX_NOTICES))
        kept = [one for one in self._state.resolved if now_ns - (one.resolved_ns or 0) < TELL_RESOLVED_NS]
        self._state = State(
            standings=standings, resolved=[*kept, *ended][-MAX_RESOLVED:], notices=notices[-MAX_NOTICES:]
        )
        self._save()

    def deliver(self, clock: Callable[[], int]) -> None:
        """Send the webhook what waits, in order; one that does not take it is left alone for a while."""
        for _ in range(POSTS_A_ROUND):
            if self._webhook is None or not self._state.notices:
                return
            notice = self._state.notices[0]
            if notice.not_before_ns > clock() or not self._send(notice, self._webhook, clock):
                return

    def _send(self, notice: Notice, webhook: Target, clock: Callable[[], int]) -> bool:
        """Send one notice; whether it is done with."""
        sending = msgspec.structs.replace(notice, sending=True, attempts=notice.attempts + 1)
        self._put(notice, sending)
        if not self._save():  # what is not written down could be sent again after a restart
            self._put(sending, notice)
            return False
        posted = webhook.post(hook_body(notice.standing), _key(notice.standing))
        now_ns = clock()
        if posted.result is Result.NOT_TAKEN and now_ns - notice.made_ns < GIVE_UP_NS:
            pause_s = max(posted.pause_s, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(notice.attempts, 20)))
            later = now_ns + round(pause_s * _NANOS)
            self._put(sending, msgspec.structs.replace(sending, sending=False, not_before_ns=later))
            self._failed(webhook, f"{posted.why}; it is tried again")
        else:
            self._put(sending, None)
            self._ended(posted, webhook)
        self._save()
        return posted.result is not Result.NOT_TAKEN

    def _ended(self, posted: Posted, webhook: Target) -> None:
        if posted.result is Result.TAKEN:
            self._count(sent=1)
            self._trouble.over("the webhook")
        elif posted.result is Result.UNKNOWN:
            self._count(unknown=1)
            why = f"the webhook at {webhook.name} {posted.why}; what it may know is not told again"
            self._trouble.say("the webhook", why)
        else:
            self._count(dropped=1)
            self._failed(webhook, f"{posted.why}; what it does not take is not sent again")

    def _give_up_unknown(self) -> None:
        cut = [notice for notice in self._state.notices if notice.sending]
        self._state.notices = [notice for notice in self._state.notices if not notice.sending]
        if cut:
            self._count(unknown=len(cut))
            names = ", ".join(sorted({notice.standing.labels["alertname"] for notice in cut}))
            self._tell(f"the webhook may have been told of {names} when the last process ended; it is not told again")
            self._save()

    def _put(self, old: Notice, new: Notice | None) -> None:
        place = next(place for place, notice in enumerate(self._state.notices) if notice is old)
        self._state.notices[place : place + 1] = [] if new is None else [new]

    def _save(self) -> bool:
        """Write the state for good; whether that succeeded."""
        try:
            replace_file(self._path, msgspec.json.encode(self._state), mode=_MODE)
        except OSError as error:
            why = error.strerror or str(error)
            self._trouble.say("state", f"{self._path} cannot be written ({why}); no webhook is told until it can")
            return False
        self._trouble.over("state")
        return True

    def _failed(self, webhook: Target, why: str) -> None:
        self._count(failed=1)
        self._trouble.say("the webhook", f"the webhook at {webhook.name} {why}")

    def _count(self, *, sent: int = 0, failed: int = 0, unknown: int = 0, dropped: int = 0) -> None:
        counts = self._counts
        self._counts = replace(
            counts,
            sent=counts.sent + sent,
            failed=counts.failed + failed,
            unknown=counts.unknown + unknown,
            dropped=counts.dropped + dropped,
        )


def _key(standing: Standing) -> str:
    """Names what is told, the same for each attempt."""
    return f"{fingerprint(standing.labels)}-{standing.fired_ns}-{standing.status}"


def _changed(before: Standing | None, after: Standing) -> bool:
    """Whether people have to be told: it began to fire, or is over."""
    fired = after.firing and (before is None or before.fired_ns != after.fired_ns)
    return fired or after.resolved_ns is not None


def _read(path: Path) -> State:
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except FileNotFoundError:
        return State()
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise BackendError(message) from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        message = f"{path} does not hold how alerts stand; move it away, and they begin anew"
        raise BackendError(message) from None
