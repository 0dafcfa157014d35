"""What an alert says: the few forms of Prometheus' templates that the annotations of the limits use."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote_plus

from agentnet_otel.errors import ConfigurationError
from agentnet_otel.outputs.rules.annotations import IN_JSON

_PLACE: Final = re.compile(r"\{\{ (.*?) \}\}")
_LABEL: Final = re.compile(rf"\$labels\.(\w+)({re.escape(IN_JSON)})?( \| urlquery)?")
_QUOTED_IN_JSON: Final = re.compile(r'["\\]')
_PRINTED: Final = re.compile(r'\$value \| printf "%\.(\d)f"')
_PERCENT: Final = 100


def rendered(template: str, labels: Mapping[str, str], value: float) -> str:
    """The text of an annotation, as Prometheus writes it.

    Raises:
        ConfigurationError: a form that is not known here.
    """
    return _PLACE.sub(lambda found: _filled(found[1], labels, value), template)


def _filled(form: str, labels: Mapping[str, str], value: float) -> str:
    if label := _LABEL.fullmatch(form):
        text = labels.get(label[1], "")
        if label[2]:
            text = _QUOTED_IN_JSON.sub(r"\\\g<0>", text)
        return quote_plus(text, safe="") if label[3] else text
    if printed := _PRINTED.fullmatch(form):
        return f"{value:.{printed[1]}f}"
    if form == "$value | humanizePercentage":
        return f"{value * _PERCENT:.4g}%"
    message = f"the form {form!r} of an annotation is not known outside Prometheus"
    raise ConfigurationError(message)
