"""What the process and its host used while a benchmark ran.

Looked at by a thread of its own, with psutil (extra ``bench``). Only the harness's process is looked at, but network
and disk are those of the whole host: systems do not tell them by process.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from types import ModuleType
from typing import Any, Final, TypeVar

from agentnet_otel.errors import MissingExtraError

N = TypeVar("N", int, float)

INTERVAL_S: Final = 0.2
"""Time between two looks, to begin with."""
MAX_SAMPLES: Final = 1000
"""Looks that are kept; when they are reached every second one goes, and the interval doubles."""

_PACKAGE: Final = "psutil"
_EXTRA: Final = "bench"
_NANOS: Final = 1_000_000_000
_PERCENT: Final = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSample:
    """One look at the process and its host; None where the system does not tell.

    ``at_ns``: epoch nanoseconds. Processor time (seconds) and the host's network and disk traffic (bytes) are counted
    since the run began; memory is the resident memory at that moment.
    """

    at_ns: int
    process_cpu_s: float | None = None
    process_memory_bytes: int | None = None
    host_network_sent_bytes: int | None = None
    host_network_received_bytes: int | None = None
    host_disk_read_bytes: int | None = None
    host_disk_written_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostUsage:
    """CPU and memory of the process, network and disk of its host, from the first to the last operation."""

    samples: tuple[HostSample, ...]

    @property
    def process_cpu_percent_mean(self) -> float | None:
        """Mean use of the processor by the process; 100 is one core."""
        return _cpu_percent(self.samples[0], self.samples[-1]) if self.samples else None

    @property
    def process_cpu_percent_max(self) -> float | None:
        """The highest use of the processor between two looks."""
        between = (_cpu_percent(earlier, later) for earlier, later in pairwise(self.samples))
        return max((percent for percent in between if percent is not None), default=None)

    @property
    def process_memory_bytes_mean(self) -> float | None:
        """Mean resident memory of the process."""
        known = [s.process_memory_bytes for s in self.samples if s.process_memory_bytes is not None]
        return fmean(known) if known else None

    @property
    def process_memory_bytes_max(self) -> int | None:
        """The highest resident memory that was seen."""
        return max((s.process_memory_bytes for s in self.samples if s.process_memory_bytes is not None), default=None)

    @property
    def host_network_sent_bytes(self) -> int | None:
        """What the host sent during the run."""
        return self.samples[-1].host_network_sent_bytes if self.samples else None

    @property
    def host_network_received_bytes(self) -> int | None:
        """What the host received during the run."""
        return self.samples[-1].host_network_received_bytes if self.samples else None

    @property
    def host_disk_read_bytes(self) -> int | None:
        """What the host read from its disks during the run."""
        return self.samples[-1].host_disk_read_bytes if self.samples else None

    @property
    def host_disk_written_bytes(self) -> int | None:
        """What the host wrote to its disks during the run."""
        return self.samples[-1].host_disk_written_bytes if self.samples else None


class HostSampler:
    """Looks at the process and its host from `start` to `stop`.

    Raises:
        MissingExtraError: psutil is not installed.
    """

    def __init__(self, interval_s: float = INTERVAL_S, max_samples: int = MAX_SAMPLES) -> None:
        self._psutil = _psutil()
        self._process = self._psutil.Process()
        self._interval_s = interval_s
        self._max_samples = max_samples
        self._samples: list[HostSample] = []
        self._base = HostSample(at_ns=0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="agentnet-otel-host-sampling", daemon=True)

    def start(self) -> None:
        """Take the first look, and go on in a thread."""
        self._base = self._look()
        self._samples.append(_since(self._base, self._base))
        self._thread.start()

    def stop(self) -> HostUsage:
        """Take the last look."""
        self._stop.set()
        self._thread.join()
        self._samples.append(_since(self._base, self._look()))
        return HostUsage(samples=tuple(self._samples))

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._samples.append(_since(self._base, self._look()))
            if len(self._samples) >= self._max_samples:
                del self._samples[1::2]
                self._interval_s *= 2

    def _look(self) -> HostSample:
        psutil = self._psutil
        cpu = self._told(self._process.cpu_times)
        memory = self._told(self._process.memory_info)
        network = self._told(psutil.net_io_counters)
        disk = self._told(psutil.disk_io_counters)
        return HostSample(
            at_ns=time.time_ns(),
            process_cpu_s=None if cpu is None else cpu.user + cpu.system,
            process_memory_bytes=None if memory is None else memory.rss,
            host_network_sent_bytes=None if network is None else network.bytes_sent,
            host_network_received_bytes=None if network is None else network.bytes_recv,
            host_disk_read_bytes=None if disk is None else disk.read_bytes,
            host_disk_written_bytes=None if disk is None else disk.write_bytes,
        )

    def _told(self, read: Callable[[], Any]) -> Any:
        """What the system tells; None where it does not, or not to us."""
        try:
            return read()
        except (self._psutil.Error, OSError, NotImplementedError, RuntimeError):
            return None


def _psutil() -> ModuleType:
    try:
        import psutil  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415 - optional
    except ImportError:
        raise MissingExtraError(_PACKAGE, _EXTRA) from None
    found: ModuleType = psutil
    return found


def _since(base: HostSample, now: HostSample) -> HostSample:
    """``now`` with its counters counted from ``base``."""
    return HostSample(
        at_ns=now.at_ns,
        process_cpu_s=_difference(base.process_cpu_s, now.process_cpu_s),
        process_memory_bytes=now.process_memory_bytes,
        host_network_sent_bytes=_difference(base.host_network_sent_bytes, now.host_network_sent_bytes),
        host_network_received_bytes=_difference(base.host_network_received_bytes, now.host_network_received_bytes),
        host_disk_read_bytes=_difference(base.host_disk_read_bytes, now.host_disk_read_bytes),
        host_disk_written_bytes=_difference(base.host_disk_written_bytes, now.host_disk_written_bytes),
    )


def _difference(base: N | None, now: N | None) -> N | None:
    return None if base is None or now is None else now - base


def _cpu_percent(earlier: HostSample, later: HostSample) -> float | None:
    elapsed_s = (later.at_ns - earlier.at_ns) / _NANOS
    if earlier.process_cpu_s is None or later.process_cpu_s is None or elapsed_s <= 0:
        return None
    return (later.process_cpu_s - earlier.process_cpu_s) / elapsed_s * _PERCENT
