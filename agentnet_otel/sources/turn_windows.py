"""Windows as the commands want them: of rows, or of whole turns, each by the shortest way that there is."""

from agentnet_otel.core.cost import PriceBook
from agentnet_otel.core.plain_whole import as_it_is
from agentnet_otel.core.trace_window import TraceWindow
from agentnet_otel.core.turn_row import TurnRow, row_of
from agentnet_otel.model import Turn
from agentnet_otel.sources.native.spans import native_runs_of
from agentnet_otel.sources.native.turns import native_rows_of_trace, native_turns_of_trace


def row_window(*, group_calls: bool = False, prices: PriceBook | None = None) -> TraceWindow[TurnRow]:
    """A window that tells rows."""
    return TraceWindow(row_of, native_rows_of_trace, runs=native_runs_of, group_calls=group_calls, prices=prices)


def whole_window(*, group_calls: bool = False, prices: PriceBook | None = None) -> TraceWindow[Turn]:
    """A window that tells turns as they are."""
    return TraceWindow(as_it_is, native_turns_of_trace, runs=native_runs_of, group_calls=group_calls, prices=prices)
