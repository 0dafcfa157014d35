"""What is wrapped: every place of AgentNet that a turn passes, in the order of the framework's own modules."""

from typing import Final

from agentnet_otel import semconv
from agentnet_otel.instrumentation.hooks.driver import Hook, async_wrapper, stream_wrapper, sync_wrapper
from agentnet_otel.instrumentation.hooks.engines import (
    AgentInference,
    Attempt,
    EngineCall,
    RawAnswer,
    Streaming,
    take_item,
)
from agentnet_otel.instrumentation.hooks.orchestration import EngineTurn, GraphTask, Round, Session
from agentnet_otel.instrumentation.hooks.patching import Patches, Target, TargetStatus, late_patches
from agentnet_otel.instrumentation.hooks.policies import MonitorRun, MonitorStage, PolicyEvaluation
from agentnet_otel.instrumentation.hooks.reasoning import AdvancedReasoning, AsyncReasoning, Reasoning, Step
from agentnet_otel.instrumentation.hooks.tools_and_memory import MemoryCall, ToolCall
from agentnet_otel.instrumentation.wrapping import Wrapper
from agentnet_otel.model import LatencyComponent

_PROVIDER_MODULES: Final = ("agentnet.providers.base", "agentnet.providers.instrumented")


def _agent(name: str, wrapper: Wrapper) -> Target:
    return Target(module="agentnet.core.agent", owner="AgentNet", name=name, wrapper=wrapper, subclasses=True)


def _step(component: LatencyComponent, name: str) -> Wrapper:
    return sync_wrapper(Step(component, name))


def _agent_targets() -> tuple[Target, ...]:
    processing = LatencyComponent.RESPONSE_PROCESSING
    return (
        _agent("generate_reasoning_tree", sync_wrapper(Reasoning())),
        _agent("generate_reasoning_tree_enhanced", sync_wrapper(Reasoning())),
        _agent("async_generate_reasoning_tree", async_wrapper(AsyncReasoning())),
        _agent("advanced_reason", sync_wrapper(AdvancedReasoning())),
        _agent("hybrid_reasoning", sync_wrapper(AdvancedReasoning())),
        _agent("_engine_infer_sync", sync_wrapper(AgentInference())),
        _agent("_engine_infer_async", async_wrapper(AgentInference())),
        _agent("_normalize_engine_result", sync_wrapper(RawAnswer())),
        _agent("_exec_monitors", sync_wrapper(MonitorRun())),
        _agent("_run_pre_monitors", sync_wrapper(MonitorStage("pre", "pre_monitors"))),
        _agent("_run_post_monitors", sync_wrapper(MonitorStage("post", "monitors"))),
        _agent("_apply_style_influence", _step(processing, "style_influence")),
        _agent("_maybe_record_cost", _step(processing, "record_cost")),
        _agent("retrieve_memory", sync_wrapper(MemoryCall(semconv.OP_SEARCH_MEMORY, "memory_manager"))),
        _agent("store_memory", sync_wrapper(MemoryCall(semconv.OP_CREATE_MEMORY, "memory_manager"))),
        _agent("execute_tool", async_wrapper(ToolCall("tool_executor"))),
    )


def _provider_targets() -> tuple[Target, ...]:
    hooks: tuple[tuple[str, Wrapper], ...] = (
        ("infer", sync_wrapper(EngineCall())),
        ("async_infer", async_wrapper(EngineCall())),
        ("_infer", async_wrapper(Attempt())),
        ("stream_infer", stream_wrapper(Streaming(), take_item)),
    )
    return tuple(
        Target(module=module, owner="ProviderAdapter", name=name, wrapper=wrapper, subclasses=True)
        for module in _PROVIDER_MODULES
        for name, wrapper in hooks
    )


def _other_targets() -> tuple[Target, ...]:
    engine = "agentnet.core.orchestration.turn_engine"
    dialogue = "agentnet.dialogue.enhanced_modes"
    memory = "agentnet.memory.manager"
    rows: tuple[tuple[str, str, str, Hook, bool, bool], ...] = (
        # module, class, name, hook, coroutine function, subclasses too
        ("agentnet.core.autoconfig", "AutoConfig", "configure_scenario", _autoconfig(), False, False),
        ("agentnet.tools.executor", "ToolExecutor", "execute_tool", ToolCall(), True, True),
        (memory, "MemoryManager", "retrieve", MemoryCall(semconv.OP_SEARCH_MEMORY), False, True),
        (memory, "MemoryManager", "store", MemoryCall(semconv.OP_CREATE_MEMORY), False, True),
        ("agentnet.core.policy.engine", "PolicyEngine", "evaluate", PolicyEvaluation(), False, True),
        (engine, "TurnEngine", "execute_single_agent_session", Session("single_agent"), True, False),
        (engine, "TurnEngine", "execute_multi_agent_session", Session("round_robin"), True, False),
        (engine, "TurnEngine", "_execute_round", Round(), True, False),
        (engine, "TurnEngine", "_execute_agent_turn", EngineTurn(), True, False),
        ("agentnet.core.orchestration.scheduler", "TaskScheduler", "_execute_single_task", GraphTask(), True, False),
        (dialogue, "BaseDialogueMode", "conduct_dialogue", Session("dialogue"), False, True),
        (dialogue, "BaseDialogueMode", "conduct_async_dialogue", Session("dialogue"), True, True),
    )
    return tuple(
        Target(
            module=module,
            owner=owner,
            name=name,
            wrapper=async_wrapper(hook) if coroutine else sync_wrapper(hook),
            subclasses=subclasses,
        )
        for module, owner, name, hook, coroutine, subclasses in rows
    )


def _autoconfig() -> Hook:
    return Step(LatencyComponent.ORCHESTRATION, "configure_scenario")


_patches: Final = Patches((*_agent_targets(), *_provider_targets(), *_other_targets()))


_users: Final[set[str]] = set()
"""Who wants the wraps: they stay until nobody does."""


def install(user: str = "instrument") -> None:
    """Wrap AgentNet, now or when it is imported, for ``user``."""
    _users.add(user)
    _patches.install()
    late_patches.install()


def uninstall(user: str = "instrument") -> None:
    """Take every wrap back, unless another user still wants them."""
    _users.discard(user)
    if not _users:
        late_patches.uninstall()
        _patches.uninstall()


def status() -> list[TargetStatus]:
    """What is hooked, what this version lacks, and what waits for an import."""
    return _patches.status()
