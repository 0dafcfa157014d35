"""The hooks themselves: they go on and come off without a trace, and a fault in them harms nobody."""

import asyncio
import gc
import importlib
import subprocess
import sys
import traceback
import weakref

import agentnet.core.agent
import agentnet.core.orchestration.turn_engine
import pytest
from agentnet.core.orchestration.turn_engine import TurnEngine
from agentnet.core.policy.engine import PolicyEngine
from agentnet.providers.example import ExampleEngine
from engines import ANSWER, CallingEngine, CoroutineEngine, DictEngine

import agentnet_otel
from agentnet_otel.instrumentation import hooks
from agentnet_otel.instrumentation.component_span import ComponentSpan
from agentnet_otel.instrumentation.hooks import engines as engine_hooks
from agentnet_otel.instrumentation.hooks import policies

MEMORY = {"memory": {}}


def attributes_of_the_framework():
    """Every entry of every class of the framework, by identity."""
    found = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("agentnet."):
            for cls in [value for value in vars(module).values() if isinstance(value, type)]:
                for key, value in list(vars(cls).items()):
                    if key not in {"__abstractmethods__", "_abc_impl"}:
                        found[(name, cls.__qualname__, key)] = value
    return found


def test_on_and_off_100_times(telemetry):
    """After each `uninstrument` every attribute of every class is the very object that it was."""
    before = attributes_of_the_framework()
    for _ in range(100):
        handle = agentnet_otel.instrument(tracer_provider=telemetry.tracer_provider)
        assert agentnet_otel.instrument() is handle
        during = attributes_of_the_framework()
        assert during != before
        agentnet_otel.uninstrument()
        after = attributes_of_the_framework()
        assert after.keys() == before.keys()
        assert all(after[key] is before[key] for key in before)


def test_every_target_is_hooked(handle, real):
    """On the newest version nothing is skipped (the stand-in has all of it, too)."""
    for target in hooks.status():
        importlib.import_module(target.path.rsplit(".", 2)[0])
    states = {target.path: target.state for target in hooks.status()}
    assert set(states.values()) == {"hooked"}, states


ORDER = """
import os, sys, tempfile, warnings
warnings.simplefilter("ignore")
os.chdir(tempfile.mkdtemp())
sys.path[:0] = [{tree!r}, {here!r}]
import agentnet_otel
from agentnet_otel.testing import InMemoryTelemetry
telemetry = InMemoryTelemetry()
steps = {steps!r}
for step in steps:
    if step == "import":
        import agentnet.core.agent
    elif step == "instrument":
        agentnet_otel.instrument(tracer_provider=telemetry.tracer_provider)
    else:
        agentnet_otel.uninstrument()
from engines import DictEngine
agentnet.core.agent.AgentNet("ag", {{"logic": 0.8}}, engine=DictEngine()).generate_reasoning_tree("hi")
print(len(telemetry.spans("invoke_agent")), len(telemetry.spans("chat")))
"""


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (["import", "instrument"], "1 1"),
        (["instrument", "import"], "1 1"),
        (["instrument", "uninstrument", "import"], "0 0"),
        (["instrument", "uninstrument", "import", "instrument"], "1 1"),
    ],
)
def test_the_order_of_import_does_not_matter(tmp_path, steps, expected):
    """Whichever of `import agentnet` and `instrument()` comes first."""
    tree, here = agentnet.__path__[0].rsplit("/", 1)[0], __file__.rsplit("/", 1)[0]
    script = tmp_path / "order.py"
    script.write_text(ORDER.format(tree=tree, here=here, steps=steps))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith(expected), done.stderr


def test_the_applications_exceptions_pass_unchanged(telemetry, handle, agent):
    """Identical object, type, message, and the same end of the traceback as without instrumentation."""

    class BoomError(Exception):
        """The application's own."""

    def fail():
        raise BoomError("message")

    adapter = ExampleEngine({"model": "m"})
    adapter._calculate_cost = lambda *args: fail()
    policy = PolicyEngine(rules=[], name="rules")
    cases = [
        lambda: asyncio.run(adapter.async_infer("hi")),
        lambda: agent(DictEngine()).generate_reasoning_tree(5),
        lambda: agent(DictEngine()).generate_reasoning_tree("hi", metadata=5),
        lambda: policy.evaluate(None, tags=fail),
        lambda: asyncio.run(TurnEngine().execute_multi_agent_session([agent(DictEngine())], "x")),
    ]

    def ends(case):
        try:
            case()
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            ours = "agentnet_otel"
            theirs = [(f.filename, f.lineno) for f in frames if ours not in f.filename and "wrapt" not in f.filename]
            return type(error), str(error), theirs[-1], frames[-1].filename, error.__cause__, error.__context__
        return None

    with_us = [ends(case) for case in cases]
    handle.shutdown()
    assert [ends(case) for case in cases] == with_us
    assert sum(end is not None for end in with_us) >= 3


