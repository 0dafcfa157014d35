"""Charts as SVG in HTML: sharp at any width, for places are shares of it and texts keep their size.

Nothing depends on colour alone: lines and bars have their words beside them, and each chart has a title, a description
and a table. All text is escaped; names that came with the data stand in elements of their own, cut short.
"""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from agentnet_otel.outputs.reports import charts
from agentnet_otel.outputs.reports.svg_scales import (
    LinearScale,
    LogScale,
    Tick,
    duration_text,
    log_scale,
    rounded_up,
    time_ticks,
)
from agentnet_otel.outputs.reports.wording import milliseconds, plain, whole_milliseconds

COMPONENTS: Final = (
    "inference",
    "tool_execution",
    "memory_access",
    "policy_check",
    "response_processing",
    "orchestration",
    "unattributed",
)
"""Parts that have a colour of their own."""
LONGEST_NAME: Final = 28
"""Characters of a name in a chart; tables have more."""

_HEIGHT: Final = 190
_ROW: Final = 44
_STEP: Final = 20
_TEXT: Final = 14
"""Height of a line of text."""
_THINNEST: Final = 0.003
"""Share of the width that a step has at least, to be seen."""
_RIGHT_HALF: Final = 0.55


def draw(drawing: charts.Drawing, title: str, told: str, ident: str) -> Iterator[str]:
    """The lines of a chart; nothing where there is nothing to draw. ``ident``: unique in the page."""
    match drawing:
        case charts.Histogram():
            yield from _svg(_histogram(drawing), title, told, ident, kind="plot", height=_HEIGHT)
        case charts.Estimates():
            height = _ROW * len(drawing.rows)
            yield from _svg(_estimates(drawing, height), title, told, ident, kind="plot", height=height)
        case charts.Lines():
            yield from _svg(_lines(drawing), title, told, ident, kind="plot named", height=_HEIGHT)
        case charts.Bars() if drawing.rows:
            yield from _svg(_bars(drawing), title, told, ident, kind="rows", height=_ROW * len(drawing.rows))
        case charts.Stacks() if drawing.rows:
            used = {part.component for row in drawing.rows for part in row.parts}
            yield from _legend([name for name in COMPONENTS if name in used])
            yield from _svg(_stacks(drawing), title, told, ident, kind="rows", height=_ROW * len(drawing.rows))
        case charts.Waterfalls() if drawing.rows:
            yield '<div class="grid">'
            for number, row in enumerate(drawing.rows, 1):
                about = f"Slow turn {number}: {short(row.name)}, {row.text}"
                height = 24 + _STEP * len(row.steps)
                yield from _svg(
                    _waterfall(row), about, _steps_told(row), f"{ident}-{number}", kind="rows", height=height
                )
            yield "</div>"


def short(name: str) -> str:
    """A name as it stands in a chart."""
    shown = plain(name[: LONGEST_NAME + 1])
    return shown if len(shown) <= LONGEST_NAME else f"{shown[: LONGEST_NAME - 1]}\u2026"


def _svg(inner: Iterator[str], title: str, told: str, ident: str, *, kind: str, height: int) -> Iterator[str]:
    yield (
        f'<svg class="{kind}" role="img" aria-labelledby="{ident}-t {ident}-d" height="{height}">'
        f'<title id="{ident}-t">{escape(title)}</title><desc id="{ident}-d">{escape(plain(told))}</desc>'
    )
    yield from inner
    yield "</svg>"


def _legend(names: Sequence[str]) -> Iterator[str]:
    items = "".join(f'<li><span class="swatch c-{name}"></span>{escape(name)}</li>' for name in names)
    yield f'<ul class="legend">{items}</ul>'


def _histogram(drawing: charts.Histogram) -> Iterator[str]:
    edges = [edge for one in drawing.bins if one.count for edge in (_begin(one), one.high)]
    scale = log_scale([*edges, *(limit.value for limit in drawing.limits)])
    most = LinearScale(high=rounded_up(max(one.count for one in drawing.bins)))
    yield from _value_grid([f"{most.high:,.0f}", f"{most.high / 2:,.10g}"])
    for one in drawing.bins:
        if one.count:
            left, right = scale.place(_begin(one)), scale.place(one.high)
            height = max(1.0, _HEIGHT * most.place(one.count))
            tone = _tone(one.low, drawing.limits)
            about = f"{duration_text(one.low)} to {duration_text(one.high)}: {one.count:,} turns"
            yield (
                f'<rect class="bin {tone}" x="{_at(left)}" width="{_at(right - left)}" y="{_HEIGHT - height:.1f}" '
                f'height="{height:.1f}"><title>{about}</title></rect>'
            )
    yield from _limits(drawing.limits, scale, _HEIGHT)
    yield from _ticks(scale.ticks(), _HEIGHT)
    yield from _axis_name("turns", "latency, log scale", _HEIGHT)


