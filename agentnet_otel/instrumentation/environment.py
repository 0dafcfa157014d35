"""Where turns were measured: what has to be the same for two measurements to be compared."""

import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from agentnet_otel import semconv
from agentnet_otel._version import __version__

_CPU_INFO: Final = Path("/proc/cpuinfo")
_GOVERNOR: Final = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


def environment() -> Mapping[str, str]:
    """Versions, processor, cores, load and governor, by name; what cannot be read is missing.

    ``cpu_cores`` are those of the machine, ``cpu_cores_usable`` those that this process may run on.
    ``load_average_1m`` is the load as the benchmark began, which no two runs share.
    """
    found = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "agentnet_otel": __version__,
        "agentnet": _agentnet_version(),
        "opentelemetry_sdk": _installed("opentelemetry-sdk"),
        "cpu_model": _cpu_model() or platform.processor() or None,
        "cpu_cores": _text(os.cpu_count()),
        "cpu_cores_usable": _usable_cores(),
        "cpu_governor": _line(_GOVERNOR),
        "load_average_1m": _load(),
    }
    return {name: value for name, value in found.items() if value is not None}


def resource_attributes() -> Mapping[str, str]:
    """The lasting ones of these facts as a resource has them, so that spans tell where they were measured."""
    found = {
        semconv.PROCESS_RUNTIME_NAME: platform.python_implementation(),
        semconv.PROCESS_RUNTIME_VERSION: platform.python_version(),
        semconv.OS_DESCRIPTION: platform.platform(),
        semconv.HOST_ARCH: platform.machine(),
        semconv.HOST_CPU_MODEL_NAME: _cpu_model(),
        semconv.HOST_CPU_CORES: _text(os.cpu_count()),
    }
    return {name: value for name, value in found.items() if value}


def _agentnet_version() -> str | None:
    """That of the AgentNet that is loaded, if any: it is not imported to find out."""
    told = getattr(sys.modules.get("agentnet"), "__version__", None)
    return told if isinstance(told, str) else _installed("agentnet")


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu_model() -> str | None:
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)


def _usable_cores() -> str | None:
    affinity = getattr(os, "sched_getaffinity", None)  # on Linux only
    return None if affinity is None else str(len(affinity(0)))


def _load() -> str | None:
    try:
        return f"{os.getloadavg()[0]:.2f}"
    except (AttributeError, OSError):  # Windows has none
        return None


def _line(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
