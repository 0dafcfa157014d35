"""What all queries share: whom the variables chose, and the window that fits the resolution."""

from typing import Final

from agentnet_otel.outputs.rules.promql import AGENT, MODEL, SERVICE

RATE: Final = "$__rate_interval"
OF_SERVICE: Final = f'{SERVICE}=~"$service"'
OF_AGENT: Final = f'{OF_SERVICE}, {AGENT}=~"$agent"'
OF_MODEL: Final = f'{OF_AGENT}, {MODEL}=~"$model"'


def rate(series: str, by: str, matchers: str = OF_MODEL) -> str:
    """A rate a second, summed by labels."""
    return f"sum by ({by}) (rate({series}{{{matchers}}}[{RATE}]))"


def mean(family: str, by: str, matchers: str = OF_MODEL) -> str:
    """The mean of what a histogram counted."""
    return f"{rate(f'{family}_sum', by, matchers)} / ({rate(f'{family}_count', by, matchers)} > 0)"


def quantile(share: float, family: str, by: str = "", matchers: str = OF_MODEL) -> str:
    """A quantile of what a histogram counted."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share:g}, {rate(f'{family}_bucket', labels, matchers)})"
