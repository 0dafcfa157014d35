"""Every attribute key, span name, metric name, unit and bucket edge of agentnet-otel.

Nowhere else in the package is such a string written. The ``gen_ai.*`` names are facts of the OpenTelemetry
semantic conventions for generative AI, copied here because the generated ``_incubating`` modules are
deprecated. Names under ``agentnet.`` are our own contract, versioned by `CONTRACT_VERSION`.

Some backends drop spans without any ``gen_ai.`` key, and some scrub each key or value that contains
"session", "auth" or "secret". So join keys never stand under such names.
"""

from typing import Final

SCOPE_NAME: Final = "agentnet_otel"
CONTRACT_VERSION: Final = "1"
GEN_AI_SPEC_VERSION: Final = "1.37.0"
"""The conventions that today's dashboards read. A newer table of names gets a block of its own."""
SCHEMA_URL: Final = f"https://opentelemetry.io/schemas/{GEN_AI_SPEC_VERSION}"

# --- resource and scope ------------------------------------------------------------------------------
SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
DEPLOYMENT_ENVIRONMENT: Final = "deployment.environment.name"
TELEMETRY_SDK_VERSION: Final = "telemetry.sdk.version"
PROCESS_RUNTIME_NAME: Final = "process.runtime.name"
PROCESS_RUNTIME_VERSION: Final = "process.runtime.version"
OS_DESCRIPTION: Final = "os.description"
HOST_ARCH: Final = "host.arch"
HOST_CPU_MODEL_NAME: Final = "host.cpu.model.name"
HOST_CPU_CORES: Final = "agentnet.host.cpu.cores"
SCOPE_CONTRACT_VERSION: Final = "agentnet.contract.version"

# --- OpenTelemetry, general --------------------------------------------------------------------------
ERROR_TYPE: Final = "error.type"
ERROR_TYPE_OTHER: Final = "_OTHER"
EXCEPTION_EVENT: Final = "exception"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"

# --- gen_ai: operations and identity -----------------------------------------------------------------
OPERATION_NAME: Final = "gen_ai.operation.name"
OP_INVOKE_WORKFLOW: Final = "invoke_workflow"
OP_INVOKE_AGENT: Final = "invoke_agent"
OP_CHAT: Final = "chat"
OP_GENERATE_CONTENT: Final = "generate_content"
OP_TEXT_COMPLETION: Final = "text_completion"
OP_EXECUTE_TOOL: Final = "execute_tool"
OP_SEARCH_MEMORY: Final = "search_memory"
OP_CREATE_MEMORY: Final = "create_memory"
OP_UPDATE_MEMORY: Final = "update_memory"
OP_UPSERT_MEMORY: Final = "upsert_memory"
OP_DELETE_MEMORY: Final = "delete_memory"
OP_CREATE_MEMORY_STORE: Final = "create_memory_store"
OP_DELETE_MEMORY_STORE: Final = "delete_memory_store"
OP_RETRIEVAL: Final = "retrieval"
OP_EMBEDDINGS: Final = "embeddings"
OP_APPLY_GUARDRAIL: Final = "apply_guardrail"
OP_RUN_GUARDRAIL: Final = "run_guardrail"
OP_PLAN: Final = "plan"

AGENT_NAME: Final = "gen_ai.agent.name"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
WORKFLOW_NAME: Final = "gen_ai.workflow.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
SYSTEM: Final = "gen_ai.system"
"""Former name of `PROVIDER_NAME`; read, never written."""
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
OPERATION_TIME_TO_FIRST_CHUNK: Final = "gen_ai.client.operation.time_to_first_chunk"
"""Another spelling of the same; read, never written."""
SERVER_TIME_TO_FIRST_TOKEN: Final = "gen_ai.server.time_to_first_token"
SERVER_TTFT: Final = "gen_ai.server.ttft"
"""The name of a metric, which some also write on spans, and its former name; read, never written."""

# --- gen_ai: usage -----------------------------------------------------------------------------------
USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
USAGE_PROMPT_TOKENS: Final = "gen_ai.usage.prompt_tokens"
USAGE_COMPLETION_TOKENS: Final = "gen_ai.usage.completion_tokens"
USAGE_CACHE_READ_INPUT_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
USAGE_REASONING_OUTPUT_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
USAGE_COST: Final = "gen_ai.usage.cost"
"""OpenLIT's key for the cost of a call in USD; read, never written."""
OPERATION_COST: Final = "operation.cost"
"""Logfire's key for the same; read, never written."""
TOKEN_TYPE: Final = "gen_ai.token.type"

