"""`store`: what is done with the store of `serve`."""

import re
import time
from pathlib import Path
from typing import Annotated, Final

from agentnet_otel.cli.framework import Argument, Option
from agentnet_otel.cli.options import (
    Json,
    Quiet,
)
from agentnet_otel.cli.standard_streams import tell, write
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.outputs import console
from agentnet_otel.outputs.json_text import indented_json

_DAY_NS: Final = 86_400_000_000_000
_is_trace_id: Final = re.compile(r"[0-9a-fA-F]{32}").fullmatch


def purge(
    store: Annotated[Path, Argument(metavar="DIR", help="The store of `serve`, which must not be running.")],
    *,
    session: Annotated[list[str] | None, Option(metavar="ID", help="Of this session. May be repeated.")] = None,
    trace: Annotated[list[str] | None, Option(metavar="ID", help="This trace. May be repeated.")] = None,
    older_than_days: Annotated[
        float | None, Option(min=0.0, max=36_500.0, help="What arrived longer ago than this.")
    ] = None,
    everything: Annotated[bool, Option("--all", help="Everything, damaged files too.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Erase sessions, traces or times from a store: the turns, and the requests that they were rebuilt from.

    Whole traces go. Requests that wait to be understood are searched too.

    Example: agentnet-otel store purge agentnet-otel-store --session 8f14e45f
    """
    from agentnet_otel.sources.purge import Selection, purge  # noqa: PLC0415 - only who runs it

    if not (session or trace or older_than_days is not None or everything):
        message = "nothing is selected: give --session, --trace, --older-than-days, or --all"
        raise ConfigurationError(message)
    for trace_id in trace or ():
        if not _is_trace_id(trace_id):  # nothing would be erased, and nobody would notice
            message = f"--trace {trace_id!r} is no trace id: it has 32 hexadecimal digits"
            raise ConfigurationError(message)
    if "" in (session or ()):
        message = "--session is empty; turns without a session are found by --trace"
        raise ConfigurationError(message)
    selection = Selection(
        sessions=frozenset(session or ()),
        trace_ids=frozenset(trace_id.lower() for trace_id in trace or ()),
        arrived_before_ns=None if older_than_days is None else time.time_ns() - round(older_than_days * _DAY_NS),
        everything=everything,
    )
    purged = purge(store, selection, tell)
    if as_json:
        write(indented_json({"turns": purged.turns, "traces": purged.traces, "spans": purged.spans}), None)
    elif not quiet:
        console.print_lines(
            [f"erased: {purged.turns:,} turns of {purged.traces:,} traces, {purged.spans:,} spans in requests"]
        )
