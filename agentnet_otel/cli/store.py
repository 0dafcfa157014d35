"""`store`: what is done with the store of `serve`."""

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from agentnet_otel.cli import options
from agentnet_otel.cli.framework import FILE, Numbers, argument, group, option
from agentnet_otel.cli.standard_streams import tell, write
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.outputs import console
from agentnet_otel.outputs.json_text import indented_json

_DAY_NS: Final = 86_400_000_000_000
_is_trace_id: Final = re.compile(r"[0-9a-fA-F]{32}").fullmatch


@group
def store() -> None:
    """What `serve` keeps.

    Example: agentnet-otel store purge --help
    """


@store.command
@argument("folder", metavar="DIR", type=FILE, help="The store of `serve`, which must not be running.")
@option("--session", "sessions", metavar="ID", multiple=True, help="Of this session. May be repeated.")
@option("--trace", "trace_ids", metavar="ID", multiple=True, help="This trace. May be repeated.")
@option("--older-than-days", type=Numbers(0.0, 36_500.0), help="What arrived longer ago than this.")
@option("--all", "everything", is_flag=True, help="Everything, damaged files too.")
@options.as_json
@options.quiet
def purge(
    *,
    folder: Path,
    sessions: Sequence[str],
    trace_ids: Sequence[str],
    older_than_days: float | None,
    everything: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Erase sessions, traces or times from a store: the turns, and the requests that they were rebuilt from.

    Whole traces go. Requests that wait to be understood are searched too.

    Example: agentnet-otel store purge agentnet-otel-store --session 8f14e45f
    """
    from agentnet_otel.sources import purge as purging  # noqa: PLC0415 - only who runs it

    if not (sessions or trace_ids or older_than_days is not None or everything):
        message = "nothing is selected: give --session, --trace, --older-than-days, or --all"
        raise ConfigurationError(message)
    for trace_id in trace_ids:
        if not _is_trace_id(trace_id):  # nothing would be erased, and nobody would notice
            message = f"--trace {trace_id!r} is no trace id: it has 32 hexadecimal digits"
            raise ConfigurationError(message)
    if "" in sessions:
        message = "--session is empty; turns without a session are found by --trace"
        raise ConfigurationError(message)
    selection = purging.Selection(
        sessions=frozenset(sessions),
        trace_ids=frozenset(trace_id.lower() for trace_id in trace_ids),
        arrived_before_ns=None if older_than_days is None else time.time_ns() - round(older_than_days * _DAY_NS),
        everything=everything,
    )
    purged = purging.purge(folder, selection, tell)
    if as_json:
        write(indented_json({"turns": purged.turns, "traces": purged.traces, "spans": purged.spans}), None)
    elif not quiet:
        console.print_lines(
            [f"erased: {purged.turns:,} turns of {purged.traces:,} traces, {purged.spans:,} spans in requests"]
        )
