"""From the plain spans of one trace straight to its turns, whole or as rows.

This is the short way of what `assembler`, `trace_tree` and `reconstruction` do, for traces in which there is nothing
to decide: every span has its parent, every turn says that it is one, and nothing is told twice. Whatever is not so
simple is left to them: a trace (`rows_of_trace` gives None then), or a single turn of it. That both ways give the same
rows is tested on generated traces and on every recording; how much shorter this one is, `benchmarks` shows.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Final, Generic, TypeVar

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core.cost import PriceBook
from agentnet_otel.core.dialects.dialect import raised_in, violations_in
from agentnet_otel.core.dialects.genai import GENAI
from agentnet_otel.core.dialects.own import OWN
from agentnet_otel.core.efficiency import efficiency_of, quality_of
from agentnet_otel.core.intervals import ComponentInterval, self_times
from agentnet_otel.core.observations import NANOS_PER_MS
from agentnet_otel.core.plain_kinds import TURN, Said, first, kind_of
from agentnet_otel.core.plain_span import OTHER, PlainSpan, member_of_plain
from agentnet_otel.core.plain_usage import CATEGORIES, SPENDING, PlainUsage, cost_source_of, usage_of_calls
from agentnet_otel.core.reconstruction import outcome_of_failure, reconstruct
from agentnet_otel.core.turn_parts import TurnParts
from agentnet_otel.core.turn_row import EndingKey, TurnRow, ending_key, row_of
from agentnet_otel.core.usage import PURPOSEFUL
from agentnet_otel.model import LatencyComponent, Outcome, QualitySource, SpanKind, StatusCode, TokenCategory, Turn

T = TypeVar("T")
Told = tuple[EndingKey, TurnRow]


class PlainTold(msgspec.Struct, Generic[T], gc=False):
    """What is told of the turns of a trace, and what `Counts` says of it."""

    turns: list[tuple[EndingKey, T]]
    outside: int = 0
    clipped: int = 0


MAX_DEPTH: Final = 100
"""Spans above each other, up to a turn or the root; what is deeper takes the general way."""

_INFERENCE: Final = LatencyComponent.INFERENCE.value
_TOOL: Final = LatencyComponent.TOOL_EXECUTION.value
_ORCHESTRATION: Final = LatencyComponent.ORCHESTRATION.value
_ORDER: Final[tuple[str, ...]] = tuple(component.value for component in LatencyComponent)
AGENTS: Final = {True: OWN.agent, False: GENAI.agent}
SESSIONS: Final = {True: OWN.session, False: GENAI.session}
SUBJECTS: Final = {True: OWN.subject, False: GENAI.subject}
_CATEGORY_KEYS: Final = tuple((semconv.TURN_TOKENS_PREFIX + c.value, c.value) for c in TokenCategory)
_OUTCOMES: Final = frozenset(outcome.value for outcome in Outcome)
_SUCCESS: Final = Outcome.SUCCESS.value
_QUALITY_SOURCES: Final = frozenset(source.value for source in QualitySource)
_BY_START: Final = attrgetter("start_ns", "span_id")


class PlainTurn(msgspec.Struct, gc=False):
    """A turn in the making."""

    root: PlainSpan
    below: list[PlainSpan]
    nested: list[PlainSpan]


Simple = Callable[[PlainTurn, Mapping[str, PlainSpan], str | None, PriceBook | None], tuple[EndingKey, T] | None]
"""What makes something of a turn that leaves nothing to decide, with all spans by id, and the session around it."""


def rows_of_trace(spans: Sequence[PlainSpan], prices: PriceBook | None) -> PlainTold[TurnRow] | None:
    """The rows of all turns of a trace; None where it is not so simple."""
    return told_of_trace(spans, prices, _simple_row, row_of)


def told_of_trace(
    spans: Sequence[PlainSpan], prices: PriceBook | None, simple: Simple[T], make: Callable[[Turn], T]
) -> PlainTold[T] | None:
    """What ``simple`` makes of each turn of a trace, and ``make`` where it cannot; None where it is not so simple."""
    by_id = {span.span_id: span for span in spans}
    if len(by_id) != len(spans):
        return None
    turns: dict[str, PlainTurn] = {}
    for span in spans:
        kind = kind_of(span)
        if kind is None:
            return None
        span.what = kind
        if kind is TURN:
            if span.kind == SpanKind.CLIENT:
                return None  # it may call a remote turn
            turns[span.span_id] = PlainTurn(span, [], [])
    outside = _share_out(by_id, turns)
    if outside is None:
        return None
    told: PlainTold[T] = PlainTold([], outside)
    try:
        for turn in turns.values():
            made, clipped = told_of_turn(turn, by_id, _session_around(turn.root, by_id), prices, simple, make)
            told.turns.append(made)
            told.clipped += clipped
    except _TooDeepError:
        return None
    return told


def told_of_turn(
    turn: PlainTurn,
    by_id: Mapping[str, PlainSpan],
    session: str | None,
    prices: PriceBook | None,
    simple: Simple[T],
    make: Callable[[Turn], T],
) -> tuple[tuple[EndingKey, T], int]:
    """What `told_of_trace` tells of one turn, and how many of its spans were clipped."""
    made = simple(turn, by_id, session, prices)
    if made is not None:
        return made, 0
    whole = general_turn(turn, session, prices)
    return (ending_key(whole), make(whole)), whole.clipped_spans


Odd = Callable[
    [PlainSpan, list[PlainSpan], list[PlainSpan], str | None, PriceBook | None], tuple[tuple[EndingKey, T], int]
]
"""What `told_of_turn` gives of a turn's own span, those below it, and those of turns in it."""


