"""Files, folders, pipes: what is read of them, and what each thing that is wrong costs."""

import bz2
import gzip
import io
import json
import lzma
import os
import struct
import subprocess
import sys
import tempfile
import tracemalloc
import zlib
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel.sources.decoding import MAX_BAD_PARTS
from agentnet_otel.sources.files import read_spans
from agentnet_otel.sources.read_report import MAX_PROBLEMS, ReadReport
from agentnet_otel.sources.rebuild import rebuild
from agentnet_otel.sources.shape import MAX_DOCUMENT_BYTES, MAX_LINE_BYTES
from agentnet_otel.sources.unpacking import MAX_DAMAGES

MIB = 1024 * 1024


def line(number):
    """A request of one span, as one line."""
    span = {"traceId": "1" * 32, "spanId": f"{number:016x}", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode() + b"\n"


def document(*numbers, indent=2):
    """A request of these spans, as one document."""
    spans = [json.loads(line(n))["resourceSpans"][0]["scopeSpans"][0]["spans"][0] for n in numbers]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}, indent=indent).encode()


LINES = line(1) + line(2) + line(3)


def read(*sources):
    """The numbers of the spans, and the report."""
    report = ReadReport()
    return [int(span.span_id, 16) for span in read_spans(sources, report)], report


@pytest.fixture
def file(tmp_path):
    """Writes a file."""

    def write(data, name="spans.jsonl"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    return write


# --- shapes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        LINES,
        LINES.rstrip(b"\n"),
        LINES.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + LINES,
        LINES.replace(b"\n", b"\n\n  \n"),
        b"\n \n" + LINES,
        document(1, 2, 3),
        document(1, 2, 3, indent=None),
        document(1, 2, 3).replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + document(1, 2, 3),
        b"\n\r\n" + document(1, 2, 3) + b"\n\n",
        document(1, 2, 3).replace(b'{\n  "resourceSpans": [\n', b'{ "resourceSpans": [\n'),
        document(1, 2, 3).replace(b"\n", b" ", 5),
        gzip.compress(LINES),
        gzip.compress(line(1)) + gzip.compress(line(2)) + gzip.compress(line(3)),
        gzip.compress(LINES[:100]) + gzip.compress(LINES[100:]),
        gzip.compress(LINES) + b"\0" * 1000,
        zstandard.compress(LINES),
        zstandard.compress(LINES[:100]) + zstandard.compress(LINES[100:]),
        gzip.compress(document(1, 2, 3)),
        zstandard.compress(document(1, 2, 3)),
    ],
)
def test_every_shape_holds_the_same_spans(file, data):
    """Told apart by content, whatever the name says."""
    numbers, report = read(file(data, "spans.png"))
    assert numbers == [1, 2, 3]
    assert (report.problems, report.summary) == ([], None)


