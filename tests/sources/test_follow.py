"""Sources that grow: files that are rotated, truncated and half written, folders, pipes; turns as they are complete."""

import gzip
import json
import os
import shutil
import sys
import threading
from pathlib import Path

import pytest

from agentnet_otel.errors import ConfigurationError
from agentnet_otel.sources import follow
from agentnet_otel.sources.follow import Follower
from agentnet_otel.testing import EPOCH_NS, FakeClock

QUIET_S = 5.0


def span_line(turn, place=0, *, parent=None, name="invoke_agent"):
    """A span as one line; place 0 is the turn's own."""
    attributes = {"gen_ai.operation.name": name, "gen_ai.agent.name": f"agent-{turn}"}
    span = {
        "traceId": f"{turn + 1:032x}",
        "spanId": f"{place + 1:016x}",
        "parentSpanId": "" if parent is None else f"{parent + 1:016x}",
        "startTimeUnixNano": str(EPOCH_NS - 2000),
        "endTimeUnixNano": str(EPOCH_NS - 1000),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
    }
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode() + b"\n"


class Watch:
    """A follower whose time passes when it is told to; what it told so far."""

    def __init__(self, *sources, **options):
        self._clock = FakeClock()
        self.follower = Follower(sources, quiet_s=QUIET_S, now_ns=self._clock.wall_ns, pause=self._no_pause, **options)
        self._turns = self.follower.turns()
        self.told = []
        self.ended = False

    def _no_pause(self, seconds):
        self._paused = True

    def look(self, then_s=0.0):
        """Read what is there; then so much time passes, and turns that are complete by it are told."""
        for passed_s in (0.0, then_s):
            self._clock.advance(passed_s * 1000)
            self._paused = False
            while not self._paused and not self.ended:
                found = next(self._turns, None)
                self.ended = found is None
                self.told += found or []
        return [turn.agent for turn in self.told]

    @property
    def problems(self):
        return self.follower.read.problems

    def close(self):
        self.told += self.follower.rest()


