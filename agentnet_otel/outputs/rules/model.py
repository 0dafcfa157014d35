"""Rules as values; how they are written stands in `rule_text`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Severity(str, Enum):
    """How soon somebody has to look: at once, in working hours, at leisure."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingRule:
    """A question that is answered at each evaluation, and kept under a name."""

    record: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """An alert: true while ``expr`` has a result. Durations are Prometheus' (``5m``)."""

    alert: str
    expr: str
    severity: Severity
    annotations: Mapping[str, str]
    hold: str
    keep_firing: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleGroup:
    """Rules that are evaluated in order. ``interval`` None: as often as the server does."""

    name: str
    rules: tuple[RecordingRule | AlertRule, ...]
    interval: str | None = None
