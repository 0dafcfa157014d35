"""Requests of metrics and logs that were sent where spans are taken: told by name, for a wrong address is easily given.

In JSON they name themselves. In protobuf all signals look alike: what is a span's trace id here is a metric's name
there. So a request none of whose spans can be used is looked at as if it were of another signal.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

MAX_LOOKED_AT_BYTES: Final = 256 * 1024
"""Larger messages are not looked at again: a crafted one would need many times its size in memory."""

_KEYS: Final = {"resourceMetrics": "metrics", "resourceLogs": "logs", "resourceProfiles": "profiles"}
_DOCUMENT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def signal_of_json(data: bytes) -> str | None:
    """The other signal that a document without spans names; None where it names none, or is none."""
    try:
        keys = _DOCUMENT.decode(data).keys()
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return None if "resourceSpans" in keys else next((name for key, name in _KEYS.items() if key in keys), None)


def signal_of_message(data: bytes) -> str | None:
    """The signal of a message that holds no usable span, as far as it can be told."""
    if len(data) <= MAX_LOOKED_AT_BYTES:
        if _is_wholly(ExportMetricsServiceRequest(), data, _has_metrics):
            return "metrics"
        if _is_wholly(ExportLogsServiceRequest(), data, _has_logs):
            return "logs"
    return None


def wrong_signal(signal: str) -> str:
    """A sentence for whoever sent it."""
    return f"these are {signal}, no spans; only traces are taken here"


def _is_wholly(message: Any, data: bytes, has_what_it_is_for: Callable[[Any], bool]) -> bool:
    """Whether nothing of ``data`` is left over when it is taken for such a message."""
    try:
        message.ParseFromString(data)
    except DecodeError:
        return False
    message.DiscardUnknownFields()
    return bool(message.ByteSize() == len(data)) and has_what_it_is_for(message)


def _has_metrics(message: ExportMetricsServiceRequest) -> bool:
    scopes = (scope for resource in message.resource_metrics for scope in resource.scope_metrics)
    return any(metric.name and metric.WhichOneof("data") for scope in scopes for metric in scope.metrics)


def _has_logs(message: ExportLogsServiceRequest) -> bool:
    scopes = (scope for resource in message.resource_logs for scope in resource.scope_logs)
    return any(
        record.time_unix_nano or record.observed_time_unix_nano for scope in scopes for record in scope.log_records
    )
