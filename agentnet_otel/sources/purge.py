"""Erasing what a store holds of traces, sessions, or times: turns, and the requests that they were rebuilt from.

A trace is erased whole, with all turns in it. What the metrics counted stays: it names no session and no text. Places
in the log stay too, so that no request is understood again, whose turns may be gone since: they would come back.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from agentnet_otel.core.dialects import read_facts
from agentnet_otel.errors import AgentNetOtelError, ConfigurationError
from agentnet_otel.model import SpanRecord, Turn
from agentnet_otel.sources.decoding import PayloadDecoder
from agentnet_otel.sources.intake import RequestKind
from agentnet_otel.sources.otlp_json import trace_id_of
from agentnet_otel.sources.store.aside import FOLDER as ASIDE
from agentnet_otel.sources.store.aside import Aside
from agentnet_otel.sources.store.raw_log import BLANK, MIN_ROOM, LogRecord
from agentnet_otel.sources.store.store import LOG, QUARANTINE, Store
from agentnet_otel.sources.store.turn_store import FILE_NAME, TurnStore


class _Traced(msgspec.Struct, rename="camel", gc=False):
    """A span, as far as it says of which trace it is."""

    trace_id: str = ""


_LISTS: Final = (("resourceSpans",), ("scopeSpans", "instrumentationLibrarySpans"), ("spans",))
_NULL: Final = msgspec.Raw(b"null")
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw] | None)
_TRACED: Final = msgspec.json.Decoder(_Traced)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is to go. ``arrived_before_ns``: epoch nanoseconds; None: whenever it came."""

    sessions: frozenset[str] = frozenset()
    trace_ids: frozenset[str] = frozenset()
    arrived_before_ns: int | None = None
    everything: bool = False

    def has_turn(self, turn: Turn, arrived_ns: int) -> bool:
        """Whether a turn is meant."""
        return self._has(turn.session, turn.trace_id, arrived_ns)

    def has_span(self, span: SpanRecord, arrived_ns: int) -> bool:
        """Whether a span is meant."""
        return self._has(read_facts(span).session, span.trace_id, arrived_ns)

    def _has(self, session: str | None, trace_id: str, arrived_ns: int) -> bool:
        return (
            self.everything
            or trace_id in self.trace_ids
            or (session is not None and session in self.sessions)
            or (self.arrived_before_ns is not None and arrived_ns < self.arrived_before_ns)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What went."""

    turns: int
    traces: int
    spans: int


def purge(folder: Path, selection: Selection, tell: Callable[[str], None]) -> Purged:
    """Erase what is selected, from the turns and from the requests, and overwrite it.

    Raises:
        ConfigurationError: there is no store.
        BackendError: it is in use, or cannot be written.
    """
    if not (folder / FILE_NAME).is_file():
        lacks = f"it has no {FILE_NAME}" if folder.is_dir() else "there is no such folder"
        message = f"{folder} is no store of serve: {lacks}"
        raise ConfigurationError(message)
    store = Store(folder, tell)
    try:
        turns = TurnStore(folder, unreadable=tell)
        try:
            traces = _traces_in_log(store, selection) | _traces_of_turns(turns, selection)
            spans = store.log.rewrite(lambda record: _without(record, traces))
            gone = turns.erase(traces)
        finally:
            turns.close()
    finally:
        store.close()
    _clear_aside(folder, selection, tell)
    return Purged(turns=gone, traces=len(traces), spans=spans)


def _traces_of_turns(turns: TurnStore, selection: Selection) -> set[str]:
    return {turn.trace_id for turn, arrived_ns in turns.with_arrival() if selection.has_turn(turn, arrived_ns)}


def _traces_in_log(store: Store, selection: Selection) -> set[str]:
    decoder = PayloadDecoder()
    return {
        span.trace_id
        for record in store.log.read(0)
        for span in _spans(decoder, record)
        if selection.has_span(span, record.arrived_ns)
    }


def _spans(decoder: PayloadDecoder, record: LogRecord) -> Iterable[SpanRecord]:
    """The spans of a request; what cannot be understood has none that could be selected."""
    if record.kind == BLANK:
        return []
    try:
        return list(decoder.decode(record.data, RequestKind(record.kind).form, _pass_over))
    except (AgentNetOtelError, ValueError):
        return []


def _pass_over(text: str) -> None:
    """A bad span names no session."""
    del text


def _without(record: LogRecord, traces: set[str]) -> tuple[bytes, int]:
    """A request without the spans of these traces, and how many went."""
    if record.kind == BLANK:
        return b"", 0  # its bytes may still be there: it was set aside
    if record.kind == RequestKind.PROTOBUF:
        return _protobuf_without(record.data, traces)
    if record.kind == RequestKind.JSON:
        return _json_without(record.data, traces)
    return record.data, 0


def _protobuf_without(data: bytes, traces: set[str]) -> tuple[bytes, int]:
    from agentnet_otel.sources.otlp_protobuf import TracesData  # noqa: PLC0415 - JSON needs no protobuf

    request = TracesData.FromString(data)
    gone = 0
    for of_resource in request.resource_spans:
        for of_scope in (*of_resource.scope_spans, *of_resource.instrumentation_library_spans):
            kept = [span for span in of_scope.spans if span.trace_id.hex() not in traces]
            gone += len(of_scope.spans) - len(kept)
            if len(kept) < len(of_scope.spans):
                del of_scope.spans[:]
                of_scope.spans.extend(kept)
    return (request.SerializeToString(), gone) if gone else (data, 0)


def _json_without(data: bytes, traces: set[str]) -> tuple[bytes, int]:
    kept, gone = _pruned(_strict(data), _LISTS, traces)
    if not gone:
        return data, 0
    if len(kept) > len(data):  # what had to be written anew to be read at all, and has no room
        return b"", gone
    room = len(data) - len(kept)
    return kept + b" " * (room if room < MIN_ROOM else 0), gone


def _strict(data: bytes) -> bytes:
    """The document as every reader takes it: others write NaN, and text that is no UTF-8."""
    try:
        _OBJECT.decode(data)
    except (msgspec.DecodeError, RecursionError):
        document = json.loads(data.decode("utf-8", errors="replace"), parse_constant=str)
        data = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", errors="replace")
    return data


def _pruned(data: bytes | msgspec.Raw, lists: Sequence[Sequence[str]], traces: set[str]) -> tuple[bytes, int]:
    """An object of a request without the spans of these traces, and how many went; all else as it is written.

    ``lists``: the names, of now and former ones, of the lists that lead to the spans.
    """
    names, *inner = lists
    try:
        fields = _OBJECT.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):  # a part that was left out when it was understood
        return bytes(data), 0
    gone = 0
    for name in names:
        found, count = _pruned_list(fields.get(name, _NULL), inner, traces)
        if count:
            fields[name] = found
            gone += count
    return (msgspec.json.encode(fields), gone) if gone else (bytes(data), 0)


def _pruned_list(data: msgspec.Raw, inner: Sequence[Sequence[str]], traces: set[str]) -> tuple[msgspec.Raw, int]:
    """The same of a list of spans, or of what holds lists of them."""
    try:
        items = _ITEMS.decode(data) or []
    except (msgspec.DecodeError, ValueError, RecursionError):  # the same
        return data, 0
    kept: list[msgspec.Raw] = []
    gone = 0
    for item in items:
        if inner:
            part, count = _pruned(item, inner, traces)
            kept.append(msgspec.Raw(part))
            gone += count
        elif _trace_id(item) in traces:
            gone += 1
        else:
            kept.append(item)
    return msgspec.Raw(msgspec.json.encode(kept)), gone


def _trace_id(span: msgspec.Raw) -> str:
    try:
        return trace_id_of(_TRACED.decode(span).trace_id)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ""


def _clear_aside(folder: Path, selection: Selection, tell: Callable[[str], None]) -> None:
    """What was damaged, or ends whoever reads it, cannot be searched: it goes with everything, else it is told."""
    if selection.arrived_before_ns is not None:
        Aside(folder, tell).forget_before(selection.arrived_before_ns)
    for aside, what in (
        (folder / QUARANTINE, "damaged files"),
        (folder / LOG / QUARANTINE, "damaged files"),
        (folder / ASIDE, "requests that could not be understood"),
    ):
        if aside.is_dir() and selection.everything:
            shutil.rmtree(aside)
        elif aside.is_dir() and any(aside.iterdir()):
            tell(f"{aside} holds {what}, which cannot be searched; delete it to be sure")