@pytest.fixture
def watch():
    """Makes watches, and closes them."""
    made = []

    def make(*sources, **options):
        made.append(Watch(*sources, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def path(tmp_path):
    """A file that will grow."""
    return tmp_path / "spans.jsonl"


def append(path, data):
    """Write on."""
    with path.open("ab") as file:
        file.write(data)


def test_a_turn_is_told_when_its_trace_is_quiet(path, watch):
    """Neither before, nor twice."""
    append(path, span_line(1))
    one = watch(path)
    assert one.look(then_s=QUIET_S - 1) == []
    append(path, span_line(2))
    assert one.look(then_s=1) == ["agent-1"]
    assert one.look(then_s=QUIET_S) == ["agent-1", "agent-2"]
    assert one.look(then_s=100) == ["agent-1", "agent-2"]


def test_a_late_span_is_a_revision(path, watch):
    """The turn comes again, with all that it is now."""
    append(path, span_line(1))
    one = watch(path)
    one.look(then_s=QUIET_S)
    append(path, span_line(1, 1, parent=0, name="chat"))
    one.look(then_s=QUIET_S)
    assert [(turn.revision, turn.spans) for turn in one.told] == [(1, 1), (2, 2)]


def test_half_a_line_waits_for_its_rest(path, watch):
    """Whenever it comes; nothing is told of it."""
    line = span_line(1)
    append(path, line[:50])
    one = watch(path)
    assert one.look(then_s=60) == []
    append(path, line[50:])
    assert one.look(then_s=QUIET_S) == ["agent-1"]
    assert one.problems == []
    assert one.follower.read.summary is None


def test_a_file_that_is_not_there_is_waited_for(path, watch):
    """That is told once."""
    one = watch(path)
    one.look()
    assert one.look() == []
    assert len(one.problems) == 1
    assert "cannot be opened yet: No such file" in one.problems[0]
    append(path, span_line(1))
    assert one.look(then_s=QUIET_S) == ["agent-1"]


def test_rotation_by_renaming_loses_nothing(path, watch):
    """What was written into the old file after the last look, and whatever is in the new one."""
    append(path, span_line(1))
    one = watch(path)
    one.look()
    append(path, span_line(2))
    path.rename(path.with_suffix(".1"))
    append(path.with_suffix(".1"), span_line(3))
    assert one.look() == []
    append(path, span_line(4))
    one.look()
    append(path, span_line(5))
    assert one.look(then_s=QUIET_S) == [f"agent-{n}" for n in range(1, 6)]
    assert one.problems == []


def test_the_last_line_of_a_rotated_file_may_have_no_end(path, watch):
    """Its writer was stopped; what is whole of it counts, what is not is told."""
    append(path, span_line(1).strip())
    one = watch(path)
    one.look()
    path.rename(path.with_suffix(".1"))
    append(path, span_line(2)[:60])
    one.look()
    path.rename(path.with_suffix(".2"))
    append(path, span_line(3))
    one.look()
    one.look()
    assert one.look(then_s=QUIET_S) == ["agent-1", "agent-3"]
    assert one.follower.read.cut_off_ends == 1


def test_a_truncated_file_is_read_from_its_start(path, watch):
    """As after `copytruncate`; that is told."""
    append(path, span_line(1) + span_line(2))
    one = watch(path)
    one.look()
    path.write_bytes(span_line(3))
    assert sorted(one.look(then_s=QUIET_S)) == ["agent-1", "agent-2", "agent-3"]
    assert "was truncated" in one.problems[0]


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_truncated_file_that_is_as_long_again_is_read_from_its_start(path, watch, is_folder):
    """Between two looks; it is told by how it begins."""
    append(path, span_line(1))
    one = watch(path.parent if is_folder else path)
    one.look()
    path.write_bytes(b"".join(span_line(number) for number in range(2, 6)))
    assert sorted(one.look(then_s=QUIET_S)) == [f"agent-{number}" for number in range(1, 6)]
    assert ["was truncated" in problem for problem in one.problems] == [True]
    append(path, span_line(6))
    assert one.look(then_s=QUIET_S)[5:] == ["agent-6"]


def test_the_files_of_a_folder(tmp_path, watch):
    """Those there are, those that grow, those that come, in folders within too; a renamed one is not read again."""
    append(tmp_path / "a.jsonl", span_line(1))
    one = watch(tmp_path)
    one.look()
    append(tmp_path / "a.jsonl", span_line(2))
    (tmp_path / "later").mkdir()
    append(tmp_path / "later" / "b.jsonl", span_line(3))
    one.look()
    (tmp_path / "a.jsonl").rename(tmp_path / "a.jsonl.1")
    append(tmp_path / "a.jsonl.1", span_line(4))
    append(tmp_path / "a.jsonl", span_line(5))
    one.look()
    (tmp_path / "later" / "b.jsonl").unlink()
    one.look()
    assert one.look(then_s=QUIET_S) == [f"agent-{n}" for n in range(1, 6)]
    assert one.follower.counts.duplicates == 0
    assert one.problems == []


def test_what_was_read_is_not_read_again_where_it_is_compressed(tmp_path, watch):
    """A rotated file that is compressed later is the same file; one that was never seen is read."""
    append(tmp_path / "a.jsonl.1", span_line(1))
    append(tmp_path / "z.jsonl.gz", gzip.compress(span_line(2)))
    one = watch(tmp_path)
    one.look()
    (tmp_path / "a.jsonl.1.gz").write_bytes(gzip.compress((tmp_path / "a.jsonl.1").read_bytes()))
    (tmp_path / "a.jsonl.1").unlink()
    one.look()
    assert one.look(then_s=QUIET_S) == ["agent-1", "agent-2"]
    assert one.follower.counts.duplicates == 0


@pytest.mark.parametrize("looks_between", [True, False])
def test_what_was_renamed_and_compressed_is_not_read_again(tmp_path, watch, looks_between):
    """As logrotate does it, at once or a rotation later; what it had compressed before is read."""
    append(tmp_path / "a.jsonl", span_line(1))
    append(tmp_path / "a.jsonl.2.gz", gzip.compress(span_line(2)))
    one = watch(tmp_path)
    one.look(then_s=QUIET_S)
    (tmp_path / "a.jsonl.2.gz").rename(tmp_path / "a.jsonl.3.gz")
    (tmp_path / "a.jsonl").rename(tmp_path / "a.jsonl.1")
    if looks_between:
        one.look()
    (tmp_path / "a.jsonl.1.gz").write_bytes(gzip.compress((tmp_path / "a.jsonl.1").read_bytes()))
    (tmp_path / "a.jsonl.1").unlink()
    append(tmp_path / "a.jsonl", span_line(3))
    assert one.look(then_s=QUIET_S) == ["agent-2", "agent-1", "agent-3"]
    assert one.follower.counts.duplicates == 0
    assert one.problems == []


def test_what_may_not_be_read_is_told_once(open_folder, watch, without_rights):
    """However often a folder is looked at; it is read as soon as it may be."""
    for name in ("open", "closed", "listed/in", "locked/inner"):
        (open_folder / name).parent.mkdir(exist_ok=True)
        append(open_folder / name, span_line(len(name)))
    modes = {"closed": 0, "listed": 0o444, "locked": 0}
    for name, mode in modes.items():
        (open_folder / name).chmod(mode)
    one = watch(open_folder)
    with without_rights():
        for _ in range(3):
            one.look()
    told = sorted(problem.partition(": ")[0] for problem in one.problems)
    assert told == [str(open_folder / name) for name in ("closed", "listed/in", "locked")]
    assert one.follower.read.unreadable_sources == 3
    for name in modes:
        (open_folder / name).chmod(0o755)
    assert sorted(one.look(then_s=QUIET_S)) == ["agent-12", "agent-4", "agent-6", "agent-9"]


def test_a_folder_that_is_not_there_is_waited_for(tmp_path, watch):
    """As a file is: its writer may be started later."""
    one = watch(tmp_path / "later")
    one.look()
    assert "it is waited for" in one.problems[0]
    (tmp_path / "later").mkdir()
    append(tmp_path / "later" / "a.jsonl", span_line(1))
    one.look()
    append(tmp_path / "later" / "b.jsonl", span_line(2))
    assert one.look(then_s=QUIET_S) == ["agent-1", "agent-2"]
    assert len(one.problems) == 1


def test_few_files_are_open_at_once(tmp_path, watch, monkeypatch):
    """Those that were quiet longest are closed, and opened again when they grow."""
    monkeypatch.setattr(follow, "OPEN_FILES", 3)
    paths = [tmp_path / f"{number}.jsonl" for number in range(9)]
    for number, path in enumerate(paths):
        append(path, span_line(number))
    before = len(list(Path("/proc/self/fd").iterdir()))
    one = watch(tmp_path)
    one.look()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 3
    for number, path in enumerate(paths, 9):
        append(path, span_line(number))
    assert sorted(one.look(then_s=QUIET_S)) == sorted(f"agent-{number}" for number in range(18))
    assert one.follower.counts.duplicates == 0


def test_a_document_is_read_when_it_is_whole(path, watch):
    """One that is written over several lines, in several pieces."""
    document = json.dumps(json.loads(span_line(1)), indent=1).encode()
    append(path, document[:100])
    one = watch(path)
    one.look()
    append(path, document[100:])
    one.look(then_s=follow.SETTLE_S)
    assert one.look(then_s=QUIET_S) == ["agent-1"]
    assert one.follower.read.summary is None


def test_a_bad_line_costs_itself(path, watch):
    """Its place is told."""
    append(path, span_line(1) + b"rubbish\n" + span_line(2))
    one = watch(path)
    assert one.look(then_s=QUIET_S) == ["agent-1", "agent-2"]
    (one_problem,) = one.problems
    assert one_problem.startswith(f"{path}:2: not JSON")
    assert one.follower.read.take_problems() == [one_problem]
    assert one.problems == []


def test_a_file_that_is_written_anew_in_the_same_length(path, watch):
    """As who saves an answer once more under its name does: it begins otherwise."""
    append(path, span_line(1).strip())
    one = watch(path)
    one.look(then_s=QUIET_S)
    path.write_bytes(span_line(2).strip())
    os.utime(path, ns=(1, 1))
    one.look(then_s=QUIET_S)
    assert one.look(then_s=QUIET_S) == ["agent-1", "agent-2"]
    assert ["truncated" in problem for problem in one.problems] == [True]


def test_damage_in_what_is_packed_is_told_and_read_on_behind(tmp_path, watch):
    """Where the next member begins; the others are followed meanwhile."""
    append(tmp_path / "a.gz", b"\x1f\x8b" + b"\xff" * 40)
    append(tmp_path / "b.jsonl", span_line(1))
    one = watch(tmp_path / "a.gz", tmp_path / "b.jsonl")
    one.look()
    append(tmp_path / "a.gz", b"more")
    assert one.look(then_s=QUIET_S) == ["agent-1"]
    append(tmp_path / "a.gz", gzip.compress(span_line(2)))
    one.look()
    assert one.look(then_s=QUIET_S) == ["agent-1", "agent-2"]
    (problem,) = one.follower.read.problems
    assert "a.gz: the gzip data are damaged at byte 0" in problem
    assert (one.follower.read.bad_lines, one.follower.read.unreadable_sources) == (1, 0)


def test_what_is_open_is_told_at_the_end(path, watch):
    """When no more is asked for, a turn that was not quiet for long enough is told as it is."""
    append(path, span_line(1) + span_line(2).strip())
    one = watch(path)
    one.look()
    assert [turn.agent for turn in one.follower.rest()] == ["agent-1", "agent-2"]


def test_calls_outside_turns_are_grouped_on_request(path, watch):
    """As without following."""
    append(path, span_line(1, name="chat"))
    one = watch(path, group_calls=True)
    one.look(then_s=QUIET_S)
    one.close()
    assert [turn.agent for turn in one.told] == ["agent-1"]


def test_held_spans_have_a_bound(path, watch, monkeypatch):
    """A stream that is never quiet: the trace that was quiet longest is told early, and that is counted."""
    monkeypatch.setattr(follow, "MAX_SPANS", 10)
    append(path, b"".join(span_line(number) for number in range(50)))
    one = watch(path)
    one.look()
    assert [turn.agent for turn in one.told] == [f"agent-{number}" for number in range(40)]
    assert one.follower.counts.evicted_traces == 40


def test_a_pipe_ends_the_following(monkeypatch, watch):
    """Standard input is read as it comes; at its end nothing more can come."""
    ours, theirs = os.pipe()
    with os.fdopen(ours) as reader, os.fdopen(theirs, "wb", buffering=0) as writer:
        monkeypatch.setattr(sys, "stdin", reader)
        one = watch("-")
        assert one.look() == []
        writer.write(span_line(1) + span_line(2)[:30])
        assert one.look(then_s=QUIET_S) == ["agent-1"]
        writer.write(span_line(2)[30:])
        writer.close()
        one.look()
        assert one.ended
        one.close()
        assert [turn.agent for turn in one.told] == ["agent-1", "agent-2"]


def test_a_named_pipe_is_read_as_it_comes(tmp_path, watch):
    """It has no length, and no end either: another writer may come."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    one = watch(fifo)
    assert one.look() == []
    for number in (1, 2):
        with fifo.open("wb") as writer:
            writer.write(span_line(number))
            writer.flush()
            one.look()
    assert one.look(then_s=QUIET_S) == ["agent-1", "agent-2"]


def test_what_does_not_grow_is_refused(tmp_path):
    """Servers, stores and paths that cannot be: wrong use."""
    (tmp_path / "turns.sqlite").touch()
    for source, told in (("jaeger+http://127.0.0.1:1?service=s", "only files"), ("a\0b", "zero byte")):
        with pytest.raises(ConfigurationError, match=told):
            Follower([source], quiet_s=1)


def test_a_file_is_followed_while_somebody_writes(path):
    """With the real clock: a writer that rotates as it writes, in pieces of any size, loses nothing."""
    lines = [span_line(number) for number in range(300)]
    stop = threading.Event()

    def write():
        for number, line in enumerate(lines):
            append(path, line[: number % 90])
            append(path, line[number % 90 :])
            if number % 70 == 69:
                shutil.move(path, path.with_suffix(f".{number}"))
                stop.wait(0.05)
        stop.set()

    writer = threading.Thread(target=write)
    follower = Follower([path.parent], quiet_s=0.0, pause=lambda seconds: stop.wait(0.001))
    writer.start()
    told = []
    for found in follower.turns():
        told += found
        if stop.is_set() and len({turn.agent for turn in told}) == len(lines):
            break
    writer.join()
    told += follower.rest()
    assert sorted(turn.agent for turn in told) == sorted(f"agent-{number}" for number in range(len(lines)))
    assert follower.read.summary is None
