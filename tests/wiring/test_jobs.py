"""Several processes that read together tell what one tells."""

import errno
import io
import json
import os
import random
import signal
import threading
from contextlib import closing, contextmanager
from dataclasses import asdict
from functools import partial

import msgspec
import pytest

from agentnet_otel import semconv
from agentnet_otel.core.turn_row import judged_of
from agentnet_otel.errors import BackendError, ConfigurationError
from agentnet_otel.outputs.turn_rows import row_line
from agentnet_otel.sources import plain_payloads
from agentnet_otel.sources.rebuild import TurnStream
from agentnet_otel.sources.turn_windows import row_window
from agentnet_otel.wiring import jobs as module
from agentnet_otel.wiring import sharer
from agentnet_otel.wiring.jobs import JUDGED, LINES, SharedTurns, can_share
from agentnet_otel.wiring.sharing import Inbox, Told, ToldAs, Work
from tests.core.test_trace_window import trace
from tests.sources.test_plain_json import as_object


@pytest.fixture
def path(tmp_path):
    """Lines of spans in some disorder, a line that is none, and one that was cut off."""
    draw = random.Random(3)
    spans = [span for number in draw.sample(range(1, 600), 300) for span in trace(number * 7919)]
    lines = []
    for start in range(0, len(spans), 40):
        scope = {"scope": {"name": "agentnet_otel"}, "spans": [as_object(s) for s in spans[start : start + 40]]}
        lines.append(json.dumps({"resourceSpans": [{"scopeSpans": [scope]}]}))
    draw.shuffle(lines)
    path = tmp_path / "spans.jsonl"
    path.write_text("\n".join([*lines[:5], "no JSON", *lines[5:], lines[0][:100]]), encoding="utf-8")
    return path


@pytest.fixture(params=["forked", "spawned"])
def started(request, monkeypatch):
    """How processes are started."""
    monkeypatch.setattr(module, "_can_fork", lambda: request.param == "forked")


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize("number", [2, 3])
def test_the_turns_of_several_processes_are_those_of_one(path, number):
    """The same lines in the same order, the same counts, the same problems told once."""
    alone, together = TurnStream([path], row_window()), SharedTurns([str(path)], number, LINES)
    assert list(together.in_order()) == [row_line(row) for row in alone.in_order()]
    assert asdict(together.counts) == asdict(alone.counts)
    assert asdict(together.read) == asdict(alone.read)
    assert together.environment == alone.environment
    assert together.counts.spans == together.read.spans == 1200


@pytest.mark.usefixtures("started")
def test_what_is_judged_comes_as_it_is_of_one_process(path):
    """Without the rest of the rows."""
    alone, together = TurnStream([path], row_window()), SharedTurns([str(path)], 2, JUDGED)
    rows = list(together.in_order())
    assert rows == [judged_of(row) for row in alone.in_order()]
    assert len(rows) == 300


def test_numbers_beyond_64_bits_reach_those_who_judge(tmp_path):
    """Spans can hold a number of tokens that only just fits; a turn has many."""
    calls = trace(1, tools=3)
    most = {semconv.OPERATION_NAME: "chat", semconv.USAGE_INPUT_TOKENS: 2**63 - 1}
    spans = [msgspec.structs.replace(s, attributes=most) if s.parent_span_id else s for s in calls]
    scope = {"scope": {"name": "agentnet_otel"}, "spans": [as_object(span) for span in spans]}
    path = tmp_path / "spans.jsonl"
    path.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [scope]}]}), encoding="utf-8")
    (row,) = SharedTurns([str(path)], 2, JUDGED).in_order()
    assert row.tokens == 3 * (2**63 - 1)


def test_a_process_that_dies_is_told(path, monkeypatch):
    """Half of the turns are not told as if they were all."""
    monkeypatch.setattr(module, "_can_fork", lambda: False)
    monkeypatch.setattr(module, "_COMMAND", (*module._COMMAND[:1], "-c", "raise SystemExit(3)"))
    with pytest.raises(BackendError, match=r"process 1 of 2 .* ended early; try fewer --jobs"):
        list(SharedTurns([str(path)], 2, LINES).in_order())


def test_processes_that_cannot_be_started_are_told(path, monkeypatch):
    """And those that were are ended."""
    monkeypatch.setattr(module, "_can_fork", lambda: True)
    monkeypatch.setattr(module, "_forked", partial(refuse_second, module._forked, []))
    with pytest.raises(BackendError, match="2 processes cannot be started: Too many open files; try fewer --jobs"):
        list(SharedTurns([str(path)], 2, LINES).in_order())
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def refuse_second(start, started, *args):
    """Start one process, and no more."""
    if started:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    started.append(args)
    return start(*args)


