"""Panels as most of them are: one question, its series named by a label."""

from agentnet_otel.outputs.dashboards.model import Kind, Limits, PanelSpec, Query, Unit


def value_of(label: str) -> str:
    """The value of a label, in a legend."""
    return f"{{{{{label}}}}}"


def lines(
    title: str,
    description: str,
    unit: Unit,
    expr: str,
    legend: str,
    *,
    exemplars: bool = False,
    limits: Limits | None = None,
    runbooks: tuple[str, ...] = (),
    traces: bool = True,
    width: int = 12,
) -> PanelSpec:
    """A line a series. ``exemplars``: dots that are turns; ``limits``: lines where warning and critical begin."""
    return PanelSpec(
        title=title,
        description=description,
        unit=unit,
        kind=Kind.LINES,
        queries=(Query(expr=expr, legend=legend, exemplars=exemplars),),
        limits=limits,
        runbooks=runbooks,
        traces=traces,
        width=width,
    )


def stack(
    title: str, description: str, unit: Unit, expr: str, legend: str, *, runbooks: tuple[str, ...] = ()
) -> PanelSpec:
    """Series that add up to something, one upon the other."""
    return PanelSpec(
        title=title,
        description=description,
        unit=unit,
        kind=Kind.STACK,
        queries=(Query(expr=expr, legend=legend),),
        runbooks=runbooks,
    )
