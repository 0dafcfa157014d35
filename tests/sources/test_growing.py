"""What comes bit by bit: the same payloads as of a stream that is read to its end, as soon as they are whole."""

import gzip
import io
import json
import struct
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from agentnet_otel.errors import InputError
from agentnet_otel.sources import growing
from agentnet_otel.sources.compression import decompressed
from agentnet_otel.sources.framing import payloads
from agentnet_otel.sources.growing import GrowingPayloads
from agentnet_otel.sources.read_report import ReadReport

LINE = b'{"resourceSpans":[{"scopeSpans":[{"spans":[]}]}]}'
MESSAGE = b"\x0a\x16\x12\x14\x12\x12\x0a\x10" + bytes(range(16))
DOCUMENT = json.dumps(json.loads(LINE), indent=2).encode()
STREAMS = {
    "lines": LINE + b"\n" + LINE + b"\r\n\n" + LINE,
    "lines behind a mark": b"\xef\xbb\xbf" + LINE + b"\n" + LINE,
    "a first line that was cut off": LINE[:20] + b"\n" + LINE + b"\n",
    "nothing but the beginning of a line": LINE[:20],
    "one document": DOCUMENT,
    "lines with their marks": (b"\xef\xbb\xbf" + LINE + b"\n") * 3,
    "documents among lines": LINE + b"\n\n" + DOCUMENT + b"\r\n" + LINE + b"\n" + DOCUMENT + DOCUMENT + b"\n" + LINE,
    "a document among lines without its end": LINE + b"\n" + DOCUMENT[:-5] + b"\n" + LINE + b"\n[\n" + LINE[:9],
    "an answer of Jaeger": b'{"data":[]}\n',
    "a message": MESSAGE,
    "lines of Jaeger": b'{"data":[]}\n{"data":[]}\n',
    "prefixed, the first is wrong": (struct.pack(">I", 40) + b"x" * 40 + struct.pack(">I", len(MESSAGE)) + MESSAGE) * 2,
    "prefixed": (struct.pack(">I", len(MESSAGE)) + MESSAGE) * 3,
    "prefixed, frames": struct.pack(">I", len(zstandard.compress(LINE))) + zstandard.compress(LINE),
    "delimited": (bytes([len(MESSAGE)]) + MESSAGE) * 3,
    "delimited, the first is wrong": b"\x28" + b"\xff" * 40 + (bytes([len(MESSAGE)]) + MESSAGE) * 3,
    "prefixed, some are empty": (struct.pack(">I", len(MESSAGE)) + MESSAGE + b"\0" * 8) * 2,
    "delimited, the first is empty": b"\0" + (bytes([len(MESSAGE)]) + MESSAGE) * 3,
    "neither text nor messages": b"\x89PNG\r\n\x1a\n" + b"\xff\xfe" * 30,
    "empty": b"",
    "blank": b"\n \n",
    "short": b"{}",
}
COMPRESSIONS = {
    "plain": bytes,
    "gzip": gzip.compress,
    "members of gzip": lambda data: gzip.compress(data[:30]) + gzip.compress(data[30:]) + b"\0\0",
    "zstd": zstandard.compress,
    "frames of zstd without content": lambda data: (
        struct.pack("<II", 0x184D2A50, 3) + b"abc" + zstandard.compress(data)
    ),
    "frames of zstd": lambda data: zstandard.compress(data[:30]) + zstandard.compress(data[30:]),
}


def at_once(data):
    """What a stream that ends gives."""
    report = ReadReport()
    return list(payloads(decompressed(io.BytesIO(data), "x", report), "x", report)), report


def fed(parts):
    """What these bytes give, one part after the other."""
    report = ReadReport()
    growing_payloads = GrowingPayloads("x", report)
    found = [payload for part in parts for payload in growing_payloads.feed(part)]
    return [*found, *growing_payloads.finish()], report


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("stream", STREAMS)
def test_any_parts_give_the_same_payloads(stream, compression):
    """Whole, byte by byte, and cut anywhere: what comes out, and where it stands, is that of the stream."""
    data = COMPRESSIONS[compression](STREAMS[stream])
    expected, report = at_once(data)
    cuts = [[data], [data[at : at + 1] for at in range(len(data))], *([data[:at], data[at:]] for at in (5, 17, 40))]
    for parts in cuts:
        found, told = fed(parts)
        assert found == expected
        assert (told.cut_off_ends, told.skipped_lines) == (report.cut_off_ends, report.skipped_lines)


