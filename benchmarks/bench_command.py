"""What whole commands cost, start and all, beside a process that only parses the same file as JSON.

The file is OTLP JSON lines of many spans. Compared is the CPU time of processes, user and system: ``turns FILE`` and
``check FILE`` beside a pass of msgspec without types that throws away what it parsed; for two jobs the time
that passes, beside that of one. With other work on the machine all of this is worse, and jobs most.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench_memory import TEMPLATE_TURNS, Template
from bench_read import write_turns
from measuring import Timings, arguments, publish

ONLY_PARSED = """
import sys, msgspec
with open(sys.argv[1], "rb") as file:
    for line in file:
        msgspec.json.decode(line)
"""
COMMAND = (sys.executable, "-m", "agentnet_otel")


def write_file(path: Path, spans: int) -> None:
    """A file of so many spans."""
    with tempfile.TemporaryDirectory() as folder:
        some = Path(folder, "spans.jsonl")
        write_turns(some, TEMPLATE_TURNS)
        with path.open("wb") as file:
            file.writelines(Template(some).lines(spans))


def run(*command: str, allowed: tuple[int, ...] = (0,)) -> Callable[[], None]:
    """A process whose output goes nowhere."""

    def work() -> None:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        assert done.returncode in allowed, done.stderr

    return work


def cpu_seconds() -> float:
    """User and system time of the processes that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure side by side."""
    options = arguments(__doc__, spans=400_000, rounds=5)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "spans.jsonl")
        write_file(path, options.spans)
        ways = {
            "pass": run(sys.executable, "-c", ONLY_PARSED, str(path)),
            "turns": run(*COMMAND, "turns", "-q", str(path)),
            "check": run(*COMMAND, "check", "-q", str(path), allowed=(0, 10)),
        }
        cpu = Timings(ways, options.rounds, cpu_seconds)
        jobs = {"two": run(*COMMAND, "turns", "-q", "--jobs", "2", str(path)), "one": ways["turns"]}
        passed = Timings(jobs, options.rounds, time.perf_counter)
    ratios = {
        "turns_beside_untyped_msgspec": cpu.ratio("turns", "pass"),
        "check_beside_untyped_msgspec": cpu.ratio("check", "pass"),
        "two_jobs_times_as_fast": passed.ratio("one", "two"),
    }
    publish("command", ratios, save=options.save)


if __name__ == "__main__":
    main()
