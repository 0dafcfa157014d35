"""What a monitor is, and how one is described."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..core.types import Severity

MonitorFn = Callable[[Any, str, dict], None]


@dataclass
class MonitorSpec:
    """The description of a monitor to build."""

    name: str
    type: str
    params: dict = field(default_factory=dict)
    severity: Severity = Severity.MINOR
