"""The page of one turn: where its time went, its tokens and cost, its calls."""

from collections.abc import Iterator
from dataclasses import replace

from agentnet_otel.core.columns import columns_of
from agentnet_otel.core.observations import NANOS_PER_MS
from agentnet_otel.model import ModelCall, ToolCall, Turn
from agentnet_otel.outputs.local_page.frame import LIST_PATH, framed
from agentnet_otel.outputs.local_page.turn_list import OUTCOME_TONES
from agentnet_otel.outputs.reports import blocks, wording
from agentnet_otel.outputs.reports.blocks import (
    Block,
    Cell,
    Figure,
    Section,
    Span,
    Table,
    growing_table,
    name_of,
    paragraph,
    remarks,
    section,
)
from agentnet_otel.outputs.reports.chart_blocks import time_text, waterfalls_chart
from agentnet_otel.outputs.reports.html_report import blocks_html, sections_html
from agentnet_otel.outputs.reports.tables.slowest import slow_turns
from agentnet_otel.outputs.reports.tables.trace_links import trace_link


def turn_page(turn: Turn, trace_url: str | None) -> str:
    """The page. ``trace_url``: a template of the trace's address elsewhere."""
    title = f"Turn of {wording.shortened(turn.agent)}"
    body = (
        *blocks_html(list(_lead(turn, trace_url)), title, "lead"),
        *sections_html(tuple(_sections(turn, trace_url))),
    )
    return framed(title, body, "")


def missing_page(what: str) -> str:
    """The page where a turn is not, or no longer."""
    back = Span(text="All turns", url=LIST_PATH)
    return framed("No such turn", blocks_html([paragraph(what), paragraph(back)], "No such turn", "lead"), "")


def _lead(turn: Turn, trace_url: str | None) -> Iterator[Block]:
    facts: list[tuple[str, Cell]] = [
        ("Outcome", blocks.words(turn.outcome.value, OUTCOME_TONES[turn.outcome])),
        ("Took", blocks.figure(f"{wording.milliseconds(turn.duration_ns / NANOS_PER_MS)} ms", turn.duration_ns)),
        ("Began", blocks.words(time_text(turn.start_ns))),
        ("Ended", blocks.words(time_text(turn.end_ns))),
    ]
    named = (
        ("Error", turn.error_type),
        ("Service", turn.service_name),
        ("Session", turn.session),
        ("Models", ", ".join(turn.models) or turn.model),
    )
    facts += [(what, blocks.named(name)) for what, name in named if name]
    link = trace_link(trace_url, turn.trace_id, turn.span_id)
    trace = Span(text=wording.shortened(turn.trace_id), foreign=True, url=link)
    facts.append(("Trace", Cell(spans=(trace,), figures=(Figure(value=turn.trace_id),))))
    facts.append(("Span", blocks.named(turn.span_id)))
    yield Table(head=("Fact", "Value"), rows=tuple((blocks.words(what), cell) for what, cell in facts))
    yield from remarks(_remarks(turn))


def _remarks(turn: Turn) -> Iterator[str]:
    """What its figures have to be read with."""
    if turn.incomplete:
        yield "The turn's own span never came: this is what its parts tell."
    if turn.estimated:
        yield "Some token counts are estimates."
    if turn.clipped_spans:
        yield f"{turn.clipped_spans:,} spans left the turn's time or ran backwards, and were clipped."
    if turn.revision > 1:
        yield f"Late spans corrected it: this is revision {turn.revision:,}."
    if turn.fallback:
        yield "A fallback answered."
    if turn.interrupted:
        yield "It was interrupted."
    if turn.sampling_probability is not None and turn.sampling_probability < 1:
        yield f"It stands for {1 / turn.sampling_probability:,.3g} turns: its trace was sampled."


def _sections(turn: Turn, trace_url: str | None) -> Iterator[Section]:
    where = waterfalls_chart(slow_turns(columns_of([turn]), trace_url), "Where the turn spent its time")
    yield Section(title="Where the time went", level=2, blocks=(where, _components(turn)))
    yield Section(title="Tokens and cost", level=2, blocks=(_tokens(turn), _categories(turn), _money(turn)))
    yield section(2, "Calls of models", _whole(_model_calls(turn)))
    yield section(2, "Calls of tools", _whole(_tool_calls(turn)))
    yield section(2, "Violated rules", _violations(turn))


