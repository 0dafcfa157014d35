"""Where content goes: prompts, responses, arguments, rationales, messages of exceptions, as the capture mode says.

Whatever fails here costs the text and nothing else: neither the span nor the application. What failed is counted and
told without its own text, which may quote the content.
"""

import traceback
from collections.abc import Callable, Mapping

from opentelemetry._logs import LoggerProvider, LogRecord

from agentnet_otel import semconv
from agentnet_otel._version import __version__
from agentnet_otel.instrumentation import faults
from agentnet_otel.instrumentation.content import ContentPolicy
from agentnet_otel.instrumentation.open_span import OpenSpan
from agentnet_otel.instrumentation.providers import SCOPE_ATTRIBUTES
from agentnet_otel.model import PolicyViolation


class ContentWriter:
    """Writes content on spans and as events; ``loggers`` is asked at each event, None writes none."""

    def __init__(self, policy: ContentPolicy, loggers: Callable[[], LoggerProvider] | None = None) -> None:
        self.policy = policy
        self._loggers = loggers

    @faults.guarded_content
    def tell(self, where: OpenSpan, key: str, raw: object, *, role: str | None = None) -> None:
        """Record content under ``key``; with ``role`` in the form of one GenAI message."""
        if raw is None or not self.policy.anywhere:
            return
        text = self.policy.text(raw) if role is None else self.policy.message(role, raw)
        if text is None:
            return
        if self.policy.on_span:
            where.attributes[key] = text
        if self.policy.on_event:
            self._emit(where, semconv.INFERENCE_DETAILS_EVENT, {key: text})

    @faults.guarded_content
    def tell_exception(self, where: OpenSpan, error: BaseException) -> None:
        """Record message and stack of an exception: they quote prompts."""
        if not self.policy.anywhere:
            return
        message = self.policy.text(str(error))
        if message is None:
            return
        attributes = {semconv.EXCEPTION_TYPE: type(error).__qualname__, semconv.EXCEPTION_MESSAGE: message}
        stack_text = self.policy.text("".join(traceback.format_exception(error)))
        if stack_text is not None:
            attributes[semconv.EXCEPTION_STACKTRACE] = stack_text
        if self.policy.on_span:
            _add_event(where, semconv.EXCEPTION_EVENT, attributes, where.now_ns())
        if self.policy.on_event:
            self._emit(where, semconv.EXCEPTION_EVENT, attributes)

    def tell_violation(self, where: OpenSpan, violation: PolicyViolation, rationale: object, now_ns: int) -> None:
        """Put a violation on a span; its rationale quotes content."""
        attributes = {semconv.POLICY_RULE: violation.rule}
        if violation.severity is not None:
            attributes[semconv.POLICY_SEVERITY] = violation.severity
        text = self._rationale_text(rationale)
        with_text = attributes if text is None else {**attributes, semconv.POLICY_RATIONALE: text}
        _add_event(where, semconv.POLICY_VIOLATION_EVENT, with_text if self.policy.on_span else attributes, now_ns)
        if text is not None and self.policy.on_event:
            self._emit(where, semconv.POLICY_VIOLATION_EVENT, with_text)

    @faults.guarded_content
    def _rationale_text(self, rationale: object) -> str | None:
        return self.policy.text(rationale)

    @faults.guarded_content
    def _emit(self, where: OpenSpan, name: str, attributes: Mapping[str, str]) -> None:
        if self._loggers is None:
            return
        logger = self._loggers().get_logger(
            semconv.SCOPE_NAME, __version__, schema_url=semconv.SCHEMA_URL, attributes=SCOPE_ATTRIBUTES
        )
        now_ns = where.now_ns()
        logger.emit(
            LogRecord(
                timestamp=now_ns,
                observed_timestamp=now_ns,
                context=where.context,
                event_name=name,
                attributes=dict(attributes),
            )
        )


def _add_event(where: OpenSpan, name: str, attributes: Mapping[str, str], now_ns: int) -> None:
    if where.span is not None and where.span.is_recording():
        where.span.add_event(name, dict(attributes), now_ns)
