"""What turns cost, by model and quality."""

from agentnet_otel.performance import TokenUtilizationTracker

tracker = TokenUtilizationTracker()
tracker.set_cost_model("m-house", 0.004)  # USD for 1,000 tokens
for number, (model, quality) in enumerate((("m-house", 0.85), ("gpt-4", 0.95))):
    metrics = tracker.record_token_usage(
        agent_id="planner",
        turn_id=f"turn-{number}",
        input_tokens=500,
        output_tokens=500,
        processing_time=2.0,
        model_name=model,
        output_quality_score=quality,
    )
    cost_usd = metrics.total_tokens * metrics.cost_per_token / 1000
    print(f"{model}: ${cost_usd:.4f}, {metrics.tokens_per_second:.0f} tokens/s, {metrics.efficiency_score:.3f}")
summary = tracker.get_agent_token_summary("planner")
print(f"{summary['total_turns']} turns, {summary['tokens']['total']} tokens")
