"""From the plain spans of one trace straight to the rows of its turns.

This is the short way of what `assembler`, `trace_tree` and `reconstruction` do, for traces in which there is nothing
to decide: every span has its parent, every turn says that it is one, and nothing is told twice. Whatever is not so
simple is left to them: a trace (`rows_of_trace` gives None then), or a single turn of it. That both ways give the same
rows is tested on generated traces and on every recording; how much shorter this one is, `benchmarks` shows.
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

import msgspec

from agentnet_otel import semconv
from agentnet_otel.core.cost import Call, PriceBook
from agentnet_otel.core.dialects.dialect import raised_in, violations_in
from agentnet_otel.core.dialects.genai import GENAI
from agentnet_otel.core.dialects.own import OWN
from agentnet_otel.core.efficiency import efficiency_of, quality_of
from agentnet_otel.core.intervals import ComponentInterval, self_times
from agentnet_otel.core.observations import NANOS_PER_MS
from agentnet_otel.core.plain_span import PlainSpan, facts_of_plain, member_of_plain
from agentnet_otel.core.reconstruction import outcome_of_failure, reconstruct
from agentnet_otel.core.turn_parts import TurnParts
from agentnet_otel.core.turn_row import EndingKey, TurnRow, ending_key, row_of
from agentnet_otel.model import (
    CostSource,
    LatencyComponent,
    Outcome,
    QualitySource,
    SpanKind,
    StatusCode,
    TokenCategory,
)

T = TypeVar("T")
Told = tuple[EndingKey, TurnRow]
Said = Mapping[str, Any]
"""Attributes whose types the reader has checked."""


class Kind(msgspec.Struct, frozen=True, gc=False):
    """What a span is: the turn itself, or spent on a component, or neither."""

    turn: bool = False
    component: str | None = None
    call: bool = False
    """Whether it counts where it lies outside any turn."""


class PlainTold(msgspec.Struct, Generic[T], gc=False):
    """What is told of the turns of a trace, and what `Counts` says of it."""

    turns: list[tuple[EndingKey, T]]
    outside: int = 0
    clipped: int = 0


class _Spans(msgspec.Struct, gc=False):
    """The spans of a trace, and what each is."""

    by_id: Mapping[str, PlainSpan]
    kinds: Mapping[str, Kind]


MAX_DEPTH: Final = 100
"""Spans above each other, up to a turn or the root; what is deeper takes the general way."""

_TURN: Final = Kind(turn=True)
_OTHER: Final = Kind()
_INFERENCE: Final = LatencyComponent.INFERENCE.value
_TOOL: Final = LatencyComponent.TOOL_EXECUTION.value
_ORCHESTRATION: Final = LatencyComponent.ORCHESTRATION.value
_ORDER: Final[tuple[str, ...]] = tuple(component.value for component in LatencyComponent)
_AGENTS: Final = {True: OWN.agent, False: GENAI.agent}
_COSTS: Final = {True: OWN.cost, False: GENAI.cost}
_SESSIONS: Final = {True: OWN.session, False: GENAI.session}
_SUBJECTS: Final = {True: OWN.subject, False: GENAI.subject}
_TOKENS: Final = {True: OWN.tokens, False: GENAI.tokens}
_REASONING: Final = TokenCategory.REASONING.value
_CATEGORY_KEYS: Final = tuple((semconv.TURN_TOKENS_PREFIX + c.value, c.value) for c in TokenCategory)
_CATEGORIES: Final = frozenset(c.value for c in TokenCategory)
_OUTCOMES: Final = frozenset(outcome.value for outcome in Outcome)
_QUALITY_SOURCES: Final = frozenset(source.value for source in QualitySource)
_COST_RANKS: Final = {source.value: rank for rank, source in enumerate(CostSource)}
_BY_START: Final = attrgetter("start_ns", "span_id")
_SPENDING: Final = frozenset(
    key
    for dialect in (OWN, GENAI)
    for keys in (dialect.cost, *(getattr(dialect.tokens, name) for name in ("input", "output", "cached", "reasoning")))
    for key in keys
)
"""What says that a span used tokens, or cost something."""


def _kinds_of(components: Mapping[str, LatencyComponent], turn: str) -> dict[str, Kind]:
    kinds = {
        kind: Kind(component=component.value, call=component is not LatencyComponent.ORCHESTRATION)
        for kind, component in components.items()
    }
    return {**kinds, turn: _TURN}


_OWN_KINDS: Final = _kinds_of(OWN.components, semconv.OP_INVOKE_AGENT)
_GENAI_KINDS: Final = _kinds_of(GENAI.components, semconv.OP_INVOKE_AGENT)


def kind_of(span: PlainSpan) -> Kind | None:
    """What a span is; None where that depends on what stands around it."""
    said: Said = span.attributes
    if span.origin.ours:
        return _OWN_KINDS.get(said.get(semconv.LATENCY_COMPONENT) or said.get(semconv.OPERATION_NAME, ""), _OTHER)
    kind = _GENAI_KINDS.get(said.get(semconv.OPERATION_NAME, ""), _OTHER)
    if kind is _TURN and semconv.AGENT_NAME not in said:
        return _OTHER
    return None if said.get(semconv.OPERATION_NAME) == semconv.OP_INVOKE_WORKFLOW else kind


class _Turn(msgspec.Struct, gc=False):
    """A turn in the making."""

    root: PlainSpan
    below: list[PlainSpan]
    nested: list[PlainSpan]


def rows_of_trace(spans: Sequence[PlainSpan], prices: PriceBook | None) -> PlainTold[TurnRow] | None:
    """The rows of all turns of a trace; None where it is not so simple."""
    by_id = {span.span_id: span for span in spans}
    if len(by_id) != len(spans):
        return None
    kinds: dict[str, Kind] = {}
    turns: dict[str, _Turn] = {}
    for span_id, span in by_id.items():
        kind = kind_of(span)
        if kind is None:
            return None
        kinds[span_id] = kind
        if kind is _TURN:
            if span.kind == SpanKind.CLIENT:
                return None  # it may call a remote turn
            turns[span_id] = _Turn(span, [], [])
    outside = _share_out(by_id, kinds, turns)
    if outside is None:
        return None
    made = PlainTold[TurnRow](turns=[], outside=outside)
    try:
        for turn in turns.values():
            session = _session_around(turn.root, by_id)
            row = _simple_row(turn, _Spans(by_id, kinds), session, prices) or _general_row(turn, session, prices, made)
            made.turns.append(row)
    except _TooDeepError:
        return None
    return made


def _share_out(by_id: Mapping[str, PlainSpan], kinds: Mapping[str, Kind], turns: Mapping[str, _Turn]) -> int | None:
    """Put each span to its turn; returns how many calls lie in none, or None where the way up is not whole."""
    outside = 0
    for span_id, span in by_id.items():
        kind, parent = kinds[span_id], span.parent_span_id
        if not parent or parent not in by_id:
            if kind is not _TURN and (parent or semconv.TURN_ID in span.attributes):
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
        elif kind is not _TURN:
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
        session = _first(above.attributes, _SESSIONS[above.origin.ours])
        if session is not None:
            return str(session)
        above = by_id.get(above.parent_span_id)
    raise _TooDeepError


class _TooDeepError(Exception):
    """A trace is deeper than the short way goes."""


def _general_row(turn: _Turn, session: str | None, prices: PriceBook | None, made: PlainTold[TurnRow]) -> Told:
    parts = TurnParts(
        root=member_of_plain(turn.root),
        root_id=turn.root.span_id,
        below=[member_of_plain(span) for span in turn.below],
        nested=[member_of_plain(span) for span in turn.nested],
        inherited_session=session,
    )
    whole = reconstruct(parts, prices)
    made.clipped += whole.clipped_spans
    return ending_key(whole), row_of(whole)


def _simple_row(turn: _Turn, spans: _Spans, session: str | None, prices: PriceBook | None) -> Told | None:
    """The row of a turn that leaves nothing to decide, and of whose spans only calls of models used tokens."""
    root, below = turn.root, turn.below
    said: Said = root.attributes
    parts = _parts_of(turn, spans) if _SPENDING.isdisjoint(said) else None
    if parts is None:
        return None
    used = _used(parts.calls, said, prices)
    duration_ns = root.end_ns - root.start_ns
    by_category = {name: said[key] for key, name in _CATEGORY_KEYS if key in said}
    trusted = bool(by_category) and (used.empty or sum(by_category.values()) == used.total)
    quality, quality_source = quality_of(said.get(semconv.TURN_QUALITY), said.get(semconv.TURN_CONFIDENCE))
    told_quality_source = said.get(semconv.QUALITY_SOURCE)
    efficiency = said.get(semconv.TURN_TOKEN_EFFICIENCY)
    if efficiency is None or not (trusted or used.empty):
        efficiency = efficiency_of(used.output or 0, used.total, quality, duration_ns) if used.known else None
    cost_usd, cost_source = used.cost_usd, used.cost_source
    if semconv.TURN_COST_USD in said:
        cost_usd, cost_source = said[semconv.TURN_COST_USD], _source(said.get(semconv.TURN_COST_SOURCE))
    sums = parts.sums(spans.kinds)
    own = parts.own_times(spans.kinds, root) if parts.overlap else sums
    row = TurnRow(
        turn_id=said.get(semconv.TURN_ID) or root.span_id,
        trace_id=root.trace_id,
        span_id=root.span_id,
        agent=said.get(semconv.AGENT_NAME) or _first_said(below, _AGENTS),
        models=used.models or _models_of(said),
        session=_first(said, _SESSIONS[root.origin.ours]) or session or _first_said(below, _SESSIONS),
        outcome=_outcome(root),
        start_time_unix_nano=root.start_ns,
        duration_ms=duration_ns / NANOS_PER_MS,
        components={name: own[name] / NANOS_PER_MS for name in _ORDER if name in own},
        component_sums={name: sums[name] / NANOS_PER_MS for name in _ORDER if name in sums},
        unattributed_ms=(duration_ns - sum(own.values())) / NANOS_PER_MS,
        input_tokens=used.input,
        output_tokens=used.output,
        cached_tokens=used.cached,
        reasoning_tokens=used.reasoning,
        tokens_by_category=by_category if trusted else used.by_category,
        cost_usd=cost_usd,
        cost_source=cost_source,
        efficiency=efficiency,
        quality_source=told_quality_source if told_quality_source in _QUALITY_SOURCES else quality_source.value,
        tools=tuple(parts.tools),
        policy_violations=max(said.get(semconv.TURN_POLICY_VIOLATIONS) or 0, parts.violations),
        spans=len(below) + 1,
        revision=1,
        estimated=used.estimated or said.get(semconv.TOKENS_ESTIMATED) is True,
        incomplete=False,
    )
    return (root.end_ns, root.start_ns, root.trace_id, root.span_id), row


# --- components ------------------------------------------------------------------------------------------


class _Parts(msgspec.Struct, gc=False):
    """Of a turn: its components, calls of models, names of tools, how many rules were violated."""

    components: list[tuple[PlainSpan, str]]
    """With the nearest component around each; empty where there is none."""
    calls: list[PlainSpan]
    tools: list[str]
    violations: int = 0
    overlap: bool = False

    def sums(self, kinds: Mapping[str, Kind]) -> dict[str, int]:
        """Nanoseconds of each component, overlapping or not."""
        sums: dict[str, int] = {}
        for span, _ in self.components:
            component = kinds[span.span_id].component or ""
            sums[component] = sums.get(component, 0) + span.end_ns - span.start_ns
        return sums

    def own_times(self, kinds: Mapping[str, Kind], root: PlainSpan) -> dict[str, int]:
        """Self time of each component, where they overlap."""
        intervals = [
            ComponentInterval(
                span_id=span.span_id,
                parent_id=around,
                start_ns=span.start_ns,
                end_ns=span.end_ns,
                component=LatencyComponent(kinds[span.span_id].component),
            )
            for span, around in self.components
        ]
        return {c.value: own_ns for c, own_ns in self_times(intervals, (root.start_ns, root.end_ns)).items()}


def _parts_of(turn: _Turn, spans: _Spans) -> _Parts | None:
    """None where spans leave the turn, or more than one tells of the same, or of tokens of no call of a model."""
    root, below, kinds = turn.root, turn.below, spans.kinds
    begin, end_ns = root.start_ns, root.end_ns
    now = begin
    if turn.nested or end_ns < begin:
        return None
    below.sort(key=_BY_START)
    root_id = root.span_id
    parts = _Parts([], [], [], len(violations_in(root.events)) if root.events else 0)
    for span in below:
        component = kinds[span.span_id].component
        if not begin <= span.start_ns <= span.end_ns <= end_ns:
            return None
        parts.violations += len(violations_in(span.events)) if span.events else 0
        if component != _INFERENCE and not _SPENDING.isdisjoint(span.attributes):
            return None
        if component is None:
            continue
        around = "" if span.parent_span_id == root_id else _component_around(span, root_id, spans)
        if around and not _may_stand_inside(span, kinds[around]):
            return None
        parts.overlap = parts.overlap or span.start_ns < now
        now = max(now, span.end_ns)
        parts.components.append((span, around))
        if component == _INFERENCE:
            parts.calls.append(span)
        elif component == _TOOL:
            _add_tool(parts.tools, span)
    return parts


def _component_around(span: PlainSpan, root_id: str, spans: _Spans) -> str:
    """The nearest component between a span and its turn; empty where there is none."""
    parent = span.parent_span_id
    while parent != root_id:
        if spans.kinds[parent].component is not None:
            return parent
        parent = spans.by_id[parent].parent_span_id
    return ""


def _may_stand_inside(span: PlainSpan, around: Kind) -> bool:
    """Whether a component inside another is one of its own, and says itself what its tokens were for.

    A call inside a call, be it with something between, may repeat it: what is around a call is looked at further up.
    """
    if not span.origin.ours or around.component == _INFERENCE:
        return False
    return _SPENDING.isdisjoint(span.attributes) or span.attributes.get(semconv.TOKEN_CATEGORY) in _CATEGORIES


def _add_tool(tools: list[str], span: PlainSpan) -> None:
    name = str(_first(span.attributes, _SUBJECTS[span.origin.ours]) or semconv.ERROR_TYPE_OTHER)
    if name not in tools:
        tools.append(name)


def _is_alone(span: PlainSpan, root_id: str, kinds: Mapping[str, Kind], below: Sequence[PlainSpan]) -> bool:
    """Whether no component stands between a span and its turn."""
    by_id = {other.span_id: other for other in below}
    parent = span.parent_span_id
    while parent != root_id:
        if kinds[parent].component is not None:
            return False
        parent = by_id[parent].parent_span_id
    return True


# --- tokens and cost -------------------------------------------------------------------------------------


class _Used(msgspec.Struct, gc=False):
    """What the calls of a turn used and cost."""

    by_category: dict[str, int]
    models: tuple[str, ...] = ()
    input: int | None = None
    output: int | None = None
    cached: int | None = None
    reasoning: int | None = None
    estimated: bool = False
    cost_usd: float | None = None
    cost_source: str | None = None

    @property
    def known(self) -> bool:
        """Whether anything was said of tokens that went in or came out."""
        return self.input is not None or self.output is not None

    @property
    def empty(self) -> bool:
        """Whether nothing at all was said of tokens."""
        return not self.known and self.cached is None and self.reasoning is None

    @property
    def total(self) -> int:
        """Input and output together."""
        return (self.input or 0) + (self.output or 0)


def _used(calls: Sequence[PlainSpan], of_root: Said, prices: PriceBook | None) -> _Used:
    used = _Used({})
    models: dict[str, None] = {}
    told: list[tuple[float, str]] = []
    priced: list[tuple[float, str] | None] = []
    for call in calls:
        said: Said = call.attributes
        model = (
            said.get(semconv.RESPONSE_MODEL) or said.get(semconv.REQUEST_MODEL) or of_root.get(semconv.REQUEST_MODEL)
        )
        if model is not None:
            models[model] = None
        tells = _add_tokens(used, call)
        cost = _first(said, _COSTS[call.origin.ours])
        if cost is not None:
            told.append((cost, _source(said.get(semconv.COST_SOURCE))))
        elif tells:
            priced.append(_price(call, model, of_root, prices))
    used.models = tuple(models)
    known = [*told, *(price for price in priced if price is not None)]
    if known and None not in priced:
        used.cost_usd = sum([cost for cost, _ in known])
        used.cost_source = max([source for _, source in known], key=_COST_RANKS.__getitem__)
    return used


def _add_tokens(used: _Used, call: PlainSpan) -> bool:
    """Count the tokens of a call; returns whether it tells of any."""
    said: Said = call.attributes
    keys = _TOKENS[call.origin.ours]
    into, out = _first(said, keys.input), _first(said, keys.output)
    cached, reasoning = _first(said, keys.cached), _first(said, keys.reasoning)
    if into is not None:
        used.input = into + (used.input or 0)
    if out is not None:
        used.output = out + (used.output or 0)
    if cached is not None:
        used.cached = cached + (used.cached or 0)
    if reasoning is not None:
        used.reasoning = reasoning + (used.reasoning or 0)
    tells = into is not None or out is not None
    if tells:
        category = said.get(semconv.TOKEN_CATEGORY)
        category = category if category in _CATEGORIES else _REASONING
        used.by_category[category] = used.by_category.get(category, 0) + (into or 0) + (out or 0)
    tells = tells or cached is not None or reasoning is not None
    used.estimated = used.estimated or (tells and said.get(semconv.TOKENS_ESTIMATED) is True)
    return tells


def _price(call: PlainSpan, model: str | None, of_root: Said, prices: PriceBook | None) -> tuple[float, str] | None:
    """As `usage` asks for it."""
    facts = facts_of_plain(call)
    if prices is None or model is None or not facts.usage.known:
        return None
    price = prices.price(
        Call(
            model=model,
            asked_model=facts.request_model or of_root.get(semconv.REQUEST_MODEL),
            usage=facts.usage,
            at_ns=call.start_ns,
            provider=facts.provider,
            batch=facts.batch,
        )
    )
    return None if price is None else (price.cost_usd, price.source.value)


def _source(told: str | None) -> str:
    return told if told in _COST_RANKS else CostSource.SPAN.value


# --- the rest --------------------------------------------------------------------------------------------


def _outcome(root: PlainSpan) -> str:
    said = root.attributes.get(semconv.TURN_OUTCOME)
    if said in _OUTCOMES:
        return str(said)
    error_type = root.attributes.get(semconv.ERROR_TYPE)
    if root.failed:
        return outcome_of_failure(str(error_type) if error_type is not None else raised_in(root.events)).value
    unset = root.status is None or root.status.code != StatusCode.OK
    return (outcome_of_failure(str(error_type)) if unset and error_type is not None else Outcome.SUCCESS).value


def _models_of(said: Said) -> tuple[str, ...]:
    model = said.get(semconv.RESPONSE_MODEL) or said.get(semconv.REQUEST_MODEL)
    return () if model is None else (model,)


def _first(said: Said, keys: tuple[str, ...]) -> Any:
    """What stands under the first of the keys that is there."""
    for key in keys:
        if key in said:
            return said[key]
    return None


def _first_said(spans: Sequence[PlainSpan], keys: Mapping[bool, tuple[str, ...]]) -> str | None:
    """The same, of the first span that says it."""
    for span in spans:
        found = _first(span.attributes, keys[span.origin.ours])
        if found is not None:
            return str(found)
    return None
