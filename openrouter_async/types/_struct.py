"""The two kinds of wire struct, and how one becomes plain data again.

What may live here: how a struct behaves, never which fields one has.

Responses are decoded leniently: every field has a default, enumerations are plain `str`, and a
field that a struct does not name is skipped. Where a part of an answer has to go back to the
API in a later turn (a reasoning detail, a tool call, an annotation), skipping would lose
something, so those parts are `KeptStruct`: what they do not name is kept in `.extra`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, cast

import msgspec
from msgspec import Struct, field

from ._lenient import decode_leniently, fit
from ._pydantic import core_schema, json_schema


class WireStruct(Struct, omit_defaults=True, kw_only=True, gc=False):
    """A part of an answer, with a default for every field.

    Structs of an answer form trees without cycles, so the garbage collector need not see them.
    They serve as FastAPI bodies (``Annotated[Message, Body()]``), as response models and as
    fields of pydantic models.
    """

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Make one of plain data in the wire form, taking whatever of it makes sense.

        Raises:
            TypeError: `data` is not a mapping.
        """
        if not isinstance(cast("object", data), Mapping):
            raise TypeError(f"data must be a mapping, got {type(data).__name__}")
        return fit(dict(data), cls)

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Make one of JSON in the wire form, taking whatever of it makes sense.

        Raises:
            ValueError: `data` is not the JSON of an object.
        """
        return decode_leniently(data.encode() if isinstance(data, str) else data, cls)

    def to_dict(self) -> dict[str, Any]:
        """Give the wire form as plain data; what is None is left out."""
        return cast("dict[str, Any]", _plain(self))

    def to_json(self) -> bytes:
        """Give the wire form as JSON bytes."""
        return msgspec.json.encode(self.to_dict())

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> dict[str, Any]:
        return core_schema(cls, cls._validated, WireStruct.to_dict)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        return json_schema(cls)

    @classmethod
    def _validated(cls, value: object) -> Self:
        if not isinstance(value, Mapping):
            raise ValueError(f"{cls.__name__} must be an object, got {type(value).__name__}")
        return cls.from_dict(cast("Mapping[str, Any]", value))


class KeptStruct(WireStruct, forbid_unknown_fields=True):
    """A part of an answer that goes back to the API, so nothing in it may be lost.

    Attributes:
        extra: Fields that the struct does not name, as they came; None where there are none.
    """

    # An unknown field makes the strict decode fail, and the lenient one fills this. No JSON
    # key of the API looks like its wire name, so a field really named "extra" has its place.
    extra: dict[str, Any] | None = field(default=None, name="(extra)")


class SecretStruct(WireStruct):
    """A part of an answer with a secret in it, which its repr does not show."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


def _plain(value: object) -> object:
    if isinstance(value, Struct):
        result: dict[str, object] = {}
        extra: object = None
        names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        for name, wire_name in names:
            item = getattr(value, name)
            if wire_name.startswith("("):
                if name == "extra":
                    extra = item
            elif item is not None:
                # Defaults too: an assistant's role or a call's type must not be missing.
                result[wire_name] = _plain(item)
        if isinstance(extra, dict):
            for name, item in cast("dict[str, object]", extra).items():
                result.setdefault(name, item)
        return result
    if isinstance(value, list):
        return [_plain(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return {name: _plain(item) for name, item in items}
    return value
