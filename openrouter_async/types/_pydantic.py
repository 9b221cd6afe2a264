"""What pydantic asks of a type, so that the wire structs serve as FastAPI bodies and answers.

The rule of this file: pydantic is never imported. A core schema is a plain mapping, and so is a
JSON schema; both are made here for whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import msgspec

_NAMES_ONLY: Final = "{name}"


def core_schema(
    kind: type, read: Callable[[object], object], write: Callable[[Any], object]
) -> dict[str, Any]:
    """Give pydantic's core schema of a struct.

    Args:
        kind: The struct.
        read: Makes a `kind` of plain data; a ValueError of it is a validation error.
        write: Makes plain data of a `kind`.
    """

    def validate(value: object) -> object:
        return value if isinstance(value, kind) else read(value)

    return {
        "type": "function-plain",
        "function": {"type": "no-info", "function": validate},
        "serialization": {"type": "function-plain", "function": write},
    }


def json_schema(kind: type) -> dict[str, Any]:
    """Describe a struct as one JSON schema without references: pydantic knows none of ours."""
    (top,), parts = msgspec.json.schema_components([kind], ref_template=_NAMES_ONLY)
    return cast("dict[str, Any]", _inlined(top, parts, ()))


def _inlined(schema: object, parts: dict[str, Any], inside: tuple[str, ...]) -> object:
    if isinstance(schema, list):
        return [_inlined(item, parts, inside) for item in cast("list[object]", schema)]
    if not isinstance(schema, dict):
        return schema
    fields = cast("dict[str, Any]", schema)
    name: object = fields.get("$ref")
    if isinstance(name, str):
        if name in inside:
            return {"title": name, "type": "object"}  # a struct inside itself
        return _inlined(parts[name], parts, (*inside, name))
    if "properties" in fields:
        # Names in brackets are ours and not of the wire; what is not named is kept or skipped.
        named = {key: item for key, item in fields["properties"].items() if key[:1] != "("}
        fields = {**fields, "properties": named}
        fields.pop("additionalProperties", None)
    return {key: _inlined(item, parts, inside) for key, item in fields.items()}
