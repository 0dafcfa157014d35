"""From requests to turns: each acknowledged span's turn once, whenever the process is killed, whatever clocks say."""

import random
import time

import pytest
from turn_requests import batch

from agentnet_otel.core.assembler import Assembler
from agentnet_otel.errors import BackendError
from agentnet_otel.model import MetricsMode
from agentnet_otel.service.ingest import Ingest
from agentnet_otel.service.turn_figures import TurnFigures
from agentnet_otel.sources.store.raw_log import LogReader, RawLog
from agentnet_otel.sources.store.turn_store import TurnStore

SECOND_NS = 1_000_000_000
QUIET_NS = 5 * SECOND_NS


class Bench:
    """A store, and the part that understands, which can be dropped and made anew at any moment."""

    def __init__(self, folder):
        self.folder = folder
        self.told = []
        self.now_ns = time.time_ns() + SECOND_NS
        self.log = RawLog(folder / "requests", self.told.append)
        self.turns = None
        self.start()

    def start(self):
        """As after a start of the process: nothing is known but what is on the disk."""
        if self.turns is not None:
            self.turns.close()
        self.turns = TurnStore(self.folder)
        self.figures = TurnFigures(MetricsMode.AUTO, lambda: self.now_ns)
        assembler = Assembler(quiet_ns=QUIET_NS)
        reader = LogReader(self.folder / "requests")
        self.ingest = Ingest(reader, self.turns, assembler, self.figures, lambda: self.now_ns, self.told.append)

    def append(self, data, arrived_ns=None, kind=1):
        """A request arrives."""
        self.log.append(kind, self.now_ns if arrived_ns is None else arrived_ns, data).result(10)

    def advance(self, seconds=0.0):
        """Time goes by, and all that is there is understood."""
        self.now_ns += round(seconds * SECOND_NS)
        while self.ingest.advance(self.log.end, 10):
            pass

    def counted(self):
        """Turns in the metrics."""
        return sum(
            point.value
            for of_resource in self.figures.data().resource_metrics
            for metric in of_resource.scope_metrics[0].metrics
            if metric.name == "agentnet.turns"
            for point in metric.data.data_points
        )

    def close(self):
        """Let go of files."""
        self.turns.close()
        self.log.close()


@pytest.fixture
def bench(tmp_path):
    """A fresh one."""
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("seed", range(5))
def test_any_number_of_restarts_gives_each_turn_once(bench, seed):
    """In the store and in the metrics, though requests come twice and the process is dropped between any two steps."""
    chance = random.Random(seed)
    requests = [batch(n, n + 100, children=2).SerializeToString() for n in range(1, 31)]
    for request in requests:
        for _ in range(chance.choice([1, 1, 2])):
            bench.append(request)
        if chance.random() < 0.7:
            bench.ingest.advance(bench.log.end, chance.choice([0, 10]))
        bench.now_ns += round(chance.random() * 3 * SECOND_NS)
        if chance.random() < 0.3:
            bench.start()
        if chance.random() < 0.3:
            bench.ingest.keep_figures()
    bench.advance()
    bench.advance(10)
    bench.start()
    bench.advance()
    bench.advance(10)
    turns = list(bench.turns.all())
    assert sorted(int(turn.turn_id[1:]) for turn in turns) == sorted([*range(1, 31), *range(101, 131)])
    assert {turn.spans for turn in turns} == {3}
    assert bench.counted() == 60


def test_a_clock_that_was_set_back_holds_nothing_up(bench):
    """Requests stamped by a clock that ran a year ahead, and those that came after it was set right."""
    year_ns = 365 * 86_400 * SECOND_NS
    bench.append(batch(1).SerializeToString(), bench.now_ns + year_ns)
    bench.append(batch(2).SerializeToString())
    bench.advance()
    bench.advance(6)
    assert sorted(turn.turn_id for turn in bench.turns.all()) == ["t1", "t2"]
    bench.append(batch(3).SerializeToString(), bench.now_ns - year_ns)
    bench.advance()
    bench.advance(6)
    assert bench.turns.count() == 3


