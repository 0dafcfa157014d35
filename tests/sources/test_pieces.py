"""Cutting attributes apart, in Python and in C: both do the same, whatever the bytes are."""

import gc
import json
import os
import subprocess
import sys
import sysconfig
import weakref
from shutil import which

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel import semconv
from agentnet_otel.sources import pieces
from agentnet_otel.sources.pieces import MAX_WHOLE_BYTES, PythonPieces, python_are_ids, python_count_bytes

COMPILER = which((sysconfig.get_config_var("CC") or "none").split()[0])
LONG = 1_000_000
native = pieces.native


@pytest.fixture(params=["python", "c"])
def kind(request):
    """The class, as it is written in each of the two languages."""
    if request.param == "python":
        return PythonPieces
    if native is None:
        pytest.skip("it was not built, or is not wanted: the test below says whether that is right")
    return native.Pieces


@pytest.mark.skipif(COMPILER is None, reason="there is no compiler on this machine")
@pytest.mark.skipif(os.environ.get(semconv.ENV_PURE_PYTHON) == "1", reason="Python alone is asked for")
def test_what_is_written_in_c_is_used():
    """Where there is a compiler it was built, and nobody reads by the slower way without knowing."""
    assert native is not None
    assert (pieces.Pieces, pieces.are_ids, pieces.count_bytes) == (
        native.Pieces,
        native.are_ids,
        native.count_bytes,
    )


def test_python_alone_can_be_asked_for():
    """The variable leaves out what is written in C."""
    line = "from agentnet_otel.sources import pieces; print(pieces.native, pieces.Pieces.__name__)"
    environment = {**os.environ, semconv.ENV_PURE_PYTHON: "1"}
    done = subprocess.run([sys.executable, "-c", line], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "None PythonPieces\n"


def test_what_was_built_of_an_older_source_is_left_alone():
    """After an update, until it is built anew; what is not there would fail in the middle of reading."""
    line = (
        "import sys, types; sys.modules['agentnet_otel.sources._native'] = types.SimpleNamespace(INTERFACE=0); "
        "from agentnet_otel.sources import pieces; print(pieces.native, pieces.Pieces.__name__)"
    )
    environment = {**os.environ, semconv.ENV_PURE_PYTHON: "0"}
    done = subprocess.run([sys.executable, "-c", line], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "None PythonPieces\n"


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
    for kind in (PythonPieces, *([native.Pieces] if native else [])):
        cut = kind(attribute, 3, LONG)
        for attributes in many:
            text = encoded(attributes, (", ", ": ") if spaced else (",", ":"))
            expected = {key: next(iter(value.values())) for key, value in attributes if key != "left"}
            assert cut.mapping(text) == expected
            assert cut.mapping(msgspec.Raw(text)) == expected


@given(
    data=st.lists(st.one_of(st.binary(), st.sampled_from([b'[{"key":"', b'}},{"key":"', b"}}]", b"}", b"}}", b'"'])))
)
def test_both_do_the_same_with_any_bytes(data):
    """Whatever comes is cut alike, or by neither; nothing is read beyond its end."""
    if native is None:
        pytest.skip("it was not built")
    bytes_ = b"".join(data)
    seen = {PythonPieces: [], native.Pieces: []}
    for kind, read in seen.items():

        def note(piece, read=read):
            read.append(piece)
            return piece.hex(), piece

        found = kind(note, 100, LONG).mapping(bytes_)
        read.append(None if found is None else {key: value for key, value in found.items() if key})
    assert seen[PythonPieces] == seen[native.Pieces]


def test_a_piece_is_read_once_until_there_are_too_many(kind):
    """Then the memory starts anew, and what comes again is read again."""
    read = []

    def note(piece):
        read.append(piece)
        return piece.decode(), len(read)

    cut = kind(note, 2, LONG)
    filler = "x" * MAX_WHOLE_BYTES  # so that no whole is remembered
    for key in ("a", "b", "a", "b", "c", "c", "a"):
        assert len(cut.mapping(encoded([(key + filler, {"intValue": "1"})]))) == 1
        assert len(cut) <= 2
    assert [piece[:1] for piece in read] == [b"a", b"b", b"c", b"a"]


def test_long_pieces_are_read_each_time(kind):
    """They are not kept: ten thousand prompts would be."""
    read = []

    def note(piece):
        read.append(piece)
        return piece.decode(), len(read)

    cut = kind(note, 10, 6)
    assert cut.mapping_of([b"123456", b"1234567"]) == {"123456": 1, "1234567": 2}
    assert cut.mapping_of([b"123456", b"1234567"]) == {"123456": 1, "1234567": 3}
    assert (len(read), len(cut)) == (3, 1)


def test_many_pieces_are_all_found_again(kind):
    """The table grows, and is right all the same."""
    read = []

    def note(piece):
        read.append(piece)
        return piece.decode(), len(read)

    cut = kind(note, 10_000, LONG)
    texts = [encoded([(f"key-{number}", {"intValue": "1"})]) for number in range(9_000)]
    first = [cut.mapping(text) for text in texts]
    assert [cut.mapping(text) for text in texts] == first
    assert (len(read), len(cut)) == (9_000, 9_000)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"null", b'[{"key":"', b"}}]", b'[{"key":"}}', b'[{"ke":"a","value":{}}]']
)
def test_what_is_not_written_in_the_usual_way_is_left_alone(kind, data):
    """None of it is read."""
    assert kind(lambda piece: (piece.decode(), None), 10, LONG).mapping(data) is None


