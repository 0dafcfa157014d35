"""Dialogues of the stand-in: one mode is enough."""

import time
import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass, field


@dataclass
class DialogueResult:
    """The outcome of a dialogue."""

    session_id: str
    topic: str
    participants: list
    turns: list = field(default_factory=list)
    started: float = field(default_factory=time.time)
    runtime: float = 0.0


class BaseDialogueMode(ABC):
    """What every mode of dialogue can do."""

    @abstractmethod
    def conduct_dialogue(self, agents, topic, rounds=5, **options):
        """Hold the dialogue."""

    @abstractmethod
    async def conduct_async_dialogue(self, agents, topic, rounds=5, **options):
        """Hold the dialogue from a running loop."""


class OuterDialogue(BaseDialogueMode):
    """Agents that answer each other aloud, one by one."""

    def conduct_dialogue(self, agents, topic, rounds=5, **options):
        """Let each agent speak once per round through its enhanced turn."""
        names = [agent.name for agent in agents]
        outcome = DialogueResult(f"dialogue_{uuid.uuid4().hex[:8]}", topic, names)
        prompt = topic
        for number in range(1, rounds + 1):
            for agent in agents:
                tree = agent.generate_reasoning_tree_enhanced(prompt)
                said = tree["result"].get("content", "")
                outcome.turns.append({"agent": agent.name, "round": number, "content": said})
                prompt = f"{topic}\n{agent.name} said: {said}"
        outcome.runtime = time.time() - outcome.started
        return outcome

    async def conduct_async_dialogue(self, agents, topic, rounds=5, **options):
        """Do the same, blocking the running loop (trap 24)."""
        return self.conduct_dialogue(agents, topic, rounds, **options)
