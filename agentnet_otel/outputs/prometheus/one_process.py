"""Each process has its own counters: an address that several processes answer shows now one's, now another's.

Prometheus would take each change for a reset, and count what never was. So a shared page of metrics is refused: by
the variable of prometheus_client's mode for several processes, by what a server says of itself
(``wsgi.multiprocess``), by a fork since the page was made, and by a claim that the first process which answers at an
address lays on it.
"""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

from agentnet_otel.errors import ConfigurationError

try:
    import fcntl
except ImportError:  # Windows, which has no prefork servers
    fcntl = None  # type: ignore[assignment]

MULTIPROCESS_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
WHAT_TO_DO: Final = (
    "each process counts its own turns, and a shared page of metrics would show now one's, now another's. Push metrics "
    "by OTLP (OTEL_METRICS_EXPORTER=otlp), or give each worker a port of its own with start_http_server()"
)

_claims: Final[dict[str, int]] = {}
"""File descriptors of the addresses that this process answers, held until it ends."""


def refuse_multiprocess_mode() -> None:
    """Refuse where prometheus_client is told to join the metrics of several processes: ours cannot be joined.

    Raises:
        ConfigurationError: it is so.
    """
    if os.environ.get(MULTIPROCESS_VARIABLE):
        message = f"{MULTIPROCESS_VARIABLE} is set: several processes would share the metrics, but {WHAT_TO_DO}"
        raise ConfigurationError(message)


def refusal(made_in_pid: int, address: str, *, multiprocess: bool = False) -> str | None:
    """Why this process must not answer a scrape at ``address``, in a sentence; None where it may."""
    if multiprocess:
        return f"several processes serve this address: {WHAT_TO_DO}"
    if made_in_pid != os.getpid():
        return f"process {os.getpid()} was forked from {made_in_pid}, which made this page: {WHAT_TO_DO}"
    if not _claimed(address):
        return f"another process answers scrapes at {address} already: {WHAT_TO_DO}"
    return None


def _claimed(address: str) -> bool:
    """Whether this process is the one that answers there. Where files cannot be locked, nobody is refused."""
    if address in _claims or fcntl is None or not address:
        return True
    flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(_claim_file(address), flags, 0o600)
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return False
    _claims[address] = descriptor
    return True


def _claim_file(address: str) -> Path:
    """A file for the address, of this user and this network: containers may share a folder and have their own ports."""
    network = ""
    with contextlib.suppress(OSError):
        network = str(Path("/proc/self/ns/net").readlink())
    digest = hashlib.sha256(f"{network} {address}".encode()).hexdigest()[:16]
    user = os.getuid() if hasattr(os, "getuid") else 0
    return Path(tempfile.gettempdir()) / f"agentnet-otel-metrics-{user}-{digest}.lock"


def _forget_claims() -> None:
    """A forked child shares the descriptors, so that its parent's claims would outlive the parent."""
    for descriptor in _claims.values():
        os.close(descriptor)
    _claims.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_claims)
