"""Cutting attributes apart: exactly, whatever stands in them."""

import gc
import json
import weakref

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel.sources.pieces import MAX_WHOLE_BYTES, Pieces, are_ids

LONG = 1_000_000


def attribute(piece):
    """What JSON says a piece is; nothing is kept of the key ``left``."""
    pair = msgspec.json.decode(b'{"key":"' + piece + b"}}")
    key = pair["key"]
    return ("", None) if key == "left" else (key, next(iter(pair["value"].values())))


def encoded(attributes, separators=(",", ":")):
    """Attributes as OTLP JSON has them."""
    said = [{"key": key, "value": value} for key, value in attributes]
    return json.dumps(said, separators=separators).encode()


VALUES = st.one_of(
    st.text().map(lambda text: {"stringValue": text}),
    st.integers().map(lambda number: {"intValue": str(number)}),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda number: {"doubleValue": number}),
    st.sampled_from(['}},{"key":"', '}}, {"key": "', "}}]", '[{"key":"', "\\", '"', ""]).map(
        lambda text: {"stringValue": text}
    ),
)
ATTRIBUTES = st.lists(st.tuples(st.sampled_from(["a", "b", "left", "ü", 'q"}},{"key":"']), VALUES), min_size=1)


@given(many=st.lists(ATTRIBUTES, max_size=4), spaced=st.booleans())
def test_what_is_cut_is_what_json_says(many, spaced):
    """The same as a decoder reads, of a key the last one; texts that look like a cut are none."""
    cut = Pieces(attribute, 3, LONG)
    for attributes in many:
        text = encoded(attributes, (", ", ": ") if spaced else (",", ":"))
        expected = {key: next(iter(value.values())) for key, value in attributes if key != "left"}
        assert cut.mapping(text) == expected
        assert cut.mapping(msgspec.Raw(text)) == expected


def test_a_piece_is_read_once_until_there_are_too_many():
    """Then the memory starts anew, and what comes again is read again."""
    read = []

    def note(piece):
        read.append(piece)
        return piece.decode(), len(read)

    cut = Pieces(note, 2, LONG)
    filler = "x" * MAX_WHOLE_BYTES  # so that no whole is remembered
    for key in ("a", "b", "a", "b", "c", "c", "a"):
        assert len(cut.mapping(encoded([(key + filler, {"intValue": "1"})]))) == 1
        assert len(cut) <= 2
    assert [piece[:1] for piece in read] == [b"a", b"b", b"c", b"a"]


def test_long_pieces_are_read_each_time():
    """They are not kept: ten thousand prompts would be."""
    read = []

    def note(piece):
        read.append(piece)
        return piece.decode(), len(read)

    cut = Pieces(note, 10, 6)
    assert cut.mapping_of([b"123456", b"1234567"]) == {"123456": 1, "1234567": 2}
    assert cut.mapping_of([b"123456", b"1234567"]) == {"123456": 1, "1234567": 3}
    assert (len(read), len(cut)) == (3, 1)


def test_many_pieces_are_all_found_again():
    """The table grows, and is right all the same."""
    read = []

    def note(piece):
        read.append(piece)
        return piece.decode(), len(read)

    cut = Pieces(note, 10_000, LONG)
    texts = [encoded([(f"key-{number}", {"intValue": "1"})]) for number in range(9_000)]
    first = [cut.mapping(text) for text in texts]
    assert [cut.mapping(text) for text in texts] == first
    assert (len(read), len(cut)) == (9_000, 9_000)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"null", b'[{"key":"', b"}}]", b'[{"key":"}}', b'[{"ke":"a","value":{}}]']
)
def test_what_is_not_written_in_the_usual_way_is_left_alone(data):
    """None of it is read."""
    assert Pieces(lambda piece: (piece.decode(), None), 10, LONG).mapping(data) is None


def test_an_error_of_reading_is_told():
    """As it is, and the next piece is read all the same."""

    def broken(piece):
        if b"bad" in piece:
            raise KeyError(piece)
        return "key", piece

    cut = Pieces(broken, 10, LONG)
    with pytest.raises(KeyError):
        cut.mapping(encoded([("fine", {"intValue": "1"}), ("bad", {"intValue": "1"})]))
    assert cut.mapping(encoded([("fine", {"intValue": "1"})])) == {"key": b'fine","value":{"intValue":"1"'}


def test_reading_may_use_the_same_pieces():
    """Reading that itself cuts, even so much that all is forgotten, does no harm."""
    cut = None

    def nested(piece):
        if b"outer" in piece:
            for number in range(5):
                cut.mapping(encoded([(f"inner-{number}", {"intValue": "1"})]))
        return piece[:7].decode(), None

    cut = Pieces(nested, 2, LONG)
    assert set(cut.mapping(encoded([(f"outer-{n}", {"intValue": "1"}) for n in range(6)]))) == {
        f"outer-{n}" for n in range(6)
    }


def test_pieces_that_were_cut_already_are_looked_up_alike():
    """Of a key the last one, none of an empty key; an error is told; a list that reading changes does no harm."""
    many = [b"a=1", b"b=2", b"=3", b"a=4"]
    assert Pieces(lambda piece: tuple(piece.decode().split("=")), 2, LONG).mapping_of(many) == {"a": "4", "b": "2"}
    with pytest.raises(ZeroDivisionError):
        Pieces(lambda _: 1 / 0, 2, LONG).mapping_of([b"a"])

    def empties(piece):
        many.clear()
        return piece.decode(), 1

    assert Pieces(empties, 2, LONG).mapping_of(many) == {"a=1": 1}


def test_nothing_is_left_behind():
    """What refers to itself through its reader is let go."""

    class Reader:
        def __init__(self):
            self.cut = Pieces(self.read, 10, LONG)

        def read(self, piece):
            return piece.decode(), [self]

    reader = Reader()
    reader.cut.mapping(encoded([("a", {"intValue": "1"})]))
    gone = weakref.ref(reader)
    del reader
    gc.collect()
    assert gone() is None


IDS = st.one_of(st.text("0123456789abcdef", min_size=4, max_size=4), st.text(max_size=5), st.text("0aF ", max_size=5))


@given(texts=st.lists(IDS, max_size=5))
def test_ids_are_what_the_specification_asks_for(texts):
    """Lower case hexadecimal, of the right length, not 0."""
    wanted = all(len(text) == 4 and set(text) <= set("0123456789abcdef") and text != "0000" for text in texts)
    assert are_ids(texts, 4) is wanted
