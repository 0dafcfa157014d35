"""The closed vocabularies of agentnet-otel. Each value is the lower-case name, as it stands on spans."""

from enum import Enum


class _Word(str, Enum):
    """A member that is its value. It hashes as the text that it equals, which takes a tenth of what `Enum` does."""

    __hash__ = str.__hash__


class LatencyComponent(_Word):
    """A named part of a turn's latency; `TOTAL` is the turn itself."""

    TOTAL = "total"
    INFERENCE = "inference"
    POLICY_CHECK = "policy_check"
    TOOL_EXECUTION = "tool_execution"
    MEMORY_ACCESS = "memory_access"
    RESPONSE_PROCESSING = "response_processing"
    ORCHESTRATION = "orchestration"


class TokenCategory(_Word):
    """What tokens were spent for."""

    REASONING = "reasoning"
    TOOL_CALLS = "tool_calls"
    MEMORY = "memory"
    POLICY = "policy"
    DIALOGUE = "dialogue"
    SYSTEM = "system"


class TokenType(_Word):
    """Whether tokens went into a model or came out of it."""

    INPUT = "input"
    OUTPUT = "output"
    TOTAL = "total"


class Outcome(_Word):
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


class CostSource(_Word):
    """Who said what a turn cost, best first."""

    ENGINE = "engine"
    SPAN = "span"
    USER = "user"
    GENAI_PRICES = "genai-prices"
    TABLE = "table"


class MetricsMode(_Word):
    """Which rebuilt turns are counted: those that their own application did not count, all, or none."""

    AUTO = "auto"
    ALL = "all"
    NONE = "none"


class QualitySource(_Word):
    """Where the quality in a token efficiency comes from, best first."""

    EVALUATED = "evaluated"
    CONFIDENCE = "confidence"
    ASSUMED = "assumed"
