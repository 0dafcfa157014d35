"""What is printed on a terminal or into a pipe: no figure is cut, nothing in a name is markup or an escape."""

import io

import pytest

from agentnet_otel.core.thresholds import DOCUMENTED, Metric, ThresholdTable, with_limits
from agentnet_otel.core.verdicts import judge
from agentnet_otel.outputs import console


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def columns(monkeypatch):
    """Sets the width of the terminal, which has no colours."""

    def set_width(width):
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")

    return set_width


@pytest.fixture
def verdicts(make_turns):
    """Verdicts on too few turns, which have the longest texts."""
    return judge(make_turns(5), ThresholdTable())


def test_a_pipe_gets_the_whole_table(verdicts):
    """Nothing is folded where the output is no terminal."""
    stream = io.StringIO()
    console.print_verdicts(verdicts, stream)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 8
    assert len({len(line) for line in lines}) == 1
    assert "PASS, INSUFFICIENT (5 < 72)" in stream.getvalue()


@pytest.mark.parametrize("width", [20, 40, 80, 110])
def test_a_narrow_terminal_gets_a_list(verdicts, columns, width):
    """Where the table does not fit, each row is a few lines, none wider than the terminal."""
    columns(width)
    stream = Terminal()
    console.print_verdicts(verdicts, stream)
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "┃" not in stream.getvalue()
    together = " ".join(stream.getvalue().split())
    assert "Turn latency (p95): 100 ms PASS, INSUFFICIENT (5 < 72)" in together
    assert "recommended < 2,000 ms, critical < 5,000 ms" in together


def test_a_wide_terminal_gets_the_table(verdicts, columns):
    """With room enough it is the table."""
    columns(150)
    stream = Terminal()
    console.print_verdicts(verdicts, stream)
    assert "┃ Metric" in stream.getvalue()


def test_names_are_neither_markup_nor_escapes(make_turns):
    """An agent's name may look like markup or hold escapes of terminals: it is shown, on one line."""
    name = "[bold]x[/bold]\n\x1b[2J:smile:"
    own = {name: {Metric.TURN_LATENCY: with_limits(DOCUMENTED[Metric.TURN_LATENCY], 10.0, 50.0)}}
    stream = io.StringIO()
    console.print_verdicts(judge(make_turns(3, agent=name), ThresholdTable(agents=own)), stream)
    console.print_lines([name], stream)
    console.print_prose([name], stream)
    shown = "[bold]x[/bold] \\x1b[2J:smile:"
    assert stream.getvalue().count(shown) == 3
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize("width", ["40", "200"])
def test_long_names_are_cut(make_turns, columns, width):
    """A name of 100 kB fills no screen, in the table and in the list."""
    columns(width)
    stream = io.StringIO()
    name = "a" * 100_000
    own = {name: {Metric.TURN_LATENCY: with_limits(DOCUMENTED[Metric.TURN_LATENCY], 10.0, 50.0)}}
    console.print_verdicts(judge(make_turns(3, agent=name), ThresholdTable(agents=own)), stream)
    assert "aaa" in stream.getvalue()
    assert len(stream.getvalue()) < 10_000


def test_lines_are_never_wrapped(columns):
    """What is to be copied stays one line, however long."""
    columns(20)
    stream = Terminal()
    console.print_lines(["agentnet-otel report /a/long/path/to/spans.jsonl", ""], stream)
    assert stream.getvalue() == "agentnet-otel report /a/long/path/to/spans.jsonl\n\n"


def test_prose_is_wrapped_between_words(columns):
    """What is to be read is wrapped on a terminal, further lines further in; in a pipe it is not."""
    columns(24)
    stream = Terminal()
    console.print_prose(["  1. Most of the time is spent in vain.", ""], stream)
    assert stream.getvalue() == "  1. Most of the time is\n    spent in vain.\n\n"
    pipe = io.StringIO()
    console.print_prose(["word " * 100], pipe)
    assert pipe.getvalue().count("\n") == 1


def test_what_cannot_be_encoded_is_escaped():
    """A stream in ASCII gets escapes instead of an error."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    console.print_lines(["Ärger"], stream)
    stream.flush()
    assert raw.getvalue() == b"\\xc4rger\n"


def test_progress_is_silent_in_a_pipe(capsys):
    """No byte of a bar reaches a stream that is no terminal."""
    with console.progress("working", 3) as tick:
        tick()
        tick(2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("environment", [{"FORCE_COLOR": "1"}, {"TTY_COMPATIBLE": "1"}])
def test_forced_colours_make_no_terminal(capsys, monkeypatch, environment):
    """Variables that force colours, as CI services set them, bring no bar into a pipe."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with console.progress("working", 3) as tick:
        tick()
    assert capsys.readouterr() == ("", "")
