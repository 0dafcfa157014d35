"""The variables that steer telemetry: shown without their secrets, and checked against what they may say.

The SDK answers some wrong values with a default and others with an exception in the middle of a start. Here each is one
sentence that names the variable, the value and what is allowed.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import Final
from urllib.parse import urlsplit

from agentnet_otel import semconv
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.instrumentation import sdk_setup
from agentnet_otel.instrumentation.content import CaptureMode

PREFIXES: Final = ("OTEL_", "AGENTNET_")
HIDDEN: Final = "(hidden)"

_SECRETS: Final = ("HEADERS", "KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")
"""Variables whose names hold one of these are told without their value."""
_USER_INFO: Final = re.compile(r"(?<=//)\S*@")
_QUERY: Final = re.compile(r"(?<=[?&])([^=&#\s]+)=[^&#\s]+")
_SIGNALS: Final = ("", "TRACES_", "METRICS_", "LOGS_")

Check = Callable[[str], str | None]
"""Gets a value, and returns what is allowed instead; None where the value is fine."""


def shown_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of telemetry by name, their secrets hidden."""
    return {
        name: HIDDEN if any(word in name for word in _SECRETS) else without_secrets(value)
        for name, value in sorted(environment.items())
        if name.startswith(PREFIXES)
    }


def without_secrets(text: str) -> str:
    """``text`` with what stands for a user, or for a parameter, in the addresses in it hidden."""
    return _QUERY.sub(rf"\1={HIDDEN}", _USER_INFO.sub(f"{HIDDEN}@", text))


