"""Tells Alertmanager how alerts stand, again and again: it takes the same alert any number of times."""

from collections.abc import Callable, Sequence
from typing import Final

from agentnet_otel.outputs.alerts.lifecycle import Standing
from agentnet_otel.outputs.alerts.minutes import MINUTE_NS
from agentnet_otel.outputs.alerts.notices import api_body
from agentnet_otel.outputs.alerts.posting import Result, Target
from agentnet_otel.outputs.alerts.trouble import Trouble

ALERTMANAGER_PATH: Final = "/api/v2/alerts"
ENDS_AFTER_NS: Final = 4 * MINUTE_NS
"""What nobody tells Alertmanager again for so long is over: four evaluations, as with Prometheus."""


class Repeater:
    """One Alertmanager. One thread tells; ``sent`` and ``failed`` count posts and may be read from anywhere."""

    def __init__(self, alertmanager: Target, tell: Callable[[str], None]) -> None:
        self._target = alertmanager.below(ALERTMANAGER_PATH)
        self._trouble = Trouble(tell)
        self.sent = 0
        self.failed = 0

    def tell(self, standings: Sequence[Standing], until_ns: int) -> bool:
        """Tell how alerts stand; what fires ends at ``until_ns`` unless it is told again. Whether it was taken."""
        if not standings:
            return True
        posted = self._target.post(api_body(standings, until_ns))
        if posted.result is Result.TAKEN:
            self.sent += 1
            self._trouble.over("Alertmanager")
            return True
        self.failed += 1
        why = f"Alertmanager at {self._target.name} {posted.why}; it is told again with the next evaluation"
        self._trouble.say("Alertmanager", why)
        return False
