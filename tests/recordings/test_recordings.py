"""What real libraries wrote, read against the truth."""

import json
import random
from dataclasses import replace

import make
import pages
import pytest
import scoring
from opentelemetry.sdk.trace import Event
from opentelemetry.trace import SpanContext
from opentelemetry.trace import StatusCode as SdkStatusCode

from agentnet_otel import semconv
from agentnet_otel.core.assembler import Assembler, newest_revisions
from agentnet_otel.core.dialects import DIALECTS, dialect_of, is_turn_from_start
from agentnet_otel.model import LatencyComponent
from agentnet_otel.sources.backlog import Backlog
from agentnet_otel.sources.captured import CapturedSpan
from agentnet_otel.sources.files import read_spans
from agentnet_otel.sources.read_report import ReadReport
from agentnet_otel.sources.rebuild import rebuild

LEAST_SHARE = 0.98


def spans_of(name):
    """The spans of a recording, in the order in which they were exported."""
    return list(read_spans([scoring.RECORDINGS / name / "spans.jsonl"], ReadReport()))


def turns_of(spans):
    """The turns of a stream that is at its end."""
    assembler = Assembler()
    told = [turn for span in spans for turn in assembler.feed(span)]
    return newest_revisions([*told, *assembler.drain()])


@pytest.mark.parametrize("name", scoring.NAMES)
def test_facts_are_read_right(name):
    """At least 98 % of the facts that the spans hold: agents, models, sessions, outcomes, components, tools, tokens."""
    score = scoring.score(name)
    assert score.share >= LEAST_SHARE, "\n".join(score.wrong)


@pytest.mark.parametrize("name", scoring.NAMES)
def test_the_order_of_spans_does_not_matter(name):
    """However the spans of a recording are shuffled, the same turns come out of them."""
    spans = spans_of(name)
    expected = turns_of(spans)
    shuffler = random.Random(name)
    for _ in range(5):
        shuffled = shuffler.sample(spans, len(spans))
        assert turns_of(shuffled) == expected


def live(spans):
    """The turns of a process that is told of each start and end, as they were."""
    by_id = {(span.trace_id, span.span_id): span for span in spans}

    def depth(span):
        around = by_id.get((span.trace_id, span.parent_span_id))
        return 0 if around is None else 1 + depth(around)

    starts = [(span.start_ns, 0, depth(span), span) for span in spans]
    ends = [(max(span.end_ns, span.start_ns), 1, -depth(span), span) for span in spans]
    assembler, told = Assembler(in_process=True), []
    for _, is_end, _, span in sorted([*starts, *ends], key=lambda moment: moment[:3]):
        if is_end:
            told += assembler.feed(span)
        else:
            is_turn = is_turn_from_start(span.scope_name, span.attributes.get(semconv.OPERATION_NAME))
            told += assembler.started(span.trace_id, span.span_id, span.parent_span_id, is_turn=is_turn)
    return newest_revisions([*told, *assembler.drain()])


@pytest.mark.parametrize("name", scoring.NAMES)
def test_live_turns_are_those_of_the_recording(name):
    """In the process, told of each start and end, the turns of other libraries are the same as from their file."""
    spans = spans_of(name)
    assert [replace(turn, revision=1) for turn in live(spans)] == turns_of(spans)


def captured_of(span):
    """A recorded span as a process would hold it."""

    def context(span_id, *, remote):
        return SpanContext(int(span.trace_id, 16), int(span_id, 16), remote)

    around = span.parent_span_id
    return CapturedSpan(
        context=context(span.span_id, remote=False),
        parent=context(around, remote=bool(span.parent_is_remote)) if around else None,
        name=span.name,
        kind=span.kind.value,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        status=SdkStatusCode(span.status.value),
        status_description=span.status_description,
        attributes=span.attributes,
        events=[Event(e.name, dict(e.attributes), e.time_ns) for e in span.events],
        resource=span.resource,
        scope_name=span.scope_name,
        scope_version=span.scope_version,
    )