def odd_turn_by(simple: Simple[T], make: Callable[[Turn], T]) -> Odd[T]:
    """What makes something of one turn where that is not so simple, and of others of its trace it is."""

    def told(
        root: PlainSpan, below: list[PlainSpan], nested: list[PlainSpan], session: str | None, prices: PriceBook | None
    ) -> tuple[tuple[EndingKey, T], int]:
        for span in below:
            span.what = kind_of(span) or OTHER
        for span in nested:
            span.what = TURN
        by_id = {span.span_id: span for span in below}
        return told_of_turn(PlainTurn(root, below, nested), by_id, session, prices, simple, make)

    return told


def _share_out(by_id: Mapping[str, PlainSpan], turns: Mapping[str, PlainTurn]) -> int | None:
    """Put each span to its turn; returns how many calls lie in none, or None where the way up is not whole."""
    outside = 0
    for span_id, span in by_id.items():
        kind, parent = span.what, span.parent_span_id
        if not parent or parent not in by_id:
            if kind is not TURN and (parent or semconv.TURN_ID in span.attributes):
                return None
            outside += kind.call
            continue
        seen = 0
        while parent not in turns:
            above = by_id.get(parent)
            parent = "" if above is None else above.parent_span_id
            seen += 1
            if not parent or seen > MAX_DEPTH:
                break
        turn = turns.get(parent)
        if turn is None:
            if seen > MAX_DEPTH:
                return None
            outside += kind.call
        elif kind is not TURN:
            turn.below.append(span)
        elif span.origin.ours and parent != span_id:
            turn.nested.append(span)
        else:
            return None
    return outside


def _session_around(root: PlainSpan, by_id: Mapping[str, PlainSpan]) -> str | None:
    """The session that the nearest span around a turn names.

    Raises:
        _TooDeepError: there are too many around it.
    """
    above = by_id.get(root.parent_span_id)
    for _ in range(MAX_DEPTH):
        if above is None:
            return None
        session = first(above.attributes, SESSIONS[above.origin.ours])
        if session is not None:
            return str(session)
        above = by_id.get(above.parent_span_id)
    raise _TooDeepError


class _TooDeepError(Exception):
    """A trace is deeper than the short way goes."""


def general_turn(turn: PlainTurn, session: str | None, prices: PriceBook | None) -> Turn:
    """The turn as the general way makes it, whatever there is to decide in it."""
    parts = TurnParts(
        root=member_of_plain(turn.root),
        root_id=turn.root.span_id,
        below=[member_of_plain(span) for span in turn.below],
        nested=[member_of_plain(span) for span in turn.nested],
        inherited_session=session,
    )
    return reconstruct(parts, prices)


