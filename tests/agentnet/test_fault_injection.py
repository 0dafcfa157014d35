"""Each function of the write side fails in turn: the application does not see it, whatever it runs."""

import asyncio
import contextvars
import importlib
import inspect
import pkgutil
import sys
import threading

import pytest
import workload
from agentnet.core.policy.engine import PolicyEngine
from agentnet.providers.example import ExampleEngine
from engines import CoroutineEngine
from opentelemetry import context as otel_context
from opentelemetry._logs import LoggerProvider
from opentelemetry.metrics import MeterProvider
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import Sampler

import agentnet_otel
from agentnet_otel import instrumentation
from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.context import Attachment
from agentnet_otel.instrumentation.hooks import patching, table
from agentnet_otel.instrumentation.hooks.driver import Hook
from agentnet_otel.instrumentation.lifecycle import lifecycle
from agentnet_otel.instrumentation.recorder import Recorder
from agentnet_otel.instrumentation.relay import relay_of
from agentnet_otel.sources import live
from agentnet_otel.testing import InMemoryTelemetry

STEPS = ("open", "target", "returned", "raised")
GIVES_BACK = {"leave", "_make_current"}
"""These and the methods of `Attachment` give the context back: where they fail, it stays."""
NOT_IN_A_CALL = {
    # the guard itself, and what only runs when an application sets up, forks or ends
    "faults", "sdk_setup", "file_exporter", "hooks.table", "hooks.patching", "wrapping",
}  # fmt: skip
BOUNDARY = {
    # what the application's call passes through: it is these that keep faults from it
    "OpenSpan.start", "OpenSpan.end", "OpenSpan.attach",
    "_Running.note", "_end", "sync_wrapper", "async_wrapper", "stream_wrapper", "run_within",
    "_CarryingScheduler.__getattr__", "_Carrying.generate_reasoning_tree", "_in_context_of",
    "Lifecycle.renew_lock_after_fork", "step_generator", "step_async_generator", "_first_step",
    "_without_our_frame", "attached",
}  # fmt: skip


class FaultOfOursError(Exception):
    """What is thrown in."""


def modules():
    """Those of the write side."""
    prefix = "agentnet_otel.instrumentation."
    found = [importlib.import_module(m.name) for m in pkgutil.walk_packages(instrumentation.__path__, prefix)]
    named = {m.__name__.removeprefix(prefix): m for m in found}
    return [module for name, module in named.items() if name not in NOT_IN_A_CALL] + [live]


def functions_of(owner, module):
    """Names of the functions, methods and properties that ``owner`` defines in ``module``, constructors left out."""
    for name, value in vars(owner).items():
        inner = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        is_ours = inspect.isfunction(inner) and inspect.unwrap(inner).__module__ == module.__name__
        if is_ours and (not name.startswith("__") or name == "__call__"):
            yield name


def places():
    """Every (owner, name) of the write side, as tests: modules for functions, classes for methods."""
    for module in modules():
        title = module.__name__.removeprefix("agentnet_otel.")
        for name in functions_of(module, module):
            yield module, name, f"{title}:{name}"
        for cls in vars(module).values():
            if isinstance(cls, type) and cls.__module__ == module.__name__:
                for name in functions_of(cls, module):
                    yield cls, name, f"{title}:{cls.__name__}.{name}"


PLACES = [(owner, name, path) for owner, name, path in places() if path.partition(":")[2] not in BOUNDARY]


class Broken:
    """Functions of the write side that fail, until `mend`."""

    def __init__(self, kind):
        self.kind = kind
        self.calls = 0
        self._patch = pytest.MonkeyPatch()

    def fail(self, *args, **kwargs):
        """Fail."""
        self.calls += 1
        raise self.kind

    def break_everywhere(self, owner, name):
        """Put a failing function wherever the original is known by name; a guarded one fails inside its guard."""
        original = vars(owner)[name]
        broken = lambda *args, **kwargs: self.fail()  # noqa: E731 - a function, to be bound like one
        if isinstance(original, property):
            broken = property(broken)
        elif isinstance(original, staticmethod | classmethod):
            broken = type(original)(broken)
        elif hasattr(original, "__wrapped__"):
            broken = faults.guarded(broken, "broken")
        self._patch.setattr(owner, name, broken)
        for module in [module for name, module in sys.modules.items() if name.startswith("agentnet_otel.")]:
            for other, value in list(vars(module).items()):
                if value is original:
                    self._patch.setattr(module, other, broken)

    def mend(self):
        """Put all back."""
        self._patch.undo()


def renewed_hooks():
    """Hooks that are made anew, for they hold the functions of when they were made."""
    return patching.Patches((*table._agent_targets(), *table._provider_targets(), *table._other_targets()))