@pytest.mark.parametrize("name", scoring.NAMES)
def test_turns_that_nobody_looked_at_are_counted_when_they_go(name):
    """Whoever wrote them: as many as a rebuild would have told, though their spans go unread."""
    spans = spans_of(name)
    ids = {(span.trace_id, span.span_id): number for number, span in enumerate(spans)}
    backlog = Backlog(spans=0)
    for span in spans:
        around = span.parent_span_id
        backlog.start(
            (int(span.trace_id, 16), int(span.span_id, 16)),
            int(around, 16) if around else None,
            is_turn=is_turn_from_start(span.scope_name, span.attributes.get(semconv.OPERATION_NAME)),
        )
    inside_first = sorted(spans, key=lambda span: (span.end_ns, -span.start_ns, -ids[span.trace_id, span.span_id]))
    for span in inside_first:
        backlog.end((int(span.trace_id, 16), int(span.span_id, 16)), captured_of(span), span.end_ns)
    backlog.take()
    assert backlog.dropped_turns == sum(not turn.incomplete for turn in turns_of(spans))


@pytest.mark.parametrize("name", scoring.NAMES)
def test_the_dialect_is_recognised(name):
    """A recording's turns are read by the row that its truth names."""
    truth = json.loads((scoring.RECORDINGS / name / "expected.json").read_text(encoding="utf-8"))
    spans = {(span.trace_id, span.span_id): span for span in spans_of(name)}
    read_by = {dialect_of(spans[turn.trace_id, turn.span_id]).name for turn in turns_of(spans.values())}
    assert read_by == {truth["dialect"]}


@pytest.mark.parametrize("name", scoring.NAMES)
def test_calls_outside_turns_are_turns_on_request(name):
    """Grouped, no call is left outside, other turns are as before, and each trace with such calls gives one more."""
    path = scoring.RECORDINGS / name / "spans.jsonl"
    told, grouped = rebuild([path]), rebuild([path], group_calls=True)
    more = [turn for turn in grouped.turns if turn.span_id == turn.trace_id]
    assert [turn for turn in grouped.turns if turn not in more] == told.turns
    assert grouped.counts.outside == 0
    assert bool(more) is bool(told.counts.outside)
    assert len({turn.trace_id for turn in more}) == len(more) <= told.counts.outside
    assert len(more) <= sum(calls_in(turn) for turn in more) <= told.counts.outside  # of one call two spans may tell
    assert all(turn.agent and not turn.incomplete for turn in more)


def calls_in(turn):
    """How many calls of models, tools, memories and policies it made; what only holds others is none."""
    return sum(number for kind, number in turn.component_counts.items() if kind is not LatencyComponent.ORCHESTRATION)


def test_each_dialect_has_a_recording():
    """A row of the table rests on a recording of the library that writes it."""
    recorded = {scoring.score(name).dialect for name in scoring.NAMES}
    assert recorded == {dialect.name for dialect in DIALECTS}


@pytest.mark.parametrize("name", scoring.NAMES)
def test_recordings_are_scrubbed_and_can_be_made_anew(name):
    """Nothing of the machine is left in a recording, and its script and its packages are beside it."""
    folder = scoring.RECORDINGS / name
    for line in (folder / "spans.jsonl").read_text(encoding="utf-8").splitlines():
        assert make.scrubbed(json.loads(line)) == json.loads(line)
    made_by = {path.name for path in folder.iterdir()}
    assert made_by >= {"record.py", "requirements.txt"} or made_by >= {"record.mjs", "package-lock.json"}


def test_the_table_of_scores_is_printed(capsys):
    """The script prints one line a recording, with its share."""
    scoring.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == scoring.NAMES


def test_the_page_of_sources_is_current():
    """Dialects, keys and scores on the page are those of the table and of the recordings."""
    written = pages.PAGE.read_text(encoding="utf-8")
    assert pages.current(written) == written
