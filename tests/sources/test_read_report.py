"""What could not be used: counted, told with its place, and not told twenty times over."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel.sources.decoding import PayloadDecoder
from agentnet_otel.sources.files import read_spans
from agentnet_otel.sources.jaeger_json import problem_in
from agentnet_otel.sources.otlp_json import JsonDecoder
from agentnet_otel.sources.read_report import MAX_PROBLEMS, ReadReport
from agentnet_otel.sources.shape import Form, Payload

SPAN = (
    '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"' + "1" * 32 + '","spanId":"' + "2" * 16 + '",'
    '"name":"s","startTimeUnixNano":"1","endTimeUnixNano":"2"}]}]}]}\n'
)


@pytest.fixture
def folder(tmp_path):
    """A folder as the demo leaves it: spans, and reports on them."""
    (tmp_path / "spans.jsonl").write_text(SPAN)
    (tmp_path / "report.md").write_text("# Report\n\n| a | b |\n" * 50)
    (tmp_path / "report.csv").write_text("a,b\n1,2\n" * 500)
    (tmp_path / "report.json").write_text('{\n  "summary": {\n    "turns": 3\n  }\n}\n')
    (tmp_path / "report.html").write_text("<!doctype html>\n<p>\n" * 30)
    return tmp_path


def read(*sources):
    """The report on a reading."""
    report = ReadReport()
    list(read_spans(sources, report))
    return report


def test_other_files_of_a_folder_are_told_once_each(folder):
    """One remark a file, with the file and why; the spans are all there."""
    report = read(folder)
    assert report.spans == 1
    assert len(report.problems) + report.untold == 4 - ("report.json" not in str(report.problems))
    for name in ("report.csv", "report.html", "report.md"):
        (told,) = [problem for problem in report.problems if name in problem]
        assert told.startswith(f"{folder / name}: no file of spans, left out (")
    assert report.bad_lines == 0


def test_a_file_with_one_good_line_is_told_line_by_line(folder):
    """It is one of spans: what it lost is told with the line."""
    (folder / "report.md").write_text("rubbish\n" + SPAN + "more\n")
    report = read(folder)
    assert report.spans == 2
    assert report.bad_lines == 2
    assert [p.partition(": ")[0] for p in report.problems if "report.md" in p] == [
        f"{folder / 'report.md'}:1",
        f"{folder / 'report.md'}:3",
    ]


def test_a_file_that_is_asked_for_is_told_line_by_line(folder):
    """Who names it means it."""
    report = read(folder / "report.csv")
    assert (report.bad_lines, report.foreign_files) == (1000, 0)
    assert (len(report.problems), report.untold) == (MAX_PROBLEMS, 1000 - MAX_PROBLEMS)


def test_a_folder_of_very_many_other_files(tmp_path):
    """The bound of what is told holds for files too; all are counted."""
    for number in range(30):
        (tmp_path / f"{number}.txt").write_text("some text\nand more\n")
    report = read(tmp_path)
    assert (report.foreign_files, report.bad_lines) == (30, 0)
    assert (len(report.problems), report.untold) == (MAX_PROBLEMS, 10)
    assert report.summary == "left out: 30 foreign files"


def test_the_summary_counts_each_kind():
    """One of a kind is singular; nothing lost, nothing said."""
    assert ReadReport().summary is None
    lost = ReadReport(unreadable_sources=1, bad_lines=2, skipped_lines=1, cut_off_ends=1, bad_spans=3)
    assert lost.summary == "left out: 1 unreadable source, 2 bad lines, 1 oversized line, 1 cut-off end, 3 bad spans"
    assert ReadReport(cut_windows=1, bad_turns=2).summary == "left out: 1 cut window, 2 damaged turns"


def test_an_empty_name_is_shown_as_such():
    """An unset variable of a shell gives one; a remark has to begin with its place."""
    (told,) = read("").problems
    assert told.startswith("'': the empty text names no file")


WORDS = (
    b'| |\t|\n|\r|{"resourceSpans":[]}|{"resourceSpans":[|[|{|}|,|"|"traceID"|t|fals|null|-|1|2.|1e'
    b"|12 |12x|x|\xff|\0|2026-11-30 INFO "
)
LINES = st.sampled_from(WORDS.split(b"|"))


@given(st.lists(LINES | st.binary(max_size=4), max_size=4).map(b"".join))
def test_a_line_counts_the_same_when_no_more_is_told(line):
    """Then less is looked at: what is no JSON at all is a bad line, whatever is wrong with it."""
    counts = []
    for told in (0, MAX_PROBLEMS):
        report = ReadReport(problems=["told"] * told)
        assert PayloadDecoder().records(Payload(data=line, where="x:1", form=Form.JSON), report) == []
        numbers = (report.bad_lines, report.cut_off_ends, report.bad_spans)
        counts.append((numbers, len(report.problems) + report.untold - told))
    assert counts[0] == counts[1]


LONG = "x" * 1_000_000
ID = "1" * 32


@pytest.mark.parametrize(
    "span",
    [
        {"traceId": LONG},
        {"traceId": ID, "spanId": LONG},
        {"traceId": ID, "spanId": ID[:16], "parentSpanId": LONG},
        {"traceId": ID, "spanId": ID[:16], "startTimeUnixNano": LONG},
        {"traceId": ID, "spanId": ID[:16], "startTimeUnixNano": "9" * 4000},
        {"traceId": ID, "spanId": ID[:16], "attributes": [{"key": "k", "value": {"doubleValue": LONG}}]},
        {"traceId": ID, "spanId": ID[:16], "attributes": [{"key": "k", "value": {"intValue": LONG}}]},
    ],
)
def test_what_is_told_is_short(span):
    """However long what is wrong may be: it is told with its beginning."""
    told = []
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    assert list(JsonDecoder().decode(json.dumps(document).encode(), told.append)) == []
    assert [len(text) < 500 for text in told] == [True]


@pytest.mark.parametrize(
    "document",
    [
        {"data": [{"spans": [{"traceID": LONG, "spanID": "1"}]}]},
        {"data": [{"spans": [{"traceID": "1", "spanID": "1"}], "processes": {LONG: 1}}]},
        {"data": [], "errors": [{"msg": LONG, "traceID": LONG}]},
        {LONG: 1},
    ],
)
def test_what_is_told_of_jaeger_and_others_is_short(document):
    """Their words and keys are cut too."""
    report = ReadReport()
    PayloadDecoder().records(Payload(data=json.dumps(document).encode(), where="x", form=Form.JSON), report)
    assert [len(text) < 1500 for text in report.problems] == [True]
    assert len(problem_in(LONG.encode())) < 1000
