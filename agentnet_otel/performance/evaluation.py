"""From an operation that ended to its sample and its turns.

Tokens and cost come from the spans of its turns, and of calls outside any turn; where no span tells, from what was
returned. A turn that nobody recorded as spans is put together from what the harness saw of it.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from agentnet_otel.core.cost import PriceBook, price_of_turn
from agentnet_otel.core.efficiency import quality_of, token_efficiency
from agentnet_otel.instrumentation.collecting import CollectedCall, CollectedTurn
from agentnet_otel.model import CostSource, Outcome, TokenCategory, TokenUsage, Turn
from agentnet_otel.performance.operation import Operation, TakenTurn
from agentnet_otel.performance.responses import Failure, Response, read_response
from agentnet_otel.performance.samples import OperationSample

_NANOS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedOperation:
    """An operation and how it ended. Times are those of the monotonic clock, ``epoch_offset_ns`` makes them epoch.

    ``began``: something of the user's was called; where the factory failed nothing was.
    """

    operation: Operation
    iteration: int
    agent: str
    prompt: str
    outcome: Outcome
    reason: str | None
    returned: object
    scheduled_ns: int
    started_ns: int
    ended_ns: int
    epoch_offset_ns: int
    began: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The sample of an operation, and its turns in order of their start."""

    sample: OperationSample
    turns: tuple[Turn, ...]


def evaluate(ended: EndedOperation, prices: PriceBook) -> Evaluation:
    """The sample and the turns of an operation; ``prices`` are for turns that tell tokens and no cost."""
    evidence = _collect(ended)
    evidence.turns[:] = [_priced(turn, prices) for turn in evidence.turns]
    failure = None
    if ended.outcome is Outcome.SUCCESS:
        failure = unrecovered_failure(evidence.recorded)
    outcome = ended.outcome if failure is None else failure.outcome
    tokens, cost_usd = _usage(evidence.turns, evidence.calls)
    service_ms = (ended.ended_ns - ended.started_ns) / _NANOS_PER_MS
    latencies_ms = _latencies_ms(ended, evidence, service_ms)
    sample = OperationSample(
        iteration=ended.iteration,
        scheduled_ns=ended.scheduled_ns + ended.epoch_offset_ns,
        start_ns=ended.started_ns + ended.epoch_offset_ns,
        service_ms=service_ms,
        response_ms=(ended.ended_ns - ended.scheduled_ns) / _NANOS_PER_MS,
        outcome=outcome,
        reason=ended.reason if failure is None else failure.reason,
        tokens=tokens,
        cost_usd=cost_usd,
        session=ended.operation.session or next((t.session for t in evidence.turns if t.session is not None), None),
        turns=len(latencies_ms),
        turn_latencies_ms=latencies_ms,
        turn_efficiencies=tuple(turn.efficiency for turn in evidence.turns if turn.efficiency is not None),
        estimated=any(turn.estimated for turn in evidence.turns) or any(call.estimated for call in evidence.calls),
    )
    return Evaluation(sample=sample, turns=tuple(sorted(evidence.turns, key=lambda turn: turn.start_ns)))


def unrecovered_failure(turns: Sequence[Turn]) -> Failure | None:
    """The first turn that failed and was not made good by a later one of the same agent; None without one."""
    good = [turn for turn in turns if turn.outcome is Outcome.SUCCESS]
    last_good_ns = {turn.agent: turn.start_ns for turn in sorted(good, key=lambda turn: turn.start_ns)}
    for turn in turns:
        made_good = last_good_ns.get(turn.agent, -1) >= turn.end_ns
        if turn.outcome.failed and not made_good:
            kind = "" if turn.error_type is None else f" ({turn.error_type})"
            return Failure(
                outcome=turn.outcome, reason=f"the turn of {turn.agent} ended with {turn.outcome.value}{kind}"
            )
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    """``turns``: all; ``recorded``: the outermost ones that spans told; ``calls``: outside of any of them."""

    turns: list[Turn]
    recorded: list[Turn]
    calls: list[CollectedCall]


def _collect(ended: EndedOperation) -> _Evidence:
    """What the collectors of the operation hold, completed by what the harness itself saw."""
    operation = ended.operation
    whole = {collected.turn.turn_id: collected for collected in operation.collector.turns}
    evidence = _Evidence(turns=[], recorded=[], calls=[])
    for number, taken in enumerate(operation.taken, 1):
        around = None if taken.around_turn_id is None else whole.pop(taken.around_turn_id, None)
        if around is not None:
            _add(evidence, [around], [], taken.response, None)
        elif taken.collector is None:
            _add(evidence, [], [], taken.response, _seen_turn(taken, number, ended))
        else:
            _add(
                evidence, taken.collector.turns, taken.collector.calls, taken.response, _seen_turn(taken, number, ended)
            )
    calls = operation.collector.calls
    if operation.taken or not ended.began:
        _add(evidence, whole.values(), calls, Response(), None)
    else:
        response = read_response(ended.returned)
        _add(evidence, whole.values(), calls, response, _whole_turn(ended, response))
    return evidence


