"""What the bridge answers to readers: turns, reports, metrics, health."""

import threading
from collections.abc import Callable
from typing import Final

from agentnet_otel.core.assembler import Counts
from agentnet_otel.core.thresholds import ThresholdTable
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.outputs.prometheus import PrometheusEndpoint
from agentnet_otel.outputs.reports.formats import RENDERERS, render
from agentnet_otel.outputs.reports.html_report import POLICY
from agentnet_otel.outputs.turn_rows import turn_line
from agentnet_otel.service.answers import (
    MAX_NUMBER,
    Answer,
    Query,
    check_names,
    page_answer,
    text_answer,
    whole_number,
)
from agentnet_otel.sources.store.turn_store import TurnStore
from agentnet_otel.wiring.reporting import make_report

MAX_LIMIT: Final = 10_000
"""Turns of one answer."""
DEFAULT_LIMIT: Final = 1000
REPORT_TURNS: Final = 100_000
"""Turns of a report: the newest."""

_CURSOR: Final = "Agentnet-Next-Cursor"
_TYPES: Final = {
    "md": "text/markdown; charset=utf-8",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
}
_BAD_REQUEST, _GONE, _UNAVAILABLE = 400, 410, 503


class Api:
    """Answers from the turns on the disk. ``open_turns`` opens them for reading; ``not_ready``: what is wrong."""

    def __init__(
        self,
        open_turns: Callable[[], TurnStore],
        counts: Callable[[], Counts],
        not_ready: Callable[[], str | None],
        thresholds: ThresholdTable,
        *,
        standing: Callable[[], str],
        endpoint: PrometheusEndpoint,
        trace_url: str | None = None,
    ) -> None:
        self._open_turns = open_turns
        self._counts = counts
        self._not_ready = not_ready
        self._thresholds = thresholds
        self._standing = standing
        self._endpoint = endpoint
        self._trace_url = trace_url
        self._scrape_lock = threading.Lock()

    def turns(self, query: Query) -> Answer:
        """One JSON object a line for each turn, in the order of arrival, after a cursor."""
        try:
            check_names(query, "limit", "cursor")
            limit = whole_number(query, "limit", DEFAULT_LIMIT, MAX_LIMIT)
            cursor = whole_number(query, "cursor", 0, MAX_NUMBER)
        except ConfigurationError as error:
            return text_answer(_BAD_REQUEST, str(error))
        store = self._open_turns()
        try:
            found = store.after(cursor, limit)
            last = cursor if found else store.last_seq()
        finally:
            store.close()
        if cursor > last:
            text = f"cursor={cursor} was never given: the newest is {last}. Was the store begun anew? Go on at cursor=0"
            return text_answer(_GONE, text)
        following = found[-1].seq if found else cursor
        body = b"".join(turn_line(stored.turn) for stored in found)
        return Answer(body=body, content_type="application/x-ndjson", headers={_CURSOR: str(following)})

    def report(self, query: Query) -> Answer:
        """The report on the newest turns."""
        try:
            check_names(query, "format")
        except ConfigurationError as error:
            return text_answer(_BAD_REQUEST, str(error))
        form = query.parameters.get("format", "md")
        if form not in RENDERERS:
            return text_answer(_BAD_REQUEST, f"format {form!r} is unknown; allowed are: {', '.join(RENDERERS)}")
        store = self._open_turns()
        try:
            turns = store.newest_first(REPORT_TURNS)
        finally:
            store.close()
        turns.sort(key=lambda turn: (turn.end_ns, turn.trace_id, turn.span_id))
        content = make_report(
            turns,
            self._counts(),
            thresholds=self._thresholds,
            trace_url=self._trace_url,
            documented=form == "json",
        )
        if form == "html":
            return page_answer(render(content, form), POLICY)
        return Answer(body=render(content, form).encode(), content_type=_TYPES[form])

    def report_page(self, query: Query) -> Answer:
        """The report for a browser."""
        del query
        return self.report(Query(parameters={"format": "html"}))

    def metrics(self, query: Query) -> Answer:
        """A scrape."""
        with self._scrape_lock:
            exposition = self._endpoint.scrape(query.accept)
        return Answer(body=exposition.body, content_type=exposition.content_type)

    def healthy(self, query: Query) -> Answer:
        """Whether the process lives."""
        del query
        return text_answer(200, "ok")

    def ready(self, query: Query) -> Answer:
        """Whether it takes requests and keeps up."""
        del query
        trouble = self._not_ready()
        if trouble is not None:
            return text_answer(_UNAVAILABLE, f"not ready: {trouble}")
        return text_answer(200, f"ready; {self._standing()}")
