"""Nodes of the agents that LangGraph and LangChain build: some libraries take them for agents."""

from typing import Final

_NODES: Final = frozenset({"agent", "model", "tools", "generate_structured_response"})
_HOOKS: Final = (".before_", ".after_", "_model_hook")
"""In the names of nodes that middleware adds."""


def is_node_of_agent(name: str) -> bool:
    """Whether a node of this name is a step of an agent, and none itself."""
    return name in _NODES or any(hook in name for hook in _HOOKS)
