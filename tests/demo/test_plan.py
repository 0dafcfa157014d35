"""The demo's plan: the same for the same seed, as many turns as asked for, and everything worth seeing in it."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnet_otel.demo.plan import AGENTS, SLOW_AGENT, TURNS_A_SESSION, Trouble, make_plan


def turns_of(plan):
    """All turns of a plan."""
    return [turn for session in plan for turn in session.turns]


@given(st.integers(0, 500), st.integers(0, 2**32))
def test_a_plan_has_as_many_turns_as_asked_for(turns, seed):
    """Exactly, numbered in order, in sessions of at most twelve whose rounds hold each agent at most once."""
    plan = make_plan(turns, seed)
    assert [turn.number for turn in turns_of(plan)] == list(range(turns))
    for session in plan:
        assert 1 <= len(session.turns) <= TURNS_A_SESSION
        assert [turn for found in session.rounds for turn in found] == list(session.turns)
        assert all(len({turn.agent for turn in found}) == len(found) for found in session.rounds)
    assert len({session.conversation_id for session in plan}) == len(plan)


def test_the_same_seed_gives_the_same_plan():
    """Another seed gives other figures, and the same troubles in the same places."""
    first, again, other = make_plan(200, 1), make_plan(200, 1), make_plan(200, 2)
    assert first == again
    assert first != other
    assert [turn.trouble for turn in turns_of(first)] == [turn.trouble for turn in turns_of(other)]
    assert [turn.input_tokens for turn in turns_of(first)] != [turn.input_tokens for turn in turns_of(other)]


@pytest.mark.parametrize(("turns", "seed"), [(44, 0), (44, 12345), (200, 1)])
def test_everything_worth_seeing_is_in_it(turns, seed):
    """Agents, two models, tools, memory, streams, each trouble, and an agent that is slow now and then."""
    plan = turns_of(make_plan(turns, seed))
    assert {turn.agent for turn in plan} == set(AGENTS)
    assert len({turn.model for turn in plan}) == 2
    assert {turn.trouble for turn in plan} == set(Trouble)
    for what in ("uses_tool", "uses_memory", "streams", "cached_tokens"):
        assert any(getattr(turn, what) for turn in plan), what
    slow = [turn for turn in plan if turn.inference_s > 2]
    assert {turn.agent for turn in slow} == {SLOW_AGENT}
    assert len({session.mode for session in make_plan(turns, seed)}) == 3


def test_most_turns_are_fine():
    """The demo shows trouble, not a wreck: no critical limit is passed by failures."""
    troubles = Counter(turn.trouble for turn in turns_of(make_plan(1000, 1)))
    failing = troubles[Trouble.ENGINE_ERROR] + troubles[Trouble.TIMEOUT] + troubles[Trouble.FAULT]
    assert 0.03 < failing / 1000 < 0.09


def test_cost_is_that_of_the_model():
    """USD by the tokens of both kinds; the large model costs more."""
    turn = next(turn for turn in turns_of(make_plan(4, 1)) if turn.model == "m-large")
    assert turn.cost_usd == pytest.approx((turn.input_tokens * 0.006 + turn.output_tokens * 0.018) / 1000)
