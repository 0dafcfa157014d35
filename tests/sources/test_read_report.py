"""What could not be used: counted, told with its place, and not told twenty times over."""

import pytest

from agentnet_otel.sources.files import read_spans
from agentnet_otel.sources.read_report import MAX_PROBLEMS, ReadReport

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
    assert told.startswith("'': cannot be ")
