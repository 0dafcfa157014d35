"""The closed vocabularies of agentnet-otel. Each value is the lower-case name, as it stands on spans."""

from enum import Enum


class LatencyComponent(str, Enum):
    """A named part of a turn's latency; `TOTAL` is the turn itself."""

    TOTAL = "total"
    INFERENCE = "inference"
    POLICY_CHECK = "policy_check"
    TOOL_EXECUTION = "tool_execution"
    MEMORY_ACCESS = "memory_access"
    RESPONSE_PROCESSING = "response_processing"
    ORCHESTRATION = "orchestration"


class TokenCategory(str, Enum):
    """What tokens were spent for."""

    REASONING = "reasoning"
    TOOL_CALLS = "tool_calls"
    MEMORY = "memory"
    POLICY = "policy"
    DIALOGUE = "dialogue"
    SYSTEM = "system"


class TokenType(str, Enum):
    """Whether tokens went into a model or came out of it."""

    INPUT = "input"
    OUTPUT = "output"
    TOTAL = "total"


class Outcome(str, Enum):
    """How a turn ended."""

    SUCCESS = "success"
    ERROR = "error"
    FAULT = "fault"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"

    @property
    def failed(self) -> bool:
        """Whether the turn counts as failed in the success rate (a cancelled turn counts on neither side)."""
        return self in _FAILED


_FAILED = frozenset({Outcome.ERROR, Outcome.FAULT, Outcome.TIMEOUT})


class CostSource(str, Enum):
    """Who said what a turn cost, best first."""

    ENGINE = "engine"
    SPAN = "span"
    USER = "user"
    GENAI_PRICES = "genai-prices"
    TABLE = "table"


class MetricsMode(str, Enum):
    """Which rebuilt turns are counted: those that their own application did not count, all, or none."""

    AUTO = "auto"
    ALL = "all"
    NONE = "none"


class QualitySource(str, Enum):
    """Where the quality in a token efficiency comes from, best first."""

    EVALUATED = "evaluated"
    CONFIDENCE = "confidence"
    ASSUMED = "assumed"
