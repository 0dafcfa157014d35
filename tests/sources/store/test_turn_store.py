"""Turns on disk: each once, in its newest revision; older schemas are brought up to date, newer ones refused."""

import contextlib
import sqlite3

import msgspec
import pytest

from agentnet_otel.errors import BackendError
from agentnet_otel.model import Outcome, Turn
from agentnet_otel.sources.rebuild import rebuild
from agentnet_otel.sources.store.salvage import salvaged_from
from agentnet_otel.sources.store.turn_store import FILE_NAME, MAX_PAGE_BYTES, SCHEMA_VERSION, TurnStore

FIRST_SCHEMA = """
    CREATE TABLE turns (seq INTEGER PRIMARY KEY AUTOINCREMENT, trace_id TEXT NOT NULL, span_id TEXT NOT NULL,
        end_ns INTEGER NOT NULL, arrived_ns INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE (trace_id, span_id));
    CREATE INDEX turns_by_arrival ON turns (arrived_ns);
    CREATE TABLE progress (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), place INTEGER NOT NULL);
    PRAGMA user_version = 1;
"""


def turn(number, **fields):
    """A turn."""
    given = {"agent": "a", "outcome": Outcome.SUCCESS, "trace_id": f"trace-{number}", "span_id": f"span-{number}"}
    return Turn(**{"turn_id": f"t{number}", "start_ns": 0, "end_ns": number, **given, **fields})


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    made = TurnStore(tmp_path)
    yield made
    made.close()


def test_a_store_of_the_first_version_is_brought_up_to_date(tmp_path):
    """Its turns are as they were, in their order; the metrics begin behind them."""
    old = [turn(1), turn(2, incomplete=True), turn(3)]
    db = sqlite3.connect(tmp_path / FILE_NAME)
    db.executescript(FIRST_SCHEMA)
    for one in old:
        row = (one.trace_id, one.span_id, one.end_ns, 5, msgspec.json.encode(one))
        db.execute("INSERT INTO turns (trace_id, span_id, end_ns, arrived_ns, body) VALUES (?, ?, ?, ?, ?)", row)
    db.execute("INSERT INTO progress VALUES (1, 42)")
    db.commit()
    db.close()
    store = TurnStore(tmp_path)
    assert list(store.all()) == old
    assert store.place() == 42
    assert store.figures() == (3, b"")
    assert list(store.new_after(3)) == []
    whole = turn(2, span_id="its-own")
    assert store.save([whole, turn(4)], 6, 43) == [turn(4)]
    assert [one.turn_id for one in store.all()] == ["t1", "t3", "t2", "t4"]
    store.close()
    again = TurnStore(tmp_path)
    assert again.count() == 4
    again.close()


def test_a_newer_version_is_refused_and_left_alone(tmp_path, store):
    """By writers and readers."""
    db = sqlite3.connect(tmp_path / FILE_NAME)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.commit()
    for read_only in (False, True):
        with pytest.raises(BackendError, match="update it"):
            TurnStore(tmp_path, read_only=read_only)
    assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION + 1,)
    db.close()


def test_a_turn_stands_once_in_its_newest_revision(store):
    """Told again it is no new turn; with more spans it is corrected; with fewer, as after a restart, it stays."""
    assert store.save([turn(1, spans=3)], 1, 0) == [turn(1, spans=3)]
    assert store.save([turn(1, spans=3)], 2, 0) == []
    assert store.save([turn(1, spans=2)], 3, 0) == []
    assert store.save([turn(1, spans=4)], 4, 0) == []
    (known,) = store.all()
    assert (known.spans, known.revision) == (4, 2)
    assert list(store.new_after(0)) == [known]
    assert list(store.new_after(1)) == []
    assert store.last_seq() == 2


def test_the_whole_turn_takes_the_place_of_the_incomplete_one(store):
    """Whose span id could only be guessed: it is one turn, counted once."""
    store.save([turn(1, incomplete=True, span_id="guessed")], 1, 0)
    assert store.save([turn(1)], 2, 0) == []
    assert [(one.span_id, one.incomplete, one.revision) for one in store.all()] == [("span-1", False, 2)]


