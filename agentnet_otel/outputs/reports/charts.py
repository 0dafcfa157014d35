"""What charts show, before any format: figures and the words on them. How they are drawn is the format's business.

Durations are milliseconds, times are epoch nanoseconds. Names may come with the data; a format has to escape them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A line that figures are judged by. ``critical`` false: it is the recommended limit."""

    text: str
    value: float
    critical: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """``count`` values of at least ``low`` and below ``high``."""

    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """A distribution over a logarithmic axis of durations."""

    bins: tuple[Bin, ...]
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A duration with its interval, where there is one."""

    name: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """Durations with intervals, one below the other."""

    rows: tuple[Estimate, ...]
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A component's part of a whole."""

    component: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A whole made of parts; ``text`` is the whole in words."""

    name: str
    text: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stacks:
    """Wholes made of the same components, one below the other."""

    rows: tuple[Stack, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Values over time."""

    name: str
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Durations over time."""

    lines: tuple[Line, ...]
    first_ns: int
    last_ns: int
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One value, and how it is written."""

    name: str
    value: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Values, one below the other."""

    rows: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that took ``duration_ms`` and began ``start_ms`` after the turn. ``component`` gives its colour."""

    name: str
    component: str
    start_ms: float
    duration_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """What one turn's time went into."""

    name: str
    text: str
    duration_ms: float
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfalls:
    """Several turns."""

    rows: tuple[Waterfall, ...]


Drawing = Histogram | Estimates | Stacks | Lines | Bars | Waterfalls
