"""Memory with one working layer, the short-term one."""

import time
from collections import deque
from dataclasses import dataclass, field


@dataclass
class MemoryEntry:
    """One remembered text."""

    content: str
    metadata: dict = field(default_factory=dict)
    timestamp: float = field(default_factory=time.time)
    agent_name: str | None = None
    tags: list = field(default_factory=list)


@dataclass
class MemoryRetrieval:
    """What a look into memory gave."""

    entries: list
    total_tokens: int
    retrieval_time: float
    source_layers: list


class MemoryManager:
    """Stores and retrieves texts; exceptions go to the caller."""

    def __init__(self, config):
        self.config = config
        layer = config.get("memory", {}).get("short_term", {})
        self._entries = deque(maxlen=layer.get("max_entries", 50)) if layer.get("enabled", True) else None

    def store(self, content, agent_name, metadata=None, tags=None):
        """Keep a text; False if no layer is on."""
        if self._entries is None:
            return False
        entry = MemoryEntry(content, dict(metadata or {}), agent_name=agent_name, tags=list(tags or []))
        self._entries.append(entry)
        return True

    def retrieve(self, query, agent_name=None, context=None):
        """Return the recent texts, whatever the query is."""
        started = time.time()
        entries = list(self._entries or [])
        tokens = sum(len(entry.content.split()) for entry in entries)
        layers = [] if self._entries is None else ["short_term"]
        return MemoryRetrieval(entries, tokens, time.time() - started, layers)
