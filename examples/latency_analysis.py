"""One turn measured by hand."""

import time

from agentnet_otel.performance import LatencyComponent, LatencyTracker

tracker = LatencyTracker()
tracker.start_turn_measurement("turn-1", "planner", prompt_length=100)
tracker.start_component_measurement("turn-1", LatencyComponent.INFERENCE)
time.sleep(0.01)  # the model answers
inference_ms = tracker.end_component_measurement("turn-1", LatencyComponent.INFERENCE)
measurement = tracker.end_turn_measurement("turn-1", response_length=200)

print(f"{measurement.turn_id} of {measurement.agent_id}: response of {measurement.response_length} characters")
print("inference is most of it:", inference_ms > 0.5 * measurement.total_latency_ms)