def _simple_row(
    turn: PlainTurn, by_id: Mapping[str, PlainSpan], session: str | None, prices: PriceBook | None
) -> Told | None:
    """The row of a turn that leaves nothing to decide, and of whose spans only calls of models used tokens."""
    root, below = turn.root, turn.below
    said: Said = root.attributes
    parts = parts_of(turn, by_id)
    if parts is None:
        return None
    used = usage_of_calls(parts.calls, said, prices)
    duration_ns = root.end_ns - root.start_ns
    told = told_by_turn(said, used, duration_ns)
    own = parts.own_times(root) if parts.overlap else parts.sums
    components = {name: own[name] / NANOS_PER_MS for name in _ORDER if name in own}
    sums = parts.sums
    row = TurnRow(
        turn_id=said.get(semconv.TURN_ID) or root.span_id,
        trace_id=root.trace_id,
        span_id=root.span_id,
        agent=said.get(semconv.AGENT_NAME) or first_said(below, AGENTS),
        models=used.models or models_of(said),
        session=first(said, SESSIONS[root.origin.ours]) or session or first_said(below, SESSIONS),
        outcome=outcome_of(root),
        start_time_unix_nano=root.start_ns,
        duration_ms=duration_ns / NANOS_PER_MS,
        components=components,
        component_sums=components if own is sums else {n: sums[n] / NANOS_PER_MS for n in _ORDER if n in sums},
        unattributed_ms=(duration_ns - sum(own.values())) / NANOS_PER_MS,
        input_tokens=used.input,
        output_tokens=used.output,
        cached_tokens=used.cached,
        reasoning_tokens=used.reasoning,
        tokens_by_category=told.by_category,
        cost_usd=told.cost_usd,
        cost_source=told.cost_source,
        efficiency=told.efficiency,
        quality_source=told.quality_source,
        tools=tuple(parts.tools),
        policy_violations=max(said.get(semconv.TURN_POLICY_VIOLATIONS) or 0, parts.violations),
        spans=len(below) + 1,
        revision=1,
        estimated=used.estimated or said.get(semconv.TOKENS_ESTIMATED) is True,
        incomplete=False,
    )
    return (root.end_ns, root.start_ns, root.trace_id, root.span_id), row


class ToldByTurn(msgspec.Struct, gc=False):
    """What goes for a turn as a whole: its own word, else what its calls come to."""

    by_category: dict[str, int]
    efficiency: float | None
    quality_source: str
    cost_usd: float | None
    cost_source: str | None


row_of_odd_turn: Final[Odd[TurnRow]] = odd_turn_by(_simple_row, row_of)


def told_by_turn(said: Said, used: PlainUsage, duration_ns: int) -> ToldByTurn:
    """What a turn's own span says of its tokens, quality and cost, beside what its calls used."""
    by_category = {name: said[key] for key, name in _CATEGORY_KEYS if key in said}
    trusted = bool(by_category) and (used.empty or sum(by_category.values()) == used.total)
    efficiency, quality_source = efficiency_told(
        said.get(semconv.TURN_TOKEN_EFFICIENCY) if trusted or used.empty else None,
        said.get(semconv.QUALITY_SOURCE),
        said.get(semconv.TURN_QUALITY),
        said.get(semconv.TURN_CONFIDENCE),
        (used.output or 0, used.total, duration_ns) if used.known else None,
    )
    cost_usd, cost_source = used.cost_usd, used.cost_source
    if semconv.TURN_COST_USD in said:
        cost_usd, cost_source = said[semconv.TURN_COST_USD], cost_source_of(said.get(semconv.TURN_COST_SOURCE))
    return ToldByTurn(by_category if trusted else used.by_category, efficiency, quality_source, cost_usd, cost_source)


def efficiency_told(
    efficiency: float | None,
    source: str | None,
    evaluated: float | None,
    confidence: float | None,
    counts: tuple[int, int, int] | None,
) -> tuple[float | None, str]:
    """Efficiency, and who judged the quality in it, as the turn tells or else as it is computed.

    ``counts``: output tokens, all tokens, and the duration in nanoseconds; None where no tokens are known.
    """
    if efficiency is not None and source in _QUALITY_SOURCES:
        return efficiency, source
    quality, computed_source = quality_of(evaluated, confidence)
    if efficiency is None and counts is not None:
        output_tokens, total_tokens, duration_ns = counts
        efficiency = efficiency_of(output_tokens, total_tokens, quality, duration_ns)
    return efficiency, source if source in _QUALITY_SOURCES else computed_source.value


# --- components ------------------------------------------------------------------------------------------


class Parts(msgspec.Struct, gc=False):
    """Of a turn: its components, calls of models, names of tools, how many rules were violated."""

    components: list[tuple[PlainSpan, str, str]]
    """Each with its name, and the nearest component around it; empty where there is none."""
    sums: dict[str, int]
    """Nanoseconds of each component, overlapping or not."""
    calls: list[PlainSpan]
    tools: list[str]
    busy_ns: int
    """When the last component ended."""
    violations: int = 0
    overlap: bool = False

    def own_times(self, root: PlainSpan) -> dict[str, int]:
        """Self time of each component, where they overlap."""
        intervals = [
            ComponentInterval(
                span_id=span.span_id,
                parent_id=around,
                start_ns=span.start_ns,
                end_ns=span.end_ns,
                component=LatencyComponent(component),
            )
            for span, component, around in self.components
        ]
        return {c.value: own_ns for c, own_ns in self_times(intervals, (root.start_ns, root.end_ns)).items()}