def _whole(table: Table) -> Iterator[Block]:
    """A table that is all there is: nothing else has the rows that it leaves out."""
    yield replace(table, left_out=0)
    if table.left_out:
        yield paragraph(f"And {table.left_out:,} more.")


def _violations(turn: Turn) -> Iterator[Block]:
    """Some only tell how many there were, and not of which rules."""
    unnamed = turn.unnamed_violations
    if turn.violations or not unnamed:
        head = ("Rule", "Severity")
        named = growing_table(
            head, turn.violations, lambda one: (blocks.named(one.rule), blocks.named(one.severity or "unknown"))
        )
        yield from _whole(named)
    if unnamed:
        yield paragraph(f"Violations whose rule is not told: {unnamed:,}.")


def _components(turn: Turn) -> Table:
    rows = [
        (
            blocks.words(component.value),
            blocks.milliseconds(own_ns / NANOS_PER_MS),
            blocks.percent(own_ns / turn.duration_ns if turn.duration_ns else None),
            blocks.milliseconds(turn.component_sum_ns.get(component, own_ns) / NANOS_PER_MS),
            blocks.count(turn.component_counts.get(component)),
        )
        for component, own_ns in turn.component_self_ns.items()
    ]
    rest = turn.unattributed_ns
    nothing = blocks.words("-")
    share = blocks.percent(rest / turn.duration_ns if turn.duration_ns else None)
    rows.append((blocks.words("unattributed"), blocks.milliseconds(rest / NANOS_PER_MS), share, nothing, nothing))
    return Table(head=("Component", "Self ms", "Of the turn", "Sum ms", "Times"), rows=tuple(rows))


def _tokens(turn: Turn) -> Table:
    usage = turn.tokens
    total = usage.total if usage.known else None
    kinds = (
        ("input", usage.input),
        ("of it cached", usage.cached),
        ("output", usage.output),
        ("of it reasoning", usage.reasoning),
        ("together", total),
    )
    return Table(head=("Tokens", "Count"), rows=tuple((blocks.words(name), blocks.count(n)) for name, n in kinds))


def _categories(turn: Turn) -> Table:
    used = sorted(turn.tokens_by_category.items(), key=lambda item: (-item[1], item[0].value))
    rows = tuple((blocks.words(category.value), blocks.count(tokens)) for category, tokens in used)
    return Table(head=("Used for", "Tokens"), rows=rows)


def _money(turn: Turn) -> Table:
    source = "" if turn.cost_source is None else f" ({turn.cost_source.value})"
    cost = blocks.figure(f"{wording.usd(turn.cost_usd)}{source if turn.cost_usd is not None else ''}", turn.cost_usd)
    return Table(
        head=("What", "Value"),
        rows=(
            (blocks.words("Cost"), cost),
            (blocks.words("Token efficiency"), blocks.decimals(turn.efficiency)),
            (blocks.words("Quality"), blocks.decimals(turn.quality)),
        ),
    )


def _model_calls(turn: Turn) -> Table:
    def row(call: ModelCall) -> tuple[Cell, ...]:
        model = call.response_model or call.request_model
        return (
            Cell(spans=(name_of(model or wording.NOT_AVAILABLE),)),
            blocks.milliseconds(call.duration_ns / NANOS_PER_MS),
            blocks.count(call.usage.input),
            blocks.count(call.usage.output),
            blocks.named(call.error_type or "-"),
        )

    calls = turn.model_calls
    head = ("Model", "ms", "Input tokens", "Output tokens", "Error")
    return growing_table(head, calls, row)


def _tool_calls(turn: Turn) -> Table:
    def row(call: ToolCall) -> tuple[Cell, ...]:
        took_ms = None if call.duration_ns is None else call.duration_ns / NANOS_PER_MS
        outcome, error = blocks.named(call.outcome or "unknown"), blocks.named(call.error_type or "-")
        return blocks.named(call.name), blocks.milliseconds(took_ms), outcome, error

    calls = turn.tool_calls
    head = ("Tool", "ms", "Outcome", "Error")
    return growing_table(head, calls, row)