def of_one_reader(tmp_path, lines):
    """Lines of traces whose ids all end alike, so that of two readers one has none of them."""
    path = tmp_path / "alike.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for start in range(lines):
            spans = [span for at in range(20) for span in trace((start * 20 + at) * 256)]
            scope = {"scope": {"name": "agentnet_otel"}, "spans": [as_object(span) for span in spans]}
            file.write(json.dumps({"resourceSpans": [{"scopeSpans": [scope]}]}) + "\n")
    return path


def test_a_process_without_turns_holds_nobody_up(tmp_path, monkeypatch):
    """It waits for one who has many, whom nobody listens to who waits for it."""
    monkeypatch.setattr(module, "_can_fork", lambda: True)
    monkeypatch.setattr(module, "_PIPE_BYTES", 4096)
    monkeypatch.setattr(plain_payloads, "MAX_AHEAD", 2)
    monkeypatch.setattr(sharer, "_SILENT_SPANS", 10**9)
    path = of_one_reader(tmp_path, 500)  # more spans than a window holds
    alone, together = TurnStream([path], row_window()), SharedTurns([str(path)], 2, LINES)
    with patience():
        lines = list(together.in_order())
    assert lines == [row_line(row) for row in alone.in_order()]


@contextmanager
def patience():
    """Processes that wait for each other would do so for ever."""

    def give_up(*_):
        message = "they wait for each other"
        raise TimeoutError(message)

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(120)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_a_process_without_turns_says_where_it_is(tmp_path):
    """So that turns of others need not wait until it has read everything."""
    path = of_one_reader(tmp_path, 100)
    works = [Work(sources=[str(path)], number=n, jobs=2, form=ToldAs.LINE, group_calls=False) for n in range(2)]
    told = []
    for work in works:
        pipe = io.BytesIO()
        sharer._do(work, pipe, None)
        told.append(messages_in(pipe.getvalue(), tmp_path))
    idle, busy = sorted(told, key=lambda messages: sum(len(m.turns) for m in messages if isinstance(m, Told)))
    assert [m.turns for m in idle[:-1]] == [[]]
    assert [m.spans for m in idle[:-1]] == [5040]
    assert sum(len(m.turns) for m in busy[:-1]) == 2000


def messages_in(data, tmp_path):
    """Messages as they come through a pipe."""
    path = tmp_path / "told"
    path.write_bytes(data)
    with path.open("rb") as file, closing(Inbox([file.fileno()], together=False)) as inbox:
        return list(iter(lambda: inbox.next(0), None))


def test_without_pipes_to_agree_by_each_process_looks_at_all(path, monkeypatch):
    """Nothing is lost by it but time."""
    monkeypatch.setattr(module, "_can_fork", lambda: True)
    monkeypatch.setattr(module, "lines_between", lambda _: refuse_second(None, [1]))
    alone, together = TurnStream([path], row_window()), SharedTurns([str(path)], 2, LINES)
    assert list(together.in_order()) == [row_line(row) for row in alone.in_order()]
    assert asdict(together.read) == asdict(alone.read)


def test_a_copy_that_dies_is_told_with_the_reason(path, monkeypatch, capfd):
    """A fault of ours is no silence."""
    monkeypatch.setattr(module, "_can_fork", lambda: True)
    monkeypatch.setattr(sharer, "_do", lambda *_: 1 // 0)
    with pytest.raises(BackendError, match=r"process 1 of 2 .* ended early"):
        list(SharedTurns([str(path)], 2, LINES).in_order())
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_fork_is_of_one_thread():
    """Of several, one might hold a lock for ever."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert not module._can_fork()
    finally:
        done.set()
        thread.join()


@pytest.mark.usefixtures("started")
def test_what_is_wrong_for_all_is_told_once():
    """An address that is none is wrong use, whoever finds it."""
    with pytest.raises(ConfigurationError, match="jaeger"):
        list(SharedTurns(["jaeger+http://"], 2, LINES).in_order())


@pytest.mark.parametrize("number", [0, 257])
def test_there_are_bounds(number):
    """No work is dealt out to more processes than there are endings of trace ids."""
    with pytest.raises(ConfigurationError, match="give 1 to 256"):
        SharedTurns(["x"], number, LINES)


def test_what_can_be_read_once_only_is_not_shared(tmp_path, path):
    """A pipe has one reader; files and directories have as many as one likes."""
    assert can_share([str(path), str(tmp_path)])
    assert not can_share([str(path), "-"])
    assert not can_share(["jaeger+http://127.0.0.1:1?service=x"])
    assert not can_share(["/dev/null"])


@pytest.mark.usefixtures("started")
def test_stopping_early_leaves_no_process(path):
    """As with `head`: whoever has enough need not read on."""
    lines = SharedTurns([str(path)], 2, LINES).in_order()
    assert next(lines)
    lines.close()
