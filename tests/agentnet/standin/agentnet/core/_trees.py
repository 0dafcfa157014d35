"""Builders of the dicts that a reasoning call returns."""

import time
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Run:
    """What one reasoning call knows about itself."""

    agent: Any
    task: str
    metadata: dict | None
    trace: list | None
    autoconfig: dict | None
    enhanced_task: str = ""
    retrieval: dict | None = None
    started: float = field(default_factory=time.time)

    def common(self, kind, result):
        """Return the keys that all trees share."""
        now = time.time()
        return {
            "root": f"{self.agent.name}_{kind}",
            "result": result,
            "agent": self.agent.name,
            "task": self.task,
            "enhanced_task": self.enhanced_task,
            "runtime": now - self.started,
            "timestamp": now,
            "monitor_trace": self.trace,
        }

    def memory_keys(self):
        """Return the two keys about memory."""
        return {"memory_retrieval": self.retrieval, "memory_used": self.retrieval is not None}


def success_tree(run, result):
    """Return the tree of an answer."""
    tree = run.common("reasoning", result)
    tree.update(run.memory_keys(), style=dict(run.agent.style), metadata=dict(run.metadata or {}))
    if run.autoconfig is not None:
        tree["autoconfig"] = run.autoconfig
    return tree


def error_tree(run, error, label, with_memory):
    """Return the tree that hides an exception (trap 2)."""
    content = f"[{run.agent.name}] {label}: {error}"
    tree = run.common("error", {"content": content, "confidence": 0.0, "error": True})
    tree["metadata"] = {"error": str(error)}
    if with_memory:
        tree.update(run.memory_keys())
    return tree


def fault_tree(run, fault):
    """Return the tree of an answer that a monitor refused."""
    content = f"[{run.agent.name}] Cognitive fault: {fault.message}"
    tree = run.common("fault", {"content": content, "confidence": 0.1, "fault": True})
    tree.update(run.memory_keys(), style=dict(run.agent.style))
    tree["metadata"] = {"cognitive_fault": fault.to_dict()}
    return tree
