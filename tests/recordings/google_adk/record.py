"""What the Google Agent Development Kit writes itself: a tool, an agent as a tool, a sub-agent, a failure, a stream."""

import asyncio
import contextlib
import time

from google.adk.agents import LlmAgent, RunConfig
from google.adk.agents.run_config import StreamingMode
from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.adk.runners import InMemoryRunner
from google.adk.tools import AgentTool
from google.genai import types
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider(resource=Resource.create({"service.name": "recording"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)


class RuledModel(BaseLlm):
    """Answers by the same rule as the model of the other recordings, and in Gemini's terms."""

    model: str = "gemini-rule"

    async def generate_content_async(self, llm_request: LlmRequest, stream: bool = False):
        await asyncio.sleep(0.02)
        parts = [part for content in llm_request.contents for part in content.parts or []]
        if any(part.text and "FAIL" in part.text for part in parts):
            raise RuntimeError("the request was refused")
        tools = list(llm_request.tools_dict)
        results = sum(part.function_response is not None for part in parts)
        usage = types.GenerateContentResponseUsageMetadata(
            prompt_token_count=100 + 50 * results if tools else 70,
            cached_content_token_count=20 + 10 * results if tools else 10,
            candidates_token_count=32 + 8 * results if tools else 25,
            thoughts_token_count=8 + 2 * results if tools else 5,
            total_token_count=(140 + 60 * results) if tools else 100,
        )
        answer = types.Part(text="It is sunny in Paris")
        if results < len(tools):
            name = tools[results]
            key = {"transfer_to_agent": "agent_name", "get_weather": "city"}.get(name, "request")
            value = "writer" if name == "transfer_to_agent" else "Paris"
            answer = types.Part(function_call=types.FunctionCall(name=name, args={key: value}))
        elif stream:
            yield LlmResponse(content=types.Content(role="model", parts=[types.Part(text="It is")]), partial=True)
            await asyncio.sleep(0.005)
        yield LlmResponse(
            content=types.Content(role="model", parts=[answer]), usage_metadata=usage, model_version="gemini-rule-001"
        )


model = RuledModel()


def get_weather(city: str) -> str:
    """The weather in a city."""
    time.sleep(0.01)
    return f"sunny in {city}"


researcher = LlmAgent(name="researcher", model=model, description="Looks things up")
planner = LlmAgent(name="planner", model=model, tools=[get_weather])
coordinator = LlmAgent(name="coordinator", model=model, tools=[AgentTool(researcher)])
writer = LlmAgent(name="writer", model=model, disallow_transfer_to_parent=True, disallow_transfer_to_peers=True)
triage = LlmAgent(name="triage", model=model, sub_agents=[writer])


async def run(agent, text, session, config=None):
    """One question to an agent."""
    runner = InMemoryRunner(agent=agent, app_name="recording")
    await runner.session_service.create_session(app_name="recording", user_id="user", session_id=session)
    message = types.Content(role="user", parts=[types.Part(text=text)])
    given = {"run_config": config} if config else {}
    async for _ in runner.run_async(user_id="user", session_id=session, new_message=message, **given):
        pass


async def main() -> None:
    """Run it all."""
    await run(planner, "the weather?", "trip-1")
    await run(coordinator, "ask for the weather", "trip-2")
    await run(triage, "write", "trip-3")
    with contextlib.suppress(Exception):  # it has to fail
        await run(planner, "FAIL please", "trip-4")
    await run(planner, "the weather?", "trip-5", RunConfig(streaming_mode=StreamingMode.SSE))


asyncio.run(main())
provider.shutdown()
