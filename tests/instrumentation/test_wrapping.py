"""A wrapped function is a function to everyone who looks."""

import asyncio
import copy
import functools
import inspect
import pickle
import sys
import types
import weakref

import pytest

import agentnet_otel
from agentnet_otel.instrumentation.wrapping import WrappedFunction, wrap, wrapped_in


@agentnet_otel.traced_turn("module")
def answer(prompt, *, loud=False):
    """Answer."""
    return prompt.upper() if loud else prompt


class Agent:
    """Methods of every kind."""

    @agentnet_otel.traced_turn("method")
    def ask(self, prompt):
        """Ask."""
        return self, prompt

    @agentnet_otel.traced_turn("class")
    @classmethod
    def of_class(cls, prompt):
        """Of the class."""
        return cls, prompt

    @agentnet_otel.traced_turn("static")
    @staticmethod
    def of_nobody(prompt):
        """Of nobody."""
        return prompt

    @agentnet_otel.traced_turn("coroutine")
    async def wait(self, prompt):
        """Wait."""
        return prompt

    @agentnet_otel.traced_turn("stream")
    async def stream(self, prompt):
        """Stream."""
        yield prompt

    length = agentnet_otel.traced_turn("builtin")(len)
    twice = agentnet_otel.traced_turn("partial")(functools.partial(max, 2))


def through_pickle(value):
    """A copy by way of bytes."""
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes


def test_it_is_bound_like_a_function(telemetry, handle):
    """Methods, class and static methods, and functions that are not bound."""
    agent = Agent()
    assert agent.ask("x") == Agent.ask(agent, "x") == (agent, "x")
    assert Agent.of_class("x") == agent.of_class("x") == (Agent, "x")
    assert Agent.of_nobody("x") == agent.of_nobody("x") == "x"
    assert agent.length("abc") == Agent.length("abc") == 3
    assert agent.twice(1) == 2
    assert {turn.prompt_length for turn in handle.turns() if turn.agent not in {"builtin", "partial"}} == {1}
    assert len(telemetry.spans("invoke_agent")) == 9


def test_introspection():
    """Kind, signature, documentation and equality are those of the original."""
    agent = Agent()
    assert isinstance(agent.ask, types.MethodType)
    assert inspect.isfunction(answer)
    assert inspect.ismethod(agent.ask)
    assert agent.ask == agent.ask
    assert len({agent.ask, agent.ask}) == 1
    assert agent.ask.__self__ is agent
    assert str(inspect.signature(agent.ask)) == "(prompt)"
    assert str(inspect.signature(answer)) == "(prompt, *, loud=False)"
    assert (answer.__name__, answer.__qualname__, answer.__doc__) == ("answer", "answer", "Answer.")
    assert answer.__kwdefaults__ == {"loud": False}
    assert inspect.iscoroutinefunction(agent.wait)
    assert asyncio.iscoroutinefunction(agent.wait) if sys.version_info < (3, 14) else True
    assert inspect.isasyncgenfunction(agent.stream)
    assert "def answer" in inspect.getsource(answer)


def test_copies(telemetry, handle):
    """Copied, pickled and weakly referred to as a function and a method are."""
    agent = Agent()
    for value in (answer, Agent.ask, Agent.of_nobody):
        assert copy.copy(value) is copy.deepcopy(value) is through_pickle(value) is value
    for bound in (copy.copy(agent.ask), copy.deepcopy(agent.ask), through_pickle(agent.ask)):
        assert bound.__func__ is Agent.ask
        assert bound("x")[1] == "x"
    assert weakref.WeakMethod(agent.ask)()("x") == (agent, "x")
    assert weakref.ref(answer)() is answer
    assert len(telemetry.spans()) == 4
    assert through_pickle(agentnet_otel.traced_turn("partial")(functools.partial(max, 2)))(1) == 2
    with pytest.raises((AttributeError, pickle.PicklingError), match="<locals>"):
        through_pickle(agentnet_otel.traced_turn("local")(lambda: None))


def test_the_prompt_is_found_by_name_or_place(telemetry, handle, warnings_of_ours):
    """However it is given; a name that no parameter has is told."""

    @agentnet_otel.traced_turn("a", prompt="question")
    def ask(self_made, question="default"):
        return self_made

    ask(1, "12")
    ask(1, question="123")
    ask(1)
    ask("not the prompt", 5)
    agentnet_otel.traced_turn("b", prompt="nothing")(ask)("x", "y")
    assert [t.prompt_length for t in handle.turns()] == [2, 3, None, None, 1, None]
    (told,) = warnings_of_ours()
    assert "prompt='nothing' names no parameter" in told
    assert "test_wrapping.py" in told


def test_static_and_class_methods_stay_such():
    """What stands in the class is of the same kind, and knows its wrapper."""
    calls = []

    def note(wrapped, instance, args, kwargs):
        calls.append((instance, args))
        return wrapped(*args, **kwargs)

    for kind in (staticmethod, classmethod):
        made = wrap(kind(lambda *args: args), note)
        assert type(made) is kind
        assert type(wrapped_in(made)) is WrappedFunction
    assert wrapped_in(lambda: None) is None
    assert wrapped_in(staticmethod(len)) is None
