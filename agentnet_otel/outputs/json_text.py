"""Strict JSON: no NaN, no halves of surrogate pairs; what a strict reader of another language takes."""

from collections.abc import Mapping
from typing import Any

import msgspec


def strict_json(document: object) -> bytes:
    """``document`` on one line. Figures that are none become null, halves of surrogate pairs a question mark."""
    try:
        return msgspec.json.encode(document)
    except UnicodeEncodeError:
        return msgspec.json.encode(_mended(msgspec.to_builtins(document)))


def indented_json(document: object) -> str:
    """``document`` for people to read, with a line end."""
    return msgspec.json.format(strict_json(document), indent=2).decode() + "\n"


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, Mapping):
        return {_mended(key): _mended(item) for key, item in value.items()}
    return [_mended(item) for item in value] if isinstance(value, list | tuple) else value