def _add(
    evidence: _Evidence,
    turns: Collection[CollectedTurn],
    calls: Collection[CollectedCall],
    response: Response,
    seen: Turn | None,
) -> None:
    """Add what one collector holds. ``seen`` stands in where it holds no turn."""
    outermost = [collected.turn for collected in turns if not collected.nested]
    nested = [collected.turn for collected in turns if collected.nested]
    evidence.recorded.extend(outermost)
    evidence.turns.extend(nested)
    if not outermost and seen is not None:
        tokens, cost_usd = _usage([], calls)
        if tokens.known:
            estimated = any(call.estimated for call in calls)
            response = replace(response, tokens=tokens, cost_usd=cost_usd, estimated=estimated)
        evidence.turns.append(_completed(seen, response))
        return
    evidence.calls.extend(calls)
    if len(outermost) == 1 and not nested and not calls:
        outermost = [_completed(outermost[0], response)]
    evidence.turns.extend(outermost)


def _completed(turn: Turn, response: Response) -> Turn:
    """``turn`` with the tokens and the cost that the response tells, where no span told tokens."""
    if turn.tokens.known or not (response.tokens.known or response.cost_usd is not None):
        return turn
    quality = turn.quality if turn.quality is not None else quality_of(None, response.confidence)[0]
    efficiency = token_efficiency(tokens=response.tokens, quality=quality, duration_ns=turn.duration_ns)
    total = response.tokens.total
    told = response.cost_usd is not None and turn.cost_usd is None
    return replace(
        turn,
        tokens=response.tokens,
        tokens_by_category={TokenCategory.REASONING: total} if total else {},
        cost_usd=response.cost_usd if told else turn.cost_usd,
        cost_source=CostSource.ENGINE if told else turn.cost_source,
        efficiency=efficiency,
        estimated=turn.estimated or response.estimated,
    )


def _priced(turn: Turn, prices: PriceBook) -> Turn:
    price = price_of_turn(turn, prices) if turn.cost_usd is None and turn.tokens.known else None
    return turn if price is None else replace(turn, cost_usd=price.cost_usd, cost_source=price.source)


def _seen_turn(taken: TakenTurn, number: int, ended: EndedOperation) -> Turn:
    return _turn(
        turn_id=f"operation_{ended.iteration}_turn_{number}",
        agent=taken.agent,
        prompt=taken.prompt,
        session=ended.operation.session,
        outcome=taken.outcome,
        response=taken.response,
        span_ns=(taken.started_ns + ended.epoch_offset_ns, taken.ended_ns + ended.epoch_offset_ns),
    )


def _whole_turn(ended: EndedOperation, response: Response) -> Turn:
    return _turn(
        turn_id=f"operation_{ended.iteration}",
        agent=ended.agent,
        prompt=ended.prompt,
        session=None,
        outcome=ended.outcome,
        response=response,
        span_ns=(ended.started_ns + ended.epoch_offset_ns, ended.ended_ns + ended.epoch_offset_ns),
    )


def _turn(
    *,
    turn_id: str,
    agent: str,
    prompt: str,
    session: str | None,
    outcome: Outcome,
    response: Response,
    span_ns: tuple[int, int],
) -> Turn:
    """A turn that nobody recorded: it stands in no trace, so it has no trace and span ids."""
    quality, quality_source = quality_of(None, response.confidence)
    return Turn(
        turn_id=turn_id,
        trace_id="",
        span_id="",
        agent=agent,
        start_ns=span_ns[0],
        end_ns=span_ns[1],
        outcome=outcome,
        error_type=outcome.value if outcome.failed else None,
        session=session,
        model=response.model,
        models=() if response.model is None else (response.model,),
        unattributed_ns=span_ns[1] - span_ns[0],
        confidence=response.confidence,
        quality=quality,
        quality_source=quality_source,
        prompt_length=len(prompt),
        response_length=None if response.text is None else len(response.text),
    )


def _latencies_ms(ended: EndedOperation, evidence: _Evidence, service_ms: float) -> tuple[float, ...]:
    """How long each turn took: as it was driven, else, where spans tell several, as they tell, else the whole."""
    taken = ended.operation.taken
    if taken and not ended.operation.one_turn:
        return tuple((turn.ended_ns - turn.started_ns) / _NANOS_PER_MS for turn in taken)
    if not taken and len(evidence.recorded) > 1:
        return tuple(turn.duration_ns / _NANOS_PER_MS for turn in evidence.recorded)
    return (service_ms,)


def _usage(turns: Iterable[Turn], calls: Iterable[CollectedCall]) -> tuple[TokenUsage, float | None]:
    """All tokens, and all cost; the cost is unknown if any that used tokens did not tell its own."""
    parts = [(turn.tokens, turn.cost_usd) for turn in turns] + [(call.tokens, call.cost_usd) for call in calls]
    tokens = TokenUsage()
    for usage, _ in parts:
        tokens = tokens.plus(usage)
    if any(usage.known and cost_usd is None for usage, cost_usd in parts):
        return tokens, None
    costs = [cost_usd for _, cost_usd in parts if cost_usd is not None]
    return tokens, sum(costs) if costs else None
