"""Random traces: spans of every role, below each other in any way, with what they may say."""

from dataclasses import dataclass

from hypothesis import strategies as st

from agentnet_otel import semconv
from agentnet_otel.model import SpanKind, SpanRecord
from agentnet_otel.testing import EPOCH_NS, TRACE_ID

OURS = ("turn", "session", "inference", "tool_execution", "memory_access", "policy_check", "orchestration")
OTHERS = ("invoke_agent", "unnamed", "create_agent", "chat", "execute_tool", "search_memory", "plan", "http")
UNDECIDED = ("invoke_workflow", "caller")
"""Whether these are turns depends on what else comes."""
MISSING = 900


@dataclass(frozen=True, kw_only=True)
class Node:
    """A span to be; ``parent`` is the place of another one, None, or (above `MISSING`) one that never comes."""

    role: str
    parent: int | None
    start: int
    length: int
    says: dict


@st.composite
def nodes(draw, roles=OURS + OTHERS + UNDECIDED, max_size=9, remote=(None, False, True), lost=True, circles=True):
    """A list of nodes; their parents may be ``lost``, or stand in ``circles``."""
    size = draw(st.integers(1, max_size))
    found = []
    for place in range(size):
        parents = [None, *range(place)]
        parents += [MISSING + draw(st.integers(0, 2))] if lost else []
        parents += [draw(st.integers(0, size - 1))] if circles else []
        found.append(
            Node(
                role=draw(st.sampled_from(roles)),
                parent=draw(st.sampled_from(parents)),
                start=draw(st.integers(0, 40)),
                length=draw(st.integers(-5, 30)),
                says=draw(_says(size, remote)),
            )
        )
    return found


@st.composite
def _says(draw, size, remote):
    said = {"remote": draw(st.sampled_from(remote)), "service": draw(st.sampled_from(["x", "x", "x", "y"]))}
    for key, strategy in {
        "tokens": st.tuples(st.integers(0, 9), st.integers(0, 9)),
        "cost": st.integers(0, 8).map(lambda quarters: quarters / 4),
        "model": st.sampled_from(["a", "b"]),
        "session": st.sampled_from(["s", "t"]),
        "agent": st.sampled_from(["p", "q"]),
        "turn_id": st.sampled_from([*(f"turn-{place}" for place in range(size)), "lost"]),
    }.items():
        if draw(st.booleans()):
            said[key] = draw(strategy)
    return said


def as_written(found):
    """Nodes that contradict nothing: our spans carry the id of their own turn, and no call has a session of its own.

    (One that arrives, and is let go, long before a turn below it comes, would take its session with it.)
    """
    for node in found:
        if node.role not in {"turn", "session", "invoke_agent"}:
            node.says.pop("session", None)
        place = node.parent
        while place is not None and place < MISSING and found[place].role not in {"turn", "invoke_agent"}:
            place = found[place].parent
        if place is not None and place < MISSING and found[place].role == "turn":
            node.says["turn_id"] = f"turn-{place}"
        elif node.parent is None or node.parent < MISSING:
            node.says.pop("turn_id", None)
    return found


def spans_of(found):
    """The spans of nodes."""
    return [_span(place, node) for place, node in enumerate(found)]


def span_id(place):
    """The id of the span at a place."""
    return format(place + 1, "016x")


def _span(place, node):
    ours = node.role in OURS
    attributes = {**_role_attributes(place, node), **_said(node, ours=ours)}
    parent = None if node.parent is None else span_id(node.parent)
    client = node.role in {"caller", "chat"}
    return SpanRecord(
        trace_id=TRACE_ID,
        span_id=span_id(place),
        parent_span_id=parent,
        parent_is_remote=None if parent is None else node.says["remote"],
        name=node.role,
        kind=SpanKind.CLIENT if client else SpanKind.INTERNAL,
        start_ns=EPOCH_NS + node.start,
        end_ns=EPOCH_NS + node.start + node.length,
        attributes=attributes,
        service_name=node.says["service"],
        scope_name=semconv.SCOPE_NAME if ours else "somebody",
    )


def _role_attributes(place, node):
    if node.role == "turn":
        return {
            semconv.OPERATION_NAME: "invoke_agent",
            semconv.AGENT_NAME: f"agent-{place}",
            semconv.TURN_ID: f"turn-{place}",
        }
    if node.role == "session":
        return {semconv.OPERATION_NAME: "invoke_workflow"}
    if node.role in OURS:
        tool = {semconv.TOOL_NAME: f"tool-{place}"} if node.role == "tool_execution" else {}
        return {semconv.LATENCY_COMPONENT: node.role, **tool}
    if node.role == "http":
        return {"http.request.method": "GET"}
    operation = "invoke_agent" if node.role in {"unnamed", "caller"} else node.role
    named = {semconv.AGENT_NAME: f"agent-{place}"} if node.role in {"invoke_agent", "caller", "create_agent"} else {}
    flow = {semconv.WORKFLOW_NAME: f"flow-{place}"} if node.role == "invoke_workflow" else {}
    tool = {semconv.TOOL_NAME: f"tool-{place}"} if node.role == "execute_tool" else {}
    return {semconv.OPERATION_NAME: operation, **tool, **named, **flow}


def _said(node, *, ours):
    said, attributes = node.says, {}
    whole = node.role in {"turn", "session", "unnamed", "http"}
    if "tokens" in said and node.role not in {"session", "http"}:
        attributes[semconv.USAGE_INPUT_TOKENS], attributes[semconv.USAGE_OUTPUT_TOKENS] = said["tokens"]
    if "cost" in said and node.role not in {"turn", "session", "http"}:
        attributes[semconv.COST_USD if ours else semconv.USAGE_COST] = said["cost"]
    if "model" in said and node.role not in {"session", "http"}:
        attributes[semconv.REQUEST_MODEL] = said["model"]
    if "session" in said and node.role != "http":
        attributes[semconv.CONVERSATION_ID] = said["session"]
    if "agent" in said and not whole and node.role not in {"invoke_agent", "caller", "invoke_workflow"}:
        attributes[semconv.AGENT_NAME] = said["agent"]
    if "turn_id" in said and ours and node.role not in {"turn", "session"} and node.parent is not None:
        attributes[semconv.TURN_ID] = said["turn_id"]
    return attributes