@pytest.fixture
def instrumented(telemetry, monkeypatch):
    """Makes `instrument()` with new hooks; all content is recorded, and misuse would raise."""

    def start(**given):
        monkeypatch.setattr(table, "_patches", renewed_hooks())
        usual = {
            "tracer_provider": telemetry.tracer_provider,
            "meter_provider": telemetry.meter_provider,
            "logger_provider": telemetry.logger_provider,
        }
        return agentnet_otel.instrument(**{**usual, "capture_content": "SPAN_AND_EVENT", "strict": True, **given})

    yield start
    agentnet_otel.uninstrument()


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What the application sees without instrumentation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("plain"))
        return workload.run_everything()


@pytest.fixture(scope="module")
def reached(tmp_path_factory):
    """The code of all functions that the workload passes through."""
    codes = set()

    def note(frame, event, arg):
        codes.add(frame.f_code)

    telemetry = InMemoryTelemetry()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("traced"))
        patch.setattr(table, "_patches", renewed_hooks())
        handle = agentnet_otel.instrument(
            tracer_provider=telemetry.tracer_provider,
            meter_provider=telemetry.meter_provider,
            logger_provider=telemetry.logger_provider,
            capture_content="SPAN_AND_EVENT",
        )
        threading.setprofile(note)
        sys.setprofile(note)
        try:
            workload.run_everything()
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
            handle.shutdown()
            telemetry.close()
    return codes


def is_reached(owner, name, codes):
    """Whether the code of a place is among those."""
    value = vars(owner)[name]
    value = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
    return inspect.unwrap(value).__code__ in codes


def test_everything_is_enumerated():
    """All hooks and their steps are among the places."""
    paths = {path.partition(":")[2] for _, _, path in PLACES}
    waiting, steps = [Hook], set()
    while waiting:
        hook = waiting.pop()
        waiting += hook.__subclasses__()
        if hook.__module__.startswith("agentnet_otel."):
            steps |= {f"{hook.__name__}.{step}" for step in STEPS if step in vars(hook)}
    assert steps <= paths
    assert len(steps) > 25


def test_without_a_fault(instrumented, telemetry, expected):
    """The workload reaches every kind of span, and is not changed by being watched."""
    instrumented()
    assert workload.run_everything() == expected
    assert {span.name.split()[0] for span in telemetry.spans()} == {
        "invoke_workflow", "invoke_agent", "chat", "execute_tool", "search_memory", "create_memory", "policy_check",
        "response_processing", "orchestration",
    }  # fmt: skip
    assert not faults.log.faults


def test_most_places_are_reached(reached):
    """The test below is not an empty one."""
    assert sum(is_reached(owner, name, reached) for owner, name, _ in PLACES) > 180


def run_and_look():
    """What the application saw, and which context it is left in."""
    return workload.run_everything(), dict(otel_context.get_current())


@pytest.mark.parametrize("module", dict.fromkeys(place[2].partition(":")[0] for place in PLACES))
def test_a_fault_anywhere(instrumented, expected, reached, caplog, module):
    """Results are those without instrumentation, whichever function fails; that is counted, and told once a site."""
    for owner, name, path in PLACES:
        if not path.startswith(f"{module}:") or not is_reached(owner, name, reached):
            continue
        is_hook = module.startswith("instrumentation.hooks.")
        broken = Broken(FaultOfOursError)
        if is_hook:
            broken.break_everywhere(owner, name)
        handle = instrumented()
        try:
            if not is_hook:
                broken.break_everywhere(owner, name)
            seen, left = contextvars.copy_context().run(run_and_look)
            assert seen == expected, path
        finally:
            broken.mend()
            handle.shutdown()
            lifecycle._open.clear()
        assert left == {} or owner is Attachment or name in GIVES_BACK, path
        assert broken.calls, path
        assert faults.log.fault_count(), path
        told = [record.getMessage() for record in caplog.records if record.name == "agentnet_otel"]
        assert len(set(told)) == len(told) > 0, path
        caplog.clear()
        faults.log.__init__()


ENDS = (KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit)
STEPS_OF_A_TURN = [place for place in PLACES if place[1] in STEPS and "hooks" in place[2]] + [
    (Recorder, name, f"Recorder.{name}") for name in ("open_turn", "open_component", "_start", "_conclude")
]