def test_requests_that_waited_give_the_turns_that_they_would_have_given_at_once(bench):
    """The quiet period is one of arrival: a whole hour of requests is understood in one go."""
    early, late = batch(1, children=1), batch(1, children=2)
    del late.resource_spans[0].scope_spans[0].spans[:2]
    bench.append(early.SerializeToString())
    bench.append(batch(2).SerializeToString(), bench.now_ns + 1800 * SECOND_NS)
    bench.append(late.SerializeToString(), bench.now_ns + 3600 * SECOND_NS)
    bench.now_ns += 4000 * SECOND_NS
    bench.advance()
    by_id = {turn.turn_id: turn for turn in bench.turns.all()}
    assert (by_id["t1"].spans, by_id["t1"].revision) == (3, 2) or by_id["t1"].revision == 1
    assert sorted(by_id) == ["t1", "t2"]


def test_rubbish_costs_itself(bench):
    """A request that cannot be understood, and one with a span that cannot, are counted and told with a sentence."""
    bad_span = batch(2)
    bad_span.resource_spans[0].scope_spans[0].spans.add(name="no ids")
    for kind, data in ((1, b"\x0a\xff\xff"), (2, b"{"), (1, bad_span.SerializeToString()), (0, b"blank")):
        bench.append(data, kind=kind)
    for _ in range(20):
        bench.append(b"rubbish")
    bench.append(batch(1).SerializeToString())
    bench.advance()
    bench.advance(6)
    assert sorted(turn.turn_id for turn in bench.turns.all()) == ["t1", "t2"]
    assert (bench.ingest.bad_requests, bench.ingest.bad_spans) == (22, 1)
    assert len(bench.told) < 6


def test_turns_that_cannot_be_kept_are_kept_later(bench, monkeypatch):
    """A full disk is told; when there is room, nothing is missing and nothing is twice."""
    bench.append(batch(1, 2).SerializeToString())
    bench.advance()
    bench.now_ns += 6 * SECOND_NS

    def full(*given):
        raise BackendError(str(given[2]))

    with monkeypatch.context() as patched:
        patched.setattr(bench.turns, "save", full)
        for _ in range(2):
            with pytest.raises(BackendError):
                bench.ingest.advance(bench.log.end, 1)
    bench.advance()
    assert sorted(turn.turn_id for turn in bench.turns.all()) == ["t1", "t2"]
    assert bench.counted() == 2


def test_times_and_numbers_beyond_all_measure_cost_nobody_else(bench):
    """OTLP's times are twice as large as what a database holds; counts beyond 64 bits are none."""
    request = batch(1, 2, 3)
    span = request.resource_spans[0].scope_spans[0].spans[2]
    span.start_time_unix_nano = span.end_time_unix_nano = 2**64 - 1
    for other in request.resource_spans[0].scope_spans[0].spans:
        for attribute in other.attributes:
            if attribute.key == "gen_ai.usage.input_tokens" and other.trace_id[-1] == 3:
                attribute.value.double_value = 1e300
    bench.append(request.SerializeToString())
    bench.advance()
    bench.advance(6)
    bench.advance(6)  # a clock that runs ahead holds its turn for as long again
    found = {turn.turn_id: turn for turn in bench.turns.all()}
    assert sorted(found) == ["t1", "t2", "t3"]
    assert found["t2"].end_ns == 2**64 - 1
    assert (found["t1"].tokens.input, found["t3"].tokens.input) == (7, None)
    assert bench.counted() == 3


def test_a_turn_that_cannot_be_kept_costs_itself(bench, monkeypatch):
    """It would be so after each start: it is told and left out, and all others are kept."""
    bench.append(batch(*range(1, 8)).SerializeToString())
    save = bench.turns.save

    def choosy(turns, *more):
        if any(turn.turn_id == "t4" for turn in turns):
            raise OverflowError("too large")
        return save(turns, *more)

    with monkeypatch.context() as patched:
        patched.setattr(bench.turns, "save", choosy)
        bench.advance()
        bench.advance(6)
    assert sorted(turn.turn_id for turn in bench.turns.all()) == ["t1", "t2", "t3", "t5", "t6", "t7"]
    assert bench.ingest.bad_turns == 1
    (told,) = bench.told
    assert told.startswith(
        "turn t4 of trace 00000000000000000000000000000004 cannot be kept, and is left out: Overflow"
    )
    assert bench.counted() == 6


