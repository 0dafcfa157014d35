"""What the process and its host used while a benchmark ran."""

from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Final

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


def _cpu_percent(earlier: HostSample, later: HostSample) -> float | None:
    elapsed_s = (later.at_ns - earlier.at_ns) / _NANOS
    if earlier.process_cpu_s is None or later.process_cpu_s is None or elapsed_s <= 0:
        return None
    return (later.process_cpu_s - earlier.process_cpu_s) / elapsed_s * _PERCENT
