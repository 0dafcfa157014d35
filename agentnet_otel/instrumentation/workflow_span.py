"""A session while it is open: a conversation of one or more agents, in rounds."""

from typing import TYPE_CHECKING

from agentnet_otel.instrumentation.open_span import OpenSpan
from agentnet_otel.instrumentation.outcomes import Ending

if TYPE_CHECKING:
    from agentnet_otel.instrumentation.recorder import Recorder


class WorkflowSpan(OpenSpan):
    """A session: a conversation of one or more agents, in rounds. ``mode`` names it."""

    __slots__ = ("mode", "owner")

    kind_name = "session"

    def __init__(
        self, recorder: "Recorder", mode: str, conversation_id: str | None = None, *, owner: object = None
    ) -> None:
        super().__init__(recorder, conversation_id)
        self.owner = owner
        self.mode = mode

    def note_conversation(self, conversation_id: str) -> None:
        """Learn the conversation id, which frameworks often make after the session began."""
        if self.own_conversation_id is None:
            self.own_conversation_id = conversation_id

    def _open(self) -> None:
        self.recorder.open_workflow(self)

    def _close(self, ending: Ending | None) -> None:
        self.recorder.close_workflow(self, ending)
