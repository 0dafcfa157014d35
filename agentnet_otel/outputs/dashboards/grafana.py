"""Dashboards as Grafana's JSON. The only module that knows grafana-foundation-sdk."""

import itertools
import warnings
from collections.abc import Mapping
from typing import Final

from agentnet_otel.errors import MissingExtraError
from agentnet_otel.outputs.dashboards.model import DashboardSpec, Kind, Limits, PanelSpec, Unit
from agentnet_otel.outputs.rules import series
from agentnet_otel.outputs.rules.annotations import Links
from agentnet_otel.outputs.rules.promql import AGENT, MODEL, SERVICE

try:
    with warnings.catch_warnings():
        # It prefers the second version of dashboards; these files are of the first, which every Grafana reads.
        warnings.simplefilter("ignore", DeprecationWarning)
        from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, table, timeseries
        from grafana_foundation_sdk.cog.builder import Builder
        from grafana_foundation_sdk.cog.encoder import JSONEncoder
        from grafana_foundation_sdk.models import common as common_models
        from grafana_foundation_sdk.models import dashboard as models
        from grafana_foundation_sdk.models.prometheus import PromQueryFormat
except ImportError as _error:
    _package = "grafana-foundation-sdk"
    raise MissingExtraError(_package, "dashboards") from _error

PanelBuilder = timeseries.Panel | stat.Panel | table.Panel

DATASOURCE: Final = common_models.DataSourceRef(type_val="prometheus", uid="${datasource}")
HEIGHT: Final = 8
STAT_HEIGHT: Final = 4
ALL: Final = "$__all"
_YES: Final = True
_GREEN, _YELLOW, _RED = "green", "yellow", "red"


def dashboard_files(specs: tuple[DashboardSpec, ...], links: Links) -> Mapping[str, str]:
    """Name to text of each dashboard's file."""
    return {f"{spec.uid}.json": _json(spec, links) for spec in specs}


def _json(spec: DashboardSpec, links: Links) -> str:
    built = dashboard.Dashboard(spec.title).uid(spec.uid).description(spec.description).tags(["agentnet"])
    built = built.editable().time("now-3h", "now").refresh("30s").tooltip(models.DashboardCursorSync.CROSSHAIR)
    for variable in _variables(links):
        built = built.with_variable(variable)
    others = dashboard.DashboardLink("AgentNet").type(models.DashboardLinkType.DASHBOARDS).tags(["agentnet"])
    built = built.link(others.as_dropdown(_YES).include_vars(_YES).keep_time(_YES))
    number = itertools.count(1)
    for title, panels in spec.rows:
        built = built.with_row(dashboard.Row(title).id(next(number)))
        for panel in panels:
            built = built.with_panel(_panel(panel, links).id(next(number)))
    return JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"


def _variables(
    links: Links,
) -> tuple[dashboard.DatasourceVariable | dashboard.QueryVariable | dashboard.TextBoxVariable, ...]:
    of_service = f'{SERVICE}=~"$service"'
    jaeger = dashboard.TextBoxVariable("jaeger").label("Jaeger").default_value(links.jaeger)
    return (
        dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        _choice("service", "Service", f"label_values({series.TURNS}, {SERVICE})"),
        _choice("agent", "Agent", f"label_values({series.TURNS}{{{of_service}}}, {AGENT})"),
        _choice("model", "Model", f"label_values({series.TURNS}{{{of_service}}}, {MODEL})"),
        jaeger.current(models.VariableOption(text=links.jaeger, value=links.jaeger)),
    )


def _choice(name: str, label: str, query: str) -> dashboard.QueryVariable:
    everything = models.VariableOption(selected=True, text="All", value=ALL)
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .query({"qryType": 5, "query": query, "refId": name})
        .datasource(DATASOURCE)
        .multi(_YES)
        .include_all(_YES)
        .all_value(".*")
        .current(everything)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
    )


def _panel(spec: PanelSpec, links: Links) -> PanelBuilder:
    kinds: dict[Kind, PanelBuilder] = {
        Kind.STAT: stat.Panel().reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"])),
        Kind.TABLE: table.Panel(),
    }
    panel = kinds.get(spec.kind) or _lines(spec)
    panel.title(spec.title).description(spec.description).unit(spec.unit.value).datasource(DATASOURCE)
    panel.height(STAT_HEIGHT if spec.kind is Kind.STAT else HEIGHT).span(spec.width)
    if spec.unit in {Unit.PERCENT_UNIT, Unit.SECONDS, Unit.USD, Unit.BYTES, Unit.PER_MINUTE}:
        panel.min(0)
    if spec.limits is not None:
        panel.thresholds(_thresholds(spec.limits))
    for place, query in enumerate(spec.queries):
        target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(chr(ord("A") + place))
        target = target.datasource(DATASOURCE).exemplar(query.exemplars)
        panel.with_target(target.instant().format(PromQueryFormat.TABLE) if spec.kind is Kind.TABLE else target.range())
    panel.links(_links(spec, links))
    return panel


def _lines(spec: PanelSpec) -> timeseries.Panel:
    panel = timeseries.Panel().fill_opacity(10).show_points(common_models.VisibilityMode.NEVER)
    if spec.kind is Kind.STACK:
        panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL)).fill_opacity(40)
    if spec.limits is not None:
        style = common.GraphThresholdsStyleConfig().mode(common_models.GraphThresholdsStyleMode.DASHED)
        panel.thresholds_style(style)
    return panel


def _thresholds(limits: Limits) -> dashboard.ThresholdsConfig:
    steps = [(None, _GREEN), (limits.warning, _YELLOW), (limits.critical, _RED)]
    if limits.higher_is_better:
        steps = [(None, _RED), (limits.critical, _YELLOW), (limits.warning, _GREEN)]
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=color) for value, color in steps])
    )


def _links(spec: PanelSpec, links: Links) -> list[Builder[models.DashboardLink]]:
    found: list[Builder[models.DashboardLink]] = [
        _link(f"Runbook: {alert}", links.runbook(alert)) for alert in spec.runbooks
    ]
    if spec.traces:
        found.append(
            _link("Traces in Jaeger", "${jaeger}/search?service=${service:percentencode}&lookback=1h&limit=20")
        )
    return found


def _link(title: str, url: str) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(title).type(models.DashboardLinkType.LINK).url(url).target_blank(_YES)