def test_a_turn_that_was_thought_to_be_counted_by_its_application_comes_anew(store):
    """Its own span came late, and says that nobody counts it."""
    store.save([turn(1, incomplete=True, metrics_recorded=True)], 1, 0)
    seq = store.last_seq()
    (whole,) = store.save([turn(1, spans=2)], 2, 0)
    assert whole.turn_id == "t1"
    assert [one.turn_id for one in store.new_after(seq)] == ["t1"]


def test_retention_by_age_counts_from_arrival(store):
    """What the clock of a sender says does not matter."""
    store.save([turn(1, end_ns=10**18)], 100, 0)
    store.save([turn(2, end_ns=1)], 200, 0)
    assert store.forget_before(150) == 1
    assert [one.turn_id for one in store.all()] == ["t2"]
    assert store.last_seq() == 2


def test_retention_by_size_takes_the_oldest_and_gives_the_room_back(tmp_path, store):
    """Until the rest fits."""
    store.save([turn(n, error_type="x" * 1000) for n in range(500)], 1, 0)
    before = store.used_bytes()
    gone = store.forget_beyond(before // 2)
    assert 200 < gone < 350
    assert store.used_bytes() <= before // 2
    assert next(store.all()).turn_id == f"t{gone}"
    assert store.forget_beyond(before) == 0
    assert store.forget_beyond(0) == 500 - gone


def test_erased_turns_leave_no_byte(tmp_path, store):
    """Not in the database, nor in its log."""
    store.save([turn(1, session="very-private"), turn(2)], 1, 77)
    store.sync()
    assert store.erase({"trace-1"}) == 1
    assert [one.turn_id for one in store.all()] == ["t2"]
    assert store.place() == 77
    store.close()
    assert not any(b"very-private" in path.read_bytes() for path in tmp_path.iterdir())


def test_a_damaged_turn_costs_itself(tmp_path, store):
    """It is passed over and told wherever turns are read, and takes its place again when it comes again."""
    turns = [turn(number) for number in range(1, 7)]
    store.save(turns, 100, 0)
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as db, db:
        for seq, body in ((1, b"{"), (2, b'{"turn_id":1}'), (5, b"\xff\xfe"), (6, "7")):
            db.execute("UPDATE turns SET body = ? WHERE seq = ?", (body, seq))
    told = []
    with contextlib.closing(TurnStore(tmp_path, read_only=True, unreadable=told.append)) as reader:
        good = ["t3", "t4"]
        assert [one.turn.turn_id for one in reader.after(0, 1)] == ["t3"]
        assert [one.turn.turn_id for one in reader.before(None, 9)] == ["t4", "t3"]
        assert [one.turn_id for one in reader.all()] == good
        assert [one.turn_id for one in reader.new_after(0)] == good
        assert [one.turn_id for one, _ in reader.with_arrival()] == good
        assert [one.turn_id for one in reader.newest_first(9)] == ["t4", "t3"]
        assert reader.find(turns[0].trace_id, turns[0].span_id) is None
        told.clear()
        list(reader.all())
        assert [text.partition(": ")[2].partition(",")[0] for text in told] == [
            f"turn {seq} cannot be read" for seq in (1, 2, 5, 6)
        ]
    assert store.save(turns, 200, 0) == []
    assert [one.turn_id for one in store.all()] == ["t3", "t4", "t1", "t2", "t5", "t6"]
    rebuilt = rebuild([tmp_path])
    assert (len(rebuilt.turns), rebuilt.read.summary) == (6, None)


def test_a_part_of_the_file_that_is_damaged_is_told(tmp_path, store):
    """However turns are read: with a sentence, not with an error of the database."""
    store.save([turn(number) for number in range(1, 400)], 100, 0)
    store.sync()
    store.close()
    path = tmp_path / FILE_NAME
    data = path.read_bytes()
    begin = 10 * 4096
    path.write_bytes(data[:begin] + b"\xff" * (len(data) - begin))
    with contextlib.closing(TurnStore(tmp_path, read_only=True)) as reader:
        for read in (
            lambda: list(reader.all()),
            lambda: list(reader.new_after(0)),
            lambda: reader.after(0, 1000),
            lambda: reader.newest_first(1000),
        ):
            with pytest.raises(BackendError, match="malformed"):
                read()
    assert rebuild([tmp_path]).read.unreadable_sources == 1


def test_nothing_is_kept_where_nobody_will_find_it(tmp_path, store):
    """The file was removed, or another one is there: nothing is saved, and no request may be forgotten."""
    store.save([turn(1)], 0, 0)
    (tmp_path / FILE_NAME).rename(tmp_path / "elsewhere")
    for _ in range(2):
        for write in (lambda: store.save([turn(2)], 0, 0), lambda: store.save_figures(1, b"{}"), store.sync):
            with pytest.raises(BackendError, match="was removed or replaced"):
                write()
        (tmp_path / FILE_NAME).write_bytes(b"another")
    (tmp_path / "elsewhere").rename(tmp_path / FILE_NAME)
    store.save([turn(3)], 0, 0)
    assert [stored.turn.turn_id for stored in store.after(0, 9)] == ["t1", "t3"]


def test_the_one_that_understands_begins_no_empty_store(tmp_path):
    """Where the file is gone, that is a failure."""
    with pytest.raises(BackendError, match="cannot be used"):
        TurnStore(tmp_path, create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_page_has_its_bounds(store):
    """A number of turns, and of bytes, but always one turn."""
    third = "x" * (MAX_PAGE_BYTES // 3)
    store.save(
        [turn(1), turn(2, agent=third), turn(3, agent=third), turn(4, agent=third), turn(5, agent=4 * third)], 0, 0
    )

    def page(cursor, limit=9):
        return [stored.turn.turn_id for stored in store.after(cursor, limit)]

    assert page(0, 2) == ["t1", "t2"]
    assert page(0, 0) == []
    assert page(0) == ["t1", "t2", "t3"]
    assert page(3) == ["t4"]
    assert page(4) == ["t5"]
    assert page(5) == []


def test_figures_are_kept_with_their_place(store):
    """And nothing else changes them."""
    store.save([turn(1)], 1, 0)
    store.save_figures(1, b"{}")
    assert store.figures() == (1, b"{}")
    assert list(store.new_after(store.figures()[0])) == []


@pytest.mark.parametrize(
    ("kind", "spared"),
    [(b"\x0a", 600), (b"\x02", 600), (b"\x0d", 500), (b"\x05", 0)],
    ids=["leaf of an index", "inside of an index", "leaf of the table", "inside of the table"],
)
def test_turns_are_taken_out_of_a_damaged_database(tmp_path, kind, spared):
    """Pages of indexes cost none, a page of turns those on it; places stay what they were. What is none gives none."""
    store = TurnStore(tmp_path)
    store.save([turn(number) for number in range(600)], 1, 77)
    last = store.last_seq()
    store.close()
    path = tmp_path / FILE_NAME
    content = bytearray(path.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    pages = [start for start in range(size, len(content), size) if content[start : start + 1] == kind]
    assert pages
    start = pages[len(pages) // 2]
    content[start : start + size] = bytes([255]) * size
    path.write_bytes(content)
    found = list(salvaged_from(path))
    assert spared <= len(found) <= 600
    (tmp_path / "new").mkdir()
    again = TurnStore(tmp_path / "new")
    assert again.take_over(found) == len(found) == again.count()
    assert {one.seq for one in again.after(0, 1000)} == {row.seq for row in found} <= set(range(1, last + 1))
    again.close()
    path.write_bytes(b"no database at all" * 1000)
    assert list(salvaged_from(path)) == list(salvaged_from(tmp_path / "none")) == []
