"""A model that answers by rule, and an OTLP endpoint that keeps what it is sent, in one process on the loopback.

The libraries that are recorded talk to it as to an OpenAI-compatible server and export their spans to it. What it
answers depends on the request alone, so that the truth about tokens and tools can be written down by hand:

* a request that offers k tools and holds n results of tools asks for tool n while n < k, and answers after that (a
  tool called ``final_answer`` is the last one);
  its usage is 100 + 50n tokens in (20 + 10n of them cached) and 40 + 10n out (8 + 2n of them reasoning);
* a request without tools is answered, with 70 tokens in (10 cached) and 30 out (5 reasoning);
* a request whose newest message of the user holds the word FAIL gets status 400;
* the model that answers is ``gpt-4o-mini-2024-07-18``, whichever is asked for. Each answer takes 20 ms.

Run as a program with a port and a file: prints nothing, and appends one OTLP JSON request a line.
"""

import gzip
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

MODEL = "gpt-4o-mini-2024-07-18"
ANSWER = "It is sunny in Paris"
ANSWER_SECONDS = 0.02

Json = dict[str, Any]


def plan(tools: list[str], results: int) -> tuple[str | None, Json]:
    """The tool to ask for, or None, and the usage as counts."""
    if not tools:
        return None, {"input": 70, "cached": 10, "output": 30, "reasoning": 5}
    usage = {
        "input": 100 + 50 * results,
        "cached": 20 + 10 * results,
        "output": 40 + 10 * results,
        "reasoning": 8 + 2 * results,
    }
    return (tools[results] if results < len(tools) else None), usage


def arguments_for(schema: Json) -> str:
    """Arguments that fit a tool's schema: Paris for each required text, 1 for each number."""
    properties = schema.get("properties", {})
    required = schema.get("required", list(properties))
    return json.dumps(
        {name: 1 if properties[name].get("type") in {"integer", "number"} else "Paris" for name in required}
    )


def text_of(content: Any) -> str:
    """The text of a message, which may come in parts."""
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


# --- chat completions --------------------------------------------------------------------------------


def results_in(messages: list[Json]) -> int:
    """How many results of tools there are; some libraries tell of calls in plain words."""
    told = sum(m["role"] == "assistant" and text_of(m.get("content")).startswith("Calling tools") for m in messages)
    return told or sum(message["role"] == "tool" for message in messages)


def chat(request: Json) -> Json:
    """The answer to a chat completion."""
    tools = {tool["function"]["name"]: tool["function"] for tool in request.get("tools") or []}
    tool, usage = plan(sorted(tools, key="final_answer".__eq__), results := results_in(request["messages"]))
    message: Json = {"role": "assistant", "content": None if tool else ANSWER}
    if tool:
        function = {"name": tool, "arguments": arguments_for(tools[tool].get("parameters", {}))}
        message["tool_calls"] = [{"id": f"call_{results}_{tool}", "type": "function", "function": function}]
    return {
        "id": f"chatcmpl-{results}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if tool else "stop"}],
        "usage": {
            "prompt_tokens": usage["input"],
            "completion_tokens": usage["output"],
            "total_tokens": usage["input"] + usage["output"],
            "prompt_tokens_details": {"cached_tokens": usage["cached"]},
            "completion_tokens_details": {"reasoning_tokens": usage["reasoning"]},
        },
    }


