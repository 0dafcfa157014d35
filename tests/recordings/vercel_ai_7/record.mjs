// What version 7 of the Vercel AI SDK writes through its OpenTelemetry package: a tool, a nested agent, a failure, a stream, an object, an embedding.

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { NodeTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-node";
import { OpenTelemetry } from "@ai-sdk/otel";
import { embed, generateText, registerTelemetry, stepCountIs, streamText, tool } from "ai";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";

const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": "recording" }),
  spanProcessors: [new SimpleSpanProcessor(new OTLPTraceExporter())],
});
provider.register();
registerTelemetry(new OpenTelemetry());

const models = createOpenAICompatible({
  name: "local",
  baseURL: process.env.OPENAI_BASE_URL,
  apiKey: "none",
  includeUsage: true,
});
const model = models("gpt-4o-mini");
const stopWhen = stepCountIs(5);
const telemetry = (functionId, sessionId) => ({
  isEnabled: true,
  functionId,
  metadata: sessionId ? { sessionId } : {},
});

const get_weather = tool({
  description: "The weather in a city",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => {
    await sleep(10);
    return `sunny in ${city}`;
  },
});
const ask_researcher = tool({
  description: "Ask the researcher",
  inputSchema: z.object({ question: z.string() }),
  execute: async ({ question }) =>
    (await generateText({ model, prompt: question, telemetry: telemetry("researcher", "trip-2") })).text,
});

await generateText({
  model, prompt: "the weather?", tools: { get_weather }, stopWhen,
  telemetry: telemetry("planner", "trip-1"),
});
await generateText({
  model, prompt: "ask for the weather", tools: { ask_researcher }, stopWhen,
  telemetry: telemetry("coordinator", "trip-2"),
});
try {
  await generateText({ model, prompt: "FAIL please", maxRetries: 0, telemetry: telemetry("planner") });
} catch (error) {
  console.log("failed as it should:", error.name);
}
const stream = streamText({
  model, prompt: "the weather?", tools: { get_weather }, stopWhen,
  telemetry: telemetry("streamer", "trip-3"),
});
for await (const _ of stream.textStream);
await embed({
  model: models.embeddingModel("text-embedding-3-small"), value: "Paris",
  telemetry: telemetry("notes", "trip-3"),
});
await generateText({ model, prompt: "hello", telemetry: { isEnabled: true } });
await provider.shutdown();
