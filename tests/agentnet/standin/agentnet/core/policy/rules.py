"""Policy rules and their results."""

from dataclasses import dataclass, field

from ..types import Severity

__all__ = ["ConstraintRule", "RuleResult", "Severity"]


@dataclass
class RuleResult:
    """The verdict of one rule."""

    rule_name: str
    passed: bool
    severity: Severity = Severity.MINOR
    description: str = ""
    rationale: str = ""
    error: str | None = None
    metadata: dict = field(default_factory=dict)

    def to_dict(self):
        """Return the verdict as plain data."""
        return {**vars(self), "severity": self.severity.value}


class ConstraintRule:
    """A named check of a context."""

    def __init__(self, name, check_fn, severity=Severity.MINOR, description="", tags=None):
        self.name = name
        self.check_fn = check_fn
        self.severity = severity
        self.description = description
        self.tags = list(tags or [])

    def evaluate(self, context):
        """Return a RuleResult; a raising check is a violation with an error."""
        try:
            verdict = self.check_fn(context)
        except Exception as exc:
            return self._result(False, "the check raised", str(exc))
        if isinstance(verdict, RuleResult):
            return verdict
        if isinstance(verdict, tuple):
            return self._result(bool(verdict[0]), str(verdict[1]))
        return self._result(bool(verdict), "")

    def _result(self, passed, rationale, error=None):
        """Fill in a RuleResult of this rule."""
        return RuleResult(self.name, passed, self.severity, self.description, rationale, error)