def chat_chunks(request: Json) -> list[Json]:
    """The same answer in pieces; usage in the last one, where it was asked for."""
    whole = chat(request)
    base = {key: whole[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    choice = whole["choices"][0]
    message = choice["message"]
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    if message["content"]:
        deltas += [{"content": word} for word in message["content"].split(" ")]
    else:
        deltas += [{"tool_calls": [{"index": 0, **call}]} for call in message["tool_calls"]]
    chunks = [{**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    if (request.get("stream_options") or {}).get("include_usage"):
        chunks.append({**base, "choices": [], "usage": whole["usage"]})
    return chunks


# --- responses ---------------------------------------------------------------------------------------


def response(request: Json) -> Json:
    """The answer to a request of the responses API."""
    tools = {tool["name"]: tool for tool in request.get("tools") or [] if tool.get("type") == "function"}
    items = request["input"] if isinstance(request["input"], list) else []
    results = sum(item.get("type") == "function_call_output" for item in items)
    tool, usage = plan(list(tools), results)
    output: Json = {
        "type": "message",
        "id": f"msg_{results}",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": ANSWER, "annotations": []}],
    }
    if tool:
        output = {
            "type": "function_call",
            "id": f"fc_{results}",
            "call_id": f"call_{results}_{tool}",
            "name": tool,
            "arguments": arguments_for(tools[tool].get("parameters") or {}),
            "status": "completed",
        }
    return {
        "id": f"resp_{results}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "completed",
        "model": MODEL,
        "output": [output],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": request.get("tools") or [],
        "usage": {
            "input_tokens": usage["input"],
            "output_tokens": usage["output"],
            "total_tokens": usage["input"] + usage["output"],
            "input_tokens_details": {"cached_tokens": usage["cached"]},
            "output_tokens_details": {"reasoning_tokens": usage["reasoning"]},
        },
    }


def response_events(request: Json) -> list[Json]:
    """The same answer as a stream of events."""
    whole = response(request)
    item = whole["output"][0]
    started = {**whole, "status": "in_progress", "output": [], "usage": None}
    events: list[Json] = [
        {"type": "response.created", "response": started},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "status": "in_progress"}},
    ]
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    if item["type"] == "message":
        part = item["content"][0]
        events.append({"type": "response.content_part.added", **place, "part": {**part, "text": ""}})
        events += [
            {"type": "response.output_text.delta", **place, "delta": w, "logprobs": []} for w in part["text"].split(" ")
        ]
        events.append({"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []})
        events.append({"type": "response.content_part.done", **place, "part": part})
    else:
        events.append(
            {
                "type": "response.function_call_arguments.done",
                **place,
                "name": item["name"],
                "arguments": item["arguments"],
            }
        )
    events.append({"type": "response.output_item.done", "output_index": 0, "item": item})
    events.append({"type": "response.completed", "response": whole})
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def embeddings(request: Json) -> Json:
    """A vector for each input."""
    inputs = request["input"] if isinstance(request["input"], list) else [request["input"]]
    return {
        "object": "list",
        "model": request["model"],
        "data": [{"object": "embedding", "index": i, "embedding": [0.1, 0.2, 0.3]} for i in range(len(inputs))],
        "usage": {"prompt_tokens": 8, "total_tokens": 8},
    }


def asks_to_fail(request: Json) -> bool:
    """Whether the newest message of the user says so."""
    messages = request.get("messages") or request.get("input") or []
    if isinstance(messages, str):
        return "FAIL" in messages
    users = [m for m in messages if isinstance(m, dict) and m.get("role") == "user"]
    return bool(users) and "FAIL" in text_of(users[-1].get("content"))


# --- OTLP --------------------------------------------------------------------------------------------


def otlp_json(body: bytes, content_type: str) -> Json:
    """An export request in the JSON form of OTLP: ids in hex."""
    if "json" in content_type:
        decoded: Json = json.loads(body)
        return decoded
    request = ExportTraceServiceRequest()
    request.ParseFromString(body)
    document: Json = MessageToDict(request, use_integers_for_enums=True)
    for resource_spans, ours in zip(request.resource_spans, document.get("resourceSpans", []), strict=True):
        for scope_spans, our_scope in zip(resource_spans.scope_spans, ours.get("scopeSpans", []), strict=True):
            for span, our_span in zip(scope_spans.spans, our_scope.get("spans", []), strict=True):
                our_span["traceId"], our_span["spanId"] = span.trace_id.hex(), span.span_id.hex()
                if span.parent_span_id:
                    our_span["parentSpanId"] = span.parent_span_id.hex()
                for link, our_link in zip(span.links, our_span.get("links", []), strict=True):
                    our_link["traceId"], our_link["spanId"] = link.trace_id.hex(), link.span_id.hex()
    return document


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    sink: Path
    lock = threading.Lock()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Stay silent."""

    def do_GET(self) -> None:
        """The same for all: some clients ask which models there are, or which project a token belongs to."""
        self._answer(200, {"data": [], "project_name": "recording", "project_url": ""})

    def do_POST(self) -> None:
        """Answer as a model, or keep spans."""
        body = self._body()
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        path = self.path.partition("?")[0]
        if path.endswith("/traces"):
            self._keep(body)
        elif path.endswith(("/chat/completions", "/responses", "/embeddings")):
            self._model(path, json.loads(body))
        else:
            self._answer(200, {})

    def _body(self) -> bytes:
        """The body, which clients written in JavaScript send in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _keep(self, body: bytes) -> None:
        document = otlp_json(body, self.headers.get("Content-Type", ""))
        with self.lock, self.sink.open("a", encoding="utf-8") as sink:
            sink.write(json.dumps(document) + "\n")
        if "json" in self.headers.get("Content-Type", ""):
            self._answer(200, {})
        else:
            self._send(200, "application/x-protobuf", b"")

    def _model(self, path: str, request: Json) -> None:
        time.sleep(ANSWER_SECONDS)
        if asks_to_fail(request):
            error = {"message": "the request was refused", "type": "invalid_request_error", "code": "refused"}
            self._answer(400, {"error": error})
        elif path.endswith("/embeddings"):
            self._answer(200, embeddings(request))
        elif path.endswith("/chat/completions"):
            if request.get("stream"):
                self._stream(
                    [f"data: {json.dumps(chunk)}\n\n" for chunk in chat_chunks(request)] + ["data: [DONE]\n\n"]
                )
            else:
                self._answer(200, chat(request))
        elif request.get("stream"):
            self._stream([f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in response_events(request)])
        else:
            self._answer(200, response(request))

    def _answer(self, status: int, document: Json) -> None:
        self._send(status, "application/json", json.dumps(document).encode())

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, parts: list[str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for part in parts:
            self.wfile.write(part.encode())
            self.wfile.flush()
            time.sleep(0.001)
        self.close_connection = True


def main() -> None:
    """Serve until the process is ended."""
    port, Handler.sink = int(sys.argv[1]), Path(sys.argv[2])
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
