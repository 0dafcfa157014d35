"""What `doctor` tells: what is found, hooked, skipped, exported where, with what result, and what to change."""

import importlib.metadata
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry import trace

from agentnet_otel import semconv
from agentnet_otel.core.efficiency import ASSUMED_QUALITY, token_efficiency
from agentnet_otel.core.thresholds import DOCUMENTED, Metric
from agentnet_otel.instrumentation import providers
from agentnet_otel.instrumentation.hooks import presence
from agentnet_otel.model import TokenUsage
from agentnet_otel.wiring.probes import ExportResult, probe_exporters
from agentnet_otel.wiring.reporting import installed
from agentnet_otel.wiring.variables import shown_variables, wrong_variables

_EXTRAS: Final = {"cli": "click", "zstd": "zstandard", "bench": "psutil", "prices": "genai-prices"}
"""Extras, and a package that each brings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The findings. ``hooked`` and ``skipped`` are dotted names; ``advice`` is empty where nothing is to change."""

    environment: Mapping[str, str]
    extras: Mapping[str, str]
    framework: str
    hooked: tuple[str, ...]
    skipped: tuple[str, ...]
    variables: Mapping[str, str]
    exports: tuple[ExportResult, ...]
    notes: tuple[str, ...]
    advice: tuple[str, ...]


def diagnose() -> Diagnosis:
    """Look at this environment. AgentNet is imported and hooked for a moment; one span is sent to each exporter."""
    framework = presence.look()
    exports = probe_exporters()
    return Diagnosis(
        environment=installed(),
        extras={extra: _version(package) for extra, package in _EXTRAS.items()},
        framework=framework.text,
        hooked=tuple(state.path for state in framework.targets if state.state == "hooked"),
        skipped=tuple(state.path for state in framework.targets if state.state != "hooked"),
        variables=shown_variables(os.environ),
        exports=exports,
        notes=(_efficiency_note(),),
        advice=tuple(_advice(exports, found=framework.found)),
    )


def diagnosis_lines(diagnosis: Diagnosis) -> list[str]:
    """The findings for people to read."""
    sections = (
        ("Environment", [f"{name}: {value}" for name, value in diagnosis.environment.items()]),
        ("Extras", [f"{name}: {value}" for name, value in diagnosis.extras.items()]),
        ("AgentNet", [diagnosis.framework]),
        (f"Hooked: {len(diagnosis.hooked)}", _by_owner(diagnosis.hooked)),
        (f"Skipped, for this version has no such thing: {len(diagnosis.skipped)}", _by_owner(diagnosis.skipped)),
        ("Variables", [f"{name}={value}" for name, value in diagnosis.variables.items()]),
        ("Export", [_export_line(found) for found in diagnosis.exports]),
        ("To know", diagnosis.notes),
        ("What to change", diagnosis.advice),
    )
    lines: list[str] = []
    for title, found in sections:
        lines += ([""] if lines else []) + [title, *(f"  {item}" for item in found or ["nothing"])]
    return lines


def _by_owner(paths: Sequence[str]) -> list[str]:
    """One line for each class, with the names that are wrapped in it."""
    names: dict[str, list[str]] = {}
    for path in paths:
        owner, _, name = path.rpartition(".")
        names.setdefault(owner, []).append(name)
    return [f"{owner}: {', '.join(found)}" for owner, found in names.items()]


def _export_line(found: ExportResult) -> str:
    target = "" if found.target is None else f" to {found.target}"
    return f"{found.signal} by {found.exporter}{target}: {found.result}"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _efficiency_note() -> str:
    """Where nobody evaluates answers, long prompts put the documented limits out of reach: from which share on."""
    threshold = DOCUMENTED[Metric.TOKEN_EFFICIENCY]
    lowest, highest = (
        token_efficiency(tokens=usage, quality=ASSUMED_QUALITY, duration_ns=1) or 0.0
        for usage in (TokenUsage(input=1, output=0), TokenUsage(input=0, output=1))
    )
    recommended, critical = (
        (limit - lowest) / (highest - lowest) for limit in (threshold.recommended, threshold.critical)
    )
    return (
        f"Without an evaluation or a confidence the quality of an answer is assumed as {ASSUMED_QUALITY:g}. The token "
        f"efficiency can then pass {threshold.recommended:g} only where more than {recommended:.0%} of a turn's tokens "
        f"are output, and {threshold.critical:g} only above {critical:.0%}: with long prompts set limits of your own."
    )


def _advice(exports: Sequence[ExportResult], *, found: bool) -> Iterator[str]:
    if not found:
        yield (
            "AgentNet cannot be imported here: only the manual API makes spans. Put its folder on PYTHONPATH, and "
            "install what it needs."
        )
    if providers.sdk_disabled():
        yield f"{semconv.ENV_SDK_DISABLED}=true switches everything off; unset it."
    if providers.instrumentation_disabled():
        yield f"{semconv.ENV_DISABLED_INSTRUMENTATIONS} names this instrumentation; take it out."
    if not exports and not providers.is_configured(trace.get_tracer_provider()):
        yield "No exporter is configured: set OTEL_EXPORTER_OTLP_ENDPOINT, or call instrument(exporter=...)."
    yield from wrong_variables(os.environ)
    for export in exports:
        if not export.ok:
            yield f"Export of {export.signal} by {export.exporter} fails: {_what_to_do(export)}"


def _what_to_do(export: ExportResult) -> str:
    if export.target is None:
        return f"look at {export.exporter} and its variables."
    return f"start what should listen at {export.target}, or correct OTEL_EXPORTER_OTLP_ENDPOINT, _PROTOCOL, _HEADERS."
