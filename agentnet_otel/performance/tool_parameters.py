"""Parameters for a tool that is run for its own sake: as little as its JSON schema asks for."""

from collections.abc import Mapping
from typing import Any


def parameters_for(schema: object, prompt: str) -> dict[str, Any]:
    """Values for the required properties of an object's schema. Texts become ``prompt``."""
    return _object(schema, prompt) if isinstance(schema, Mapping) else {}


def _value(schema: object, prompt: str) -> Any:
    """The value that the schema itself names, else the smallest one of its type."""
    if not isinstance(schema, Mapping):
        return prompt
    for key in ("default", "const"):
        if key in schema:
            return schema[key]
    for key in ("examples", "enum"):
        choices = schema.get(key)
        if isinstance(choices, list) and choices:
            return choices[0]
    return _smallest(schema, prompt)


def _object(schema: Mapping[str, Any], prompt: str) -> dict[str, Any]:
    properties = schema.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    return {name: _value(known.get(name), prompt) for name in schema.get("required", [])}


def _smallest(schema: Mapping[str, Any], prompt: str) -> Any:
    kind = schema.get("type")
    kind = next(iter(kind), None) if isinstance(kind, list) else kind
    if kind == "object" or "properties" in schema:
        return _object(schema, prompt)
    if kind == "array":
        return [_value(schema.get("items"), prompt)] * int(schema.get("minItems", 0))
    if kind in {"integer", "number"}:
        return schema.get("minimum", 1)
    if kind == "boolean":
        return False
    if kind == "null":
        return None
    longest = schema.get("maxLength")
    return prompt[:longest] if isinstance(longest, int) else prompt
