"""Tools and memory: the agent's own methods and the executors and managers below them, one component for both."""

from collections.abc import Mapping
from typing import Any

from agentnet_otel import semconv
from agentnet_otel.instrumentation.component_span import ComponentSpan
from agentnet_otel.instrumentation.hooks.answers import field_of
from agentnet_otel.instrumentation.hooks.driver import Call, Hook, component_here, current_component
from agentnet_otel.instrumentation.open_span import OpenSpan
from agentnet_otel.model import LatencyComponent


class ToolCall(Hook):
    """A tool that is executed. ``executor``: name of the attribute that holds it, None where it is the instance."""

    def __init__(self, executor: str | None = None) -> None:
        self._executor = executor

    def open(self, call: Call) -> OpenSpan | None:
        executor = call.instance if self._executor is None else getattr(call.instance, self._executor, None)
        if executor is None:
            return None
        tool = str(call.argument(0, "tool_name"))
        agent = getattr(call.instance, "name", None) if self._executor is not None else None
        return component_here(
            LatencyComponent.TOOL_EXECUTION,
            tool,
            merge_key=("tool", id(executor), tool),
            agent=agent if isinstance(agent, str) else None,
        )

    def returned(self, call: Call, span: OpenSpan | None, result: Any) -> None:
        if isinstance(span, ComponentSpan) and result is not None:
            status = field_of(result, "status")
            span.record_tool_call(
                call_id=_call_id(field_of(result, "metadata")),
                arguments=call.argument(1, "parameters"),
                result=field_of(result, "data"),
                outcome=None if status is None else str(getattr(status, "value", status)),
            )


def _call_id(metadata: Any) -> str | None:
    found = metadata.get("call_id") if isinstance(metadata, Mapping) else None
    return found if isinstance(found, str) else None


class MemoryCall(Hook):
    """Memory that is searched or written. ``manager`` as ``executor`` of `ToolCall`."""

    def __init__(self, operation: str, manager: str | None = None) -> None:
        self._operation = operation
        self._manager = manager

    def open(self, call: Call) -> OpenSpan | None:
        manager = call.instance if self._manager is None else getattr(call.instance, self._manager, None)
        if manager is None:
            return None
        component = component_here(
            LatencyComponent.MEMORY_ACCESS,
            self._operation,
            merge_key=("memory", id(manager), self._operation),
            operation=self._operation,
            agent=_agent_of(call) if self._manager is None else getattr(call.instance, "name", None),
        )
        if component is not None:
            key = semconv.MEMORY_QUERY_TEXT if self._operation == semconv.OP_SEARCH_MEMORY else semconv.MEMORY_RECORDS
            component.note_content(key, call.argument(0, "query", call.kwargs.get("content")))
        return component

    def returned(self, call: Call, span: OpenSpan | None, result: Any) -> None:
        component = current_component(LatencyComponent.MEMORY_ACCESS)
        if component is None or result is None:
            return
        if self._operation == semconv.OP_CREATE_MEMORY:
            component.record_records(int(bool(result)))
            return
        entries, layers = field_of(result, "entries"), field_of(result, "source_layers")
        if isinstance(entries, list | tuple):
            component.record_records(len(entries))
        if isinstance(layers, list | tuple):
            component.attributes[semconv.MEMORY_LAYERS] = tuple(str(getattr(item, "value", item)) for item in layers)


def _agent_of(call: Call) -> str | None:
    name = call.argument(1, "agent_name")
    return name if isinstance(name, str) else None