@given(st.lists(st.binary(max_size=40), max_size=5), st.sampled_from(list(STREAMS.values())), st.integers(0, 99))
def test_it_does_not_matter_how_bytes_come(parts, stream, at):
    """Of any bytes: the same payloads, or the same error, however they are cut."""
    data = stream[:at] + b"".join(parts)

    def outcome(cut):
        try:
            return fed(cut)[0]
        except InputError as error:
            return str(error)

    assert outcome([data]) == outcome([data[place : place + 1] for place in range(len(data))])


def test_empty_messages_are_no_payloads():
    """They hold nothing, and are counted as messages."""
    found, report = fed([STREAMS["prefixed, some are empty"]])
    assert [payload.where for payload in found] == ["x, message 1, byte 0", f"x, message 4, byte {len(MESSAGE) + 12}"]
    assert report.lines == 6


def test_what_stands_behind_a_message_that_is_wrong_comes_when_it_is_there():
    """The first one tells nothing; the second tells how both were framed, and is given at once."""
    found = GrowingPayloads("x", ReadReport())
    assert list(found.feed(b"\x28" + b"\xff" * 40)) == []
    assert list(found.settle()) == []
    assert [p.data for p in found.feed(bytes([len(MESSAGE)]) + MESSAGE)] == [b"\xff" * 40, MESSAGE]
    assert found.waiting_bytes == 0


def test_what_is_nothing_that_is_known_is_not_held_for_ever():
    """It is given up as lines when there is enough of it."""
    found = GrowingPayloads("x", ReadReport())
    assert list(found.feed(b"\xff" * (growing.LONG_HEAD_BYTES - 1))) == []
    assert len(list(found.feed(b"\xff\n\n"))) == 1
    assert found.waiting_bytes == 0


def test_half_a_line_waits_for_its_rest():
    """What is whole comes at once, what is not when it is."""
    found = GrowingPayloads("x", ReadReport())
    assert [p.where for p in found.feed(LINE + b"\n" + LINE + b"\n" + LINE[:9])] == ["x:1", "x:2"]
    assert found.waiting_bytes == 9
    assert list(found.feed(LINE[9:])) == []
    assert [(p.where, p.data) for p in found.feed(b"\n")] == [("x:3", LINE + b"\n")]
    assert found.waiting_bytes == 0


def test_a_document_is_taken_when_it_is_quiet():
    """It has no end of its own; one that is written behind it is a next one."""
    found = GrowingPayloads("x", ReadReport())
    assert list(found.feed(DOCUMENT)) == []
    assert [p.data for p in found.settle()] == [DOCUMENT]
    assert list(found.feed(b"\n")) == []
    assert list(found.settle()) == []
    assert [p.data for p in found.feed(LINE + b"\n")] == [LINE + b"\n"]


def test_a_document_in_one_line_is_taken_when_it_is_quiet():
    """Though no newline ends it, as few writers of documents put one there; it comes once, as does what follows."""
    report = ReadReport()
    found = GrowingPayloads("x", report)
    assert list(found.feed(LINE[:-9])) == list(found.settle()) == []
    assert list(found.feed(LINE[-9:])) == []
    assert [(p.where, p.data) for p in found.settle()] == [("x:1", LINE)]
    assert list(found.settle()) == []
    assert list(found.feed(b"\n")) == []
    assert [p.where for p in found.feed(LINE + b"\n" + LINE)] == ["x:2"]
    assert [p.where for p in found.settle()] == ["x:3"]
    assert list(found.finish()) == []
    assert report.lines == 3


def test_a_document_whose_writer_pauses_is_waited_for():
    """It is taken when it is whole, and told as cut off at the end."""
    found = GrowingPayloads("x", ReadReport())
    assert list(found.feed(DOCUMENT[:30])) == list(found.settle()) == []
    assert [*found.feed(DOCUMENT[30:]), *found.settle()][0].data == DOCUMENT
    assert list(found.feed(DOCUMENT[:30])) == list(found.settle()) == []
    assert [p.data for p in found.finish()] == [DOCUMENT[:30]]