def _begin(one: charts.Bin) -> float:
    """Where a bin is drawn from: a logarithmic axis has no 0, so one that begins there has half its end."""
    return one.low if one.low > 0 else one.high / 2


def _estimates(drawing: charts.Estimates, height: int) -> Iterator[str]:
    values = [value for row in drawing.rows for value in (row.value, row.low, row.high) if value is not None]
    scale = log_scale([*values, *(limit.value for limit in drawing.limits)])
    yield from _limits(drawing.limits, scale, height)
    for place, row in enumerate(drawing.rows):
        y = _ROW * place + 28
        yield f'<text class="end" x="-8" y="{y + 4}">{escape(row.name)}</text>'
        if row.low is not None and row.high is not None:
            low, high = scale.place(row.low), scale.place(row.high)
            yield f'<line class="whisker" x1="{_at(low)}" x2="{_at(high)}" y1="{y}" y2="{y}"/>'
            for end in (low, high):
                yield f'<line class="whisker" x1="{_at(end)}" x2="{_at(end)}" y1="{y - 5}" y2="{y + 5}"/>'
        x = scale.place(row.value)
        hollow = " hollow" if row.low is None else ""
        yield f'<circle class="dot{hollow}" cx="{_at(x)}" cy="{y}" r="5"/>'
        yield f'<text class="{_anchor(x)} halo" x="{_at(x)}" y="{y - 11}">{whole_milliseconds(row.value)} ms</text>'
    yield from _ticks(scale.ticks(), height)
    yield from _axis_name("", "latency, log scale", height)


def _lines(drawing: charts.Lines) -> Iterator[str]:
    highest = max(value for line in drawing.lines for _, value in line.points)
    scale = LinearScale(high=rounded_up(highest))
    width_ns = max(1, drawing.last_ns - drawing.first_ns)
    yield from _value_grid([duration_text(scale.high), duration_text(scale.high / 2)])
    ends: list[float] = []  # the words at the ends of lines, which must not cover each other
    for number, line in enumerate(drawing.lines):
        places = [((at - drawing.first_ns) / width_ns, 1 - scale.place(value)) for at, value in line.points]
        points = " ".join(f"{1000 * x:.1f},{1000 * y:.1f}" for x, y in places)
        yield (
            f'<svg width="100%" height="{_HEIGHT}" viewBox="0 0 1000 1000" preserveAspectRatio="none">'
            f'<polyline class="line l{number}" points="{points}"/></svg>'
        )
        for (x, y), (_, value) in zip(places, line.points, strict=True):
            yield (
                f'<circle class="point l{number}" cx="{_at(x)}" cy="{_HEIGHT * y:.1f}" r="2.5">'
                f"<title>{escape(line.name)} {whole_milliseconds(value)} ms</title></circle>"
            )
        y = _HEIGHT * places[-1][1] + 4
        if ends and abs(y - ends[-1]) < _TEXT:
            y = ends[-1] + (_TEXT if ends[-1] + _TEXT < _HEIGHT else -_TEXT)
        ends.append(y)
        yield f'<text class="t{number}" x="100%" dx="8" y="{y:.1f}">{escape(line.name)}</text>'
    for limit in drawing.limits:
        if limit.value <= scale.high:
            y = _HEIGHT * (1 - scale.place(limit.value))
            tone = "bad" if limit.critical else "warn"
            yield f'<line class="limit {tone}" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text class="{tone} halo" x="2" y="{y - 4:.1f}">{escape(limit.text)}</text>'
    yield from _ticks(time_ticks(drawing.first_ns, drawing.last_ns), _HEIGHT)
    yield from _axis_name("latency", "start of the turns, UTC", _HEIGHT)


def _bars(drawing: charts.Bars) -> Iterator[str]:
    scale = LinearScale(high=max(row.value for row in drawing.rows) or 1.0)
    for place, row in enumerate(drawing.rows):
        y = _ROW * place
        yield from _row_head(row.name, row.text, y)
        yield f'<rect class="track" x="0" width="100%" y="{y + 21}" height="14"/>'
        yield f'<rect class="bin" x="0" width="{_at(scale.place(row.value))}" y="{y + 21}" height="14"/>'


def _stacks(drawing: charts.Stacks) -> Iterator[str]:
    scale = LinearScale(high=max(sum(part.value for part in row.parts) for row in drawing.rows) or 1.0)
    for place, row in enumerate(drawing.rows):
        y = _ROW * place
        yield from _row_head(row.name, row.text, y)
        passed = 0.0
        for part in row.parts:
            left, width = scale.place(passed), scale.place(part.value)
            yield (
                f'<rect class="part c-{_component(part.component)}" x="{_at(left)}" width="{_at(width)}" y="{y + 21}" '
                f'height="16"><title>{escape(part.component)} {milliseconds(part.value)} ms</title></rect>'
            )
            passed += part.value


