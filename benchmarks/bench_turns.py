"""What a turn with three components costs the application, beside the same turn as plain SDK spans.

Prints microseconds a turn and the ratio; machines are noisy, so only the ratio is to be quoted.
"""

import statistics
import time
from collections.abc import Callable

from opentelemetry.sdk.trace import TracerProvider

import agentnet_otel
from agentnet_otel import LatencyComponent

TURNS = 3000
ROUNDS = 5


def plain(provider: TracerProvider) -> Callable[[], None]:
    """The four spans by the SDK alone, with two attributes each."""
    tracer = provider.get_tracer("bench")

    def turn() -> None:
        with tracer.start_as_current_span("invoke_agent a", attributes={"gen_ai.agent.name": "a", "id": "1"}):
            for name in ("chat m", "execute_tool t", "policy_check p"):
                with tracer.start_as_current_span(name, attributes={"gen_ai.agent.name": "a", "id": "1"}):
                    pass

    return turn


def ours() -> None:
    """The same by the manual API, with tokens and metrics."""
    with agentnet_otel.turn("a", prompt="hi", model="m") as turn:
        with turn.component(LatencyComponent.INFERENCE, model="m") as call:
            call.record_tokens(input=100, output=50)
        with turn.component(LatencyComponent.TOOL_EXECUTION, "t"):
            pass
        with turn.component(LatencyComponent.POLICY_CHECK, "p"):
            pass


def microseconds(work: Callable[[], None]) -> float:
    """Time of one turn."""
    begin = time.perf_counter()
    for _ in range(TURNS):
        work()
    return (time.perf_counter() - begin) / TURNS * 1e6


def main() -> None:
    """Measure side by side, alternating."""
    provider = TracerProvider(shutdown_on_exit=False)
    baseline = plain(provider)
    handle = agentnet_otel.instrument(tracer_provider=provider)
    own_only = TracerProvider(shutdown_on_exit=False)
    work = {"plain SDK spans": plain(own_only), "plain SDK spans, read live": baseline, "agentnet-otel": ours}
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, call in work.items():
            times[name].append(microseconds(call))
    handle.shutdown()
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name:<28} {median:8.1f} us a turn  {median / medians['plain SDK spans']:5.2f} x")


if __name__ == "__main__":
    main()
