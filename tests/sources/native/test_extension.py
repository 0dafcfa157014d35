"""Whether what is written in C is there, and used; and that using it wrongly is a plain error."""

import os
import subprocess
import sys
import sysconfig
from shutil import which

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel import semconv
from agentnet_otel.sources import message_density
from agentnet_otel.sources.native import extension
from agentnet_otel.sources.plain_json import PlainJsonDecoder
from agentnet_otel.sources.share import Share
from tests.sources.native.marks import needs_c

COMPILER = which((sysconfig.get_config_var("CC") or "none").split()[0])
ASK = (
    "from agentnet_otel.sources.native import extension, spans, turns; print(extension, turns.TURNS, spans.VOCABULARY)"
)


@pytest.mark.skipif(COMPILER is None, reason="there is no compiler on this machine")
@pytest.mark.skipif(os.environ.get(semconv.ENV_PURE_PYTHON) == "1", reason="Python alone is asked for")
def test_it_is_used_where_it_was_built():
    """Where there is a compiler it was built, and nobody reads by the slower way without knowing."""
    assert extension is not None
    data = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%b","spanId":"%b","startTimeUnixNano":"1"}]}]}]}'
    batch = PlainJsonDecoder(lambda _: None, Share()).decode(data % (b"ab" * 16, b"cd" * 8))
    assert batch is not None
    assert [type(span) for span in batch.spans] == [extension.Span]


def test_python_alone_can_be_asked_for():
    """The variable leaves out what is written in C."""
    environment = {**os.environ, semconv.ENV_PURE_PYTHON: "1"}
    done = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "None None None\n"


def test_what_was_built_of_an_older_source_is_left_alone():
    """After an update, until it is built anew; what is not there would fail in the middle of reading."""
    line = (
        "import sys, types; "
        "sys.modules['agentnet_otel.sources.native._native'] = types.SimpleNamespace(INTERFACE=2); " + ASK
    )
    environment = {**os.environ, semconv.ENV_PURE_PYTHON: "0"}
    done = subprocess.run([sys.executable, "-c", line], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "None None None\n"


@given(
    data=st.one_of(st.binary(), st.integers(0, 2000).map(lambda size: b"{" * size + b"}" * size)),
    wanted=st.binary(max_size=12).map(lambda some: bytes({*some, ord("{")})),
)
def test_bytes_are_counted_alike(data, wanted):
    """Any bytes, and more of them than fit into one byte."""
    expected = sum(data.count(byte) for byte in wanted)
    assert message_density.python_count_bytes(data, wanted) == expected
    assert message_density.count_bytes(data, wanted) == expected


@needs_c
def test_wrong_use_is_a_plain_error():
    """Nothing crashes."""
    names = ("a",)
    vocabulary = extension.Vocabulary(names, "odd", (None, 1, 2))
    pieces = extension.Pieces(vocabulary, lambda piece: piece, 10, 10)
    reader = extension.Reader(lambda *_: None, 0, None)
    for wrong in (
        lambda: extension.Vocabulary(["a"], "odd", (None, 1, 2)),
        lambda: extension.Pieces(None, print, 1, 1),
        lambda: extension.Pieces(vocabulary, print, 1),
        lambda: extension.Reader(print, "x", None),
        lambda: extension.Reader(print, 0, [1]),
        lambda: extension.Turns(vocabulary, {}, {}, (), (), {}, {}, 0, 0, 0, 0, 0, 0),
        lambda: pieces.look_up("text"),
        lambda: pieces.look_up(b"a"),
        lambda: reader.json("text"),
        lambda: reader.protobuf(None),
        lambda: extension.runs_of((1,)),
        lambda: extension.count_bytes("a", b"a"),
        lambda: extension.count_bytes(b"a"),
        extension.Span,
    ):
        with pytest.raises(TypeError):
            wrong()
    for wrong in (
        lambda: extension.Vocabulary(names * 129, "odd", (None, 1, 2)),
        lambda: extension.Vocabulary(names, "odd", (None,)),
        lambda: extension.Pieces(vocabulary, print, 0, 1),
        lambda: extension.Reader(print, 200, None),
    ):
        with pytest.raises(ValueError, match=r"at most|at least|no key"):
            wrong()


SCOPE = b'{"resourceSpans":[{"scopeSpans":[{"spans":[]}]}]}'


@needs_c
@pytest.mark.parametrize("told", [None, (1, 2), (None, "pieces", True, print), [None] * 4])
def test_a_scope_that_is_told_wrongly_is_a_plain_error(told):
    """As is whatever telling it raises."""
    with pytest.raises(TypeError):
        extension.Reader(lambda *_: told, 0, None).json(SCOPE)
    with pytest.raises(ZeroDivisionError):
        extension.Reader(lambda *_: 1 // 0, 0, None).json(SCOPE)
