"""Baselines: turns kept in a file, so that later ones can be compared with them.

A baseline keeps what was measured, never only statistics of it: a better test, or a reader with doubts, finds all that
is needed. Names of sessions do not get into the file, only which turns belong together.
"""

import os
import random
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Final

import msgspec

from agentnet_otel._version import __version__
from agentnet_otel.core.observations import Observation, observation_of
from agentnet_otel.core.regression import DEFAULT_FACTOR, Comparison, compare
from agentnet_otel.errors import BackendError, ConfigurationError, reason_of
from agentnet_otel.model import Outcome, Turn
from agentnet_otel.outputs.json_text import strict_json
from agentnet_otel.outputs.whole_files import replace_file
from agentnet_otel.performance.benchmark import BenchmarkResult
from agentnet_otel.performance.observed import observations_of

SCHEMA_VERSION: Final = 1
"""Of the file. Grows when a key changes its meaning or goes; new keys do not change it."""
KIND: Final = "agentnet-otel baseline"
MAX_SAMPLES: Final = 10_000
"""Turns kept. Of more turns, so many are drawn at random (the same ones each time), and the file says of how many."""
MAX_FILE_BYTES: Final = 64 * 1024 * 1024
"""No baseline is so large; what is, is not read."""
MAX_NAMES: Final = 100
"""Agents, and models, whose names are kept, those with most turns first."""
MAX_NAME_LENGTH: Final = 200

VOLATILE_PREFIX: Final = "load"
"""Facts of an environment that are never twice the same begin so; they are kept, but are no mismatch."""
_LISTED: Final = 5
"""Names that one sentence lists."""
_NANOS_PER_SECOND: Final = 1_000_000_000