@pytest.mark.parametrize("kind", ENDS)
def test_what_ends_a_program_is_not_held_back(instrumented, reached, kind):
    """An interrupt that comes while our code runs reaches the application, and no span is left open or current."""
    for owner, name, path in STEPS_OF_A_TURN:
        if not is_reached(owner, name, reached):
            continue
        broken = Broken(kind)
        broken.break_everywhere(owner, name)
        handle = instrumented()
        try:
            seen = contextvars.copy_context().run(run_turns_and_look, kind)
        finally:
            broken.mend()
            handle.shutdown()
        assert bool(broken.calls) == (kind in seen), path
        assert {} in seen, path
        assert not list(lifecycle.open_spans()), path


def run_turns_and_look(kind):
    """Turns one by one; which of the kind got out, and the context after them."""
    seen = []
    quick = ExampleEngine({"model": "m", "simulated_delay_ms": 0})
    plain = workload.make(quick, memory_config=workload.MEMORY, monitors=[workload.watch])
    faulty = workload.make(quick, monitors=[workload.object_to])
    for turn in (
        lambda: plain.generate_reasoning_tree("hi"),
        lambda: faulty.generate_reasoning_tree("hi"),
        lambda: plain.advanced_reason("hi"),
        lambda: asyncio.run(workload.make(CoroutineEngine()).async_generate_reasoning_tree("hi")),
        lambda: PolicyEngine(rules=[], name="rules").evaluate({}),
    ):
        try:
            turn()
        except kind as error:
            seen.append(type(error))
    return [*seen, dict(otel_context.get_current())]


class Failing(SpanProcessor):
    """A span processor that fails."""

    def on_start(self, span, parent_context=None):
        raise FaultOfOursError

    def on_end(self, span):
        raise FaultOfOursError


class FailingExporter(SpanExporter):
    """A span exporter that fails."""

    def export(self, spans):
        raise FaultOfOursError


class FailingSampler(Sampler):
    """A sampler that fails."""

    def should_sample(self, *args, **kwargs):
        raise FaultOfOursError

    def get_description(self):
        raise FaultOfOursError


class FailingInstrument:
    """A meter whose instruments fail."""

    def __getattr__(self, name):
        return self if name.startswith("create_") else self.fail

    def __call__(self, *args, **kwargs):
        return FailingInstrument()

    def fail(self, *args, **kwargs):
        """Fail."""
        raise FaultOfOursError


class FailingMeters(MeterProvider):
    """A meter provider with such meters, or without any."""

    def __init__(self, meter):
        self.meter = meter

    def get_meter(self, *args, **kwargs):
        if self.meter is None:
            raise FaultOfOursError
        return self.meter


class FailingLoggers(LoggerProvider):
    """A logger provider that fails."""

    def get_logger(self, *args, **kwargs):
        raise FaultOfOursError


def fail(*args):
    """Fail."""
    raise FaultOfOursError


def provider_with(processor=None, sampler=None):
    """A provider of the SDK."""
    provider = TracerProvider(sampler, shutdown_on_exit=False)
    if processor is not None:
        provider.add_span_processor(processor)
    return provider


def plugged_in():
    """Arguments of `instrument()` that bring something that fails."""
    return {
        "processor": {"tracer_provider": provider_with(Failing())},
        "exporter": {"tracer_provider": provider_with(SimpleSpanProcessor(FailingExporter()))},
        "sampler": {"tracer_provider": provider_with(sampler=FailingSampler())},
        "instruments": {"meter_provider": FailingMeters(FailingInstrument())},
        "meters": {"meter_provider": FailingMeters(None)},
        "loggers": {"logger_provider": FailingLoggers()},
        "redaction": {"redact": fail},
    }


@pytest.mark.parametrize("name", plugged_in())
def test_a_fault_of_what_is_plugged_in(instrumented, expected, name):
    """Providers, processors, exporters, samplers and redactions of others may fail like ours."""
    instrumented(**plugged_in()[name])
    assert workload.run_everything() == expected
    if name != "exporter":  # the SDK contains these itself
        assert faults.log.fault_count()


def test_a_fault_of_a_reader(instrumented, telemetry, expected):
    """A processor behind our relay, and whatever listens to turns, fail alone: the spans are exported all the same."""
    handle = instrumented()
    relay_of(telemetry.tracer_provider).add(Failing())
    handle.latency.record_turn = fail
    assert workload.run_everything() == expected
    assert len(telemetry.spans("invoke_agent")) == len(handle.turns()) > 10
    assert handle.tokens.get_system_token_overview() == {}


def test_a_log_handler_that_fails(instrumented, expected, monkeypatch):
    """Where even the warning cannot be given, the application goes on."""
    monkeypatch.setattr(faults.logger, "filters", [fail])
    instrumented(redact=fail)
    assert workload.run_everything() == expected
    assert faults.log.unsaid > 0