def test_results_are_the_very_objects(telemetry, handle, agent):
    """Nothing is copied or replaced on the way."""
    result = dict(ANSWER)

    class Engine:
        def infer(self, prompt, agent_name=None):
            return result

    made = agent(Engine())
    assert made._normalize_engine_result(result) is agent()._normalize_engine_result(result)
    assert made.generate_reasoning_tree("hi")["result"]["content"] == "hello"


def test_agents_and_engines_are_not_kept_alive(telemetry, handle, agent):
    """An ended turn holds neither its agent nor its prompt."""

    class Engine(DictEngine):
        """One that can be referred to weakly."""

    made = agent(Engine())
    alive = weakref.ref(made), weakref.ref(made.engine)
    made.generate_reasoning_tree("hi")
    del made
    gc.collect()
    assert [ref() for ref in alive] == [None, None]


def test_an_agent_without_its_own_step_has_its_engine_hooked(telemetry, handle, agent, monkeypatch):
    """Older versions call the engine straight: then the engine's own method is the inference."""
    monkeypatch.setattr(engine_hooks, "AGENT_STEP", "_no_such_step")
    original = vars(CallingEngine)["infer"]
    engine = CallingEngine(lambda: None)
    agent(engine).generate_reasoning_tree("hi")
    assert vars(CallingEngine)["infer"] is not original
    assert engine.infer("x")["content"] == "hello"
    assert len(telemetry.spans("chat")) == 2
    agent(CoroutineEngine()).generate_reasoning_tree  # noqa: B018 - made, not called
    asyncio.run(agent(CoroutineEngine()).async_generate_reasoning_tree("hi"))
    agent(None).generate_reasoning_tree("hi")
    agentnet_otel.uninstrument()
    assert vars(CallingEngine)["infer"] is original


def test_classes_that_are_defined_later_are_hooked(telemetry, handle):
    """A subclass of a provider, defined while instrumented, and its own `__init_subclass__` hook."""

    class Later(ExampleEngine):
        def __init_subclass__(cls, **kwargs):
            super().__init_subclass__(**kwargs)
            cls.seen = True

        async def _infer(self, prompt, **kwargs):
            return await super()._infer(prompt, **kwargs)

    class Last(Later):
        """Hooked by inheritance."""

    assert Last.seen
    Last({"model": "m"}).infer("hi")
    (call,) = telemetry.spans("chat m")
    assert call.attributes["agentnet.inference.attempts"] == 1


def test_a_wrapper_over_ours_is_left_alone(telemetry, handle, agent):
    """Where others wrapped our wrapper it stays, and does nothing after `uninstrument`."""
    cls = agentnet.core.agent.AgentNet
    ours = vars(cls)["generate_reasoning_tree"]
    original = ours.__wrapped__

    def theirs(self, *args, **kwargs):
        return ours.__get__(self, cls)(*args, **kwargs)

    cls.generate_reasoning_tree = theirs
    try:
        agent(DictEngine()).generate_reasoning_tree("hi")
        agentnet_otel.uninstrument()
        agent(DictEngine()).generate_reasoning_tree("hi")
        assert vars(cls)["generate_reasoning_tree"] is theirs
        assert len(telemetry.spans("invoke_agent")) == 1
    finally:
        cls.generate_reasoning_tree = original


def test_components_stand_below_their_turn_everywhere(telemetry, handle, agent):
    """One turn, one span; every other span of ours is its descendant."""
    asyncio.run(agent(DictEngine(), memory_config=MEMORY).async_generate_reasoning_tree("hi"))
    (turn,) = telemetry.spans("invoke_agent")
    for span in telemetry.spans():
        if span is not turn:
            assert isinstance(span.parent.span_id, int)
            assert span.attributes["agentnet.turn.id"] == turn.attributes["agentnet.turn.id"]
    assert ComponentSpan.kind_name == "component"


def test_monitors_of_versions_without_a_common_step(telemetry, handle, agent, monkeypatch):
    """Older versions run their monitors in two steps: each is a policy check."""
    monkeypatch.setattr(policies, "COMMON_STEP", "_no_such_step")

    def watch(agent, task, result):
        """A monitor that has nothing to say."""

    made = agent(DictEngine(), monitors=[watch])
    made._run_pre_monitors("hi", {})
    made._run_post_monitors("hi", {"content": "x"})
    names = [s.name for s in telemetry.spans("policy_check")]
    assert names.count("policy_check watch") == 2
    assert {s.attributes["agentnet.policy.stage"] for s in telemetry.spans("policy_check")} == {"post"}