_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What the decoder raises on what somebody else wrote."""

_Count = Annotated[int, msgspec.Meta(ge=0)]
_Amount = Annotated[float, msgspec.Meta(ge=0)]


class SampleRow(msgspec.Struct, frozen=True, kw_only=True):
    """One turn in the file; null is unknown. ``session``: turns with the same number belong together."""

    outcome: Outcome | None = None
    latency_ms: _Amount | None = None
    tokens: _Amount | None = None
    cost_usd: _Amount | None = None
    session: _Count | None = None


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    """The file."""

    kind: str
    schema_version: int
    agentnet_otel_version: str
    created_at_unix_nano: _Count
    name: str | None = None
    turns: _Count
    agents: dict[str, _Count] = {}
    models: dict[str, _Count] = {}
    environment: dict[str, str] | None = None
    samples: list[SampleRow]


class _Head(msgspec.Struct, frozen=True):
    """What tells whether a file is one of ours, and which."""

    kind: str = ""
    schema_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """Turns to compare with.

    ``turns``: how many there were, of which ``samples`` are kept (at most `MAX_SAMPLES`). ``agents`` and ``models``:
    in how many turns each took part. ``environment`` is None where nobody told it.
    """

    samples: tuple[SampleRow, ...]
    turns: int
    agents: Mapping[str, int] = field(default_factory=dict)
    models: Mapping[str, int] = field(default_factory=dict)
    environment: Mapping[str, str] | None = None
    name: str | None = None
    created_ns: int = 0
    version: str = __version__

    @classmethod
    def of_turns(
        cls,
        turns: Sequence[Turn],
        *,
        environment: Mapping[str, str] | None = None,
        name: str | None = None,
        created_ns: int | None = None,
    ) -> "Baseline":
        """A baseline of turns of any source. ``created_ns``: epoch nanoseconds; without it when the last turn ended."""
        builder = BaselineBuilder()
        for turn in turns:
            builder.add(observation_of(turn), turn.models, turn.end_ns)
        return builder.built(environment=environment, name=name, created_ns=created_ns)

    @classmethod
    def of_benchmark(cls, result: BenchmarkResult) -> "Baseline":
        """A baseline of what a benchmark measured: its samples, for they hold operations that failed without a turn."""
        observations = observations_of(result)
        return cls(
            samples=_kept(observations),
            turns=len(observations),
            agents=_most_common(turn.agent for turn in result.turns),
            models=_most_common(model for turn in result.turns for model in turn.models),
            environment=result.environment or None,
            name=result.config.name,
            created_ns=int(result.end_time * _NANOS_PER_SECOND),
        )

    @classmethod
    def load(cls, path: str | Path) -> "Baseline":
        """Read a baseline.

        Raises:
            ConfigurationError: the file cannot be read, or is no baseline, or one of another version.
        """
        document = _document(Path(path))
        return cls(
            samples=tuple(document.samples),
            turns=document.turns,
            agents=document.agents,
            models=document.models,
            environment=document.environment,
            name=document.name,
            created_ns=document.created_at_unix_nano,
            version=document.agentnet_otel_version,
        )

    def save(self, path: str | Path) -> None:
        """Write the baseline; folders are made, and a file that is there is replaced as a whole.

        Raises:
            BackendError: it cannot be written.
        """
        target = Path(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            replace_file(target, self._encoded())
        except OSError as error:
            message = f"the baseline {target} cannot be written: {reason_of(error)}"
            raise BackendError(message) from None

    def compare(
        self, current: "Baseline | Sequence[Turn] | BenchmarkResult", *, factor: float = DEFAULT_FACTOR
    ) -> Comparison:
        """Compare later turns with this baseline; a change counts where it is larger than ``factor``.

        Raises:
            ValueError: ``factor`` is below 1 or not finite.
        """
        if isinstance(current, BenchmarkResult):
            current = Baseline.of_benchmark(current)
        elif not isinstance(current, Baseline):
            current = Baseline.of_turns(current)
        found = compare(_observations(self), _observations(current), factor=factor)
        return replace(found, mismatches=tuple(_mismatches(self, current)))

    def _encoded(self) -> bytes:
        document = _Document(
            kind=KIND,
            schema_version=SCHEMA_VERSION,
            agentnet_otel_version=self.version,
            created_at_unix_nano=self.created_ns,
            name=self.name,
            turns=self.turns,
            agents=dict(self.agents),
            models=dict(self.models),
            environment=None if self.environment is None else dict(self.environment),
            samples=list(self.samples),
        )
        return strict_json(document) + b"\n"


def _observations(baseline: Baseline) -> list[Observation]:
    return [
        Observation(
            latency_ms=row.latency_ms,
            outcome=row.outcome,
            tokens=row.tokens,
            cost_usd=row.cost_usd,
            session=row.session,
        )
        for row in baseline.samples
    ]


class BaselineBuilder:
    """A baseline of turns that come one by one; what is held does not grow with their number."""

    def __init__(self) -> None:
        self._draw = _Draw()
        self._agents: Counter[str] = Counter()
        self._models: Counter[str] = Counter()
        self._newest_ns = 0

    def add(self, seen: Observation, models: Sequence[str], end_ns: int) -> None:
        """Take a turn in; ``end_ns``: epoch nanoseconds."""
        self._draw.add(seen)
        self._agents[(seen.agent or "")[:MAX_NAME_LENGTH]] += 1
        for model in models:
            self._models[model[:MAX_NAME_LENGTH]] += 1
        self._newest_ns = max(self._newest_ns, end_ns)

    def built(
        self,
        *,
        environment: Mapping[str, str] | None = None,
        name: str | None = None,
        created_ns: int | None = None,
    ) -> Baseline:
        """As `Baseline.of_turns`."""
        return Baseline(
            samples=_rows_of(self._draw.drawn()),
            turns=self._draw.seen,
            agents=dict(self._agents.most_common(MAX_NAMES)),
            models=dict(self._models.most_common(MAX_NAMES)),
            environment=environment or None,
            name=name,
            created_ns=self._newest_ns if created_ns is None else created_ns,
        )


class _Draw:
    """At most `MAX_SAMPLES` of all that come, each with the same probability; the same ones each time."""

    def __init__(self) -> None:
        self.seen = 0
        self._random = random.Random(0)  # noqa: S311 - no cryptography
        self._drawn: list[tuple[int, Observation]] = []

    def add(self, seen: Observation) -> None:
        place = self.seen if self.seen < MAX_SAMPLES else int(self._random.random() * (self.seen + 1))
        if place >= MAX_SAMPLES:
            self.seen += 1
            return
        self._drawn[place : place + 1] = [(self.seen, seen)]
        self.seen += 1

    def drawn(self) -> list[Observation]:
        """In the order in which they came."""
        return [seen for _, seen in sorted(self._drawn, key=itemgetter(0))]


def _kept(observations: Iterable[Observation]) -> tuple[SampleRow, ...]:
    draw = _Draw()
    for seen in observations:
        draw.add(seen)
    return _rows_of(draw.drawn())


def _rows_of(kept: Sequence[Observation]) -> tuple[SampleRow, ...]:
    """Their sessions numbered, for names do not get into the file."""
    numbers: dict[Hashable, int] = {}
    return tuple(
        SampleRow(
            outcome=seen.outcome,
            latency_ms=seen.latency_ms,
            tokens=seen.tokens,
            cost_usd=seen.cost_usd,
            session=None if seen.session is None else numbers.setdefault(seen.session, len(numbers)),
        )
        for seen in kept
    )


def _most_common(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(name[:MAX_NAME_LENGTH] for name in names).most_common(MAX_NAMES))


def _document(path: Path) -> _Document:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_FILE_BYTES:
                message = f"{path} is no baseline: it has more than {MAX_FILE_BYTES:,} bytes"
                raise ConfigurationError(message)
            data = file.read()
    except OSError as error:
        message = f"the baseline {path} cannot be read: {error.strerror}"
        raise ConfigurationError(message) from None
    advice = "Make one with: agentnet-otel check SOURCE --save-baseline FILE"
    try:
        head = msgspec.json.decode(data, type=_Head)
    except _UNREADABLE as error:  # also where it is JSON, but no object
        message = f"{path} is no baseline: {error}. {advice}"
        raise ConfigurationError(message) from None
    if head.kind != KIND:
        message = f"{path} is no baseline: its `kind` is not {KIND!r}. {advice}"
        raise ConfigurationError(message)
    if head.schema_version != SCHEMA_VERSION:
        message = (
            f"{path} is a baseline of schema version {head.schema_version}, and agentnet-otel {__version__} reads "
            f"version {SCHEMA_VERSION} only. {advice}"
        )
        raise ConfigurationError(message)
    try:
        return msgspec.json.decode(data, type=_Document)
    except _UNREADABLE as error:
        message = f"{path} is a damaged baseline: {error}. {advice}"
        raise ConfigurationError(message) from None


def _mismatches(baseline: Baseline, current: Baseline) -> Iterator[str]:
    """Sentences on what differs besides the turns, or is not known."""
    yield from _environment_changes(baseline.environment, current.environment)
    for what, before, now in (
        ("agents", baseline.agents, current.agents),
        ("models", baseline.models, current.models),
    ):
        gone, new = sorted(set(before) - set(now)), sorted(set(now) - set(before))
        if gone:
            yield f"{what} in the baseline only: {_listed(gone)}"
        if new:
            yield f"{what} that the baseline does not have: {_listed(new)}"


def _environment_changes(before: Mapping[str, str] | None, now: Mapping[str, str] | None) -> Iterator[str]:
    unknown = [name for name, side in (("the baseline", before), ("the turns compared with it", now)) if not side]
    if not before or not now:
        yield f"the environment of {' and of '.join(unknown)} is not known: whether it is the same cannot be told"
        return
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key, "unknown"), now.get(key, "unknown")
        if old != new and not key.startswith(VOLATILE_PREFIX):
            yield f"{key} is {new}, in the baseline {old}"


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {rest} more" if rest > 0 else "")