def _waterfall(row: charts.Waterfall) -> Iterator[str]:
    scale = LinearScale(high=row.duration_ms or 1.0)
    yield from _row_head(row.name, row.text, 0)
    for place, step in enumerate(row.steps):
        y = 24 + _STEP * place
        left = min(scale.place(step.start_ms), 1 - _THINNEST)
        width = max(_THINNEST, min(scale.place(step.duration_ms), 1 - left))
        yield (
            f'<rect class="part c-{_component(step.component)}" x="{_at(left)}" width="{_at(width)}" y="{y}" '
            f'height="14"><title>{escape(short(step.name))}: {milliseconds(step.duration_ms)} ms '
            f"from {milliseconds(step.start_ms)} ms"
            "</title></rect>"
        )
        words = f"{escape(short(step.name))} {whole_milliseconds(step.duration_ms)} ms"
        yield _beside(words, left, left + width, y + 11)


def _beside(words: str, left: float, right: float, y: float) -> str:
    """A label on the side of a bar that has more room; in it, where it fills the row."""
    if 1 - right >= max(left, 1 - _RIGHT_HALF):
        return f'<text x="{_at(right)}" dx="6" y="{y}">{words}</text>'
    if left >= 1 - _RIGHT_HALF:
        return f'<text class="end" x="{_at(left)}" dx="-6" y="{y}">{words}</text>'
    return f'<text class="inside" x="{_at(left)}" dx="6" y="{y}">{words}</text>'


def _row_head(name: str, text: str, y: float) -> Iterator[str]:
    yield f'<text class="name" x="0" y="{y + 14}">{escape(short(name))}</text>'
    yield f'<text class="end" x="100%" y="{y + 14}">{escape(text)}</text>'


def _value_grid(texts: Sequence[str]) -> Iterator[str]:
    """Lines at the top and in the middle, with their values."""
    for place, text in enumerate(texts):
        y = _HEIGHT * place / len(texts)
        yield f'<line class="grid" x1="0" x2="100%" y1="{y:g}" y2="{y:g}"/>'
        yield f'<text class="end" x="-8" y="{y + 4:g}">{escape(text)}</text>'
    yield f'<text class="end" x="-8" y="{_HEIGHT + 4}">0</text>'


def _limits(limits: Sequence[charts.Limit], scale: LogScale, height: int) -> Iterator[str]:
    """Vertical lines; their words stand above the chart, one higher than the other."""
    places = [(limit, scale.place(limit.value), "bad" if limit.critical else "warn") for limit in limits]
    tops = [-8 - (_TEXT + 2) * (len(limits) - 1 - number) for number in range(len(limits))]
    for (_, x, tone), top in zip(places, tops, strict=True):
        yield f'<line class="limit {tone}" x1="{_at(x)}" x2="{_at(x)}" y1="{top + 4}" y2="{height}"/>'
    for (limit, x, tone), top in zip(places, tops, strict=True):
        aside = -3 if x > _RIGHT_HALF else 3
        yield f'<text class="{tone} halo {_anchor(x)}" x="{_at(x)}" dx="{aside}" y="{top}">{escape(limit.text)}</text>'


def _ticks(ticks: Sequence[Tick], height: int) -> Iterator[str]:
    yield f'<line class="axis" x1="0" x2="100%" y1="{height}" y2="{height}"/>'
    for tick in ticks:
        x = _at(tick.place)
        yield f'<line class="axis" x1="{x}" x2="{x}" y1="{height}" y2="{height + 5}"/>'
        yield f'<text class="middle" x="{x}" y="{height + 19}">{escape(tick.text)}</text>'


def _axis_name(vertical: str, horizontal: str, height: int) -> Iterator[str]:
    if vertical:
        yield f'<text class="soft" x="-8" y="-12" text-anchor="end">{vertical}</text>'
    yield f'<text class="soft end" x="100%" y="{height + 36}">{horizontal}</text>'


def _anchor(place: float) -> str:
    return "end" if place > _RIGHT_HALF else "start"


def _tone(low: float, limits: Sequence[charts.Limit]) -> str:
    passed = [limit for limit in limits if low >= limit.value]
    if not passed:
        return "fine"
    return "bad" if any(limit.critical for limit in passed) else "warn"


def _component(name: str) -> str:
    return name if name in COMPONENTS else COMPONENTS[-1]


def _steps_told(row: charts.Waterfall) -> str:
    steps = (
        f"{short(step.name)} {milliseconds(step.duration_ms)} ms from {milliseconds(step.start_ms)} ms"
        for step in row.steps
    )
    return ", ".join(steps) or "Nothing is known of it."


def _at(place: float) -> str:
    return f"{100 * place:.2f}%"
