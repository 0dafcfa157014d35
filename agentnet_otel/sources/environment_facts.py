"""Where turns were measured, as the resources of their spans tell it."""

from collections.abc import Mapping
from typing import Final

from agentnet_otel import semconv
from agentnet_otel.core.plain_span import Origin
from agentnet_otel.model import AttributeValue, SpanRecord

MAX_VALUES: Final = 5
"""Values of one fact that are kept: spans of more processes differ in what no comparison can use."""
MAX_LENGTH: Final = 200
_MANY: Final = "..."
_PYTHON: Final = "python"
_FACTS: Final = {
    semconv.PROCESS_RUNTIME_NAME: "implementation",
    semconv.PROCESS_RUNTIME_VERSION: _PYTHON,
    semconv.OS_DESCRIPTION: "system",
    semconv.HOST_ARCH: "machine",
    semconv.HOST_CPU_MODEL_NAME: "cpu_model",
    semconv.HOST_CPU_CORES: "cpu_cores",
    semconv.TELEMETRY_SDK_VERSION: "opentelemetry_sdk",
    semconv.SERVICE_VERSION: "service_version",
    semconv.DEPLOYMENT_ENVIRONMENT: "deployment_environment",
}
"""Resource attributes, and what benchmarks call the same facts."""
_TELLING: Final = frozenset({_PYTHON, "system", "machine", "cpu_model"})
"""Without one of these an environment is not known: the version of an SDK alone says nothing about speed."""


class EnvironmentFacts:
    """Collects the facts of one reading."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, None]] = {}
        self._last: Mapping[str, AttributeValue] = {}
        self._last_scope = ""

    def note(self, span: SpanRecord | Origin) -> None:
        """Take in what a span tells; one with the resource of the span before it costs two comparisons."""
        if span.resource is not self._last and span.resource != self._last:
            self._last = span.resource
            for key, name in _FACTS.items():
                value = span.resource.get(key)
                if value is not None:
                    self._add(name, str(value))
        if span.scope_version != self._last_scope and span.scope_name == semconv.SCOPE_NAME:
            self._last_scope = span.scope_version
            self._add("agentnet_otel", span.scope_version)

    def by_name(self) -> dict[str, str]:
        """The facts; several values of one are listed. {} where nothing tells what the turns ran on."""
        if not _TELLING & self._values.keys():
            return {}
        return {name: ", ".join(sorted(values)) for name, values in sorted(self._values.items())}

    def _add(self, name: str, value: str) -> None:
        values = self._values.setdefault(name, {})
        values[value[:MAX_LENGTH] if len(values) < MAX_VALUES or value in values else _MANY] = None
