"""All dashboards."""

from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.outputs.dashboards.anatomy import anatomy
from agentnet_otel.outputs.dashboards.health import bridge
from agentnet_otel.outputs.dashboards.model import DashboardSpec
from agentnet_otel.outputs.dashboards.overview import overview
from agentnet_otel.outputs.dashboards.tokens import tokens


def dashboards(table: ThresholdTable) -> tuple[DashboardSpec, ...]:
    """The overview first."""
    return (overview(table), anatomy(), tokens(table), bridge())
