"""Results of benchmarks as files: one JSON document each.

What the agents answered is not written: it is content. A file holds what was measured, and the reasons of failures.
"""

import dataclasses
import json
import math
import re
import time
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Final

import msgspec

from agentnet_otel.performance.benchmark import BenchmarkResult

RESULT_SCHEMA: Final = "agentnet-otel.benchmark-result/1"
_NAME_LENGTH: Final = 80
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]+")
_NOT_WRITTEN: Final = frozenset({"config", "individual_results", "turns", "samples", "host"})


def write_result(result: BenchmarkResult, folder: Path) -> Path:
    """Write a result into a folder of its own making, under a name that is not taken; its path.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(as_json(result), indent=2, allow_nan=False)
    stem = f"{safe_name(result.config.name)}_{time.strftime('%Y%m%d_%H%M%S', time.localtime(result.start_time))}"
    number = 1
    while True:
        path = folder / f"{stem}{'' if number == 1 else f'_{number}'}.json"
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text + "\n")
        except FileExistsError:
            number += 1
        else:
            return path


def safe_name(name: str) -> str:
    """A benchmark's name as part of a file name on any system."""
    return _UNSAFE.sub("_", name).strip("_")[:_NAME_LENGTH] or "benchmark"


def as_json(result: BenchmarkResult) -> dict[str, Any]:
    """What a file holds, as strict JSON knows it: numbers that are none become null."""
    shown = {f.name: getattr(result, f.name) for f in dataclasses.fields(result) if f.name not in _NOT_WRITTEN}
    document = {
        "schema": RESULT_SCHEMA,
        "config": vars(result.config),
        **shown,
        "passed_thresholds": result.passed_thresholds,
        "confidence_intervals": result.confidence_intervals,
        "service_time_ms": result.service_time_ms,
        "response_time_ms": result.response_time_ms,
        "component_latency_breakdown": result.component_latency_breakdown,
        "host": None if result.host is None else _host(result),
        "individual_results": [
            {key: value for key, value in individual.items() if key != "result"}
            for individual in result.individual_results
        ],
        "samples": result.samples,
    }
    plain: dict[str, Any] = _plain(document)
    return plain


def _host(result: BenchmarkResult) -> dict[str, Any]:
    host = result.host
    names = [name for name, member in vars(type(host)).items() if isinstance(member, property)]
    return {**{name: getattr(host, name) for name in names}, "samples": () if host is None else host.samples}


def _plain(value: Any) -> Any:
    """``value`` in the types of JSON; what is none of them becomes text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return _plain_scalar(value)


def _plain_scalar(value: Any) -> str | float | bool | None:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | bool | int) else str(value)
