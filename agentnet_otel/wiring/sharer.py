"""One of the processes that read together, forked or ``python -m agentnet_otel.wiring.sharer``; `sharing` says how."""

import gc
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import BinaryIO, Final, NoReturn

import msgspec

from agentnet_otel.errors import AgentNetOtelError, ConfigurationError
from agentnet_otel.prices import installed
from agentnet_otel.sources.rebuild import TurnStream
from agentnet_otel.sources.share import Agreement, Share
from agentnet_otel.sources.turn_windows import row_window
from agentnet_otel.wiring.agreement import Line, PipeAgreement
from agentnet_otel.wiring.sharing import Done, Failed, Told, Work, send, told_as

_SILENT_SPANS: Final = 5000
"""So many spans without a turn, and a process says where it is: turns of others wait until it has come so far."""


def main() -> None:
    """Do the work that stands on standard input; its messages go to standard output."""
    _work(msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Work), sys.stdout.buffer)


def work_and_exit(work: Work, writer: int, lines: Sequence[Line]) -> NoReturn:
    """Do the work in a copy of the process that wants it; messages go to a file descriptor, and nothing else goes on.

    With ``lines`` between all processes that work, it agrees with the others.

    Nothing of what that process would do at its end is done: it does it itself.
    """
    code = 1
    try:
        with os.fdopen(writer, "wb") as told:
            try:
                _work(work, told, _agreement(work, lines))
                code = 0
            except BaseException:  # noqa: BLE001 - there is nobody above who could be told
                traceback.print_exc()  # before the pipe is closed: then this process is ended
    finally:
        os._exit(code)


def _agreement(work: Work, lines: Sequence[Line]) -> PipeAgreement | None:
    """With the others, by its own line; those of others are theirs, who otherwise would not see it end."""
    for number, line in enumerate(lines):
        if number != work.number:
            line.close()
    return PipeAgreement(lines[work.number]) if lines else None


def _work(work: Work, told: BinaryIO, agreement: Agreement | None = None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the process that started this one, which ends it
    gc.freeze()
    gc.disable()  # what is made here holds no cycles, and what does ends with the process
    with suppress(BrokenPipeError):
        try:
            _do(work, told, agreement)
        except AgentNetOtelError as error:
            send(Failed(str(error), isinstance(error, ConfigurationError)), told)


def _do(work: Work, to: BinaryIO, agreement: Agreement | None) -> None:
    window = row_window(group_calls=work.group_calls, prices=installed())
    stream = TurnStream(work.sources, window, share=Share(work.number, work.jobs, agreement))
    told_of = told_as[work.form]
    last = 0
    for batch, told in enumerate(stream.told()):
        if told or stream.read.spans - last >= _SILENT_SPANS:
            last = stream.read.spans
            send(Told(batch, stream.read.spans, [(key, told_of(row)) for key, row in told]), to)
    done = Done(counts=stream.counts, read=stream.read, environment=dict(stream.environment))
    send(done, to)


if __name__ == "__main__":
    main()
