"""Limits of single models: whose turns they are for, in what order they count, and that nothing else changes."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel.core.observations import Observation
from agentnet_otel.core.running_verdicts import RunningVerdicts
from agentnet_otel.core.thresholds import DOCUMENTED, Metric, ThresholdTable
from agentnet_otel.core.verdicts import judge_observations
from agentnet_otel.model import Outcome

NAMES = ("a", "b", "")
MODELS = ("m", "n", None)
OBSERVATIONS = st.lists(
    st.builds(
        Observation,
        agent=st.sampled_from(NAMES),
        model=st.sampled_from(MODELS),
        latency_ms=st.floats(1, 9000),
        outcome=st.sampled_from(Outcome),
        cost_usd=st.none() | st.floats(0, 1),
        efficiency=st.none() | st.floats(0, 1),
    ),
    max_size=30,
)


@st.composite
def tables(draw):
    """Limits of their own for some metrics of two agents and two models."""
    own = {}
    for section, names in (("agents", NAMES[:2]), ("models", MODELS[:2])):
        own[section] = {
            name: {
                metric: replace(DOCUMENTED[metric], recommended=0.5, critical=0.5)
                for metric in draw(st.sets(st.sampled_from(Metric)))
            }
            for name in names
        }
    return ThresholdTable(**own)


def counted_naively(seen, table, agent, model, metric):
    """How many turns a row has to rest on."""
    told = {
        Metric.TURN_LATENCY: lambda one: one.latency_ms,
        Metric.SUCCESS_RATE: lambda one: one.failed,
        Metric.TOKEN_EFFICIENCY: lambda one: one.efficiency,
        Metric.COST_PER_TURN: lambda one: one.cost_usd,
    }[metric]
    n = 0
    for one in seen:
        if agent is not None and one.agent != agent:
            continue
        if model is not None and (one.model != model or metric in table.agents.get(one.agent, {})):
            continue
        n += told(one) is not None
    return n


@given(OBSERVATIONS, tables())
def test_each_row_rests_on_the_turns_that_it_is_for(seen, table):
    """All turns, those of the agent, those of the model without those whose agent has a limit of its own."""
    rows = judge_observations(seen, table)
    expected = [(None, None, metric) for metric in Metric]
    expected += [(agent, None, metric) for agent in table.agents for metric in Metric if metric in table.agents[agent]]
    expected += [(None, model, metric) for model in table.models for metric in Metric if metric in table.models[model]]
    assert [(row.agent, row.model, row.threshold.metric) for row in rows] == expected
    for row in rows:
        assert row.n == counted_naively(seen, table, row.agent, row.model, row.threshold.metric)
        assert row.of_all is (row.agent is None and row.model is None)


@given(OBSERVATIONS, tables())
def test_many_turns_are_for_the_same_rows(seen, table):
    """One by one, beyond the bound up to which turns are held, each row rests on as many turns."""
    running = RunningVerdicts(table, exact_turns=0)
    for one in seen:
        running.add(one)
    found = [(row.agent, row.model, row.threshold, row.n, row.verdict) for row in running.judgements()]
    assert found == [(r.agent, r.model, r.threshold, r.n, r.verdict) for r in judge_observations(seen, table)]


def test_a_model_past_its_limit():
    """It fails by its own limit though all turns together pass."""
    limit = replace(DOCUMENTED[Metric.COST_PER_TURN], recommended=0.001, critical=0.002)
    table = ThresholdTable(models={"m": {Metric.COST_PER_TURN: limit}})
    seen = [Observation(model="m" if place % 2 else "n", cost_usd=0.003) for place in range(60)]
    rows = judge_observations(seen, table)
    assert [(row.model, row.verdict.value, row.n) for row in rows if row.threshold.metric is Metric.COST_PER_TURN] == [
        (None, "PASS", 60),
        ("m", "FAIL", 30),
    ]
