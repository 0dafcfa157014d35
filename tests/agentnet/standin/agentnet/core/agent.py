"""The agent: one engine, with monitors, memory, tools and a cost recorder."""

import asyncio
import inspect
import logging
import time
from dataclasses import asdict
from functools import lru_cache

from ..memory.manager import MemoryManager
from ..tools.executor import ToolExecutor
from ._trees import Run, error_tree, fault_tree, success_tree
from .autoconfig import get_global_autoconfig
from .cost.recorder import CostRecorder, read_tokens
from .types import CognitiveFault

logger = logging.getLogger(__name__)


def _frozen(mapping):
    """Return a dict as a sorted tuple, None as None."""
    return None if mapping is None else tuple(sorted(mapping.items()))


class AgentNet:
    """An agent whose every turn returns a dict, failures included."""

    def __init__(
        self, name, style, engine=None, monitors=None, dialogue_config=None, pre_monitors=None,
        memory_config=None, tool_registry=None, cost_recorder=None, tenant_id=None,
        *, enable_reasoning_cache=False, reasoning_cache_size=64,
    ):
        self.name = name
        self.style = style
        self.engine = engine
        self.monitors = monitors or []
        self.pre_monitors = pre_monitors or []
        self.dialogue_config = dialogue_config or {}
        self.memory_manager = MemoryManager(memory_config) if memory_config else None
        self.tool_registry = tool_registry
        self.tool_executor = ToolExecutor(tool_registry) if tool_registry else None
        self.cost_recorder = cost_recorder or CostRecorder()
        self.tenant_id = tenant_id
        self.enable_reasoning_cache = enable_reasoning_cache
        self.reasoning_cache_size = reasoning_cache_size
        self.interaction_history = []

    # -- public turns

    def generate_reasoning_tree(
        self, task, include_monitor_trace=False, max_depth=3, confidence_threshold=0.7,
        style_override=None, metadata=None,
    ):
        """Run one turn; it writes memory and never reads it."""
        return self._generate_reasoning_tree(
            task, include_monitor_trace, max_depth, confidence_threshold, style_override, metadata
        )

    def generate_reasoning_tree_enhanced(
        self, task, include_monitor_trace=False, max_depth=3, confidence_threshold=0.7,
        style_override=None, use_memory=True, memory_context=None, metadata=None,
    ):
        """Run one turn that reads memory first."""
        return self._generate_reasoning_tree(
            task, include_monitor_trace, max_depth, confidence_threshold, style_override, metadata,
            use_memory=use_memory, memory_context=memory_context,
        )

    async def async_generate_reasoning_tree(
        self, task, include_monitor_trace=False, max_depth=3, confidence_threshold=0.7,
        style_override=None, metadata=None,
    ):
        """Run one turn; a sync engine goes to a pool thread with an empty context (trap 4)."""
        if inspect.iscoroutinefunction(getattr(self.engine, "infer", None)):
            return await self._async_reasoning_tree_internal(
                task, include_monitor_trace, max_depth, confidence_threshold, style_override, metadata
            )
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            None,
            lambda: self.generate_reasoning_tree(
                task, include_monitor_trace, max_depth, confidence_threshold, style_override, metadata
            ),
        )

    # -- the two inner turns

    def _generate_reasoning_tree(
        self, task, include_monitor_trace=False, max_depth=3, confidence_threshold=0.7,
        style_override=None, metadata=None, use_memory=False, memory_context=None,
        *, _internal_cache_bypass=False,
    ):
        """Run the sync turn; what comes before the try is raised to the caller."""
        if self.enable_reasoning_cache and not _internal_cache_bypass:
            args = (task, include_monitor_trace, max_depth, confidence_threshold)
            return self._reenter(args, style_override, metadata, use_memory, memory_context)
        run = self._start_run(task, include_monitor_trace, max_depth, confidence_threshold, metadata)
        run.enhanced_task, run.retrieval = self._retrieve_memory_context(
            task, use_memory, memory_context
        )
        try:
            base = self._engine_infer_sync(run.enhanced_task)
            styled = self._process(run, base, style_override)
            self._store_result_memory(task, styled, memory_context)
        except CognitiveFault as fault:
            return fault_tree(run, fault)
        except Exception as exc:
            logger.error("agent %s failed: %s", self.name, exc)
            return error_tree(run, exc, "Unexpected error", with_memory=True)
        return self._remember(success_tree(run, styled))

    async def _async_reasoning_tree_internal(
        self, task, include_monitor_trace=False, max_depth=3, confidence_threshold=0.7,
        style_override=None, metadata=None,
    ):
        """Run the turn of a coroutine engine: no memory, faults become errors (trap 5)."""
        run = self._start_run(task, include_monitor_trace, max_depth, confidence_threshold, metadata)
        try:
            base = await self._engine_infer_async(task)
            styled = self._process(run, base, style_override)
        except Exception as exc:
            logger.error("agent %s failed: %s", self.name, exc)
            return error_tree(run, exc, "Async error", with_memory=False)
        return self._remember(success_tree(run, styled))

    def _reenter(self, args, style_override, metadata, use_memory, memory_context):
        """Look into a cache made anew for each call, so it never fills (trap 11)."""

        def compute(*_key):
            return self._generate_reasoning_tree(
                *args, style_override, metadata, use_memory, memory_context,
                _internal_cache_bypass=True,
            )

        key = (*args, _frozen(style_override), _frozen(metadata), use_memory, _frozen(memory_context))
        return lru_cache(maxsize=self.reasoning_cache_size)(compute)(*key)

    def _start_run(self, task, with_trace, max_depth, confidence_threshold, metadata):
        """Configure the scenario and return the state of this call."""
        config, chosen = get_global_autoconfig(), None
        if config.should_auto_configure(metadata):
            chosen = config.configure_scenario(
                task, context=metadata, base_max_depth=max_depth,
                base_confidence_threshold=confidence_threshold,
            )
        return Run(self, task, metadata, [] if with_trace else None, chosen, enhanced_task=task)

    def _process(self, run, base, style_override):
        """Take an engine dict through monitors, style and cost."""
        self._run_pre_monitors(run.task, base, run.trace)
        styled = self._apply_style_influence(base, run.task, style_override)
        self._run_post_monitors(run.task, styled, run.trace)
        ids = run.metadata or {}
        self._maybe_record_cost(styled, task_id=ids.get("task_id"), session_id=ids.get("session_id"))
        return styled

    def _remember(self, tree):
        """Add a good turn to the history."""
        self.interaction_history.append(tree)
        return tree

    # -- engine

    def _engine_infer_sync(self, prompt):
        """Ask the engine; a coroutine it returns is not awaited (trap 7)."""
        if self.engine is None:
            return self._canned(prompt)
        raw = self.engine.infer(prompt, agent_name=self.name)
        return self._normalize_engine_result(raw)

    async def _engine_infer_async(self, prompt):
        """Ask a coroutine engine in the caller's task."""
        if self.engine is None:
            return self._canned(prompt)
        raw = await self.engine.infer(prompt, agent_name=self.name)
        return self._normalize_engine_result(raw)

    def _canned(self, prompt):
        """Return the answer of an agent without an engine."""
        return {"content": f"[{self.name}] No engine, so nothing was asked: {prompt}", "confidence": 0.5}

    def _normalize_engine_result(self, raw):
        """Keep a dict as it is; anything else becomes its str (trap 1)."""
        return raw if isinstance(raw, dict) else {"content": str(raw), "confidence": 0.8}

    # -- steps after the engine

    def _run_pre_monitors(self, task, result, trace=None):
        """Run the monitors that see the raw engine dict."""
        if self.pre_monitors:
            self._exec_monitors(self.pre_monitors, "pre", task, result, trace)

    def _run_post_monitors(self, task, result, trace=None):
        """Run the monitors that see the styled result."""
        if self.monitors:
            self._exec_monitors(self.monitors, "post", task, result, trace)

    def _exec_monitors(self, monitors, stage, task, result, trace):
        """Call each monitor; only a CognitiveFault stops, and it is traced twice (trap 15)."""
        for monitor in monitors:
            name, started = getattr(monitor, "__name__", "monitor"), time.time()
            entry = {"monitor": name, "stage": stage, "started": started, "status": "ok"}
            try:
                monitor(self, task, result)
            except CognitiveFault as fault:
                entry.update(status="cognitive_fault", fault=fault.to_dict())
                if trace is not None:
                    trace.append(entry)
                raise
            except Exception as exc:
                entry.update(status="error", error=str(exc))
                logger.error("monitor %s failed: %s", name, exc)
            finally:
                entry["duration"] = time.time() - started
                if trace is not None:
                    trace.append(entry)

    def _apply_style_influence(self, base_result, task, style_override=None):
        """Return a new dict whose confidence is scaled by the style."""
        style = {**self.style, **(style_override or {})}
        logic = style.get("logic", 0.5)
        influence = (logic + style.get("analytical", logic)) / 2
        scaled = base_result.get("confidence", 0.8) * (0.8 + 0.4 * influence)
        return {
            **base_result,
            "confidence": max(0.05, min(1.0, scaled)),
            "style_applied": True,
            "style_influence": influence,
            "effective_style": style,
        }

    def _maybe_record_cost(self, result, task_id=None, session_id=None):
        """Record the cost of a result that has usage; returns None always (trap 19)."""
        usage, _, _ = read_tokens(result)
        if not usage:
            return
        kind = type(self.engine).__name__.lower()
        provider = getattr(self.engine, "provider", kind.removesuffix("adapter").removesuffix("engine"))
        model = usage.get("model") or result.get("model") or getattr(self.engine, "model_name", "unknown")
        self.cost_recorder.record_inference_cost(
            provider, model, result, self.name, task_id or f"task_{time.time_ns()}",
            session_id=session_id, tenant_id=self.tenant_id,
        )

    # -- memory

    def _retrieve_memory_context(self, task, use_memory, memory_context):
        """Return the task with remembered lines, and the retrieval or None."""
        if not use_memory or self.memory_manager is None:
            return task, None
        found = self.retrieve_memory(task, memory_context)
        if not found or not found["entries"]:
            return task, found
        lines = "\n".join(f"- {entry['content']}" for entry in found["entries"])
        return f"{task}\n\nRemembered:\n{lines}", found

    def _store_result_memory(self, task, styled_result, memory_context):
        """Store a confident, non-empty answer."""
        content = styled_result.get("content")
        if self.memory_manager is None or not content or styled_result["confidence"] <= 0.7:
            return
        details = {"task": task, "confidence": styled_result["confidence"], **(memory_context or {})}
        self.store_memory(content, details, ["reasoning"])

    def store_memory(self, content, metadata=None, tags=None):
        """Store one text; False without memory."""
        if self.memory_manager is None:
            return False
        return self.memory_manager.store(content, self.name, metadata, tags)

    def retrieve_memory(self, query, context=None):
        """Return what memory holds as a dict; None without memory."""
        if self.memory_manager is None:
            return None
        return asdict(self.memory_manager.retrieve(query, self.name, context))

    # -- tools and advanced reasoning

    async def execute_tool(self, tool_name, parameters, context=None):
        """Run a tool under the agent's name; None without tools."""
        if self.tool_executor is None:
            return None
        result = await self.tool_executor.execute_tool(
            tool_name, parameters, user_id=self.name, context=context
        )
        return result.to_dict()

    def list_available_tools(self, tag=None):
        """Return name and schema of each tool; nothing without tools."""
        if self.tool_executor is None:
            return []
        registry = self.tool_executor.registry
        specs = [registry.get_tool(name).spec for name in registry.list_tools()]
        return [{"name": spec.name, "description": spec.description, "schema": spec.schema} for spec in specs]

    def advanced_reason(self, task, reasoning_mode="auto", context=None, use_temporal=False):
        """Return a fixed answer without asking the engine (trap 23)."""
        return self._no_advanced(task, mode=reasoning_mode)

    def hybrid_reasoning(self, task, modes, context=None):
        """Return a fixed answer without asking the engine (trap 23)."""
        return self._no_advanced(task, modes=list(modes))

    def _no_advanced(self, task, **extra):
        """Say that advanced reasoning is absent."""
        return {
            "content": f"[{self.name}] advanced reasoning is absent: {task}",
            "confidence": 0.3, "phase7_available": False, **extra,
        }