@pytest.mark.parametrize("counted_before", [True, False])
def test_a_turn_that_cannot_be_counted_costs_itself(bench, monkeypatch, counted_before):
    """It is in the store, so that it would fail after each start too: it is told, and all others are counted."""
    take = TurnFigures.take

    def choosy(figures, turns):
        turns = list(turns)
        if any(turn.turn_id == "t2" for turn in turns):
            raise OverflowError("too large")
        take(figures, turns)

    bench.append(batch(1, 2, 3).SerializeToString())
    bench.advance()
    bench.now_ns += 6 * SECOND_NS
    bench.ingest._figures_due_s = time.monotonic() + 60  # what was counted is not kept before the process is gone
    if counted_before:
        monkeypatch.setattr(TurnFigures, "take", choosy)
    bench.advance()
    monkeypatch.setattr(TurnFigures, "take", choosy)
    assert bench.ingest.bad_turns == counted_before
    bench.start()
    assert bench.ingest.bad_turns == 1
    told = "cannot be counted, and is left out: OverflowError in this program: too large"
    assert set(bench.told) == {f"turn t2 of trace 00000000000000000000000000000002 {told}"}
    assert sorted(turn.turn_id for turn in bench.turns.all()) == ["t1", "t2", "t3"]
    assert bench.counted() == 2


def test_a_start_takes_up_what_can_be_read(bench, monkeypatch):
    """What is wrong with the figures, or with turns that are to be counted anew, is told, and the start goes on."""
    bench.append(batch(1).SerializeToString())
    bench.advance()
    bench.advance(6)
    bench.ingest.keep_figures()
    bench.turns.save_figures(0, b"rubbish")
    bench.start()
    assert bench.told.pop().startswith("what the metrics had counted cannot be read")
    assert bench.counted() == 1

    def unreadable(store, seq):
        raise BackendError(f"the database is malformed behind {seq}")

    monkeypatch.setattr(TurnStore, "new_after", unreadable)
    bench.turns.save_figures(0, b"")
    bench.start()
    assert bench.told.pop() == "the metrics miss turns of before this start: the database is malformed behind 0"
    bench.append(batch(2).SerializeToString())
    bench.advance()
    bench.advance(6)
    assert bench.counted() == 1


def test_requests_are_needed_until_their_turn_is_told_and_cannot_be_corrected(bench):
    """Then the place moves on, and the log can be forgotten."""
    bench.append(batch(1).SerializeToString())
    first_end = bench.log.end
    bench.append(batch(2).SerializeToString())
    bench.advance()
    bench.advance(6)
    bench.ingest._place_due_s = 0
    bench.advance()
    assert bench.turns.place() < first_end
    bench.advance(4000)
    bench.ingest._place_due_s = 0
    bench.advance()
    assert bench.turns.place() == bench.log.end


@pytest.mark.parametrize("max_bytes", [10**9, 0])
def test_turns_that_were_deleted_do_not_come_back(bench, max_bytes):
    """By age or by size; though a request that is still needed lies behind theirs, and whenever it is killed."""
    for number in range(1, 6):
        bench.append(batch(number).SerializeToString())
        bench.advance(30)
    deleted_until_ns = bench.now_ns - 70 * SECOND_NS if max_bytes else 0
    bench.ingest.forget(deleted_until_ns, max_bytes)
    left = [stored.turn.turn_id for stored in bench.turns.after(0, 99)]
    assert left == (["t3", "t4", "t5"] if max_bytes else [])
    bench.append(batch(6).SerializeToString())
    for _ in range(2):
        bench.start()
        bench.advance(30)
        assert [stored.turn.turn_id for stored in bench.turns.after(0, 99)] == [*left, "t6"]
        assert bench.counted() == 6
