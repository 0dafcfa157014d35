"""``python -m agentnet_otel.wiring.sharer``: one of the processes that read together; `sharing` says how."""

import gc
import signal
import sys
from contextlib import suppress

import msgspec

from agentnet_otel.errors import AgentNetOtelError, ConfigurationError
from agentnet_otel.outputs.turn_rows import row_line
from agentnet_otel.prices import installed
from agentnet_otel.sources.rebuild import TurnStream
from agentnet_otel.sources.share import Share
from agentnet_otel.sources.turn_windows import row_window
from agentnet_otel.wiring.sharing import Done, Failed, Told, Work, send


def main() -> None:
    """Do the work that stands on standard input; its messages go to standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the process that started this one, which ends it
    gc.freeze()
    gc.disable()  # what is made here holds no cycles, and what does ends with the process
    work = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Work)
    with suppress(BrokenPipeError):
        try:
            _do(work)
        except AgentNetOtelError as error:
            send(Failed(str(error), isinstance(error, ConfigurationError)), sys.stdout.buffer)


def _do(work: Work) -> None:
    window = row_window(group_calls=work.group_calls, prices=installed())
    stream = TurnStream(work.sources, window, share=Share(work.number, work.jobs))
    for batch, told in enumerate(stream.told()):
        if told:
            lines = [(key, row_line(row)) for key, row in told]
            send(Told(batch, stream.read.spans, lines), sys.stdout.buffer)
    done = Done(counts=stream.counts, read=stream.read, environment=dict(stream.environment))
    send(done, sys.stdout.buffer)


if __name__ == "__main__":
    main()
