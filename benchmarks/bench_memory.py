"""What memory ``turns`` and ``check`` need at their peak for many spans, which come through a pipe.

The spans are those of ``bench_read``, repeated with trace ids and times of their own. What is told is the peak of the
resident memory of the command's process, in MB of 1,000,000 bytes, beside that of the same command on a tenth of the
spans. For ten million spans: ``--spans 10000000``.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from bench_read import write_turns
from measuring import arguments, publish

TEMPLATE_TURNS = 2_000
FIELDS = re.compile(rb'(?<="traceId":")([0-9a-f]{32})|(?<=TimeUnixNano":")(\d+)')
KIB = 1024
MB = 1_000_000


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


def peak_bytes(command: str, template: Template, spans: int) -> int:
    """The peak of the resident memory of a command that reads so many spans from a pipe."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "agentnet_otel", command, "-", "-q"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        assert process.stdin is not None
        with process.stdin as pipe:
            pipe.writelines(template.lines(spans))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        assert process.returncode in {0, 10}, errors.read().decode()  # 10: a limit is passed
    return usage.ru_maxrss if sys.platform == "darwin" else usage.ru_maxrss * KIB


def main() -> None:
    """Measure each command on few spans and on all."""
    options = arguments(__doc__, spans=1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder, "spans.jsonl")
        write_turns(lines, min(TEMPLATE_TURNS, max(options.spans // 50, 20)))
        template = Template(lines)
    figures: dict[str, float | None] = {}
    for command in ("turns", "check"):
        few, many = (peak_bytes(command, template, spans) for spans in (options.spans // 10, options.spans))
        figures[f"{command}_peak_mb"] = many / MB
        figures[f"{command}_peak_beside_a_tenth"] = many / few
    publish("memory", figures, save=options.save)


if __name__ == "__main__":
    main()