# --- gen_ai: tools, memory, evaluation, content ------------------------------------------------------
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_TYPE_FUNCTION: Final = "function"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
TOOL_CALL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_CALL_RESULT: Final = "gen_ai.tool.call.result"
MEMORY_RECORD_COUNT: Final = "gen_ai.memory.record.count"
MEMORY_STORE_ID: Final = "gen_ai.memory.store.id"
MEMORY_QUERY_TEXT: Final = "gen_ai.memory.query.text"
MEMORY_RECORDS: Final = "gen_ai.memory.records"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
INFERENCE_DETAILS_EVENT: Final = "gen_ai.client.inference.operation.details"

# --- agentnet: turn ----------------------------------------------------------------------------------
TURN_ID: Final = "agentnet.turn.id"
TURN_OUTCOME: Final = "agentnet.turn.outcome"
TURN_PROMPT_LENGTH: Final = "agentnet.turn.prompt.length"
TURN_RESPONSE_LENGTH: Final = "agentnet.turn.response.length"
TURN_POLICY_VIOLATIONS: Final = "agentnet.turn.policy.violations"
TURN_TOOLS: Final = "agentnet.turn.tools"
TURN_CONFIDENCE: Final = "agentnet.turn.confidence"
TURN_QUALITY: Final = "agentnet.turn.quality"
TURN_TOKENS_PREFIX: Final = "agentnet.turn.tokens."
TURN_COST_USD: Final = "agentnet.turn.cost.usd"
TURN_COST_SOURCE: Final = "agentnet.turn.cost.source"
TURN_TOKEN_EFFICIENCY: Final = "agentnet.turn.token.efficiency"
TURN_TIME_TO_FIRST_TOKEN: Final = "agentnet.turn.time_to_first_token"
TURN_FALLBACK: Final = "agentnet.turn.fallback"
TURN_INTERRUPTED: Final = "agentnet.turn.interrupted"
QUALITY_SOURCE: Final = "agentnet.quality.source"
METRICS_RECORDED: Final = "agentnet.metrics.recorded"
SAMPLING_PROBABILITY: Final = "agentnet.sampling.probability"

# --- agentnet: components ----------------------------------------------------------------------------
LATENCY_COMPONENT: Final = "agentnet.latency.component"
TOKENS_ESTIMATED: Final = "agentnet.tokens.estimated"
TOKEN_CATEGORY: Final = "agentnet.token.category"
COST_USD: Final = "agentnet.cost.usd"
COST_SOURCE: Final = "agentnet.cost.source"
INFERENCE_ATTEMPTS: Final = "agentnet.inference.attempts"
INFERENCE_BATCH: Final = "agentnet.inference.batch"
TOOL_OUTCOME: Final = "agentnet.tool.outcome"
MEMORY_LAYERS: Final = "agentnet.memory.layers"
POLICY_NAME: Final = "agentnet.policy.name"
POLICY_STAGE: Final = "agentnet.policy.stage"
POLICY_MONITORS: Final = "agentnet.policy.monitors"
POLICY_ACTION: Final = "agentnet.policy.action"
POLICY_RULE: Final = "agentnet.policy.rule"
POLICY_SEVERITY: Final = "agentnet.policy.severity"
POLICY_RATIONALE: Final = "agentnet.policy.rationale"
POLICY_VIOLATION_EVENT: Final = "agentnet.policy.violation"
PROCESSING_STEP: Final = "agentnet.processing.step"
ORCHESTRATION_STEP: Final = "agentnet.orchestration.step"
TASK_ID: Final = "agentnet.task.id"
ROUND_NUMBER: Final = "agentnet.round.number"
TURN_NUMBER: Final = "agentnet.turn.number"
WORKFLOW_STATUS: Final = "agentnet.workflow.status"
WORKFLOW_TURNS: Final = "agentnet.workflow.turns"
WORKFLOW_ROUNDS: Final = "agentnet.workflow.rounds"
FAULT_TEXT: Final = "agentnet.fault.text"
COMPONENT_UNFINISHED: Final = "agentnet.component.unfinished"

# --- span names --------------------------------------------------------------------------------------
SPAN_POLICY_CHECK: Final = "policy_check"
SPAN_RESPONSE_PROCESSING: Final = "response_processing"
SPAN_ORCHESTRATION: Final = "orchestration"
UNKNOWN_PROVIDER: Final = "agentnet"
EXAMPLE_PROVIDER: Final = "agentnet.example"
"""AgentNet's own engine that needs no provider."""


