"""Measuring side by side, and keeping the ratios that the README quotes.

Machines are noisy and differ, so what is quoted is a ratio: the ways of doing one thing take turns, the CPU time of the
thread is what counts, each round gives a ratio, and the median of them is told.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

RESULTS = Path(__file__).with_name("results.json")
"""The ratios of the last run with ``--save``, by script."""
DECIMALS = 2


def arguments(description: str | None, **sizes: int) -> argparse.Namespace:
    """The command line of a script: ``--save``, and a number for each of its sizes."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--save", action="store_true", help=f"keep the ratios in {RESULTS.name}")
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"(default: {default})")
    return parser.parse_args()


class Timings:
    """CPU seconds of each way, round by round."""

    def __init__(
        self, ways: Mapping[str, Callable[[], None]], rounds: int, clock: Callable[[], float] = time.thread_time
    ) -> None:
        """``clock``: where a way has threads of its own that are part of it, `time.process_time`."""
        self._seconds: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(rounds + 1):
            for name, work in ways.items():
                begin = clock()
                work()
                if turn:  # the first round warms up
                    self._seconds[name].append(clock() - begin)

    def median(self, name: str) -> float:
        """Seconds of one way."""
        return statistics.median(self._seconds[name])

    def ratio(self, name: str, beside: str) -> float:
        """How many times as long one way takes as another."""
        pairs = zip(self._seconds[name], self._seconds[beside], strict=True)
        return statistics.median(one / other for one, other in pairs)


def publish(script: str, ratios: Mapping[str, float | None], *, save: bool) -> None:
    """Print the ratios, and keep them if asked to. None: what it needs is not installed."""
    rounded = {name: None if ratio is None else round(ratio, DECIMALS) for name, ratio in ratios.items()}
    for name, ratio in rounded.items():
        print(f"{script}.{name} = {'not measured: not installed' if ratio is None else ratio}")
    if save:
        kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps({**kept, script: rounded}, indent=2, sort_keys=True) + "\n")
