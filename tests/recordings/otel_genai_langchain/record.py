"""What OpenTelemetry's instrumentations of LangChain and of the OpenAI client write together."""

import contextlib
import time

from langchain.agents import create_agent
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.genai.langchain import LangChainInstrumentor
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider(resource=Resource.create({"service.name": "recording"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
LangChainInstrumentor().instrument(tracer_provider=provider)
OpenAIInstrumentor().instrument(tracer_provider=provider)

model = ChatOpenAI(model="gpt-4o-mini", max_retries=0, stream_usage=True)


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    time.sleep(0.01)
    return f"sunny in {city}"


researcher = create_agent(model, tools=[], name="researcher")


@tool
def ask_researcher(question: str) -> str:
    """Ask the researcher."""
    return str(researcher.invoke({"messages": [("user", question)]})["messages"][-1].content)


planner = create_agent(model, tools=[get_weather], name="planner")
coordinator = create_agent(model, tools=[ask_researcher], name="coordinator")


class Notes(BaseRetriever):
    """A retriever that finds nothing."""

    def _get_relevant_documents(self, query: str, *, run_manager: object) -> list:
        time.sleep(0.005)
        return []


planner.invoke({"messages": [("user", "the weather?")]}, {"metadata": {"session_id": "trip-1"}})
coordinator.invoke({"messages": [("user", "ask for the weather")]}, {"configurable": {"thread_id": "trip-2"}})
with contextlib.suppress(Exception):  # it has to fail
    planner.invoke({"messages": [("user", "FAIL please")]})
session = {"metadata": {"session_id": "trip-3"}}
for _ in planner.stream({"messages": [("user", "the weather?")]}, session, stream_mode="messages"):
    pass
chain = Notes() | (lambda found: {"topic": str(found)}) | ChatPromptTemplate.from_template("On {topic}") | model
chain.with_config(run_name="notes").invoke("Paris", session)
model.invoke("hello")
provider.shutdown()
