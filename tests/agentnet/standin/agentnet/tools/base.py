"""What a tool is and what it returns."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class ToolStatus(str, Enum):
    """How a tool call ended."""

    SUCCESS = "success"
    ERROR = "error"
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"
    AUTH_FAILED = "auth_failed"
    BLOCKED = "blocked"


@dataclass
class ToolResult:
    """The outcome of a tool call."""

    status: ToolStatus
    data: Any = None
    error_message: str | None = None
    execution_time: float = 0.0
    metadata: dict | None = None

    def to_dict(self):
        """Return the outcome as plain data."""
        return {**vars(self), "status": self.status.value}


@dataclass
class ToolSpec:
    """The description of a tool; schema is a small JSON schema."""

    name: str
    description: str
    schema: dict
    rate_limit_per_min: int | None = None
    auth_required: bool = False
    timeout_seconds: float = 30.0
    cached: bool = False
    metadata: dict = field(default_factory=dict)


JSON_TYPES = {
    "string": str, "integer": int, "number": (int, float),
    "boolean": bool, "array": list, "object": dict,
}


class Tool(ABC):
    """A thing that an agent can run."""

    def __init__(self, spec):
        self.spec = spec

    @abstractmethod
    async def execute(self, parameters, context=None):
        """Run with checked parameters and return a ToolResult."""

    def check_parameters(self, parameters):
        """Return what is wrong with the parameters, or None."""
        for key in self.spec.schema.get("required", []):
            if key not in parameters:
                return f"missing parameter: {key}"
        for key, rule in self.spec.schema.get("properties", {}).items():
            wanted = JSON_TYPES.get(rule.get("type"), object)
            if key in parameters and not isinstance(parameters[key], wanted):
                return f"wrong type of parameter: {key}"
        return None