def parts_of(turn: PlainTurn, by_id: Mapping[str, PlainSpan]) -> Parts | None:
    """None where spans leave the turn, or more than one tells of the same, or of tokens of no call of a model."""
    root, below = turn.root, turn.below
    if root.start_ns > root.end_ns or not SPENDING.isdisjoint(root.attributes):
        return None
    begin, end, root_id = root.start_ns, root.end_ns, root.span_id
    below.sort(key=_BY_START)
    inside = sorted([*below, *turn.nested], key=_BY_START) if turn.nested else below
    parts = Parts([], {}, [], [], begin, len(violations_in(root.events)) if root.events else 0)
    for span in inside:
        if not begin <= span.start_ns <= span.end_ns <= end or not _add_part(parts, span, root_id, by_id):
            return None
    return parts


def _add_part(parts: Parts, span: PlainSpan, root_id: str, by_id: Mapping[str, PlainSpan]) -> bool:
    """Whether a span inside a turn leaves nothing to decide."""
    component = span.what.component
    if span.what is TURN:
        component = _ORCHESTRATION  # of the turn around it; what it says is its own
    elif component != _INFERENCE and not SPENDING.isdisjoint(span.attributes):
        return False
    elif span.events:
        parts.violations += len(violations_in(span.events))
    if component is None:
        return True
    around = "" if span.parent_span_id == root_id else _component_around(span, root_id, by_id)
    if around is None:
        return False
    parts.overlap = parts.overlap or span.start_ns < parts.busy_ns
    parts.busy_ns = span.end_ns
    parts.components.append((span, component, around))
    parts.sums[component] = parts.sums.get(component, 0) + span.end_ns - span.start_ns
    if component == _INFERENCE:
        parts.calls.append(span)
    elif component == _TOOL:
        _add_tool(parts.tools, span)
    return True


def _component_around(span: PlainSpan, root_id: str, by_id: Mapping[str, PlainSpan]) -> str | None:
    """The nearest component between a span and its turn; empty where there is none, None if it may not be there."""
    nearest, parent = "", span.parent_span_id
    while parent != root_id:
        above = by_id[parent]
        if above.what.component is not None:
            if span.what is not TURN and not _may_stand_inside(span, above.what.component):
                return None
            nearest = nearest or parent
        parent = above.parent_span_id
    return nearest


def _may_stand_inside(span: PlainSpan, component: str) -> bool:
    """Whether a component inside another is one of its own, whose tokens are for what it says or for nothing special.

    A call of others inside a call may repeat it, and so may tokens inside a call, be it with something between.
    """
    if not span.origin.ours:
        return False
    if SPENDING.isdisjoint(span.attributes):
        return True
    return component != _INFERENCE and (
        component not in PURPOSEFUL or span.attributes.get(semconv.TOKEN_CATEGORY) in CATEGORIES
    )


def _add_tool(tools: list[str], span: PlainSpan) -> None:
    name = str(first(span.attributes, SUBJECTS[span.origin.ours]) or semconv.ERROR_TYPE_OTHER)
    if name not in tools:
        tools.append(name)


# --- the rest --------------------------------------------------------------------------------------------


def outcome_of(root: PlainSpan) -> str:
    """How a turn ended, by its own span."""
    said: Said = root.attributes
    outcome = said.get(semconv.TURN_OUTCOME)
    if outcome in _OUTCOMES:
        return str(outcome)
    error_type = said.get(semconv.ERROR_TYPE)
    if root.failed:
        return outcome_of_failure(raised_in(root.events) if error_type is None else str(error_type)).value
    if error_type is None or (root.status is not None and root.status.code == StatusCode.OK):
        return _SUCCESS
    return outcome_of_failure(str(error_type)).value


def models_of(said: Said) -> tuple[str, ...]:
    """The model that a turn's own span names."""
    model = said.get(semconv.RESPONSE_MODEL) or said.get(semconv.REQUEST_MODEL)
    return () if model is None else (model,)


def first_said(spans: Sequence[PlainSpan], keys: Mapping[bool, tuple[str, ...]]) -> str | None:
    """What stands under the first of the keys that is there, of the first span that says it."""
    for span in spans:
        found = first(span.attributes, keys[span.origin.ours])
        if found is not None:
            return str(found)
    return None
