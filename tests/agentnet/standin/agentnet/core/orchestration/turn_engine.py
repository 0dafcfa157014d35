"""Sessions of turns, for one agent or for several one by one."""

import asyncio
import inspect
import logging
import time
import uuid
from dataclasses import dataclass, field
from enum import Enum

logger = logging.getLogger(__name__)

END_WORDS = ("complete", "finished", "done", "concluded", "final")
TURNS_PER_SINGLE_ROUND = 3


class TurnMode(str, Enum):
    """How the agents are addressed; only the prompts differ."""

    SINGLE_AGENT = "single_agent"
    ROUND_ROBIN = "round_robin"
    DEBATE = "debate"
    BRAINSTORM = "brainstorm"
    CONSENSUS = "consensus"


class SessionStatus(str, Enum):
    """How a session ended."""

    ACTIVE = "active"
    COMPLETED = "completed"
    MAX_TURNS_REACHED = "max_turns_reached"
    MAX_ROUNDS_REACHED = "max_rounds_reached"
    CONSENSUS_REACHED = "consensus_reached"
    POLICY_VIOLATION = "policy_violation"
    TIMEOUT = "timeout"
    ERROR = "error"


MODE_HINTS = {
    TurnMode.SINGLE_AGENT: "Go on with",
    TurnMode.ROUND_ROBIN: "Add your view on",
    TurnMode.DEBATE: "Argue for or against",
    TurnMode.BRAINSTORM: "Give new ideas on",
    TurnMode.CONSENSUS: "Look for common ground on",
}


@dataclass
class TurnResult:
    """One turn of one agent."""

    turn_id: str
    agent_id: str
    round_number: int
    turn_number: int
    content: str
    confidence: float
    timestamp: float = field(default_factory=time.time)
    metadata: dict = field(default_factory=dict)
    policy_violations: list = field(default_factory=list)
    raw_response: dict | None = None


@dataclass
class SessionResult:
    """A session and its turns."""

    session_id: str
    mode: TurnMode
    status: SessionStatus = SessionStatus.ACTIVE
    turns: list = field(default_factory=list)
    start_time: float = field(default_factory=time.time)
    end_time: float | None = None
    total_turns: int = 0
    total_rounds: int = 0
    agents_involved: list = field(default_factory=list)
    final_consensus: dict | None = None
    metadata: dict = field(default_factory=dict)


def _prompt(mode, topic, turns):
    """Return the topic at first, later a hint of the mode with the last answer."""
    if not turns:
        return topic if mode is TurnMode.SINGLE_AGENT else f"{MODE_HINTS[mode]}: {topic}"
    return f"{MODE_HINTS[mode]}: {topic}\nLast answer, by {turns[-1].agent_id}: {turns[-1].content}"


def _repeats(turns):
    """Tell whether the last three turns mostly reuse the words of the three before."""
    if len(turns) < 6:
        return False
    older, newer = (
        {word for turn in part for word in turn.content.lower().split()}
        for part in (turns[-6:-3], turns[-3:])
    )
    return len(older & newer) > 0.8 * len(older | newer)


