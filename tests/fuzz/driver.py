"""Fuzzing: `python tests/fuzz/driver.py --seconds 60 [--target NAME] [--seed N]`; `make fuzz` runs it.

Each target gets its share of the time. Its corpus, in ``corpus/NAME``, are seeds and what was found before; inputs are
made of it by `mutations`. What raises anything but errors of ours, hangs, or needs more memory than a multiple of its
size is a finding: it is made as small as it gets, written into the corpus, and told. Then the exit code is 1.

No coverage guides it. Where it is to be guided: `with_atheris.py` runs the same targets.
"""

import argparse
import random
import signal
import sys
import time
import traceback
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import mutations
from targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
HANG_S = 5.0
"""Seconds of the processor that a small input may take at most, however busy the machine is."""
SLOW_S_A_MB = 60.0
"""And for each megabyte of it."""
WAIT_S = 60.0
"""Seconds that may pass while it waits."""
MULTIPLE = 100
"""Bytes that may be needed for a byte of input: an empty span is three bytes of JSON, or two of protobuf, and decoded
an object of some two hundred."""
FIXED_BYTES = 24 * 1024 * 1024
"""Buffers, which have the same size for all inputs."""
MEASURED_SHARE = 0.05
"""Of the inputs, so many are measured: it slows them; large ones are measured all."""
LARGE_BYTES = 128 * 1024
MINIMISE_S = 5.0


class HangError(BaseException):
    """It took too long. No `Exception`, so that nobody takes it for an error of the input."""


class GreedyError(AssertionError):
    """It needed too much memory."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """An input and what it does."""

    target: str
    data: bytes
    what: str
    trace: str


@contextmanager
def _limited_time(size: int) -> Iterator[None]:
    allowed_s = HANG_S + SLOW_S_A_MB * size / 1_000_000

    def hang(number, frame):
        raise HangError(f"took more than {allowed_s:.1f} s for {size:,} bytes, or waited for {WAIT_S} s")

    timers = ((signal.ITIMER_VIRTUAL, signal.SIGVTALRM, allowed_s), (signal.ITIMER_REAL, signal.SIGALRM, WAIT_S))
    before = [(number, signal.signal(number, hang)) for _, number, _ in timers]
    for timer, _, seconds in timers:
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for timer, _, _ in timers:
            signal.setitimer(timer, 0)
        for number, handler in before:
            signal.signal(number, handler)


def tried(target: Callable[[bytes], None], data: bytes, *, measured: bool) -> BaseException | None:
    """What an input does that it may not do, None where all is well."""
    try:
        with _limited_time(len(data)):
            _measure(target, data) if measured else target(data)
    except (Exception, HangError) as error:
        return error
    return None


def _measure(target, data):
    tracemalloc.start()
    try:
        target(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if peak > MULTIPLE * len(data) + FIXED_BYTES:
        raise GreedyError(f"{peak:,} bytes for an input of {len(data):,}")


def corpus_of(name: str) -> list[bytes]:
    """The inputs of a target, the smallest first."""
    return sorted({path.read_bytes() for path in (CORPUS / name).iterdir()}, key=lambda data: (len(data), data))


def fuzzed(
    name: str, target: Callable[[bytes], None], seconds: float, chance: random.Random
) -> tuple[int, list[Finding]]:
    """Try inputs of one target for so long: how many, and what was found (each kind once)."""
    corpus, tries, found = corpus_of(name), 0, {}
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        data = mutations.mutated(chance.choice(corpus), corpus, chance)
        measured = len(data) > LARGE_BYTES or chance.random() < MEASURED_SHARE
        tries += 1
        error = tried(target, data, measured=measured)
        if error is not None and _kind(error) not in found:
            found[_kind(error)] = _finding(name, target, data, error, measured=measured)
    return tries, list(found.values())


def _kind(error):
    """Findings that are raised at one place are one."""
    frames = traceback.extract_tb(error.__traceback__)
    return type(error), (frames[-1].filename, frames[-1].lineno) if frames else None


def _finding(name, target, data, error, *, measured):
    data = minimised(target, data, type(error), measured=measured)
    what = "".join(traceback.format_exception_only(error)).strip()[:300]
    return Finding(target=name, data=data, what=what, trace="".join(traceback.format_exception(error))[-3000:])


def minimised(target: Callable[[bytes], None], data: bytes, kind: type[BaseException], *, measured: bool) -> bytes:
    """The same finding in as few bytes as some seconds of cutting leave."""
    end_s = time.monotonic() + MINIMISE_S
    step = max(1, len(data) // 2)
    while step:
        place = 0
        while place < len(data) and time.monotonic() < end_s:
            shorter = data[:place] + data[place + step :]
            if isinstance(tried(target, shorter, measured=measured), kind):
                data = shorter
            else:
                place += step
        step //= 2
    return data


def keep(finding: Finding) -> Path:
    """Write a finding into the corpus."""
    path = CORPUS / finding.target / f"found-{sha256(finding.data).hexdigest()[:12]}"
    path.write_bytes(finding.data)
    return path


def main(arguments: list[str] | None = None) -> int:
    """Fuzz; the exit code is 1 where something was found."""
    parser = argparse.ArgumentParser(description="Fuzz the readers of what others wrote.")
    parser.add_argument("--seconds", type=float, default=60.0, help="for all targets together")
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this one; may be repeated")
    parser.add_argument("--seed", type=int, default=None, help="the same one makes the same inputs")
    given = parser.parse_args(arguments)
    seed = random.SystemRandom().getrandbits(32) if given.seed is None else given.seed
    names = given.target or list(TARGETS)
    print(f"seed {seed}")
    code = 0
    for name in names:
        tries, findings = fuzzed(name, TARGETS[name], given.seconds / len(names), random.Random(f"{seed} {name}"))
        print(f"{name}: {tries:,} inputs, {len(findings)} findings", flush=True)
        for finding in findings:
            code = 1
            print(f"  {keep(finding)}: {finding.what}\n{finding.trace}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
