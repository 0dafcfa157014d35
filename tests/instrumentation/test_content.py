"""Content (prompts, answers, arguments, exception messages, fault texts, rationales): only where it is asked for."""

import json
from contextlib import suppress

import pytest

import agentnet_otel
from agentnet_otel import LatencyComponent, Outcome
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.instrumentation.content import CaptureMode, ContentPolicy
from agentnet_otel.sources.captured import to_record

MARK = "MARKER"
KINDS = (
    "prompt", "new-prompt", "response", "model-text", "arguments", "result", "tool-error", "turn-error",
    "session-error", "rationale", "check-rationale", "fault-text", "query", "error-object",
)  # fmt: skip
"""What carries a marker each; all but the last are content that a mode may ask for."""


@pytest.fixture
def instrumented(telemetry):
    """`instrument()` on in-memory providers, with a capture mode."""
    handles = []

    def start(**how):
        handles.append(
            agentnet_otel.instrument(
                tracer_provider=telemetry.tracer_provider,
                meter_provider=telemetry.meter_provider,
                logger_provider=telemetry.logger_provider,
                **how,
            )
        )
        return handles[-1]

    yield start
    for handle in handles:
        handle.shutdown()


def talk():
    """Turns with a marker in every kind of content."""
    with suppress(ValueError), agentnet_otel.session("debate"), agentnet_otel.turn("a", prompt=mark("prompt")) as turn:
        with turn.component(LatencyComponent.INFERENCE, model="m") as call:
            call.record_response(text=mark("model-text"))
        with suppress(OSError), turn.component(LatencyComponent.TOOL_EXECUTION, "save") as tool:
            tool.record_tool_call(arguments={"text": [mark("arguments")]}, result=mark("result"))
            raise OSError(mark("tool-error"))
        with turn.component(LatencyComponent.POLICY_CHECK, "rules") as check:
            check.record_policy_violation("rule", "major", rationale=mark("check-rationale"))
            check.set_error(ValueError(mark("error-object")))
        with turn.component(LatencyComponent.MEMORY_ACCESS) as memory:
            memory.note_content("gen_ai.memory.query.text", mark("query"))
        turn.record_policy_violation("rule", rationale=mark("rationale"))
        turn.note_fault_text(mark("fault-text"))
        turn.set_response(mark("response"))
        raise ValueError(mark("turn-error"))
    with agentnet_otel.turn("b") as turn:
        turn.set_prompt(mark("new-prompt"))
        turn.set_outcome(Outcome.ERROR, ValueError(mark("error-object")))
    with suppress(KeyError), agentnet_otel.session("debate"):
        raise KeyError(mark("session-error"))


def mark(kind):
    """The marker of a kind of content."""
    return f"<{MARK} {kind}>"


def on_spans(telemetry):
    """All that stands on the spans, as one text."""
    return "\n".join(f"{span.to_json()} {to_record(span)}" for span in telemetry.spans())


def in_logs(telemetry):
    """All that stands in the log records, as one text."""
    return "\n".join(f"{record.log_record} {record.to_json()}" for record in telemetry.logs())


def found(text):
    """The kinds of content in a text."""
    return {kind for kind in KINDS if mark(kind) in text}


ALL = set(KINDS) - {"error-object"}


@pytest.mark.parametrize("mode", [None, "NO_CONTENT", "", "false", CaptureMode.NO_CONTENT])
def test_nothing_is_recorded_unless_it_is_asked_for(telemetry, instrumented, no_otel_environment, mode):
    """No marker stands anywhere: attributes, events, status, log records, metrics, turns."""
    handle = instrumented(capture_content=mode)
    talk()
    assert len(telemetry.spans()) == 8
    told = on_spans(telemetry) + in_logs(telemetry) + repr(handle.turns()) + repr(telemetry._reader.get_metrics_data())
    assert MARK not in told
    assert not telemetry.logs()


@pytest.mark.parametrize(
    ("mode", "spans", "logs"),
    [
        ("SPAN_ONLY", ALL, set()),
        ("event_only", set(), ALL),
        ("SPAN_AND_EVENT", ALL, ALL),
        ("true", ALL, ALL),
        (CaptureMode.SPAN_ONLY, ALL, set()),
    ],
)
def test_each_mode_puts_it_where_it_says(telemetry, instrumented, mode, spans, logs):
    """Each kind of content stands on spans, in events, or in both; an exception given as a name is never content."""
    instrumented(capture_content=mode)
    talk()
    assert found(on_spans(telemetry)) == spans
    assert found(in_logs(telemetry)) == logs


def test_the_environment_names_the_mode(telemetry, instrumented, monkeypatch):
    """The standard variable counts where no argument is given; an argument goes before it."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "span_only")
    instrumented().shutdown()
    instrumented(capture_content="NO_CONTENT")
    talk()
    assert MARK not in on_spans(telemetry)
    agentnet_otel.uninstrument()
    instrumented()
    talk()
    assert found(on_spans(telemetry)) == ALL


def test_a_wrong_mode_in_the_environment_records_nothing(telemetry, instrumented, monkeypatch, warnings_of_ours):
    """It is told with the allowed ones, and the application goes on."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "everything")
    instrumented()
    talk()
    assert MARK not in on_spans(telemetry) + in_logs(telemetry)
    (told,) = [text for text in warnings_of_ours() if "CAPTURE" in text]
    assert "'everything' is not a capture mode" in told
    assert "SPAN_AND_EVENT" in told