def test_a_document_that_was_none_ends_where_a_request_begins():
    """A line that a writer could not end, or that another program wrote, keeps nothing of what follows."""
    found = GrowingPayloads("x", ReadReport())
    assert list(found.feed(b'["info\nmore\n' + LINE[:9])) == []
    parts = [(p.where, p.data) for p in found.feed(LINE[9:] + b"\n" + LINE + b"\n" + LINE[:5])]
    assert parts == [("x", b'["info\nmore\n'), ("x:3", LINE + b"\n"), ("x:4", LINE + b"\n")]
    assert found.waiting_bytes == 5


@pytest.mark.parametrize("log", [b"[info] begin\n", b"[2026-11-30 12:00:00] begin\n", b"{begin}\n"])
def test_lines_of_a_log_that_begin_with_a_bracket_are_no_document(log):
    """Nothing of them waits for an end, nor makes a file be held whole."""
    data = log * 20 + LINE + b"\n"
    expected = [f"x:{number}" for number in range(1, 22)]
    assert [p.where for p in at_once(data)[0]] == expected
    assert [p.where for p in GrowingPayloads("x", ReadReport()).feed(data)] == expected


def test_what_a_writer_flushed_of_a_compressed_stream_is_read():
    """A gzip stream that is still written gives its lines."""
    packer = zlib.compressobj(wbits=31)
    found = GrowingPayloads("x", ReadReport())
    first = packer.compress(LINE + b"\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    assert [p.where for p in found.feed(first)] == ["x:1"]
    assert [p.where for p in found.feed(packer.compress(LINE + b"\n") + packer.flush())] == ["x:2"]


@pytest.mark.parametrize("damaged", [b"\x1f\x8b" + b"\0" * 30, b"\x28\xb5\x2f\xfd" + b"\xff" * 30])
def test_damage_is_told(damaged):
    """A stream that cannot be unpacked."""
    with pytest.raises(InputError, match="damaged"):
        fed([damaged])


def test_lengths_that_are_none_are_told():
    """Where no message is found behind them, what follows cannot be cut any more."""
    with pytest.raises(InputError, match=r"message 2, byte 25: no length"):
        fed([bytes([len(MESSAGE)]) + MESSAGE + b"\xff" * 8])


TWO_PARTS = [[{"scope_spans": [{"spans": [{"name": "n" * (9 * size)}]}]}] * 2 for size in range(40)]
PROTOBUF = [TracesData(resource_spans=parts).SerializeToString() for parts in TWO_PARTS]
FRAMED = {
    "prefixed": lambda messages: b"".join(struct.pack(">I", len(one)) + one for one in messages),
    "delimited": lambda messages: b"".join(varint_of(len(one)) + one for one in messages),
    "frames of zstd": lambda messages: FRAMED["prefixed"](map(zstandard.compress, messages)),
    "JSON": lambda messages: FRAMED["prefixed"](
        b'{"resourceSpans":[{"n":"%s"}]}' % (b"n" * len(one)) for one in messages
    ),
}


def varint_of(number):
    """A length as protobuf has it."""
    return bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80, number >> 7])