def span_name(operation: str, subject: str | None = None) -> str:
    """The name of a span: the operation, then what it works on where that is known."""
    return f"{operation} {subject}" if subject else operation


# --- metrics: names, units, edges --------------------------------------------------------------------
METRIC_TURNS: Final = "agentnet.turns"
METRIC_TURN_DURATION: Final = "agentnet.turn.duration"
METRIC_TURN_ACTIVE: Final = "agentnet.turn.active"
METRIC_TURN_ACTIVE_AGE: Final = "agentnet.turn.active.oldest_age"
METRIC_COMPONENT_DURATION: Final = "agentnet.turn.component.duration"
METRIC_TOKENS: Final = "agentnet.tokens"
METRIC_COST_USD: Final = "agentnet.turn.cost.usd"
METRIC_TOKEN_EFFICIENCY: Final = "agentnet.turn.token.efficiency"
METRIC_POLICY_VIOLATIONS: Final = "agentnet.policy.violations"
METRIC_TOOL_CALLS: Final = "agentnet.tool.calls"
METRIC_GEN_AI_OPERATION_DURATION: Final = "gen_ai.client.operation.duration"
METRIC_GEN_AI_TOKEN_USAGE: Final = "gen_ai.client.token.usage"
METRIC_GEN_AI_INVOKE_AGENT_DURATION: Final = "gen_ai.invoke_agent.duration"
METRIC_GEN_AI_EXECUTE_TOOL_DURATION: Final = "gen_ai.execute_tool.duration"
METRIC_SELF_HOOK_FAULTS: Final = "agentnet.otel.hook.faults"
METRIC_SELF_LATE_WORK: Final = "agentnet.otel.late.work"
METRIC_SELF_MISUSE: Final = "agentnet.otel.misuse"
METRIC_SELF_ABANDONED: Final = "agentnet.otel.spans.abandoned"
METRIC_SELF_LABELS_FOLDED: Final = "agentnet.otel.labels.folded"
METRIC_SELF_SPANS_DROPPED: Final = "agentnet.otel.spans.dropped"
METRIC_SELF_EXPORT_FAILURES: Final = "agentnet.otel.export.failures"
METRIC_SELF_EXPORT_QUEUE: Final = "agentnet.otel.export.queue"

# of the bridge as a process
METRIC_BRIDGE_REQUESTS: Final = "agentnet.bridge.requests"
METRIC_BRIDGE_SPANS: Final = "agentnet.bridge.spans"
METRIC_BRIDGE_TURNS: Final = "agentnet.bridge.turns"
METRIC_BRIDGE_EXPORT_DURATION: Final = "agentnet.bridge.export.duration"
METRIC_BRIDGE_TRACES_OPEN: Final = "agentnet.bridge.traces.open"
METRIC_BRIDGE_TRACES_EVICTED: Final = "agentnet.bridge.traces.evicted"
METRIC_BRIDGE_SPANS_HELD: Final = "agentnet.bridge.spans.held"
METRIC_BRIDGE_QUEUE_SIZE: Final = "agentnet.bridge.queue.size"
METRIC_BRIDGE_LAG: Final = "agentnet.bridge.lag"
METRIC_BRIDGE_STORE_SIZE: Final = "agentnet.bridge.store.size"
METRIC_BRIDGE_STORE_TURNS: Final = "agentnet.bridge.store.turns"
METRIC_BRIDGE_RESTARTS: Final = "agentnet.bridge.restarts"
METRIC_BRIDGE_STREAMS: Final = "agentnet.bridge.streams"
METRIC_BRIDGE_STREAMS_OPEN: Final = "agentnet.bridge.streams.open"
METRIC_BRIDGE_ALERT_POSTS: Final = "agentnet.bridge.alert.posts"
METRIC_BRIDGE_ALERTS: Final = "agentnet.bridge.alerts"
METRIC_BRIDGE_CERTIFICATE_LEFT: Final = "agentnet.bridge.certificate.left"
METRIC_BRIDGE_UNJUDGED: Final = "agentnet.bridge.alert.unjudged"
BRIDGE_RESULT: Final = "agentnet.bridge.result"
BRIDGE_DOOR: Final = "agentnet.bridge.door"
BRIDGE_PART: Final = "agentnet.bridge.part"
BRIDGE_SERVICE: Final = "agentnet-otel"
"""The service that the bridge's own metrics are of."""

