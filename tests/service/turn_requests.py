"""Export requests that hold turns, and how they are sent."""

import time

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def batch(*numbers, agent="planner", children=1):
    """An export request with a turn for each number."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add()
    spans.scope.name = "agentnet_otel"
    now = time.time_ns()
    for number in numbers:
        root = spans.spans.add(
            name=f"invoke_agent {agent}", start_time_unix_nano=now, end_time_unix_nano=now + 5_000_000
        )
        root.trace_id, root.span_id = number.to_bytes(16, "big"), number.to_bytes(8, "big")
        for key, value in (("gen_ai.operation.name", "invoke_agent"), ("gen_ai.agent.name", agent),
                           ("agentnet.turn.id", f"t{number}"), ("agentnet.turn.outcome", "success")):  # fmt: skip
            root.attributes.add(key=key).value.string_value = value
        for child in range(children):
            span = spans.spans.add(name="chat m", start_time_unix_nano=now, end_time_unix_nano=now + 1_000_000)
            span.trace_id, span.parent_span_id = root.trace_id, root.span_id
            span.span_id = (number + (child + 1) * 2**40).to_bytes(8, "big")
            span.attributes.add(key="agentnet.latency.component").value.string_value = "inference"
            span.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = 7
    return request


def export(address, request, timeout_s=30, metadata=()):
    """Over gRPC; returns the answer."""
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(EXPORT)
        return ExportTraceServiceResponse.FromString(call(request, timeout=timeout_s, metadata=metadata))


def ids(turns):
    """Turn ids, sorted."""
    return sorted(turn["turn_id"] for turn in turns)
