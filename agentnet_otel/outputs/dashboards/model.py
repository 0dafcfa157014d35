"""Dashboards as values."""

from dataclasses import dataclass
from enum import Enum


class Unit(str, Enum):
    """Grafana's names of units."""

    SECONDS = "s"
    PERCENT_UNIT = "percentunit"
    PER_MINUTE = "cpm"
    TOKENS = "locale"
    USD = "currencyUSD"
    COUNT = "short"
    BYTES = "bytes"
    FACTOR = "none"


class Kind(str, Enum):
    """How a panel draws."""

    LINES = "lines"
    STACK = "stack"
    STAT = "stat"
    TABLE = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question, and what its series are called. ``exemplars``: single turns are shown too."""

    expr: str
    legend: str = ""
    exemplars: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Where warning and critical begin; ``higher_is_better``: below them it is bad."""

    warning: float
    critical: float
    higher_is_better: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelSpec:
    """One panel. ``runbooks`` are names of alerts; ``traces``: it links to the traces of whom it shows."""

    title: str
    description: str
    unit: Unit
    kind: Kind
    queries: tuple[Query, ...]
    limits: Limits | None = None
    runbooks: tuple[str, ...] = ()
    traces: bool = True
    width: int = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardSpec:
    """One dashboard; its ``uid`` is the end of its address."""

    uid: str
    title: str
    description: str
    rows: tuple[tuple[str, tuple[PanelSpec, ...]], ...]
