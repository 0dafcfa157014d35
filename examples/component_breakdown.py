"""Where the time of turns goes, and which turns stand out."""

import time

from agentnet_otel.performance import LatencyComponent, LatencyTracker

tracker = LatencyTracker()
for number in range(3):
    turn_id = f"turn-{number}"
    tracker.start_turn_measurement(turn_id, "planner", prompt_length=50)
    for component, seconds in (
        (LatencyComponent.MEMORY_ACCESS, 0.002),
        (LatencyComponent.INFERENCE, 0.02),
        (LatencyComponent.TOOL_EXECUTION, 0.005),
    ):
        tracker.start_component_measurement(turn_id, component)
        time.sleep(seconds)
        tracker.end_component_measurement(turn_id, component)
    tracker.record_tool_usage(turn_id, "search")
    tracker.end_turn_measurement(turn_id, response_length=100)

breakdown = tracker.get_component_breakdown("planner")
print("largest:", max(breakdown, key=lambda name: breakdown[name]["percentage"]))
print("turns with each:", {name: figures["count"] for name, figures in breakdown.items()})
slow = tracker.identify_performance_issues(latency_threshold_ms=5.0)["high_latency_turns"]
print("above 5 ms:", len(slow))
