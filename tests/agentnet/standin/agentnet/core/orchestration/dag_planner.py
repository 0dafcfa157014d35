"""Graphs of tasks."""

from dataclasses import dataclass, field


@dataclass
class TaskNode:
    """One task; its agent is a name."""

    id: str
    prompt: str
    agent: str
    deps: list = field(default_factory=list)
    metadata: dict = field(default_factory=dict)


@dataclass
class TaskGraph:
    """Tasks by id."""

    nodes: dict
    metadata: dict = field(default_factory=dict)

    def ready(self, done, started):
        """Return the ids not started whose dependencies are all done."""
        return [
            key for key, node in self.nodes.items() if key not in started and set(node.deps) <= set(done)
        ]


class DAGPlanner:
    """Makes graphs and refuses wrong ones."""

    def create_graph_from_nodes(self, nodes):
        """Return the graph; ValueError for doubles, unknown dependencies and cycles."""
        graph = TaskGraph({node.id: node for node in nodes})
        if len(graph.nodes) != len(nodes):
            raise ValueError("two tasks have the same id")
        unknown = {dep for node in nodes for dep in node.deps} - set(graph.nodes)
        if unknown:
            raise ValueError(f"unknown dependencies: {sorted(unknown)}")
        done = []
        while len(done) < len(graph.nodes):
            ready = graph.ready(done, done)
            if not ready:
                raise ValueError("the tasks depend on each other in a cycle")
            done.extend(ready)
        return graph
