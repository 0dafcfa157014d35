"""From requests on the disk to turns on the disk: the one thread that understands.

How far it came is kept with the turns, in the same transaction: the place of the oldest request that an unfinished or
correctable turn still needs. After a restart the requests from there on are read again, and give the same turns.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final

from agentnet_otel.core.assembler import Assembler, newest_revisions
from agentnet_otel.errors import AgentNetOtelError, InputError
from agentnet_otel.model import Turn
from agentnet_otel.sources.decoding import PayloadDecoder
from agentnet_otel.sources.intake import RequestKind
from agentnet_otel.sources.store.raw_log import LogRecord
from agentnet_otel.sources.store.store import Store

BATCH: Final = 64
"""Requests that are understood before their turns are kept."""
IDLE_S: Final = 0.25
"""How often the quiet period is looked at where nothing comes."""
RETRY_S: Final = 1.0
ENDED_TURNS: Final = 20_000
MAX_SPANS: Final = 300_000
"""Spans held at once; beyond it the oldest trace is told as it is."""

Listener = Callable[[Sequence[Turn]], None]


class Ingest:
    """Runs in a thread of its own. ``listener`` gets the turns that are new, each once."""

    def __init__(
        self,
        store: Store,
        assembler: Assembler,
        now_ns: Callable[[], int],
        listener: Listener,
        tell: Callable[[str], None],
    ) -> None:
        self._store = store
        self._now_ns = now_ns
        self._listener = listener
        self._tell = tell
        self._decoder = PayloadDecoder()
        self.assembler = assembler
        self._first_place: dict[str, int] = {}
        self._place = self._kept_place = store.turns.place()
        self._untold: list[Turn] = []
        self._stopping = threading.Event()
        self._tasks: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.bad_spans = 0
        self.bad_requests = 0
        self.backlog_bytes = store.log.bytes_from(self._place)
        self.caught_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="agentnet-otel-ingest", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Understand what is on the disk, keep the turns, and end. Turns that are still open stay in the requests."""
        self._stopping.set()
        with self._store.log.durable:
            self._store.log.durable.notify_all()
        self._thread.join()

    def between_batches(self, task: Callable[[], None]) -> None:
        """Run something in this thread, which alone uses the store, and wait for it; a failure of it is told."""
        done = threading.Event()

        def run() -> None:
            try:
                task()
            except AgentNetOtelError as error:
                self._tell(str(error))
            finally:
                done.set()

        self._tasks.put(run)
        done.wait()

    def _run(self) -> None:
        while True:
            while not self._tasks.empty():
                self._tasks.get()()
            stopping = self._stopping.is_set()
            records = list(islice(self._store.log.read(self._place), BATCH))
            for record in records:
                self._understand(record)
            self._untold.extend(self.assembler.flush(self._now_ns()))
            if not self._keep():
                if stopping:
                    return
                self._stopping.wait(RETRY_S)
                continue
            self.backlog_bytes = self._store.log.bytes_from(self._place)
            if not records:
                self.caught_up.set()
                if stopping:
                    return
                self._wait()

    def _wait(self) -> None:
        with self._store.log.durable:
            if self._store.log.end == self._place and not self._stopping.is_set():
                self._store.log.durable.wait(IDLE_S)

    def _understand(self, record: LogRecord) -> None:
        start, self._place = self._place, record.end
        try:
            for span in self._decoder.decode(record.data, RequestKind(record.kind).form, self._count_bad_span):
                self._first_place.setdefault(span.trace_id, start)
                self._untold.extend(self.assembler.feed(span))
        except (InputError, ValueError) as error:
            self.bad_requests += 1
            self._tell(f"a request that was taken cannot be understood: {error}")

    def _count_bad_span(self, text: str) -> None:
        del text
        self.bad_spans += 1

    def _keep(self) -> bool:
        """Keep the turns that are complete; they stay here while that fails."""
        turns = newest_revisions(self._untold)
        needed = self._needed_place()
        if not turns and needed == self._kept_place:
            return True
        try:
            new = self._store.turns.save(turns, self._now_ns(), needed)
        except AgentNetOtelError as error:
            self._tell(str(error))
            return False
        self._untold.clear()
        self._kept_place = needed
        if new:
            self._listener(new)
        return True

    def _needed_place(self) -> int:
        """The place of the oldest request that is still needed."""
        held = self.assembler.held_traces
        self._first_place = {trace: place for trace, place in self._first_place.items() if trace in held}
        return min(self._first_place.values(), default=self._place)
