"""What OpenInference writes of LangChain and LangGraph: an agent, a nested one, a failure, a stream, a plain chain."""

import contextlib
import time

from langchain.agents import create_agent
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openinference.instrumentation import using_session
from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider(resource=Resource.create({"service.name": "recording"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
LangChainInstrumentor().instrument(tracer_provider=provider)

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


with using_session("trip-1"):
    planner.invoke({"messages": [("user", "the weather?")]})
with using_session("trip-2"):
    coordinator.invoke({"messages": [("user", "ask for the weather")]})
with contextlib.suppress(Exception):  # it has to fail
    planner.invoke({"messages": [("user", "FAIL please")]})
with using_session("trip-3"):
    for _ in planner.stream({"messages": [("user", "the weather?")]}, stream_mode="messages"):
        pass
    chain = Notes() | (lambda found: {"topic": str(found)}) | ChatPromptTemplate.from_template("On {topic}") | model
    chain.with_config(run_name="notes").invoke("Paris")
model.invoke("hello")
provider.shutdown()
