"""Evaluates rules and decides on an action."""

import time
from dataclasses import dataclass, field
from enum import Enum

from ..types import Severity


class PolicyAction(str, Enum):
    """What is to happen to the content."""

    ALLOW = "allow"
    BLOCK = "block"
    TRANSFORM = "transform"
    LOG = "log"
    REQUIRE_APPROVAL = "require_approval"


PASSING = (PolicyAction.ALLOW, PolicyAction.LOG, PolicyAction.TRANSFORM)


@dataclass
class PolicyResult:
    """The outcome of one evaluation."""

    action: PolicyAction
    passed: bool
    rule_results: list = field(default_factory=list)
    violations: list = field(default_factory=list)
    metadata: dict = field(default_factory=dict)
    evaluation_time: float = 0.0

    def to_dict(self):
        """Return the outcome as plain data."""
        return {
            **vars(self),
            "action": self.action.value,
            "rule_results": [item.to_dict() for item in self.rule_results],
            "violations": [item.to_dict() for item in self.violations],
        }


class PolicyEngine:
    """A set of rules with a way to weigh their violations."""

    def __init__(
        self, rules=None, default_action=PolicyAction.ALLOW, strict_mode=False,
        enable_transformations=True, max_violations=5, name="default",
    ):
        self.rules = list(rules or [])
        self.default_action = default_action
        self.strict_mode = strict_mode
        self.enable_transformations = enable_transformations
        self.max_violations = max_violations
        self.name = name

    def evaluate(self, context, tags=None, rules_subset=None):
        """Run the chosen rules on a context and return a PolicyResult."""
        started = time.time()
        chosen = [rule for rule in self.rules if self._chosen(rule, tags, rules_subset)]
        results = [rule.evaluate(context) for rule in chosen]
        violations = [result for result in results if not result.passed]
        action = self._decide(violations)
        return PolicyResult(
            action, action in PASSING, results, violations,
            {"engine_name": self.name, "rules_evaluated": len(results)}, time.time() - started,
        )

    @staticmethod
    def _chosen(rule, tags, subset):
        """Tell whether a rule has one of the tags and is in the subset of names."""
        if tags and not set(tags) & set(rule.tags):
            return False
        return not subset or rule.name in subset

    def _decide(self, violations):
        """Return the action that the violations call for."""
        if not violations:
            return self.default_action
        levels = [item.severity for item in violations]
        majors = levels.count(Severity.MAJOR)
        too_many = majors >= 2 or len(violations) > self.max_violations
        if Severity.SEVERE in levels or self.strict_mode or too_many:
            return PolicyAction.BLOCK
        mendable = any("keyword" in v.rule_name or "length" in v.rule_name for v in violations)
        if self.enable_transformations and mendable:
            return PolicyAction.TRANSFORM
        return PolicyAction.REQUIRE_APPROVAL if majors else PolicyAction.LOG