@pytest.mark.parametrize("framed", FRAMED.values(), ids=FRAMED)
@pytest.mark.parametrize("wrong", [b"\0\1\0\0", b"\0\0\0\x09", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff"])
@pytest.mark.parametrize("size", [1, 50, 10_000])
def test_a_length_that_is_damaged_is_told_from_a_message_that_is_still_written(framed, wrong, size):
    """What follows it is given before the file ends: where what is there speaks against it, or nothing comes."""
    report = ReadReport()
    growing_file = GrowingPayloads("x", report)
    whole, damaged_at = framed(PROTOBUF), len(framed(PROTOBUF[:5]))
    data = whole[:damaged_at] + wrong + whole[damaged_at + (4 if framed is not FRAMED["delimited"] else 1) :]
    found = []
    for at in range(0, len(data), size):
        found += growing_file.feed(data[at : at + size])
    found += growing_file.settle()
    good = {payload.data for payload in found} & set(cut_apart(framed, PROTOBUF))
    assert len(good) >= 37
    assert report.bad_lines >= 1
    assert [*growing_file.feed(framed(PROTOBUF[:1] * 3)), *growing_file.settle()][-1].data in good
    assert [*growing_file.finish()] == []
    assert growing_file.waiting_bytes == 0


def cut_apart(framed, messages):
    """Each message as it stands in a stream."""
    skipped = 1 if framed is FRAMED["delimited"] else 4
    return [framed([one])[skipped + (framed is FRAMED["delimited"] and len(one) > 0x7F) :] for one in messages]


@pytest.mark.parametrize("framed", FRAMED.values(), ids=FRAMED)
def test_a_message_that_is_still_written_is_waited_for(framed):
    """However slowly it comes, and however often its writer pauses: nothing is wrong with it."""
    data = framed(PROTOBUF[20:24])
    report = ReadReport()
    growing_file = GrowingPayloads("x", report)
    found = []
    for at in range(len(data)):
        found += [*growing_file.feed(data[at : at + 1]), *growing_file.settle()]
    assert [payload.data for payload in found] == cut_apart(framed, PROTOBUF[20:24])
    assert (report.problems, report.lines) == ([], 4)


@pytest.mark.parametrize("stream", ["lines", "prefixed", "one document"])
def test_what_is_too_long_is_skipped_unread(monkeypatch, stream):
    """A line, a message and a document that are longer than they may be are counted; what follows is read."""
    monkeypatch.setattr(growing, "MAX_LINE_BYTES", 60)
    monkeypatch.setattr("agentnet_otel.sources.messages.MAX_LINE_BYTES", 60)
    monkeypatch.setattr("agentnet_otel.sources.messages._AHEAD_BYTES", 100)
    short = {"lines": LINE + b"\n", "prefixed": struct.pack(">I", len(MESSAGE)) + MESSAGE, "one document": b""}[stream]
    long = {
        "lines": b"x" * 200 + b"\n",
        "prefixed": struct.pack(">I", 200) + b"\x0a" * 200,
        "one document": b"[\n" + b'{"a":1},\n' * 20,
    }[stream]
    for size in (1, 7, 1000):
        data = short + long + short
        found, report = fed([data[at : at + size] for at in range(0, len(data), size)])
        assert report.skipped_lines == 1
        assert len(found) == (0 if stream == "one document" else 2)


@pytest.mark.parametrize("end", [b"]\n", b"]\r\n", b""])
@pytest.mark.parametrize("within", [b' {"a":1},\n' * 20, b'"' + b"x" * 200 + b'"\n'])
def test_lines_behind_a_document_that_is_too_long_are_read(monkeypatch, end, within):
    """Where its end comes, or a request begins; nothing of it is held meanwhile, and it is told once."""
    monkeypatch.setattr(growing, "MAX_LINE_BYTES", 60)
    document = b"[\n" + within + end
    data = document + LINE + b"\n" + LINE + b"\n"
    for size in (1, 7, 1000):
        report, found, waiting = ReadReport(), [], []
        payloads_of = GrowingPayloads("x", report)
        for at in range(0, len(data), size):
            found += payloads_of.feed(data[at : at + size])
            waiting.append(payloads_of.waiting_bytes)
        found += payloads_of.finish()
        assert [payload.data.strip() for payload in found] == [LINE, LINE]
        assert report.problems == [f"x: {len(document)} bytes are more than a document that grows may have"]
        assert max(waiting) <= 61


def test_a_document_that_is_too_long_may_rest(monkeypatch):
    """When its writer pauses it is given up; its rest is no line, and what comes behind that is read."""
    monkeypatch.setattr(growing, "MAX_LINE_BYTES", 60)
    report = ReadReport()
    found = GrowingPayloads("x", report)
    assert list(found.feed(b"[\n" + b' {"a":1},\n' * 20 + b' {"a"')) == []
    assert list(found.settle()) == []
    assert (report.skipped_lines, found.waiting_bytes) == (1, 0)
    rest = [payload.data for payload in found.feed(b":1}\n]\n" + LINE + b"\n")]
    assert rest == [b":1}\n", b"]\n", LINE + b"\n"]


def test_a_message_that_fills_its_file_has_a_limit(monkeypatch):
    """It is held whole, so it may not be of any length."""
    monkeypatch.setattr(growing, "MAX_LINE_BYTES", 60)
    with pytest.raises(InputError, match="a message that grows may have 60 bytes"):
        fed([MESSAGE * 3])