def test_an_error_of_reading_is_told(kind):
    """As it is, and the next piece is read all the same."""

    def broken(piece):
        if b"bad" in piece:
            raise KeyError(piece)
        return "key", piece

    cut = kind(broken, 10, LONG)
    with pytest.raises(KeyError):
        cut.mapping(encoded([("fine", {"intValue": "1"}), ("bad", {"intValue": "1"})]))
    assert cut.mapping(encoded([("fine", {"intValue": "1"})])) == {"key": b'fine","value":{"intValue":"1"'}


def test_reading_may_use_the_same_pieces(kind):
    """Reading that itself cuts, even so much that all is forgotten, does no harm."""
    cut = None

    def nested(piece):
        if b"outer" in piece:
            for number in range(5):
                cut.mapping(encoded([(f"inner-{number}", {"intValue": "1"})]))
        return piece[:7].decode(), None

    cut = kind(nested, 2, LONG)
    assert set(cut.mapping(encoded([(f"outer-{n}", {"intValue": "1"}) for n in range(6)]))) == {
        f"outer-{n}" for n in range(6)
    }


def test_wrong_use_is_a_plain_error():
    """Of what is written in C; nothing crashes."""
    if native is None:
        pytest.skip("it was not built")
    cut = native.Pieces(lambda piece: piece, 10, LONG)
    with pytest.raises(TypeError, match="a key, which is a text"):
        cut.mapping(encoded([("a", {"intValue": "1"})]))
    for wrong in (lambda: cut.mapping("text"), lambda: cut.mapping(None), lambda: native.Pieces(1), native.Pieces):
        with pytest.raises(TypeError):
            wrong()
    for wrong in (lambda: native.are_ids("ab", 2), lambda: native.are_ids(["ab"]), lambda: native.are_ids(["ab"], "2")):
        with pytest.raises(TypeError):
            wrong()
    for wrong in (
        lambda: cut.mapping_of((b"a",)),
        lambda: cut.mapping_of(["a"]),
        lambda: native.count_bytes("a", b"a"),
    ):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(ValueError, match="at least 1"):
        native.Pieces(print, 0, LONG)


def test_pieces_that_were_cut_already_are_looked_up_alike(kind):
    """Of a key the last one, none of an empty key; an error is told; a list that reading changes does no harm."""
    many = [b"a=1", b"b=2", b"=3", b"a=4"]
    assert kind(lambda piece: tuple(piece.decode().split("=")), 2, LONG).mapping_of(many) == {"a": "4", "b": "2"}
    with pytest.raises(ZeroDivisionError):
        kind(lambda _: 1 / 0, 2, LONG).mapping_of([b"a"])

    def empties(piece):
        many.clear()
        return piece.decode(), 1

    assert kind(empties, 2, LONG).mapping_of(many) == {"a=1": 1}


def test_nothing_is_left_behind(kind):
    """What refers to itself through its reader is let go."""

    class Reader:
        def __init__(self):
            self.cut = kind(self.read, 10, LONG)

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
def test_ids_are_judged_alike(texts):
    """Lower case hexadecimal, of the right length, not 0."""
    wanted = all(len(text) == 4 and set(text) <= set("0123456789abcdef") and text != "0000" for text in texts)
    assert python_are_ids(texts, 4) is wanted
    assert native is None or native.are_ids(texts, 4) is wanted


@given(
    data=st.one_of(st.binary(), st.integers(0, 2000).map(lambda size: b"{" * size + b"}" * size)),
    wanted=st.binary(max_size=3).map(lambda some: bytes(set(some)) + b"{"),
)
def test_bytes_are_counted_alike(data, wanted):
    """Any bytes, and more of them than fit into one byte."""
    expected = sum(data.count(byte) for byte in wanted)
    assert python_count_bytes(data, wanted) == expected
    assert native is None or native.count_bytes(data, wanted) == expected
