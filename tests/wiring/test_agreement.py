"""Readers that pass spans of each other unread tell what readers tell that look at all."""

import json
import os
import random
import resource
import threading
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentnet_otel.sources import lines as text_lines
from agentnet_otel.sources import plain_payloads
from agentnet_otel.sources.files import read_batches
from agentnet_otel.sources.read_report import MAX_PROBLEMS, ReadReport
from agentnet_otel.sources.share import Share
from agentnet_otel.wiring.agreement import PipeAgreement, lines_between
from tests.core.test_trace_window import trace
from tests.sources.test_plain_json import as_object

PATIENCE_S = 60


def line_of(spans):
    """A request with spans, as a line."""
    scope = {"scope": {"name": "agentnet_otel"}, "spans": spans}
    return json.dumps({"resourceSpans": [{"scopeSpans": [scope]}]})


def good(number, traces=4):
    """A line of some traces; those of a reader have ids of its own."""
    return line_of([as_object(span) for at in range(traces) for span in trace(number * traces + at)])


def bad_span(number):
    """A line in which one span has no proper id: it costs itself."""
    spans = [as_object(span) for at in range(4) for span in trace(number * 4 + at)]
    spans[number % len(spans)]["spanId"] = "no id"
    return line_of(spans)


def broken(number):
    """A line that is no JSON somewhere within: it costs itself, with all of its spans."""
    line = good(number)
    at = random.Random(number).randrange(200, len(line) - 10)
    return line[:at] + "\x01" + line[at:]


KINDS = [good, good, bad_span, broken, lambda _: "no JSON", lambda _: "", lambda _: '{"resourceSpans":[]}']
LONG = "[" + "1," * 20_000 + "1]"


def read(sources, share):
    """The ids of the spans that a reader tells, by batch, and its report."""
    report = ReadReport()
    batches = read_batches(sources, report, lambda _: None, share)
    told = [([(span.trace_id, span.span_id) for span in batch.spans], batch.passed) for batch in batches]
    return told, asdict(report)


def read_together(sources, readers):
    """What each of some readers that agree tells; each reads its own sources."""
    found = [None] * readers
    lines = lines_between(readers)

    def work(number):
        with closing(lines[number]):
            found[number] = read(sources[number], Share(number, readers, PipeAgreement(lines[number])))

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not any(thread.is_alive() for thread in threads), "they wait for each other"
    return found


def assert_the_same(sources, readers):
    """Readers that agree tell what those tell who look at all; gives the report."""
    alone = [read(sources, Share(number, readers)) for number in range(readers)]
    together = read_together([sources] * readers, readers)
    assert together == alone
    assert all(report == alone[0][1] for _, report in together)
    return alone[0][1]


@pytest.mark.parametrize("readers", [2, 3])
@settings(max_examples=40, deadline=None)
@given(kinds=st.lists(st.integers(0, len(KINDS) - 1), max_size=30), ahead=st.integers(1, 5))
def test_whatever_lines_come_the_same_is_told(tmp_path_factory, readers, kinds, ahead):
    """Of spans, and of what is wrong with lines, in the same order."""
    path = tmp_path_factory.mktemp("read") / "spans.jsonl"
    path.write_text("\n".join(KINDS[kind](number) for number, kind in enumerate(kinds)), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_payloads, "MAX_AHEAD", ahead)
        assert_the_same([path], readers)


def test_problems_are_told_in_the_order_of_lines(tmp_path, monkeypatch):
    """Though lines that are too long are seen before those that were found to be bad."""
    monkeypatch.setattr(text_lines, "MAX_LINE_BYTES", 30_000)
    lines = [(good(number), bad_span(number), LONG)[number % 3] for number in range(3 * MAX_PROBLEMS)]
    path = tmp_path / "spans.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    report = assert_the_same([path], 2)
    assert len(report["problems"]) == MAX_PROBLEMS
    assert report["skipped_lines"] == report["bad_spans"] == MAX_PROBLEMS
    assert report["untold"] == MAX_PROBLEMS


def test_each_file_of_a_directory_is_judged_by_itself(tmp_path):
    """Which one holds no spans at all is known at its end."""
    for number in range(6):
        text = "notes\n" * 3 if number % 2 else "\n".join([good(number), bad_span(number)])
        (tmp_path / f"{number}.txt").write_text(text, encoding="utf-8")
    assert assert_the_same([tmp_path], 2)["foreign_files"] == 3


def test_readers_of_a_file_that_grows_stay_in_step(tmp_path):
    """One saw more of it than the other; of the next file they agree again."""
    short, long, next_one = tmp_path / "short", tmp_path / "long", tmp_path / "next"
    lines = [good(number) for number in range(20)]
    short.write_text("\n".join(lines[:7]), encoding="utf-8")
    long.write_text("\n".join(lines), encoding="utf-8")
    next_one.write_text("\n".join([good(30), broken(31), good(32), bad_span(33)]), encoding="utf-8")
    sources = [[short, next_one], [long, next_one]]
    found = read_together(sources, 2)
    assert found == [read(sources[number], Share(number, 2)) for number in range(2)]


def test_many_short_lines_fill_no_pipe(tmp_path):
    """Nobody waits to be heard by one who waits as well."""
    path = tmp_path / "spans.jsonl"
    path.write_text("\n" + "{}\n" * 20_000 + good(1), encoding="utf-8")
    assert assert_the_same([path], 3)["bad_lines"] == 0


def test_a_reader_that_is_gone_is_not_waited_for(tmp_path):
    """The other reads on, and looks at all."""
    path = tmp_path / "spans.jsonl"
    path.write_text("\n".join(good(number) for number in range(50)), encoding="utf-8")
    mine, others = lines_between(2)
    others.close()
    with closing(mine):
        found = read([path], Share(0, 2, PipeAgreement(mine)))
    assert found == read([path], Share(0, 2))


def test_lines_lead_from_each_to_each():
    """And nowhere else."""
    lines = lines_between(4)
    for number, line in enumerate(lines):
        for end in line.tells:
            os.write(end, bytes([number]))
    heard = [sorted(os.read(end, 10) for end in line.hears) for line in lines]
    for line in lines:
        line.close()
    assert heard == [[bytes([other]) for other in range(4) if other != number] for number in range(4)]


def open_files():
    """The file descriptors of this process."""
    return sorted(int(path.name) for path in Path("/proc/self/fd").iterdir())


def test_pipes_of_which_there_cannot_be_enough_are_all_closed():
    """None is left open by what did not come to be."""
    before = open_files()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(before) + 40, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            lines_between(8)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert open_files() == before