UNIT_TURN: Final = "{turn}"
UNIT_TOKEN: Final = "{token}"
UNIT_CALL: Final = "{call}"
UNIT_VIOLATION: Final = "{violation}"
UNIT_USD: Final = "{USD}"
UNIT_FAULT: Final = "{fault}"
UNIT_SPAN: Final = "{span}"
UNIT_BATCH: Final = "{batch}"
UNIT_VALUE: Final = "{value}"
UNIT_REQUEST: Final = "{request}"
UNIT_TRACE: Final = "{trace}"
UNIT_RESTART: Final = "{restart}"
UNIT_STREAM: Final = "{stream}"
UNIT_BYTES: Final = "By"
UNIT_SECONDS: Final = "s"
UNIT_RATIO: Final = "1"

# The edges hold every documented limit, so that a bucket count answers "how many were above it" exactly.
EDGES_TURN_SECONDS: Final = (
    0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0,
)  # fmt: skip
EDGES_COMPONENT_SECONDS: Final = (
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0,
)  # fmt: skip
EDGES_COST_USD: Final = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
EDGES_EXPORT_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
EDGES_RATIO: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
EDGES_GEN_AI_SECONDS: Final = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
)  # fmt: skip
EDGES_GEN_AI_TOKENS: Final = (
    1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0, 16777216.0,
    67108864.0,
)  # fmt: skip

# --- environment variables ---------------------------------------------------------------------------
ENV_CAPTURE_CONTENT: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
ENV_DISABLED_INSTRUMENTATIONS: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
ENV_SDK_DISABLED: Final = "OTEL_SDK_DISABLED"
ENV_STRICT: Final = "AGENTNET_OTEL_STRICT"
ENV_TOKEN: Final = "AGENTNET_OTEL_TOKEN"
ENV_ALERTMANAGER: Final = "AGENTNET_OTEL_ALERTMANAGER"
ENV_WEBHOOK: Final = "AGENTNET_OTEL_WEBHOOK"
ENV_PURE_PYTHON: Final = "AGENTNET_OTEL_PURE_PYTHON"

# --- AgentNet's own telemetry (read, never written) --------------------------------------------------
AGENTNET_TURN_SPAN: Final = "session.round.turn"
AGENTNET_INFERENCE_SPAN: Final = "agent.inference"
AGENTNET_TOOL_SPAN: Final = "tool.invoke"
AGENTNET_MONITOR_SPAN: Final = "monitor.sequence"
AGENTNET_DAG_SPAN: Final = "dag.node.execute"
AGENTNET_AGENT_NAME: Final = "agent.name"
AGENTNET_AGENT_MODEL: Final = "agent.model"
AGENTNET_AGENT_PROVIDER: Final = "agent.provider"
AGENTNET_OUTPUT_TOKENS: Final = "output_tokens"
AGENTNET_COST_USD: Final = "cost_usd"
AGENTNET_TOOL_NAME: Final = "tool.name"
AGENTNET_MONITOR_NAME: Final = "monitor.name"
AGENTNET_DAG_NODE: Final = "dag.node.id"
AGENTNET_DAG_AGENT: Final = "dag.agent"
AGENTNET_SESSION_ID: Final = "session.id"
AGENTNET_CORRELATION_ID: Final = "correlation_id"

# --- Jaeger's tags for what OTLP has as fields (read, never written) ----------------------------------
JAEGER_SPAN_KIND: Final = "span.kind"
JAEGER_STATUS_CODE: Final = "otel.status_code"
JAEGER_STATUS_DESCRIPTION: Final = "otel.status_description"
JAEGER_ERROR: Final = "error"
JAEGER_TRACE_STATE: Final = "w3c.tracestate"
JAEGER_SCOPE_NAME: Final = "otel.scope.name"
JAEGER_SCOPE_VERSION: Final = "otel.scope.version"
JAEGER_LIBRARY_NAME: Final = "otel.library.name"
JAEGER_LIBRARY_VERSION: Final = "otel.library.version"
JAEGER_EVENT_NAME: Final = "event"

