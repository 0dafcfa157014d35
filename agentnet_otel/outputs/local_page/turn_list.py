"""The page of turns: the verdicts, filters, and the turns as they arrived."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final
from urllib.parse import urlencode

from agentnet_otel.core.observations import NANOS_PER_MS
from agentnet_otel.core.verdicts import Judgement
from agentnet_otel.model import Outcome, Turn
from agentnet_otel.outputs.local_page.frame import EVENTS_PATH, LIST_PATH, TURN_PATH, framed
from agentnet_otel.outputs.reports import blocks, wording
from agentnet_otel.outputs.reports.blocks import Cell, Figure, Span, Table, Tone, paragraph
from agentnet_otel.outputs.reports.chart_blocks import time_text
from agentnet_otel.outputs.reports.html_report import blocks_html
from agentnet_otel.outputs.reports.verdict_blocks import verdicts_table

OUTCOME_TONES: Final = {
    Outcome.SUCCESS: Tone.GOOD,
    Outcome.ERROR: Tone.BAD,
    Outcome.FAULT: Tone.BAD,
    Outcome.TIMEOUT: Tone.BAD,
    Outcome.CANCELLED: Tone.MUTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFilter:
    """Which turns are wanted: of an agent (exactly), with an outcome, of at least so many milliseconds."""

    agent: str | None = None
    outcome: Outcome | None = None
    min_ms: float | None = None

    def takes(self, turn: Turn) -> bool:
        """Whether a turn is wanted."""
        return (
            (self.agent is None or turn.agent == self.agent)
            and (self.outcome is None or turn.outcome is self.outcome)
            and (self.min_ms is None or turn.duration_ns >= self.min_ms * NANOS_PER_MS)
        )

    def parameters(self) -> dict[str, str]:
        """As parameters of an address."""
        outcome = None if self.outcome is None else self.outcome.value
        min_ms = None if self.min_ms is None else f"{self.min_ms:.17g}"
        given = {"agent": self.agent, "outcome": outcome, "min_ms": min_ms}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnList:
    """What the page shows. ``judged``: how many turns the verdicts are on; ``agents``: names to choose.

    ``live``: turns may arrive, and the verdicts are on the newest; else on all.

    ``last``: the place of the newest turn of all. ``before``: the turns shown came before it, None for the newest.
    ``older``: where the next page begins, None where there is none. ``looked_through``: turns that were looked at.
    """

    turns: Sequence[Turn]
    verdicts: Sequence[Judgement]
    judged: int
    agents: Sequence[str]
    last: int
    wanted: TurnFilter = field(default_factory=TurnFilter)
    before: int | None = None
    older: int | None = None
    looked_through: int = 0
    live: bool = True
    note: str = ""


def turn_list_page(shown: TurnList) -> str:
    """The page."""
    events = f' data-events="{EVENTS_PATH}" data-last="{shown.last}"' if shown.live and shown.before is None else ""
    body = (
        *_filters(shown),
        '<p id="status" role="status"></p>',
        f'<div id="live"{events}>',
        *_found(shown),
        "</div>",
    )
    return framed("Turns", body, LIST_PATH)


def turn_path(turn: Turn) -> str:
    """Where the page of a turn is."""
    return f"{TURN_PATH}?{urlencode({'trace': turn.trace_id, 'span': turn.span_id})}"


def _filters(shown: TurnList) -> Iterator[str]:
    wanted = shown.wanted
    yield f'<form class="filters" method="get" action="{LIST_PATH}" aria-label="Which turns">'
    agent = escape(wanted.agent or "")
    yield f'<label>Agent<input name="agent" list="agents" autocomplete="off" value="{agent}"></label>'
    yield '<datalist id="agents">'
    short = (agent for agent in shown.agents if len(agent) <= wording.LONGEST_TEXT)
    yield from (f'<option value="{escape(agent)}"></option>' for agent in short)
    yield "</datalist>"
    yield '<label>Outcome<select name="outcome"><option value="">any</option>'
    for outcome in Outcome:
        chosen = " selected" if outcome is wanted.outcome else ""
        yield f'<option value="{outcome.value}"{chosen}>{outcome.value}</option>'
    yield "</select></label>"
    least = "" if wanted.min_ms is None else f"{wanted.min_ms:.17g}"
    yield f'<label>At least ms<input name="min_ms" type="number" min="0" step="any" value="{least}"></label>'
    yield '<button type="submit">Show</button>'
    if wanted != TurnFilter():
        yield f'<a href="{LIST_PATH}">All turns</a>'
    yield "</form>"


def _found(shown: TurnList) -> Iterator[str]:
    yield '<h2 id="verdicts">Verdicts</h2>'
    which = "the newest" if shown.live else "all"
    what = "There are no turns yet." if not shown.judged else f"On {which} {shown.judged:,} turns of all agents."
    yield from blocks_html([paragraph(what)], "Verdicts", "verdicts")
    yield from blocks_html([verdicts_table(shown.verdicts)], "Verdicts", "verdicts")
    yield '<h2 id="turns">The newest first</h2>' if shown.before is None else '<h2 id="turns">Older turns</h2>'
    if shown.note:
        yield from blocks_html([paragraph(shown.note)], "Turns", "note")
    yield from blocks_html([_table(shown.turns)], "Turns", "turns")
    yield from _further(shown)


def _table(turns: Sequence[Turn]) -> Table:
    head = ("Agent", "Ended", "Outcome", "ms", "Tokens", "USD", "Model", "Turn")
    return Table(head=head, rows=tuple(map(_row, turns)))


def _row(turn: Turn) -> tuple[Cell, ...]:
    known = turn.tokens.known
    return (
        blocks.named(turn.agent),
        blocks.words(time_text(turn.end_ns)),
        blocks.words(turn.outcome.value, OUTCOME_TONES[turn.outcome]),
        blocks.milliseconds(turn.duration_ns / NANOS_PER_MS),
        blocks.count(turn.tokens.total if known else None),
        blocks.usd(turn.cost_usd),
        blocks.named(turn.model) if turn.model else blocks.words(wording.NOT_AVAILABLE),
        Cell(
            spans=(Span(text=wording.shortened(turn.trace_id[:8] or turn.turn_id), foreign=True, url=turn_path(turn)),),
            figures=(Figure(value=turn.trace_id),),
        ),
    )


def _further(shown: TurnList) -> Iterator[str]:
    links = []
    if shown.before is not None:
        newest = urlencode(shown.wanted.parameters())
        links.append(f'<a href="{LIST_PATH}{"?" * bool(newest)}{escape(newest)}">The newest</a>')
    if shown.older is not None:
        older = urlencode({**shown.wanted.parameters(), "before": str(shown.older)})
        links.append(f'<a rel="next" href="{LIST_PATH}?{escape(older)}">Older turns</a>')
    looked = f"{shown.looked_through:,} turns looked through." if shown.wanted != TurnFilter() else ""
    if links or looked:
        yield f"<p>{' '.join([*links, looked])}</p>"


def min_ms_of(text: str) -> float:
    """The least duration that a filter names.

    Raises:
        ValueError: it is none.
    """
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ValueError(text)
    return value
