"""What may be recorded of prompts, responses, arguments and fault texts: nothing, unless the user asks.

The mode comes from ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` or an argument. Text passes the user's
redaction first and the size cap after it, so that a cap never cuts a secret in two and lets half of it through.
"""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Final

from agentnet_otel import semconv
from agentnet_otel.errors import ConfigurationError
from agentnet_otel.instrumentation import faults

Redaction = Callable[[str], str | None]

DEFAULT_CONTENT_LIMIT: Final = 8192
"""Characters of one recorded text; what is longer is cut and says so."""

_CUT_MARK: Final = "... [{} of {} characters]"


class CaptureMode(Enum):
    """Where content may stand."""

    NO_CONTENT = "NO_CONTENT"
    SPAN_ONLY = "SPAN_ONLY"
    EVENT_ONLY = "EVENT_ONLY"
    SPAN_AND_EVENT = "SPAN_AND_EVENT"

    @classmethod
    def from_text(cls, text: object) -> "CaptureMode":
        """The mode named by ``text`` (case does not matter; ``true`` and ``false`` are former spellings).

        Raises:
            ConfigurationError: the text names no mode.
        """
        name = str(text).strip().upper()
        former = {"": "NO_CONTENT", "FALSE": "NO_CONTENT", "TRUE": "SPAN_AND_EVENT"}
        try:
            return cls(former.get(name, name))
        except ValueError:
            allowed = ", ".join(mode.value for mode in cls)
            message = f"{text!r} is not a capture mode ({semconv.ENV_CAPTURE_CONTENT}). Allowed are: {allowed}"
            raise ConfigurationError(message) from None


def mode_from_environment() -> CaptureMode:
    """The mode that the environment asks for; an unknown one records nothing and is told once."""
    try:
        return CaptureMode.from_text(os.environ.get(semconv.ENV_CAPTURE_CONTENT, ""))
    except ConfigurationError as error:
        faults.logger.warning("agentnet_otel: %s. No content is recorded.", error)
        return CaptureMode.NO_CONTENT


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentPolicy:
    """Decides what of a text is recorded, and where."""

    mode: CaptureMode = CaptureMode.NO_CONTENT
    redact: Redaction | None = None
    limit: int = DEFAULT_CONTENT_LIMIT

    def __post_init__(self) -> None:
        """Check what a user gave.

        Raises:
            ConfigurationError: ``redact`` cannot be called, or ``limit`` is no number of characters.
        """
        redact: object = self.redact
        if redact is not None and not callable(redact):
            message = f"redact={redact!r} cannot be called; give a function from text to text or None"
            raise ConfigurationError(message)
        limit: object = self.limit
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
            message = f"content_limit={limit!r} is not a number of characters of at least 0"
            raise ConfigurationError(message)

    @property
    def on_span(self) -> bool:
        """Whether content stands on spans."""
        return self.mode in {CaptureMode.SPAN_ONLY, CaptureMode.SPAN_AND_EVENT}

    @property
    def on_event(self) -> bool:
        """Whether content stands in events (log records)."""
        return self.mode in {CaptureMode.EVENT_ONLY, CaptureMode.SPAN_AND_EVENT}

    @property
    def anywhere(self) -> bool:
        """Whether content is recorded at all."""
        return self.mode is not CaptureMode.NO_CONTENT

    def text(self, raw: object) -> str | None:
        """What may be recorded of ``raw``, or None. A redaction that fails gives None, never the raw text."""
        if not self.anywhere or raw is None:
            return None
        text = raw if isinstance(raw, str) else _as_json(raw)
        if self.redact is not None:
            try:
                redacted = self.redact(text)
            except Exception as error:  # noqa: BLE001 - the user's code; nothing unredacted may follow
                faults.log.contain("redaction", error, quotes_content=True)
                return None
            if not isinstance(redacted, str):
                return None
            text = redacted
        if len(text) > self.limit:
            return text[: self.limit] + _CUT_MARK.format(self.limit, len(text))
        return text

    def message(self, role: str, raw: object) -> str | None:
        """``raw`` as the JSON of one GenAI message, or None where nothing may be recorded."""
        text = self.text(raw)
        if text is None:
            return None
        return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}], ensure_ascii=False)


def _as_json(raw: object) -> str:
    """A readable form of arguments and results, whatever they hold."""
    if isinstance(raw, Mapping | list | tuple):
        with suppress(TypeError, ValueError, RecursionError):  # keys that JSON does not have, circles
            return json.dumps(raw, default=repr, ensure_ascii=False)
    return str(raw)
