"""What memory ``turns`` and ``check`` need at their peak for many spans, which come through a pipe; and ``report``.

The spans are those of ``bench_read``, repeated with trace ids and times of their own. What is told is the peak of the
resident memory of the command's process, in MB of 1,000,000 bytes, beside that of the same command on a tenth of the
spans. For ten million spans: ``--spans 10000000``.

A report holds all its turns, five spans each. Of it, in the order of its formats, the CPU time beside that of ``turns``
on the same spans, the peak, and the size of HTML are told; and the peak for ten times the turns.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench_read import write_turns
from measuring import arguments, publish

TEMPLATE_TURNS = 2_000
FIELDS = re.compile(rb'(?<="traceId":")([0-9a-f]{32})|(?<=TimeUnixNano":")(\d+)')
KIB = 1024
KB = 1_000
MB = 1_000_000
SPANS_OF_A_TURN = 5
FORMATS = ("html", "md", "json", "csv")


class Template:
    """Lines of spans, cut apart at trace ids and times."""

    def __init__(self, path: Path) -> None:
        self._lines = [self._cut(line) for line in path.read_bytes().splitlines(keepends=True)]
        times = [int(value) for _, fields in self._lines for is_time, value in fields if is_time]
        self._shift_ns = max(times) - min(times) + 1
        self.spans = sum(1 for _, fields in self._lines for is_time, _ in fields if not is_time)

    @staticmethod
    def _cut(line: bytes) -> tuple[list[bytes], list[tuple[bool, bytes]]]:
        parts, fields, at = [], [], 0
        for found in FIELDS.finditer(line):
            parts.append(line[at : found.start()])
            fields.append((found[2] is not None, found[0]))
            at = found.end()
        return [*parts, line[at:]], fields

    def lines(self, spans: int) -> Iterator[bytes]:
        """At least so many spans."""
        given = 0
        for number in count():
            later, mark = number * self._shift_ns, b"%08x" % number
            for parts, fields in self._lines:
                filled = [parts[0]]
                for (is_time, value), part in zip(fields, parts[1:], strict=True):
                    filled += [b"%d" % (int(value) + later) if is_time else mark + value[8:], part]
                    given += not is_time
                yield b"".join(filled)
                if given >= spans:
                    return


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run of a command needed."""

    peak_mb: float
    cpu_s: float
    written_bytes: int


WATCHED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
sys.stderr.write(f"\\n{code} {used.ru_maxrss} {used.ru_utime + used.ru_stime}")
"""
"""A small process in between: one that a large one started has had the memory of that one, says the system."""


def run(arguments: Sequence[str], template: Template, spans: int) -> Run:
    """Run a command that reads so many spans from a pipe."""
    command = [sys.executable, "-m", "agentnet_otel", *arguments, "-", "-q"]
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", WATCHED, *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=errors,
        )
        assert process.stdin is not None
        with process.stdin as pipe:
            pipe.writelines(template.lines(spans))
        assert process.wait() == 0
        errors.seek(0)
        told = errors.read().decode()
        code, peak, cpu_s = told.rsplit("\n", 1)[1].split()
        assert int(code) in {0, 10}, told  # 10: a limit is passed
        return Run(
            peak_mb=(int(peak) if sys.platform == "darwin" else int(peak) * KIB) / MB,
            cpu_s=float(cpu_s),
            written_bytes=output.seek(0, os.SEEK_END),
        )


def of_reports(template: Template, turns: int) -> dict[str, float | None]:
    """What reports on so many turns need, and one on ten times as many."""
    spans = turns * SPANS_OF_A_TURN
    beside = run(["turns"], template, spans)
    reports = {form: run(["report", "--format", form], template, spans) for form in FORMATS}
    return {
        **{f"report_{form}_beside_turns": report.cpu_s / beside.cpu_s for form, report in reports.items()},
        "report_peak_mb": max(report.peak_mb for report in reports.values()),
        "report_html_kb": reports["html"].written_bytes / KB,
        "report_of_ten_times_peak_mb": run(["report", "--format", "html"], template, 10 * spans).peak_mb,
    }


def main() -> None:
    """Measure each command on few spans and on all, and reports."""
    options = arguments(__doc__, spans=1_000_000, report_turns=100_000)
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder, "spans.jsonl")
        write_turns(lines, min(TEMPLATE_TURNS, max(options.spans // 50, 20)))
        template = Template(lines)
    figures: dict[str, float | None] = {}
    for command in ("turns", "check"):
        few, many = (run([command], template, spans).peak_mb for spans in (options.spans // 10, options.spans))
        figures[f"{command}_peak_mb"] = many
        figures[f"{command}_peak_beside_a_tenth"] = many / few
    figures |= of_reports(template, options.report_turns)
    publish("memory", figures, save=options.save)


if __name__ == "__main__":
    main()
