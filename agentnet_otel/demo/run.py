"""The demo from end to end: run agents, export their spans, read them back, report. Nothing is taken by a short cut."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from opentelemetry._logs import NoOpLoggerProvider
from opentelemetry.metrics import NoOpMeterProvider

from agentnet_otel.demo.builtin import run_builtin
from agentnet_otel.demo.framework import framework_problem, run_framework
from agentnet_otel.demo.plan import SPANS_FILE, DemoSource, make_plan
from agentnet_otel.errors import BackendError, reason_of
from agentnet_otel.outputs.reports.content import ReportContent
from agentnet_otel.outputs.reports.formats import RENDERERS, render
from agentnet_otel.prices import installed
from agentnet_otel.sources.rebuild import rebuild
from agentnet_otel.wiring import instrument
from agentnet_otel.wiring.reporting import make_report

REPORT_FILES: Final = {form: f"report.{form}" for form in RENDERERS}


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """What the demo made. ``files``: spans and reports. ``source``: whose agents ran."""

    report: ReportContent
    files: tuple[Path, ...]
    source: DemoSource


def run_demo(source: DemoSource, turns: int, seed: int, folder: Path, tick: Callable[[], None]) -> DemoResult:
    """Run about ``turns`` turns and write spans and reports into ``folder``; nothing is sent elsewhere.

    Raises:
        BackendError: AgentNet was asked for and cannot be imported, the folder cannot be written, or no span arrived.
    """
    used = _used(source)
    spans = _fresh_file(folder)
    handle = instrument(
        exporter=f"file:{spans}", meter_provider=NoOpMeterProvider(), logger_provider=NoOpLoggerProvider()
    )
    try:
        if used is DemoSource.BUILTIN:
            _run(run_builtin(make_plan(turns, seed), tick))
        else:
            _run(run_framework(turns, seed, tick))
    finally:
        handle.shutdown()
    report = _report_on(spans)
    written = [spans]
    for form, name in REPORT_FILES.items():
        path = folder / name
        try:
            path.write_text(render(report, form), encoding="utf-8")
        except OSError as error:
            raise _unwritable(path, error) from None
        written.append(path)
    return DemoResult(report=report, files=tuple(written), source=used)


def _run(work: Coroutine[None, None, None]) -> None:
    """Run it to its end. Ctrl-C cancels it between two steps of the loop.

    The handler of asyncio itself cancels in the middle of whatever the loop does just then, which may stumble over it.

    Raises:
        KeyboardInterrupt: Ctrl-C came, whatever the work made of being cancelled.
    """
    interrupted = False

    async def until_interrupted() -> None:
        task = asyncio.current_task()

        def interrupt() -> None:
            nonlocal interrupted
            interrupted = True
            if task is not None:
                task.cancel()

        with suppress(RuntimeError):  # not the main thread, or a platform whose loops know no signals
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupt)
        await work

    try:
        asyncio.run(until_interrupted())
    except asyncio.CancelledError:
        if not interrupted:
            raise
    if interrupted:
        raise KeyboardInterrupt


def _used(source: DemoSource) -> DemoSource:
    """Whose agents run.

    Raises:
        BackendError: AgentNet was asked for and cannot be imported.
    """
    if source is DemoSource.BUILTIN:
        return source
    problem = framework_problem()
    if problem is None:
        return DemoSource.AGENTNET
    if source is DemoSource.AUTO:
        return DemoSource.BUILTIN
    message = (
        f"AgentNet cannot be imported ({problem}): clone the repository V1B3hR/agentnet from GitHub, pip install what "
        "it needs (tenacity pyjwt jsonschema networkx numpy pydantic pyyaml), and set PYTHONPATH to the clone, or run "
        "the built-in agents with --source builtin"
    )
    raise BackendError(message)


def _fresh_file(folder: Path) -> Path:
    """The file of spans, without those of a former run."""
    spans = folder / SPANS_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        spans.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from None
    return spans


def _unwritable(path: Path, error: OSError) -> BackendError:
    return BackendError(f"{path} cannot be written: {reason_of(error)}. Name another folder: --out DIR")


def _report_on(spans: Path) -> ReportContent:
    """The report on a file of spans, as `agentnet-otel report` makes it."""
    rebuilt = rebuild([spans], prices=installed())
    if not rebuilt.turns:
        message = f"no turn arrived in {spans}; is OTEL_SDK_DISABLED set, or a sampler that drops everything?"
        raise BackendError(message)
    return make_report(
        rebuilt.turns, rebuilt.counts, read=rebuilt.read, environment=rebuilt.environment, documented=True
    )
