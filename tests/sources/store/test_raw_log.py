"""The log of requests: what was said to be durable is there, whatever happens to the rest."""

import errno
import os
import resource

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentnet_otel.errors import BackendError
from agentnet_otel.sources.store.raw_log import BLANK, LogReader, RawLog, position, segment_before

HEADER_BYTES = 20


@pytest.fixture
def opened(tmp_path):
    """Opens logs in one folder, and closes them; what they tell is in ``told``."""
    logs = []

    def open_log(**options):
        logs.append(RawLog(tmp_path, opened_told.append, **options))
        return logs[-1]

    opened_told = open_log.told = []
    yield open_log
    for log in logs:
        log.close()


def keep(log, *requests):
    """Have requests kept."""
    for request in requests:
        log.append(1, 7, request).result(10)


def data_of(log):
    """What is kept."""
    return [record.data for record in log.read(0)]


def only_file(folder):
    """The one segment."""
    (path,) = folder.glob("*.log")
    return path


def test_what_was_kept_is_read_again_in_order(opened, tmp_path):
    """Over segments and restarts, from any place; a reader in another process sees the same up to an end."""
    ends = []
    log = opened(segment_bytes=100, told_end=ends.append)
    requests = [bytes([n]) * 30 for n in range(10)]
    keep(log, *requests)
    assert data_of(log) == requests
    assert len(list(tmp_path.glob("*.log"))) > 2
    records = list(log.read(0))
    assert [record.data for record in log.read(records[3].end)] == requests[4:]
    assert [record.data for record in LogReader(tmp_path).read(0, ends[4])] == requests[:5]
    assert ends == [record.end for record in records]
    assert log.bytes_from(0) == sum(len(request) + HEADER_BYTES for request in requests)
    assert log.bytes_from(records[8].end) == 30 + HEADER_BYTES
    log.close()
    again = opened(segment_bytes=100)
    assert data_of(again) == requests
    assert again.bytes_from(0) == sum(len(request) + HEADER_BYTES for request in requests)


def test_a_torn_end_is_cut_off_without_a_word(opened, tmp_path):
    """A writer that was killed had told nobody that it was kept."""
    log = opened()
    keep(log, b"whole")
    log.close()
    path = only_file(tmp_path)
    whole = path.read_bytes()
    for rest in (b"\x09", whole[:-2], bytes(4096)):
        path.write_bytes(whole + rest)
        again = opened()
        assert data_of(again) == [b"whole"]
        again.close()
    assert opened.told == []


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3 * (HEADER_BYTES + 8) - 1), st.integers(1, 255))
def test_damage_costs_the_request_that_it_is_in(tmp_path_factory, offset, flipped):
    """Unless it hides how long the request is: then those behind it in the segment are lost too, and told."""
    folder = tmp_path_factory.mktemp("log")
    told = []
    log = RawLog(folder, told.append)
    requests = [bytes([n]) * 8 for n in (1, 2, 3)]
    keep(log, *requests)
    ends = [record.end for record in log.read(0)]
    log.close()
    path = only_file(folder)
    damaged = bytearray(path.read_bytes())
    damaged[offset] ^= flipped
    path.write_bytes(damaged)
    hit, within = divmod(offset, HEADER_BYTES + 8)
    log = RawLog(folder, told.append)
    records = list(log.read(0))
    log.close()
    if within >= 4:
        assert [record.data for record in records if record.kind != BLANK] == requests[:hit] + requests[hit + 1 :]
        assert [record.end for record in records] == ends
    else:
        kept = [record.data for record in records if record.kind != BLANK]
        assert kept[:hit] == requests[:hit]
        assert set(kept) <= set(requests)
    assert any("damaged at byte" in text for text in told)
    (kept_aside,) = (folder / "quarantine").iterdir()
    assert kept_aside.read_bytes() == damaged


def test_a_disk_without_room_fails_those_that_wait_and_nobody_else(opened, tmp_path):
    """The log says why, is whole, and goes on when there is room."""
    log = opened()
    keep(log, b"before")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, hard))
    try:
        failed = log.append(1, 7, bytes(1000))
        with pytest.raises(BackendError, match=os.strerror(errno.EFBIG)):
            failed.result(10)
        assert os.strerror(errno.EFBIG) in log.failure
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    keep(log, b"after")
    assert log.failure is None
    log.try_again()  # all is well
    log.drain()
    assert [record.kind for record in log.read(0) if record.kind == BLANK] == []
    assert data_of(log) == [b"before", b"after"]
    log.close()
    assert data_of(opened()) == [b"before", b"after"]
    assert len(opened.told) == 2  # that it began, and that it is over
    assert os.strerror(errno.EFBIG) in opened.told[0]
    assert "kept again" in opened.told[1]


def test_nothing_is_kept_where_nobody_will_find_it(opened, tmp_path):
    """The segment is moved away, then another file stands there: it fails until the right one is back."""
    log = opened()
    keep(log, b"before")
    path = only_file(tmp_path)
    path.rename(tmp_path / "elsewhere")
    for _ in range(2):
        with pytest.raises(BackendError, match="was removed or moved"):
            keep(log, b"lost")
        path.write_bytes(b"another")
    (tmp_path / "elsewhere").rename(path)
    keep(log, b"after")
    assert data_of(log) == [b"before", b"after"]
    assert len(opened.told) == 2


def test_requests_that_nobody_needs_are_forgotten_by_segments(opened, tmp_path):
    """The newest segment stays; when it is old, it gives way to a new one and goes too."""
    log = opened(segment_bytes=60, segment_s=0)
    keep(log, *[bytes(40)] * 4)
    log.forget_before(log.end)
    log.drain()
    log.forget_before(log.end)
    assert data_of(log) == []
    assert log.bytes_from(0) == 0
    keep(log, b"x")
    assert data_of(log) == [b"x"]


def test_places(opened):
    """Later places are greater, over segments too."""
    assert position(1, 2**30) < position(2, 0)
    assert segment_before(position(5, 123)) == position(4, 0)
    assert segment_before(0) == 0


def test_requests_can_be_rewritten(opened):
    """Places stay what they were, and the log goes on behind them; what leaves no room for a blank goes whole."""
    log = opened(segment_bytes=60)
    keep(log, b"keep", b"drop" * 20, b"dropped", b"keep too")
    ends = [record.end for record in log.read(0)]
    changed = {b"drop" * 20: b"rest", b"dropped": b"drop"}
    assert log.rewrite(lambda record: (changed.get(record.data, record.data), record.data in changed)) == 2
    keep(log, b"more")
    expected = [b"keep", b"rest", bytes(56), bytes(7), b"keep too", b"more"]
    assert data_of(log) == expected
    assert {record.end for record in log.read(0)} > set(ends)
    assert [record.data for record in log.read(ends[2])] == [b"keep too", b"more"]
    log.close()
    assert data_of(opened()) == expected


def test_nothing_half_written_stays(opened, tmp_path):
    """Neither of a rewriting that fails, whose segments are as they were, nor of one whose process was killed."""
    log = opened()
    keep(log, b"before")

    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
    try:
        with pytest.raises(BackendError, match=os.strerror(errno.EFBIG)):
            log.rewrite(lambda record: (record.data, 0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert data_of(log) == [b"before"]
    log.close()
    (segment,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    segment.with_suffix(".new").write_bytes(b"half of it")
    assert data_of(opened()) == [b"before"]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [segment]
