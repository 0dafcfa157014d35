"""Tokens recorded by hand: what they were spent for, and what could be saved."""

from agentnet_otel.performance import TokenCategory, TokenUtilizationTracker

tracker = TokenUtilizationTracker()
metrics = tracker.record_token_usage(
    agent_id="planner",
    turn_id="turn-1",
    input_tokens=9000,
    output_tokens=150,
    category_breakdown={TokenCategory.REASONING: 9000, TokenCategory.SYSTEM: 150},
    context_length=9000,
)
print(f"{metrics.total_tokens} tokens, efficiency {metrics.efficiency_score:.2f}")
for kind, found in tracker.identify_optimization_opportunities().items():
    for text in found:
        print(f"{kind}: {text}")
for advice in tracker.generate_optimization_recommendations():
    print(f"advice: {advice}")