def wrong_variables(environment: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each variable whose value is not allowed, in the order of their names."""
    for name, value in shown_variables(environment).items():
        check = _CHECKS.get(name)
        given = environment[name].strip()
        allowed = check(given) if check is not None and given else None
        if allowed is not None:
            yield f"{name}={value!r} is wrong; allowed: {allowed}."
    yield from _batches(environment)
    yield from _low_limits(environment)


def _one_of(*words: str) -> Check:
    return lambda value: None if value.lower() in words else ", ".join(words)


def _installed(group: str, *also: str, several: bool = False) -> Check:
    def check(value: str) -> str | None:
        known = {*entry_points(group=group).names, *also}
        given = [word.strip() for word in value.split(",") if word.strip()] if several else [value]
        return None if set(given) <= known else ", ".join(sorted(known))

    return check


def _number(low: float, high: float, what: str) -> Check:
    def check(value: str) -> str | None:
        try:
            return None if low <= float(value) <= high else what
        except ValueError:
            return what

    return check


def _count(value: str) -> str | None:
    return None if value.isdecimal() else "a whole number of at least 0"


def _at_least_one(value: str) -> str | None:
    return None if value.isdecimal() and int(value) else "a whole number of at least 1"


def _pairs(value: str) -> str | None:
    given = [pair for pair in value.split(",") if pair.strip()]
    return None if all(pair.partition("=")[0].strip() and "=" in pair for pair in given) else "name=value,name=value"


def _address(value: str) -> str | None:
    try:
        parts = urlsplit(value)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    return None if fine else "http://host:port or https://host:port"


def _capture_mode(value: str) -> str | None:
    try:
        CaptureMode.from_text(value)
    except ConfigurationError:
        return ", ".join(mode.name for mode in CaptureMode)
    return None


def _batches(environment: Mapping[str, str]) -> Iterator[str]:
    """A batch has to fit into its queue; with only one of the two set the other is the SDK's default."""
    for kind in ("BSP", "BLRP"):
        queue, batch = (environment.get(f"OTEL_{kind}_MAX_{word}_SIZE", "") for word in ("QUEUE", "EXPORT_BATCH"))
        queue_size = int(queue) if queue.isdecimal() else _DEFAULT_QUEUE
        batch_size = int(batch) if batch.isdecimal() else _DEFAULT_BATCH
        if batch_size > queue_size > 0:
            yield (
                f"OTEL_{kind}_MAX_EXPORT_BATCH_SIZE is {batch_size}, more than OTEL_{kind}_MAX_QUEUE_SIZE, which is "
                f"{queue_size}; the batch has to fit into the queue."
            )


def _low_limits(environment: Mapping[str, str]) -> Iterator[str]:
    """Beyond the limit the SDK drops attributes, first those that say what a span is: it cannot be read back then."""
    names = ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT")  # the first that is set counts
    name = next((name for name in names if environment.get(name, "").strip()), names[0])
    given = environment.get(name, "").strip()
    if given.isdecimal() and int(given) < ATTRIBUTES_OF_A_TURN:
        yield (
            f"{name} is {given}, and a turn has up to {ATTRIBUTES_OF_A_TURN} attributes: those that say what a span "
            f"is are dropped first, and turns cannot be read back; unset it, or set it to {ATTRIBUTES_OF_A_TURN}."
        )


ATTRIBUTES_OF_A_TURN: Final = 32
"""As many as a turn's span may carry, labels of the user apart."""
_DEFAULT_QUEUE: Final = 2048
_DEFAULT_BATCH: Final = 512
_SECONDS: Final = _number(0, math.inf, "a number of at least 0")
_PARTS_OF_BATCHING: Final = ("MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE", "SCHEDULE_DELAY", "EXPORT_TIMEOUT")
_LIMITS: Final = (
    "ATTRIBUTE_COUNT_LIMIT",
    "ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "SPAN_ATTRIBUTE_COUNT_LIMIT",
    "SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "SPAN_EVENT_COUNT_LIMIT",
    "SPAN_LINK_COUNT_LIMIT",
    "EVENT_ATTRIBUTE_COUNT_LIMIT",
    "LINK_ATTRIBUTE_COUNT_LIMIT",
)

_CHECKS: Final[Mapping[str, Check]] = {
    semconv.ENV_SDK_DISABLED: _one_of("true", "false"),
    semconv.ENV_STRICT: _one_of("1", "true", "0", "false"),
    semconv.ENV_PURE_PYTHON: _one_of("1", "true", "0", "false"),
    semconv.ENV_CAPTURE_CONTENT: _capture_mode,
    "OTEL_TRACES_SAMPLER": _installed("opentelemetry_traces_sampler"),
    "OTEL_TRACES_SAMPLER_ARG": _number(0, 1, "a probability from 0 to 1"),
    "OTEL_PROPAGATORS": _installed("opentelemetry_propagator", "none", several=True),
    "OTEL_RESOURCE_ATTRIBUTES": _pairs,
    "OTEL_METRIC_EXPORT_INTERVAL": _at_least_one,
    "OTEL_METRIC_EXPORT_TIMEOUT": _at_least_one,
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": _one_of("cumulative", "delta", "lowmemory"),
    **{
        signal.exporter_variable: _installed(signal.group, sdk_setup.OTLP, sdk_setup.NONE, several=True)
        for signal in (sdk_setup.TRACES, sdk_setup.METRICS, sdk_setup.LOGS)
    },
    **{f"OTEL_EXPORTER_OTLP_{signal}PROTOCOL": _one_of(*sdk_setup.PROTOCOLS) for signal in _SIGNALS},
    **{f"OTEL_EXPORTER_OTLP_{signal}TIMEOUT": _SECONDS for signal in _SIGNALS},
    **{f"OTEL_EXPORTER_OTLP_{signal}COMPRESSION": _one_of("none", "gzip", "deflate") for signal in _SIGNALS},
    **{f"OTEL_EXPORTER_OTLP_{signal}HEADERS": _pairs for signal in _SIGNALS},
    **{f"OTEL_EXPORTER_OTLP_{signal}ENDPOINT": _address for signal in _SIGNALS},
    **{f"OTEL_{kind}_{part}": _at_least_one for kind in ("BSP", "BLRP") for part in _PARTS_OF_BATCHING},
    **{f"OTEL_{limit}": _count for limit in _LIMITS},
}