@pytest.mark.parametrize(
    ("how", "part"),
    [
        ({"capture_content": "all"}, "'all' is not a capture mode"),
        ({"capture_content": 5}, "5 is not a capture mode"),
        ({"redact": "mask"}, "redact='mask'"),
        ({"content_limit": -1}, "content_limit=-1"),
        ({"content_limit": "8k"}, "content_limit='8k'"),
        ({"exporter": 5}, "exporter=5"),
    ],
)
def test_wrong_arguments_are_refused(how, part):
    """`instrument` says which argument is wrong, and leaves nothing behind."""
    with pytest.raises(ConfigurationError) as refused:
        agentnet_otel.instrument(**how)
    assert part in str(refused.value)
    agentnet_otel.uninstrument()


def test_content_is_shaped_as_the_conventions_say(telemetry, instrumented):
    """Prompts and responses are messages, arguments are JSON, exceptions are events with type and stack."""
    instrumented(capture_content="SPAN_AND_EVENT")
    talk()
    spans = {span.name: span for span in telemetry.spans()}
    own = next(span for span in telemetry.spans() if span.name == "invoke_agent a")
    (message,) = json.loads(own.attributes["gen_ai.input.messages"])
    assert message == {"role": "user", "parts": [{"type": "text", "content": mark("prompt")}]}
    assert json.loads(own.attributes["gen_ai.output.messages"])[0]["role"] == "assistant"
    arguments = spans["execute_tool save"].attributes["gen_ai.tool.call.arguments"]
    assert json.loads(arguments) == {"text": [mark("arguments")]}
    raised = next(event for event in own.events if event.name == "exception")
    assert raised.attributes["exception.type"] == "ValueError"
    assert "Traceback" in raised.attributes["exception.stacktrace"]
    assert own.status.description == "ValueError"
    names = {record.log_record.event_name for record in telemetry.logs()}
    assert names == {"gen_ai.client.inference.operation.details", "exception", "agentnet.policy.violation"}
    for record in telemetry.logs():
        assert record.log_record.trace_id
        assert record.log_record.timestamp > 0


def test_redaction_sees_each_text_first(telemetry, instrumented):
    """What the redaction returns is recorded, nothing else; None records nothing."""

    def mask(text):
        return None if "response" in text else text.replace(MARK, "***")

    instrumented(capture_content="SPAN_AND_EVENT", redact=mask)
    talk()
    told = on_spans(telemetry) + in_logs(telemetry)
    assert MARK not in told
    assert "<*** prompt>" in told
    assert "response>" not in told


@pytest.mark.parametrize("redacted", [None, 5])
def test_redaction_that_gives_no_text_records_nothing(telemetry, instrumented, redacted):
    """None, or anything that is no text, keeps all content out."""
    instrumented(capture_content="SPAN_AND_EVENT", redact=lambda _text: redacted)
    talk()
    assert MARK not in on_spans(telemetry) + in_logs(telemetry)
    assert not any(event.name == "exception" for span in telemetry.spans() for event in span.events)


def test_redaction_that_raises_records_nothing(telemetry, instrumented, warnings_of_ours, caplog):
    """It is told once, without the text, the application goes on."""

    def broken(text):
        raise LookupError(text)

    instrumented(capture_content="SPAN_AND_EVENT", redact=broken)
    talk()
    assert MARK not in on_spans(telemetry) + in_logs(telemetry)
    assert len(telemetry.spans()) == 8
    (told,) = warnings_of_ours()
    assert "LookupError in redaction" in told
    assert MARK not in caplog.text


def test_redaction_of_the_stack_alone(telemetry, instrumented):
    """A stack that may not be recorded leaves the message of the exception."""
    instrumented(capture_content="SPAN_ONLY", redact=lambda text: None if "Traceback" in text else text)
    with suppress(ValueError), agentnet_otel.turn("a"):
        raise ValueError("x")
    (event,) = telemetry.spans()[0].events
    assert event.attributes == {"exception.type": "ValueError", "exception.message": "x"}


def test_the_cap_comes_after_redaction(telemetry, instrumented):
    """A long text is cut, says so, and no half of a secret is left by the cut."""
    hidden = "s3cret"
    instrumented(capture_content="SPAN_ONLY", redact=lambda text: text.replace(hidden, "#"), content_limit=10)
    with agentnet_otel.turn("a", prompt="12345678" + hidden + "90") as turn:
        turn.set_response("0123456789")
    attributes = telemetry.spans()[0].attributes
    assert "12345678#9... [10 of 11 characters]" in attributes["gen_ai.input.messages"]
    assert '"0123456789"' in attributes["gen_ai.output.messages"]


def test_anything_becomes_text():
    """Mappings and lists are JSON, whatever they hold; other objects are what they print."""
    policy = ContentPolicy(mode=CaptureMode.SPAN_ONLY)
    assert policy.text({"a": {1}}) == '{"a": "{1}"}'
    assert policy.text([1, "ä"]) == '[1, "ä"]'
    assert policy.text(5.5) == "5.5"
    assert policy.text(None) is None
    assert policy.message("user", None) is None
    assert ContentPolicy().text("x") is None


def test_content_without_a_place_is_no_fault(telemetry, instrumented, warnings_of_ours):
    """A mapping that cannot be printed, content on an unsampled span: told or left out, never raised."""

    class Unprintable:
        def __repr__(self):
            raise RuntimeError("no")

    instrumented(capture_content="SPAN_ONLY")
    with agentnet_otel.turn("a") as turn, turn.component("tool_execution", "t") as tool:
        tool.record_tool_call(call_id="c", arguments=Unprintable())
    assert telemetry.spans("execute_tool")[0].attributes["gen_ai.tool.call.id"] == "c"
    assert "RuntimeError" in warnings_of_ours()[0]