@pytest.mark.parametrize(
    "data", [b"", b"\n", b" \n\t\r\n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0), zstandard.compress(b"")]
)
def test_an_empty_file_holds_nothing_and_is_fine(file, data):
    """Nothing was lost."""
    assert read(file(data)) == ([], ReadReport(sources=1, lines=data.count(b"\n") * (data[:1] != b"\x1f")))


def test_lines_of_other_signals_are_passed_over(file):
    """A file of the Collector may hold metrics and logs too."""
    data = b'{"resourceMetrics":[{}]}\n' + line(1) + b'{"resourceLogs":[]}\n{}\n' + line(2)
    assert read(file(data))[0] == [1, 2]
    assert not read(file(data))[1].problems


def test_a_folder_is_read_whole_and_in_order_of_names(file, tmp_path):
    """Also what lies in folders of it; hidden files and folders, and broken links, are left out."""
    for number, name in enumerate(("b.jsonl", "a/z.json", "a/b/c", "c.gz"), 1):
        data = line(number)
        file(gzip.compress(data) if name.endswith("gz") else data, "in/" + name)
    for name in (".hidden", ".git/config", "a/.x/y"):
        file(b"rubbish", "in/" + name)
    (tmp_path / "in" / "nowhere").symlink_to(tmp_path / "nothing")
    (tmp_path / "in" / "circle").symlink_to(tmp_path / "in")
    numbers, report = read(tmp_path / "in")
    assert numbers == [3, 2, 1, 4]
    assert not report.problems


@pytest.mark.parametrize(
    "older",
    [
        ["s.jsonl.10", "s.jsonl.2.gz", "s.jsonl.1"],
        ["s.jsonl-20261230", "s.jsonl-20261231.gz", "s.jsonl-20261231-1798675200"],
        ["s.jsonl.2026-12-30", "s.jsonl.2026-12-31.gz"],
        ["s.jsonl.2026-12-30_23", "s.jsonl.2026-12-31_00-00-00"],
        ["s-2026-12-31T10-00-00.000.jsonl", "s-2026-12-31T11-00-00.000.jsonl.gz"],
        ["s.jsonl-2026-12-31T10-00-00.000", "s.jsonl-2026-12-31T11-00-00.500.gz"],
    ],
)
def test_rotated_files_are_read_before_what_took_their_place(file, tmp_path, older):
    """As logrotate, Python's handlers and the Collector name them."""
    names = [*older, "s.jsonl"]
    for number, name in enumerate(names, 1):
        file(gzip.compress(line(number)) if name.endswith("gz") else line(number), f"in/{name}")
    assert read(tmp_path / "in")[0] == list(range(1, len(names) + 1))


def test_several_sources_are_read_one_after_another(file):
    """What is wrong with one costs the others nothing."""
    first, last = file(line(1), "1"), file(line(2), "2")
    numbers, report = read(first, "/no/such/file", last)
    assert numbers == [1, 2]
    assert (report.sources, report.unreadable_sources, report.missing_sources) == (3, 1, 1)
    (problem,) = report.problems
    assert problem == "/no/such/file: cannot be opened: No such file or directory"


def test_standard_input_stays_open(file, monkeypatch):
    """It may be compressed too, and named twice: then it is at its end."""
    with file(gzip.compress(LINES)).open("rb") as raw, io.TextIOWrapper(raw) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        numbers, report = read("-", "-")
        assert numbers == [1, 2, 3]
        assert not report.problems
        assert not raw.closed


def test_standard_input_of_a_process_that_has_none(monkeypatch):
    """One sentence, as of any other source."""
    monkeypatch.setattr(sys, "stdin", None)
    assert read("-")[1].problems == ["standard input: this process has none"]


def test_a_pipe_is_read_as_it_comes(tmp_path):
    """A named pipe whose writer is slow."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    script = (
        "import sys, time\n"
        "with open(sys.argv[1], 'wb', buffering=0) as pipe:\n"
        "    for byte in sys.stdin.buffer.read(): pipe.write(bytes([byte]))\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(pipe)], stdin=subprocess.PIPE) as writer:
        writer.stdin.write(LINES)
        writer.stdin.close()
        assert read(pipe)[0] == [1, 2, 3]


# --- what is wrong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "counted", "told"),
    [
        (b"rubbish\n", "bad_lines", "spans.jsonl:2: not JSON"),
        (b"\x00\xff\x89PNG\n", "bad_lines", "spans.jsonl:2: not JSON"),
        (line(9)[20:], "bad_lines", "spans.jsonl:2: not"),
        (line(9)[:-20] + b"\n", "cut_off_ends", "spans.jsonl:2: it is cut off"),
        (b'{"span":7}\n', "bad_lines", "it has no resourceSpans"),
        (line(9).replace(b'"1111', b'"xxxx'), "bad_spans", "spans.jsonl:2: span 1 was left out: traceId"),
        (line(9).replace(b'"0000000000000009"', b'""'), "bad_spans", "spanId ''"),
        (line(9).replace(b'"startTimeUnixNano": "1"', b'"startTimeUnixNano": "-1"'), "bad_spans", "startTimeUnixNano"),
    ],
)
def test_a_bad_line_costs_itself(file, bad, counted, told):
    """It is counted and told with file and line; the lines around it are read."""
    numbers, report = read(file(line(1) + bad + line(2)))
    assert numbers == [1, 2]
    assert getattr(report, counted) == 1
    (problem,) = report.problems
    assert told in problem
    assert report.summary.startswith("left out: 1 ")


def test_a_first_line_that_was_cut_off_is_no_document(file):
    """The lines after it say so."""
    numbers, report = read(file(line(9)[:-30] + b"\n" + LINES))
    assert numbers == [1, 2, 3]
    assert report.problems == [f"{file(b'')}:1: it is cut off; its writer was stopped, or still writes"]
    (alone,) = read(file(line(9)[:-30]))[1].problems
    assert ":1: it is cut off" in alone


def test_a_last_line_that_was_cut_off_is_told_as_that(file):
    """Wherever its writer was stopped."""
    for end in range(1, len(line(3)) - 1):
        numbers, report = read(file(line(1) + line(2) + line(3)[:end]))
        assert numbers == [1, 2]
        assert (report.cut_off_ends, report.bad_lines) == (1, 0)


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (b"starting the collector\n", ["1: not JSON"]),
        (b"[info] starting the collector\n", ["1: not JSON"]),
        (b"{\n", ["1: it is cut off"]),
        (line(9)[:-30] + b"\n\n", ["1: it is cut off"]),
        (line(9)[:-30] + b"\nrubbish\n", ["1: it is cut off", "2: not JSON"]),
        (b"[" + line(9)[:-30] + b"\n" * 20, ["1: "]),
        (b"\n\n{" + line(9)[:-30] + b"\n" * 20, ["3: ", "3: "]),
    ],
)
def test_first_lines_that_are_wrong_cost_themselves(file, first, told):
    """Even if they look like the beginning of a document: those after them say that they are none."""
    numbers, report = read(file(first + LINES))
    assert numbers == [1, 2, 3]
    assert report.bad_lines + report.cut_off_ends == len(told) == len(report.problems)
    for problem, expected in zip(report.problems, told, strict=True):
        assert problem.startswith(f"{file(b'')}:{expected}")


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (line(1).rstrip() + line(2) + line(3), 0),
        (line(9)[:-40] + line(1) + line(2).rstrip() + line(3), 1),
        (line(1) + line(9)[:-40] + line(2) + line(3), 1),
        (line(1) + b"\0" * 300 + line(2) + line(3), 1),
        (document(1) + document(2) + document(3), 0),
        (document(1) + document(9)[:-30] + document(2) + document(3), 1),
        (document(1, 2) + line(9)[:-40] + line(3), 1),
        (line(1) + document(2) + b"\n" + line(3), 0),
        (line(1) + document(2) + document(3, indent=4), 0),
        (line(1) + document(2, indent="\t").replace(b"\n", b"\r\n") + b",\r\n" + document(3), 0),
        (line(1) + document(9)[:-30] + b"\n" + line(2) + document(3), 1),
        (line(1) + json.dumps([json.loads(document(2))], indent=1).encode() + b"\n" + line(3), 0),
        (b"".join(b"\xef\xbb\xbf" + line(number) for number in (1, 2, 3)), 0),
        (b"[" + line(1).strip() + b"," + line(2).strip() + b",\n" + line(3).strip() + b"]\n", 0),
    ],
)
def test_requests_in_one_another_s_way_cost_nothing(file, data, wrong):
    """A writer that was killed in a line goes on in it when it is started anew; documents may stand in one file."""
    numbers, report = read(file(data))
    assert numbers == [1, 2, 3]
    assert report.bad_lines + report.cut_off_ends == wrong == len(report.problems)


def test_what_is_wrong_without_end_is_given_up(file):
    """A line of very many beginnings of requests, none of which is one, takes no time without bound."""
    numbers, report = read(file(line(1) + b'{"resourceSpans"' * 100_000 + b"\n" + line(2)))
    assert numbers == [1, 2]
    assert report.bad_lines + report.cut_off_ends == MAX_BAD_PARTS


def test_an_indented_document_without_end_is_given_up(file, monkeypatch):
    """What is held of one that stands among lines is bounded."""
    monkeypatch.setattr("agentnet_otel.sources.lines.MAX_LINE_BYTES", 5000)
    numbers, report = read(file(line(1) + b"{\n" + b'"x": 1,\n' * 1000 + line(2)))
    assert numbers == [1, 2]
    assert report.bad_lines + report.cut_off_ends > 1


def test_what_holds_a_request_is_named(file):
    """Who wraps a request, and cuts nothing off, is told what the object has instead."""
    numbers, report = read(file(b'{"ts": 1, "body": ' + line(1).strip() + b"}\n" + line(2)))
    assert numbers == [2]
    assert report.problems[0].endswith(":1: not an OTLP request: it has no resourceSpans, but body, ts")


def test_a_document_that_is_wrong_costs_itself(file):
    """Nothing else is in it."""
    for data in (document(1, 2)[:-30], document(1).replace(b"[", b"[[", 1)):
        numbers, report = read(file(data))
        assert numbers == []
        assert report.bad_lines + report.cut_off_ends == 1


@pytest.mark.parametrize("text", [LINES, document(1), b"[" + document(1) + b"]"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_told(file, encoding, text):
    """What a shell of Windows writes when output is redirected; with or without its mark it is no message."""
    numbers, report = read(file(text.decode().encode(encoding)))
    assert numbers == []
    assert report.problems[0].endswith("it is UTF-16 text; save it as UTF-8")


def packed_by_gzip(data):
    """One member, as it comes to the disk with each flush."""
    packer = zlib.compressobj(wbits=31)
    parts = [packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH) for part in data.splitlines(keepends=True)]
    return b"".join(parts) + packer.flush()


def packed_by_zstd(data):
    """One frame with a checksum, a block for each line."""
    packer = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    parts = [
        packer.compress(part) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        for part in data.splitlines(keepends=True)
    ]
    return b"".join(parts) + packer.flush()


PACKERS = {"gzip": packed_by_gzip, "zstd": packed_by_zstd}


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
@pytest.mark.parametrize("count", [1, 3, 3000])
def test_compressed_data_that_is_cut_off_gives_what_is_whole(file, pack, count):
    """Every line before the cut is read; the cut is told with its place."""
    data = b"".join(line(number) for number in range(1, count + 1))
    packed = pack(data)
    assert read(file(packed))[0] == list(range(1, count + 1))
    for rest in (1, 4, 5, 7):
        numbers, report = read(file(packed[:-rest]))
        assert numbers == list(range(1, count + 1))
        assert (report.unreadable_sources, report.cut_off_ends, report.bad_lines) == (0, 1, 0)
        assert (
            f"spans.jsonl: the {pack.__name__[-4:]} data are cut off at byte {len(packed) - rest:,};"
            in report.problems[0]
        )
    for share in (0.2, 0.5, 0.9):
        numbers, report = read(file(packed[: round(len(packed) * share)]))
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) >= 0.9 * count * share - 2
        assert (report.cut_off_ends + report.unreadable_sources, len(report.problems)) == (1, 1)
        assert "data are cut off at byte" in report.problems[0]


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_a_checksum_that_is_wrong_costs_nothing_but_its_telling(file, pack):
    """What it is of was unpacked; what follows is unpacked as well."""
    packed = pack(LINES)
    wrong = bytearray(packed)
    wrong[-8 if pack is packed_by_gzip else -4] ^= 1
    numbers, report = read(file(bytes(wrong) + pack(line(4)) + pack(line(5))))
    assert numbers == [1, 2, 3, 4, 5]
    assert (report.bad_lines, report.unreadable_sources, len(report.problems)) == (1, 0, 1)
    assert f"data are damaged at byte {len(packed) - (5 if pack is packed_by_gzip else 4):,}" in report.problems[0]


def test_a_length_of_gzip_that_is_wrong_costs_nothing_but_its_telling(file):
    """It stands at the end of each member."""
    packed = packed_by_gzip(LINES)
    wrong = packed[:-1] + b"\xff"
    numbers, report = read(file(wrong + packed_by_gzip(line(4))))
    assert (numbers, report.bad_lines) == ([1, 2, 3, 4], 1)
    assert "incorrect length check" in report.problems[0]


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_damage_within_compressed_data_costs_what_it_spans(file, pack):
    """What stands before it is read, and what stands in the next member or frame."""
    before, after = pack(line(1)) + pack(b"".join(map(line, range(2, 100)))), pack(line(100) + line(101))
    for place in range(len(before) - 60, len(before) - 20):
        numbers, report = read(file(before[:place] + b"\xff\xff\xff" + before[place + 3 :] + after))
        assert numbers[:60] == list(range(1, 61))
        assert numbers[-1] == 101
        assert report.bad_lines >= 1
        assert any("data are damaged at byte" in problem for problem in report.problems)


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_what_follows_compressed_data_is_told(file, pack):
    """Rubbish is told with its place; padding is none; what nothing can be made of is no source."""
    packed = pack(LINES)
    numbers, report = read(file(packed + b"rubbish"))
    assert (numbers, report.bad_lines, len(report.problems)) == ([1, 2, 3], 1, 1)
    assert f"damaged at byte {len(packed):,}: no " in report.problems[0]
    assert read(file(packed + b"rubbish" + pack(line(4))))[0] == [1, 2, 3, 4]
    for nothing in (packed[:4], packed[:5] + b"\xff" * 60):
        numbers, report = read(file(nothing))
        assert (numbers, report.unreadable_sources) == ([], 1)
        assert "nothing could be unpacked" in report.problems[-1]
    assert read(file(packed_by_gzip(LINES) + bytes(512) + packed_by_gzip(line(4)) + bytes(99)))[1].problems == []


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_compressed_data_that_are_damaged_everywhere_are_given_up(file, pack):
    """Not for ever, whatever a file holds; that is told."""
    false = pack(b"x" * 99)[:12] + b"\xff" * 9
    numbers, report = read(file(pack(LINES) + false * (2 * MAX_DAMAGES) + pack(line(4))))
    assert numbers == [1, 2, 3]
    assert report.bad_lines <= MAX_DAMAGES + 2


def test_zeros_that_gzip_packs_very_well(file):
    """A member that gives more than is taken at once gives all of it."""
    data = line(1) + b" " * (5 * MIB + 7) + b"\n" + line(2)
    numbers, report = read(file(gzip.compress(data)))
    assert (numbers, report.problems) == ([1, 2], [])


def test_zstd_that_unpacks_to_very_much_is_unpacked_bit_by_bit(file):
    """A small file that is a huge line costs little memory, and only itself."""
    huge = zstandard.ZstdCompressor().compress(b'{"' + b"x" * (200 * MIB) + b'"}\n' + line(1))
    assert len(huge) < MIB
    numbers, report, peak_mib = measured(file(huge))
    assert numbers == [1]
    assert report["skipped_lines"] == 1
    assert peak_mib < 250


def measured(path):
    """The same as `read`, in a process of its own whose memory is measured (MiB)."""
    script = (
        "import json, re, sys\n"
        "from dataclasses import asdict\n"
        "from agentnet_otel.sources.files import read_spans\n"
        "from agentnet_otel.sources.read_report import ReadReport\n"
        "report = ReadReport()\n"
        "numbers = [int(span.span_id, 16) for span in read_spans(sys.argv[1:], report)]\n"
        "peak = int(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1]) / 1024\n"
        "print(json.dumps([numbers, asdict(report), peak]))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, check=True, timeout=120)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("pack", "told"),
    [
        (bz2.compress, "bzip2"),
        (lzma.compress, "xz"),
        (lambda data: gzip.compress(gzip.compress(data)), "gzip within"),
        (lambda data: gzip.compress(zstandard.compress(data)), "zstd within"),
        (lambda data: b"PK\x03\x04" + data, "a zip archive"),
    ],
)
def test_what_is_not_unpacked_is_named(file, pack, told):
    """It is told once, and not as lines that are no JSON."""
    numbers, report = read(file(pack(LINES)))
    assert (numbers, report.unreadable_sources, len(report.problems)) == ([], 1, 1)
    assert f"it is compressed ({told}" in report.problems[0]
    assert "unpack it" in report.problems[0]


def test_frames_of_zstd_without_content_are_passed_over(file):
    """Some writers put one before each frame, some put an index at the end."""
    skipped = struct.pack("<II", 0x184D2A5E, 4) + b"seek"
    data = skipped + zstandard.compress(line(1)) + skipped * 2 + zstandard.compress(line(2)) + skipped
    numbers, report = read(file(data))
    assert (numbers, report.problems) == ([1, 2], [])


def test_a_line_of_100_mb_is_skipped_unread(file):
    """Its neighbours are read, it is told with its length, and memory stays far below it."""
    long = b'{"resourceSpans":"' + b"x" * (100 * MIB) + b'"}\n'
    numbers, report, peak_mib = measured(file(line(1) + long + line(2)))
    assert numbers == [1, 2]
    assert (report["skipped_lines"], report["bad_lines"]) == (1, 0)
    assert f":2: {len(long):,} bytes" in report["problems"][0]
    assert peak_mib < 150


def test_the_longest_line(file):
    """What may just be read is read, whatever ends it; one byte more is skipped."""
    for end in (b"\n", b"\r\n", b""):
        padding = b" " * (MAX_LINE_BYTES - len(line(1).rstrip()))
        assert read(file(padding + line(1).rstrip() + end))[0] == [1]
        numbers, report = read(file(b" " + padding + line(1).rstrip() + end + line(2)))
        assert report.skipped_lines == 1
        assert numbers == ([2] if end else [])


def test_reading_makes_no_room_for_what_is_not_there(file):
    """A short document, message or frame needs little memory, though large ones are allowed."""
    announced = struct.pack(">I", 30 * MIB) + b"{"
    for data in (b"{", announced, zstandard.compress(b"{"), gzip.compress(b"{")):
        tracemalloc.start()
        read(file(data))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 12 * MIB


def test_a_document_that_is_too_large_is_refused(file):
    """It cannot be read in parts; the sentence says what to do instead."""
    path = file(b"{\n")
    with path.open("r+b") as growing:
        growing.truncate(MAX_DOCUMENT_BYTES + 10)
    report = measured(path)[1]
    assert report["unreadable_sources"] == 1
    assert "write one request a line" in report["problems"][0]


def test_what_is_no_file(tmp_path, file):
    """A folder without files, a path through a file, a name that is too long, one that cannot be."""
    (tmp_path / "empty").mkdir()
    for source, told in (
        (tmp_path / "empty", "the directory holds no files"),
        (file(b"") / "below", "Not a directory"),
        (tmp_path / ("x" * 300), "name too long"),
        ("a\0b", "is no path"),
        ("", "the empty text names no file"),
    ):
        numbers, report = read(source)
        assert (numbers, report.unreadable_sources, report.missing_sources) == ([], 1, 1)
        assert told in report.problems[0]
        assert not rebuild([source]).turns


def test_what_may_not_be_read(open_folder, without_rights):
    """A file, a folder in a folder, and one that tells only names; everything else is read."""
    read(__file__)  # so that nothing has to be imported later
    top = open_folder
    for path in ("a", "secret", "locked/b", "listed/c", "z"):
        (top / path).parent.mkdir(exist_ok=True)
        (top / path).write_bytes(line(1))
    for path, mode in {"secret": 0, "locked": 0, "listed": 0o444}.items():
        (top / path).chmod(mode)
    with without_rights():
        numbers, report = read(top, top / "secret", top / "locked" / "b")
    assert numbers == [1, 1]
    assert (report.unreadable_sources, report.missing_sources) == (5, 2)
    assert sum("Permission denied" in problem for problem in report.problems) == 5
    assert any("the directory cannot be read" in problem for problem in report.problems)


@pytest.mark.parametrize("address", ["http://127.0.0.1:16686?service=a", "jaeger://h", "s3://bucket/spans"])
def test_an_address_that_is_none_says_which_is(address):
    """Who forgets the beginning of Jaeger's is not told of files alone."""
    (problem,) = read(address)[1].problems
    assert problem.startswith(f"{address}: there is no such file")
    assert "jaeger+http://" in problem


def test_problems_beyond_a_number_are_counted_only(file):
    """A file of rubbish does not fill the screen."""
    report = read(file(b"rubbish\n" * (MAX_PROBLEMS + 7)))[1]
    assert (len(report.problems), report.untold, report.bad_lines) == (MAX_PROBLEMS, 7, MAX_PROBLEMS + 7)


@pytest.mark.parametrize(
    "text",
    [
        b'{"level":"info","msg":"a request","n":[1,{"a":2}]}',
        b' { "level" : "info" } ',
        b'{"level":"info","n":{"a":1}',
        b'{"level":"info"} x',
        b'{"level":"\\ud800"}',
        b'{"level":NaN}',
        b"{}",
        b'{"resourceLogs":[]}',
        b'{"level":"info","resourceSpans":[]}',
        b'{"level":"info","log":' + LINES.splitlines()[0] + b"}",
        b'{"data":[]}',
        b'{"errors":[{"msg":"no"}]}',
        b'{"result":{"resourceSpans":[]}}',
        b'{"level":"info","traceID":"1","spans":[]}',
        b'{"":' + b"[" * 2000 + b"]" * 2000 + b"}",
        b'{"a":[' + b"{}," * 2000 + b"{}]}",
        b"[1]",
        b"rubbish",
        b"17",
        b"null",
    ],
)
def test_what_is_only_counted_is_counted_alike(file, text):
    """The lines of other programs, behind so many that nobody is told what is wrong with them."""
    told = read(file(LINES + text + b"\n"))
    counted = read(file(LINES + b"rubbish\n" * MAX_PROBLEMS + text + b"\n"))
    assert told[0] == counted[0]
    assert counted[1].bad_lines - MAX_PROBLEMS == told[1].bad_lines
    assert (counted[1].cut_off_ends, counted[1].spans) == (told[1].cut_off_ends, told[1].spans)
    assert counted[1].untold == len(told[1].problems)


@given(st.binary(max_size=300))
def test_no_content_raises(data):
    """Whatever a file holds, alone and around good lines: what is wrong is told, nothing is raised."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "f")
        for content in (data, LINES + data, gzip.compress(data), zstandard.compress(data), b"\x1f\x8b" + data):
            path.write_bytes(content)
            numbers, report = read(path)
            assert numbers[:3] == [1, 2, 3] if content.startswith(LINES) else not numbers
            assert bool(report.summary) == bool(report.problems)
