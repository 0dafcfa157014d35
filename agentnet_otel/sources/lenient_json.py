"""JSON that strict readers refuse: with NaN or Infinity, halves of surrogate pairs, or text that is no UTF-8.

It is made readable as text, and not as values, so that it takes no more memory than twice its size; all else stays as
it is written.
"""

import re
from typing import Final, TypeVar

import msgspec

from agentnet_otel.errors import InputError, TruncatedError
from agentnet_otel.sources.lines import TRUNCATED

T = TypeVar("T")

BAD: Final = (msgspec.DecodeError, ValueError, OverflowError, RecursionError, InputError)
"""What decoding something wrong raises."""
_PLACE: Final = re.compile(r"\(byte (\d+)\)$")
_NO_NUMBER: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|-?\b(?:NaN|Infinity)\b', re.DOTALL)
"""A text, which is passed over, or what is no number in JSON, though JavaScript and Python call it one."""
_BEGUN_WORD: Final = re.compile(rb"(?:N|Na|I|In|Inf|Infi|Infin|Infini|Infinit)\s*\Z")
_ESCAPED: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""What begins with a backslash: a pair of surrogates, half of one, or anything else."""
_UNKNOWN: Final = rb"\ufffd"
"""What stands for a character that is none."""


def decoded(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw) -> T:
    """What a decoder makes of JSON, be it such; of numbers that are none come texts, as ``-Infinity``.

    Raises:
        msgspec.ValidationError: it is JSON of something else.
        InputError: it is no JSON for anybody; a `TruncatedError` where only the end is missing.
    """
    try:
        return decoder.decode(data)
    except msgspec.ValidationError:
        raise
    except BAD as error:
        refused = bytes(data)
        readable = _readable(refused)
        if readable == refused:
            raise _unreadable(refused, error) from None
    return decoded(decoder, readable)


def _readable(data: bytes) -> bytes:
    """The same without what only strict readers refuse; of what is made so, it is the same."""
    readable = data if data.isascii() else data.decode("utf-8", errors="replace").encode()
    if rb"\ud" in data or rb"\uD" in data:
        readable = _ESCAPED.sub(_whole_character, readable)
    if b"NaN" in data or b"Infinity" in data:
        readable = _NO_NUMBER.sub(_as_text, readable)
    return readable


def _whole_character(found: re.Match[bytes]) -> bytes:
    return _UNKNOWN if found["half"] else found[0]


def _as_text(found: re.Match[bytes]) -> bytes:
    written = found[0]
    return written if written.startswith(b'"') else b'"' + written + b'"'


def _unreadable(data: bytes, error: Exception) -> InputError:
    if isinstance(error, RecursionError):
        return InputError(f"it cannot be read: {error}")
    return (TruncatedError if _is_cut_off(data, error) else InputError)(f"not JSON: {error}")


def _is_cut_off(data: bytes, error: Exception) -> bool:
    """Whether what is wrong is that the end is missing: nothing before it, or a number of which it was the rest."""
    place = _PLACE.search(str(error))
    begun = _BEGUN_WORD.search(data)
    end = begun.start() if begun else len(data.rstrip())
    return str(error) == TRUNCATED or (place is not None and int(place[1]) >= end)
