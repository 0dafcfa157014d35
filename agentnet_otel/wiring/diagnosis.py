"""What `doctor` tells: what is found, hooked, skipped, exported where, with what result, and what to change."""

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agentnet_otel import semconv
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.instrumentation import hooks, providers, sdk_setup
from agentnet_otel.instrumentation.content import CaptureMode
from agentnet_otel.wiring.reporting import environment

_SECRETS: Final = ("HEADERS", "KEY", "TOKEN", "SECRET", "PASSWORD")
"""Variables whose names hold one of these are told without their value."""
_PREFIXES: Final = ("OTEL_", "AGENTNET_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The findings. ``exports``: exporter and result; ``advice``: sentences, empty where nothing is to change."""

    environment: Mapping[str, str]
    framework: str
    hooked: tuple[str, ...]
    skipped: tuple[str, ...]
    variables: Mapping[str, str]
    exports: Mapping[str, str]
    advice: tuple[str, ...]


def diagnose() -> Diagnosis:
    """Look at this environment. AgentNet is imported and hooked for a moment; one span is sent to each exporter."""
    framework, found = _framework()
    states = _hook_states() if found else []
    skipped = tuple(state.path for state in states if state.state == "skipped")
    exports = _exports()
    return Diagnosis(
        environment=environment(),
        framework=framework,
        hooked=tuple(state.path for state in states if state.state == "hooked"),
        skipped=skipped,
        variables=_variables(),
        exports=exports,
        advice=tuple(_advice(exports, found=found)),
    )


def _framework() -> tuple[str, bool]:
    try:
        module = importlib.import_module("agentnet")
    except ImportError as error:
        return f"not importable: {error}", False
    except Exception as error:  # noqa: BLE001 - whatever it raises is the finding
        return f"found, but its import fails: {type(error).__name__}: {error}", False
    return f"version {getattr(module, '__version__', 'unknown')}", True


def _hook_states() -> list[hooks.TargetStatus]:
    """Hook, look, take back."""
    hooks.install()
    try:
        for target in hooks.status():
            try:
                importlib.import_module(target.path.rsplit(".", 2)[0])
            except Exception:  # noqa: BLE001, S112 - a module that this version lacks: its state says so
                continue
        return [
            hooks.TargetStatus(path=state.path, state="skipped" if state.state == "waiting" else state.state)
            for state in hooks.status()
        ]
    finally:
        hooks.uninstall()


def _variables() -> dict[str, str]:
    found = {name: value for name, value in sorted(os.environ.items()) if name.startswith(_PREFIXES)}
    return {name: "(set)" if any(word in name for word in _SECRETS) else value for name, value in found.items()}


def _exports() -> dict[str, str]:
    """Each exporter of the environment, and what it says to one span."""
    results = {}
    for name in sdk_setup.TRACES.exporter_names():
        try:
            exporter: Any = sdk_setup.TRACES.load(name)()
            sent = exporter.export([_probe()])
            exporter.shutdown()
        except Exception as error:  # noqa: BLE001 - whatever it raises is the finding
            results[name] = f"failed: {error}"
            continue
        results[name] = "a span was accepted" if sent is SpanExportResult.SUCCESS else "failed: the span was refused"
    return results


def _probe() -> Any:
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    provider.get_tracer(semconv.SCOPE_NAME).start_span("agentnet-otel doctor").end()
    return memory.get_finished_spans()[0]


def _advice(exports: Mapping[str, str], *, found: bool) -> list[str]:
    advice = []
    if not found:
        advice.append("AgentNet cannot be imported here: only the manual API makes spans. Put it on PYTHONPATH.")
    if providers.sdk_disabled():
        advice.append(f"{semconv.ENV_SDK_DISABLED}=true switches everything off; unset it.")
    if providers.instrumentation_disabled():
        advice.append(f"{semconv.ENV_DISABLED_INSTRUMENTATIONS} names this instrumentation; take it out.")
    if not exports and not providers.is_configured(trace.get_tracer_provider()):
        advice.append("No exporter is configured: set OTEL_EXPORTER_OTLP_ENDPOINT, or instrument(exporter=...).")
    advice += [f"Exporter {name} {result}" for name, result in exports.items() if result.startswith("failed")]
    try:
        CaptureMode.from_text(os.environ.get(semconv.ENV_CAPTURE_CONTENT, ""))
    except ConfigurationError as error:
        advice.append(f"{error}.")
    return advice
