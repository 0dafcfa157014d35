"""Runs tools; whatever goes wrong becomes a status."""

import asyncio
import json
import time

from .base import ToolResult, ToolStatus
from .rate_limiter import RateLimiter


class ToolExecutor:
    """Runs registered tools under limits, with a cache."""

    def __init__(self, registry, rate_limiter=None, auth_provider=None, policy_engine=None):
        self.registry = registry
        self.rate_limiter = rate_limiter or RateLimiter()
        self.auth_provider = auth_provider
        self.policy_engine = policy_engine
        self._cache = {}

    async def execute_tool(self, tool_name, parameters, user_id=None, context=None):
        """Run one tool; a cached result is the same object again (trap 18)."""
        started = time.time()
        try:
            result = await self._run(tool_name, parameters, user_id, context)
        except asyncio.TimeoutError:
            result = ToolResult(ToolStatus.TIMEOUT, error_message=f"tool {tool_name} timed out")
        except Exception as exc:
            result = ToolResult(ToolStatus.ERROR, error_message=str(exc))
        result.execution_time = time.time() - started
        return result

    async def _run(self, tool_name, parameters, user_id, context):
        """Look up, then cache, rate limit, validation and the call; auth always passes."""
        tool = self.registry.get_tool(tool_name)
        if tool is None:
            return ToolResult(ToolStatus.ERROR, error_message=f"unknown tool: {tool_name}")
        spec = tool.spec
        key = f"{tool_name}:{json.dumps(parameters, sort_keys=True, default=str)}"
        if spec.cached and key in self._cache:
            return self._cache[key]
        limit = spec.rate_limit_per_min
        if limit and not self.rate_limiter.allow(tool_name, user_id, limit):
            return ToolResult(ToolStatus.RATE_LIMITED, error_message=f"too many calls of {tool_name}")
        problem = tool.check_parameters(parameters)
        if problem:
            return ToolResult(ToolStatus.ERROR, error_message=problem)
        result = await asyncio.wait_for(tool.execute(parameters, context), spec.timeout_seconds)
        if spec.cached and result.status is ToolStatus.SUCCESS:
            self._cache[key] = result
        return result

    async def execute_tools_parallel(self, tool_calls, user_id=None, context=None):
        """Run several calls, dicts of tool_name and parameters, at once."""
        return await asyncio.gather(
            *(
                self.execute_tool(call["tool_name"], call.get("parameters", {}), user_id, context)
                for call in tool_calls
            )
        )

    async def execute_with_governance(self, tool_name, parameters, user_id=None, context=None):
        """Fail with AttributeError: the governor was never made."""
        return await self.governor.execute_tool(tool_name, parameters, user_id, context)