# --- other instrumentations (read, never written) ----------------------------------------------------
# GenAI keys beyond the conventions' own, and former ones
USAGE_REASONING_TOKENS: Final = "gen_ai.usage.reasoning_tokens"
USAGE_CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read_input_tokens"
USAGE_CACHED_TOKENS: Final = "gen_ai.usage.cached_tokens"
USAGE_THOUGHTS_TOKENS: Final = "gen_ai.usage.experimental.reasoning_tokens"
TOTAL_COST: Final = "gen_ai.usage.total_cost"

# Google ADK
ADK_SCOPE: Final = "gcp.vertex.agent"
ADK_CALL_SPAN: Final = "call_llm"
"""A call of a model, which once had no operation's name."""
ADK_AGENT_SPAN_PREFIX: Final = "agent_run ["
"""What a run of an agent was called, before it had attributes."""
ADK_SESSION: Final = "gcp.vertex.agent.session_id"

# OpenInference
OPENINFERENCE_KIND: Final = "openinference.span.kind"
OPENINFERENCE_AGENT_NAME: Final = "agent.name"
OPENINFERENCE_GRAPH_NODE: Final = "graph.node.id"
OPENINFERENCE_METADATA: Final = "metadata"
OPENINFERENCE_TOOL_NAME: Final = "tool.name"
OPENINFERENCE_SESSION: Final = "session.id"
OPENINFERENCE_MODEL: Final = "llm.model_name"
OPENINFERENCE_REQUEST_MODEL: Final = "llm.request.model_name"
OPENINFERENCE_RESPONSE_MODEL: Final = "llm.response.model_name"
OPENINFERENCE_PROVIDER: Final = "llm.provider"
OPENINFERENCE_EMBEDDING_MODEL: Final = "embedding.model_name"
OPENINFERENCE_RERANKER_MODEL: Final = "reranker.model_name"
OPENINFERENCE_INPUT_TOKENS: Final = "llm.token_count.prompt"
OPENINFERENCE_OUTPUT_TOKENS: Final = "llm.token_count.completion"
OPENINFERENCE_CACHED_TOKENS: Final = "llm.token_count.prompt_details.cache_read"
OPENINFERENCE_CACHED_INPUT_TOKENS: Final = "llm.token_count.prompt_details.cache_input"
OPENINFERENCE_REASONING_TOKENS: Final = "llm.token_count.completion_details.reasoning"
OPENINFERENCE_COST: Final = "llm.cost.total"
OPENINFERENCE_INPUT_COST: Final = "llm.cost.prompt"
OPENINFERENCE_OUTPUT_COST: Final = "llm.cost.completion"
OPENINFERENCE_FIRST_TOKEN_MS: Final = "time_to_first_token_ms"
OPENINFERENCE_FIRST_TOKEN_EVENT: Final = "First Token Stream Event"
LANGCHAIN_AGENT_NAME: Final = "lc_agent_name"
"""In the metadata of LangChain's runs."""

# OpenLLMetry
TRACELOOP_KIND: Final = "traceloop.span.kind"
TRACELOOP_ENTITY_NAME: Final = "traceloop.entity.name"
TRACELOOP_SESSION: Final = "traceloop.association.properties.session_id"
LLM_REQUEST_TYPE: Final = "llm.request.type"
GUARDRAIL_NAME: Final = "gen_ai.guardrail.name"
DB_SYSTEM: Final = "db.system"
TRACELOOP_CHUNK_EVENT: Final = "gen_ai.content.completion.chunk"
TRACELOOP_FORMER_CHUNK_EVENT: Final = "llm.content.completion.chunk"

# OpenLIT
OPENLIT_SCOPE_PREFIX: Final = "openlit."
OPENLIT_LANGGRAPH_SCOPE: Final = "openlit.instrumentation.langgraph"
OPENLIT_AGENT_SOURCE: Final = "gen_ai.agent.source"
"""On a hand-over: the agent that gives."""
OPENLIT_CACHED_TOKENS: Final = "gen_ai.usage.prompt_tokens_details.cached_tokens"
OPENLIT_REASONING_TOKENS: Final = "gen_ai.usage.completion_tokens_details.reasoning_tokens"

# Langfuse
LANGFUSE_KIND: Final = "langfuse.observation.type"
LANGFUSE_USAGE: Final = "langfuse.observation.usage_details"
LANGFUSE_COST: Final = "langfuse.observation.cost_details"
LANGFUSE_MODEL: Final = "langfuse.observation.model.name"
LANGFUSE_LEVEL: Final = "langfuse.observation.level"
LANGFUSE_SESSION: Final = "langfuse.session.id"
LANGFUSE_FIRST_TOKEN_AT: Final = "langfuse.observation.completion_start_time"
"""A moment, in the words of ISO 8601, as JSON."""
LANGFUSE_LANGGRAPH_NODE: Final = "langfuse.observation.metadata.langgraph_node"

