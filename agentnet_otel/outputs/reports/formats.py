"""The formats of a report, by the names that files end with."""

from collections.abc import Callable, Mapping
from typing import Final

from agentnet_otel.errors import ConfigurationError
from agentnet_otel.outputs.reports.content import ReportContent
from agentnet_otel.outputs.reports.csv_report import render_csv
from agentnet_otel.outputs.reports.html_report import render_html
from agentnet_otel.outputs.reports.json_report import render_json
from agentnet_otel.outputs.reports.markdown import render_markdown

RENDERERS: Final[Mapping[str, Callable[[ReportContent], str]]] = {
    "md": render_markdown,
    "html": render_html,
    "json": render_json,
    "csv": render_csv,
}

_OTHER_NAMES: Final = {"markdown": "md"}


def render(report: ReportContent, form: str) -> str:
    """The report as text.

    Raises:
        ConfigurationError: the format is unknown.
    """
    return RENDERERS[known_format(form)](report)


def known_format(form: str) -> str:
    """The name that the format's files end with.

    Raises:
        ConfigurationError: the format is unknown.
    """
    ending = _OTHER_NAMES.get(form, form)
    if ending not in RENDERERS:
        message = f"report format {form!r} is unknown; allowed are: {', '.join(RENDERERS)}"
        raise ConfigurationError(message)
    return ending
