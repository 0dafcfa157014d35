"""Thresholds out of a YAML file; an error names the line.

    turn_latency: {recommended: 1500, critical: 4000}      # ms
    success_rate: {recommended: 95, critical: 90}          # %
    agents:
      planner:
        turn_latency: {critical: 9000}
    models:
      m-large:
        cost_per_turn: {recommended: 0.02}

What is left out keeps the documented limit; an agent's own go before a model's, and these before those for all.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from agentnet_otel.core.thresholds import DOCUMENTED, HIGHEST, Metric, Threshold, ThresholdTable, with_limits
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.sources.yaml_file import load_yaml, place_of, require_mapping

_AGENTS: Final = "agents"
_MODELS: Final = "models"
_LIMITS: Final = ("recommended", "critical")
_LONG_NUMBER: Final = 10**30
_LONGEST_SHOWN: Final = 60


def read_thresholds(path: str | Path) -> ThresholdTable:
    """The table in a file.

    Raises:
        ConfigurationError: the file cannot be read or holds something else; the text names file and line.
        MissingExtraError: no YAML library is installed.
    """
    name = str(path)
    document = load_yaml(Path(path), "limits")
    if document is None:
        return ThresholdTable()
    require_mapping(document, name, "the file")
    for_all = {key: given for key, given in document.items() if key not in {_AGENTS, _MODELS}}
    default = {**DOCUMENTED, **_limits_of(for_all, document, name, DOCUMENTED)}
    return ThresholdTable(
        default=default,
        agents=_own_limits(document, _AGENTS, "agent", name, default),
        models=_own_limits(document, _MODELS, "model", name, default),
    )


def _own_limits(
    document: Mapping[Any, Any], section: str, whose: str, name: str, default: Mapping[Metric, Threshold]
) -> dict[str, Mapping[Metric, Threshold]]:
    """Limits by agent, or by model."""
    own = document.get(section)
    if own is None:
        return {}
    require_mapping(own, place_of(document, section, name), section)
    found: dict[str, Mapping[Metric, Threshold]] = {}
    for who, limits in own.items():
        where = place_of(own, who, name)
        if not _names_somebody(who) or str(who) in found:
            problem = "is named twice" if str(who) in found else f"is no name of one of the {section}"
            message = f"{where}: {who!r} {problem}; write names as text, in quotes"
            raise ConfigurationError(message)
        require_mapping(limits, where, f"{whose} {who!r}")
        found[str(who)] = _limits_of(limits, limits, name, default)
    return found


def _names_somebody(who: object) -> bool:
    """Half a surrogate pair is no text, and nobody is named by nothing."""
    if isinstance(who, bool) or not isinstance(who, str | int | float):
        return False
    return bool(str(who)) and not any("\ud800" <= letter <= "\udfff" for letter in str(who))


def _limits_of(
    entries: Mapping[Any, Any], marked: Any, name: str, base: Mapping[Metric, Threshold]
) -> dict[Metric, Threshold]:
    limits: dict[Metric, Threshold] = {}
    for key, given in entries.items():
        where = place_of(marked, key, name)
        try:
            metric = Metric(key)
        except ValueError:
            allowed = ", ".join(metric.value for metric in Metric)
            message = f"{where}: unknown metric {key!r}; allowed are: {allowed}"
            raise ConfigurationError(message) from None
        require_mapping(given, where, key)
        unknown = next((found for found in given if found not in _LIMITS), None)
        if unknown is not None:
            where = place_of(given, unknown, name)
            message = f"{where}: unknown key {unknown!r} in {key}; allowed are: {', '.join(_LIMITS)}"
            raise ConfigurationError(message)
        recommended, critical = (_number(given, limit, metric, name) for limit in _LIMITS)
        try:
            limits[metric] = with_limits(base[metric], recommended, critical)
        except ValueError as error:
            last = next((limit for limit in reversed(_LIMITS) if limit in given), None)
            message = f"{place_of(given, last, name)}: {key}: {error}"
            raise ConfigurationError(message) from None
    return limits


def _number(given: Mapping[str, Any], limit: str, metric: Metric, name: str) -> float | None:
    value = given.get(limit)
    if value is None:
        return None
    highest = HIGHEST.get(metric, sys.float_info.max)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= highest:
        allowed = f"from 0 to {highest:g} {DOCUMENTED[metric].unit}".rstrip() if metric in HIGHEST else "of at least 0"
        message = (
            f"{place_of(given, limit, name)}: {metric.value}.{limit} has to be a number {allowed}, not {_shown(value)}"
        )
        raise ConfigurationError(message)
    return float(value)


def _shown(value: object) -> str:
    """The value for a message: Python refuses to write very long numbers, and nobody reads them."""
    if isinstance(value, int) and abs(value) >= _LONG_NUMBER:
        return "a number of more than 30 digits"
    shown = repr(value)
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}..."