# MLflow
MLFLOW_KIND: Final = "mlflow.spanType"
MLFLOW_USAGE: Final = "mlflow.chat.tokenUsage"
MLFLOW_COST: Final = "mlflow.llm.cost"
MLFLOW_MODEL: Final = "mlflow.llm.model"
MLFLOW_SESSION: Final = "mlflow.trace.session"
MLFLOW_FIRST_CHUNK_EVENT: Final = "mlflow.chunk.item.0"

# Logfire, Pydantic AI
LOGFIRE_KIND: Final = "logfire.span_type"
LOGFIRE_PENDING: Final = "pending_span"
LOGFIRE_LOG: Final = "log"
LOGFIRE_AGGREGATED_INPUT_TOKENS: Final = "gen_ai.aggregated_usage.input_tokens"
LOGFIRE_AGGREGATED_OUTPUT_TOKENS: Final = "gen_ai.aggregated_usage.output_tokens"
LOGFIRE_AGGREGATED_CACHED_TOKENS: Final = "gen_ai.aggregated_usage.cache_read.input_tokens"
LOGFIRE_AGGREGATED_REASONING_TOKENS: Final = "gen_ai.aggregated_usage.details.reasoning_tokens"
LOGFIRE_CACHED_TOKENS: Final = "gen_ai.usage.details.cache_read_tokens"
LOGFIRE_FORMER_CACHED_TOKENS: Final = "gen_ai.usage.details.cached_tokens"
LOGFIRE_REASONING_TOKENS: Final = "gen_ai.usage.details.reasoning_tokens"
LOGFIRE_RAW_USAGE: Final = "gen_ai.usage.raw"
PYDANTIC_AGENT_NAME: Final = "agent_name"
PYDANTIC_MODEL_NAME: Final = "model_name"

# LangSmith
LANGSMITH_KIND: Final = "langsmith.span.kind"
LANGSMITH_AGENT_NAME: Final = "langsmith.metadata.lc_agent_name"
LANGSMITH_SESSION: Final = "langsmith.metadata.session_id"
LANGSMITH_THREAD: Final = "langsmith.metadata.thread_id"
LANGSMITH_CONVERSATION: Final = "langsmith.metadata.conversation_id"
LANGSMITH_USAGE: Final = "langsmith.metadata.usage_metadata"
LANGSMITH_INPUT_DETAILS: Final = "gen_ai.usage.input_token_details"
LANGSMITH_OUTPUT_DETAILS: Final = "gen_ai.usage.output_token_details"

# Vercel AI SDK
VERCEL_OPERATION: Final = "ai.operationId"
VERCEL_FUNCTION: Final = "ai.telemetry.functionId"
VERCEL_TOOL_NAME: Final = "ai.toolCall.name"
VERCEL_MODEL: Final = "ai.model.id"
VERCEL_RESPONSE_MODEL: Final = "ai.response.model"
VERCEL_SESSION: Final = "ai.telemetry.metadata.sessionId"
VERCEL_SESSION_SNAKE: Final = "ai.telemetry.metadata.session_id"
VERCEL_THREAD: Final = "ai.telemetry.metadata.threadId"
VERCEL_INPUT_TOKENS: Final = "ai.usage.inputTokens"
VERCEL_OUTPUT_TOKENS: Final = "ai.usage.outputTokens"
VERCEL_FORMER_INPUT_TOKENS: Final = "ai.usage.promptTokens"
VERCEL_FORMER_OUTPUT_TOKENS: Final = "ai.usage.completionTokens"
VERCEL_EMBEDDING_TOKENS: Final = "ai.usage.tokens"
VERCEL_CACHED_TOKENS: Final = "ai.usage.cachedInputTokens"
VERCEL_REASONING_TOKENS: Final = "ai.usage.reasoningTokens"
VERCEL_CACHED_DETAIL: Final = "ai.usage.inputTokenDetails.cacheReadTokens"
VERCEL_REASONING_DETAIL: Final = "ai.usage.outputTokenDetails.reasoningTokens"
VERCEL_FIRST_CHUNK_MS: Final = "ai.response.msToFirstChunk"
VERCEL_STREAM_FIRST_CHUNK_MS: Final = "ai.stream.msToFirstChunk"