class TurnEngine:
    """Runs sessions; its ids and context never reach the agents (trap 8)."""

    def __init__(
        self, max_turns=50, max_rounds=10, turn_timeout=30.0, session_timeout=300.0,
        consensus_threshold=0.8, policy_engine=None, event_callbacks=None,
    ):
        self.max_turns = max_turns
        self.max_rounds = max_rounds
        self.turn_timeout = turn_timeout
        self.session_timeout = session_timeout
        self.consensus_threshold = consensus_threshold
        self.policy_engine = policy_engine
        self.event_callbacks = event_callbacks or {}

    async def execute_single_agent_session(
        self, agent, initial_prompt, context=None, termination_conditions=None
    ):
        """Run turns of one agent until it is sure, says so, or a limit is met."""
        session = self._open("single", TurnMode.SINGLE_AGENT, [agent], context)

        async def step():
            number = len(session.turns) + 1
            turn = await self._execute_agent_turn(
                agent=agent, prompt=_prompt(session.mode, initial_prompt, session.turns),
                session_id=session.session_id, round_number=session.total_rounds + 1,
                turn_number=number, context=context,
            )
            session.turns.append(turn)
            session.total_rounds = number // TURNS_PER_SINGLE_ROUND
            ended = any(word in turn.content.lower() for word in END_WORDS)
            if ended or turn.confidence >= self.consensus_threshold:
                return SessionStatus.COMPLETED
            return None

        await self._drive(session, step)
        session.total_rounds = -(-len(session.turns) // TURNS_PER_SINGLE_ROUND)
        return session

    async def execute_multi_agent_session(
        self, agents, topic, mode=TurnMode.ROUND_ROBIN, context=None, termination_conditions=None
    ):
        """Run rounds of several agents until they agree, repeat, or a limit is met."""
        if len(agents) < 2:
            raise ValueError("a multi-agent session needs two agents or more")
        session = self._open("multi", mode, agents, context)

        async def step():
            turns = await self._execute_round(
                agents=agents, topic=topic, mode=mode, session=session,
                round_number=session.total_rounds + 1, turn_number=len(session.turns) + 1,
                context=context,
            )
            session.turns.extend(turns)
            session.total_rounds += 1
            if turns and all(turn.confidence >= self.consensus_threshold for turn in turns):
                mean = sum(turn.confidence for turn in turns) / len(turns)
                session.final_consensus = {"content": turns[-1].content, "confidence": mean}
                return SessionStatus.CONSENSUS_REACHED
            return SessionStatus.COMPLETED if _repeats(session.turns) else None

        await self._drive(session, step)
        return session

    def _open(self, prefix, mode, agents, context):
        """Return a new session."""
        session_id = f"{prefix}_{uuid.uuid4().hex[:8]}"
        names = [agent.name for agent in agents]
        return SessionResult(session_id, mode, agents_involved=names, metadata={"context": context or {}})

    async def _drive(self, session, step):
        """Call step until it or a limit gives a status; limits count between steps only."""
        status = None
        try:
            while status is None:
                status = self._limit(session) or await step()
                if session.turns and session.turns[-1].policy_violations:
                    status = SessionStatus.POLICY_VIOLATION
        except Exception as exc:
            status = SessionStatus.ERROR
            session.metadata["error"] = str(exc)
        session.status = status
        session.total_turns = len(session.turns)
        session.end_time = time.time()

    def _limit(self, session):
        """Return the status of a limit that is met, or None."""
        if time.time() - session.start_time > self.session_timeout:
            return SessionStatus.TIMEOUT
        if len(session.turns) >= self.max_turns:
            return SessionStatus.MAX_TURNS_REACHED
        return SessionStatus.MAX_ROUNDS_REACHED if session.total_rounds >= self.max_rounds else None

    async def _execute_round(
        self, agents, topic, mode, session, round_number, turn_number, context=None
    ):
        """Let each agent take a turn, one by one."""
        turns = []
        for number, agent in enumerate(agents, turn_number):
            turns.append(
                await self._execute_agent_turn(
                    agent=agent, prompt=_prompt(mode, topic, session.turns + turns),
                    session_id=session.session_id, round_number=round_number,
                    turn_number=number, context=context,
                )
            )
        return turns

    async def _execute_agent_turn(
        self, agent, prompt, session_id, round_number, turn_number, context=None
    ):
        """Run one turn under the turn time-out, then the policy, then the callback."""
        def result(content, **more):
            turn_id = f"{session_id}_t{turn_number}"
            more.setdefault("confidence", 0.0)
            return TurnResult(turn_id, agent.name, round_number, turn_number, content, **more)

        try:
            await self._emit("on_turn_start", session_id, agent.name, turn_number, round_number)
            tree = await asyncio.wait_for(
                agent.async_generate_reasoning_tree(prompt), timeout=self.turn_timeout
            )
            answer = tree.get("result", {})
            turn = result(
                str(answer.get("content", "")), confidence=answer.get("confidence", 0.0),
                policy_violations=self._violations(tree), raw_response=tree,
            )
            await self._emit("on_turn_end", session_id, agent.name, turn)
            return turn
        except asyncio.TimeoutError:
            return result(f"[TIMEOUT] Agent {agent.name} timed out", metadata={"timeout": True})
        except Exception as exc:
            return result(f"[ERROR] {exc}", metadata={"error": str(exc)})

    def _violations(self, tree):
        """Ask the policy engine; any answer but a list is ignored (trap 16)."""
        if self.policy_engine is None:
            return []
        verdict = self.policy_engine.evaluate(tree)
        return [item.to_dict() for item in verdict] if isinstance(verdict, list) else []

    async def _emit(self, event, *args):
        """Call the callback of an event; its failures are only logged."""
        callback = self.event_callbacks.get(event)
        if callback is None:
            return
        try:
            outcome = callback(*args)
            if inspect.isawaitable(outcome):
                await outcome
        except Exception as exc:
            logger.error("callback %s failed: %s", event, exc)
