"""The demo from end to end: run agents, export their spans, read them back, report. Nothing is taken by a short cut."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from agentnet_otel.demo.builtin import run_builtin
from agentnet_otel.demo.framework import framework_available, run_framework
from agentnet_otel.demo.plan import make_plan
from agentnet_otel.errors import BackendError
from agentnet_otel.outputs.reports.content import ReportContent
from agentnet_otel.sources.rebuild import rebuild
from agentnet_otel.wiring import instrument
from agentnet_otel.wiring.reporting import make_report, render

SPANS_FILE: Final = "spans.jsonl"
REPORT_FILES: Final = {"md": "report.md", "json": "report.json"}


class DemoSource(str, Enum):
    """Whose agents run."""

    AUTO = "auto"
    AGENTNET = "agentnet"
    BUILTIN = "builtin"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """What the demo made. ``files``: spans and reports. ``source``: whose agents ran."""

    report: ReportContent
    files: tuple[Path, ...]
    source: DemoSource


def run_demo(source: DemoSource, turns: int, seed: int, folder: Path, tick: Callable[[], None]) -> DemoResult:
    """Run about ``turns`` turns and write spans and reports into ``folder``.

    Raises:
        BackendError: AgentNet was asked for and cannot be imported, the folder cannot be written, or no span arrived.
    """
    used = _used(source)
    spans = _fresh_file(folder)
    handle = instrument(exporter=f"file:{spans}")
    try:
        if used is DemoSource.BUILTIN:
            asyncio.run(run_builtin(make_plan(turns, seed), tick))
        else:
            run_framework(turns, seed, tick)
    finally:
        handle.shutdown()
    report = _report_on(spans)
    written = [spans]
    for form, name in REPORT_FILES.items():
        path = folder / name
        path.write_text(render(report, form), encoding="utf-8")
        written.append(path)
    return DemoResult(report=report, files=tuple(written), source=used)


def _used(source: DemoSource) -> DemoSource:
    if source is DemoSource.BUILTIN or (source is DemoSource.AUTO and not framework_available()):
        return DemoSource.BUILTIN
    if not framework_available():
        message = (
            "AgentNet is not importable here. Get it: git clone the repository V1B3hR/agentnet from GitHub, and pip "
            "install its packages (tenacity pyjwt jsonschema networkx numpy pydantic pyyaml); then set PYTHONPATH to "
            "the clone. Or run: agentnet-otel demo --source builtin"
        )
        raise BackendError(message)
    return DemoSource.AGENTNET


def _fresh_file(folder: Path) -> Path:
    """The file of spans, without those of a former run."""
    spans = folder / SPANS_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        spans.unlink(missing_ok=True)
    except OSError as error:
        message = f"{folder} cannot be written: {error.strerror}. Name another folder: --out DIR"
        raise BackendError(message) from None
    return spans


def _report_on(spans: Path) -> ReportContent:
    """The report on a file of spans, as `agentnet-otel report` makes it."""
    rebuilt = rebuild([spans])
    if not rebuilt.turns:
        message = f"no turn arrived in {spans}; is OTEL_SDK_DISABLED set, or a sampler that drops everything?"
        raise BackendError(message)
    return make_report(rebuilt.turns, rebuilt.counts, read=rebuilt.read)
