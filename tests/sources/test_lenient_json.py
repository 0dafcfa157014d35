"""JSON that strict readers refuse is read by whoever wants it so, and nothing else is changed."""

import contextlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel.errors import InputError, TruncatedError
from agentnet_otel.sources.lenient_json import decoded

anything = msgspec.json.Decoder()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"[NaN,Infinity,-Infinity]", ["NaN", "Infinity", "-Infinity"]),
        (b'["a NaN \\" NaN \\\\",NaN]', ['a NaN " NaN \\', "NaN"]),
        (rb'["\ud800","\uDFFF x","a\ud83d\uDE00\ud83d"]', ["\ufffd", "\ufffd x", "a😀\ufffd"]),
        (rb'["\\ud800","\\\ud800"]', ["\\ud800", "\\\ufffd"]),
        (b'["\xff NaN",NaN]', ["\ufffd NaN", "NaN"]),
        (b'{"\xff":1,"\\ud800b":[Infinity]}', {"\ufffd": 1, "\ufffdb": ["Infinity"]}),
    ],
)
def test_what_others_write_is_read(written, read):
    """Numbers that are none become texts, characters that are none become the sign for that."""
    assert decoded(anything, written) == read


@pytest.mark.parametrize("end", range(1, 40))
def test_an_end_that_is_missing_is_told_apart(end):
    """Also behind what only strict readers refuse."""
    written = rb'["a\ud800", NaN, "bc\u00e9", {"k": "x"}, 1]'
    assert decoded(anything, written)
    with pytest.raises(TruncatedError):
        decoded(anything, written[:end])


@pytest.mark.parametrize(
    "written", [b"rubbish", b"[NaN,]", b'{"a":NaN} x', b"[Infinit]", b"[NaNNaN]", b"[+NaN]", b'["\\x"]']
)
def test_what_is_no_json_is_told(written):
    """For anybody."""
    with pytest.raises(InputError, match="not JSON"):
        decoded(anything, written)


def test_json_of_something_else_stays_that():
    """Who asks for numbers is told that there are none."""
    with pytest.raises(msgspec.ValidationError):
        decoded(msgspec.json.Decoder(list[int]), b"[NaN]")


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(2**63), 2**63) | st.text(st.characters(), max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(json_values, st.booleans())
def test_it_reads_what_python_reads(value, ascii_only):
    """Whatever Python's own json writes: the same comes out, but for the numbers that are none."""
    written = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", errors="surrogatepass")
    expected = json.loads(written.decode("utf-8", errors="replace"), parse_constant=str)
    expected = json.loads(json.dumps(expected).encode("utf-8", errors="replace"))
    found = decoded(anything, written)
    assert _without_halves(found) == _without_halves(expected)


def _without_halves(value):
    """Values whose halves of surrogate pairs are the sign for no character, one for each run of them."""
    text = json.dumps(value, ensure_ascii=False)
    replaced = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    while "\ufffd\ufffd" in replaced:
        replaced = replaced.replace("\ufffd\ufffd", "\ufffd")
    return replaced


@given(st.binary(max_size=60))
def test_no_bytes_raise_anything_else(data):
    """Rubbish is told as such."""
    with contextlib.suppress(InputError, msgspec.ValidationError):
        decoded(anything, data)
