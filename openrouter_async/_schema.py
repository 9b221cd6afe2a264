"""A Python type as a JSON schema, and JSON text back as that type.

The rule of this file: pure, and the only place that knows the kinds of types: msgspec structs,
dataclasses, TypedDicts, NamedTuples, the built-in ones, and pydantic models, which are known by
their methods, since pydantic need not be installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeVar, cast

import msgspec

__all__ = ["MismatchError", "fits_strict", "read_as", "schema_of", "strict"]

T = TypeVar("T")

_REFERENCE: Final = "#/$defs/"
_NAMED: Final = ("properties", "$defs")
"""Where a schema's keys are names of the user's, which may be those of keywords."""
_KINDS: Final = ("type", "anyOf", "enum", "const", "$ref")
_JSON_KINDS: Final[dict[type, str]] = {str: "string", int: "integer"}
_NOT_STRICT: Final = ("prefixItems", "patternProperties", "oneOf", "allOf", "not", "if")


class MismatchError(ValueError):
    """JSON text that is no value of the type; the message tells where and why, in one line."""


def schema_of(kind: Any, name: str) -> dict[str, Any]:
    """Give the JSON schema of a type, with the type itself at the root and others in ``$defs``.

    Args:
        kind: Any type that msgspec knows, pydantic models among its parts or as the whole.
        name: What the caller calls the argument, for the message.

    Raises:
        TypeError: The type has no JSON schema, or refers to itself.
    """
    try:
        schema = msgspec.json.schema(kind, schema_hook=_schema_of_model)
        msgspec.json.Decoder(kind, dec_hook=_model_from)  # some types have a schema and no reader
    except (TypeError, NameError, RecursionError) as error:
        raise TypeError(f"{name}: {_named(kind)} has no JSON schema: {error}") from None
    definitions: dict[str, Any] = {}
    root = _hoisted(schema, definitions)
    cycle = _cycle(definitions)
    if cycle is not None:
        raise TypeError(
            f"{name}: {_named(kind)} refers to itself ({cycle}), which models cannot be held to; "
            "give a type without a cycle"
        )
    reference = root.get("$ref")
    if isinstance(reference, str):
        # APIs want an object at the root, and without a cycle nothing else refers to it.
        key = reference.removeprefix(_REFERENCE)
        root = {**definitions.pop(key), **{k: v for k, v in root.items() if k != "$ref"}}
    return {**root, "$defs": definitions} if definitions else root


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """Give a schema in the form that ``strict: true`` asks for: closed objects, nothing optional.

    A field with a default becomes one that the model has to fill.
    """
    return cast("dict[str, Any]", _strict(schema))


def fits_strict(schema: dict[str, Any]) -> bool:
    """Whether strict mode can hold a model to a schema; it cannot where names or kinds are free."""
    if not any(key in schema for key in _KINDS) or any(key in schema for key in _NOT_STRICT):
        return False
    parts: list[Any] = [*schema.get("$defs", {}).values(), *schema.get("anyOf", ())]
    if schema.get("type") == "object":
        if "properties" not in schema or schema.get("additionalProperties", False) is not False:
            return False
        parts += schema["properties"].values()
    if schema.get("type") == "array":
        parts.append(schema.get("items", {}))
    return all(
        isinstance(part, dict) and fits_strict(cast("dict[str, Any]", part)) for part in parts
    )


def read_as(kind: type[T], text: str | bytes) -> T:
    """Read JSON text as a type.

    Raises:
        MismatchError: It is no JSON, or no value of the type.
    """
    try:
        return msgspec.json.decode(text, type=kind, dec_hook=_model_from)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        reason = str(error)
    raise MismatchError(reason)  # outside: the error of a decoder may hold the text


def _schema_of_model(kind: type) -> dict[str, Any]:
    make = getattr(kind, "model_json_schema", None)
    if make is None:
        raise TypeError(f"{_named(kind)} is neither a struct, a dataclass nor a pydantic model")
    return cast("dict[str, Any]", make())


def _model_from(kind: type, value: object) -> object:
    validate = getattr(kind, "model_validate", None)
    if validate is None:
        raise TypeError(f"{_named(kind)} cannot be read from JSON")
    try:
        return validate(value)
    except ValueError as error:
        reason = _reason_of(error)
    raise ValueError(reason)


def _reason_of(error: ValueError) -> str:
    """Tell what pydantic found, without the value that it found it in."""
    details = getattr(error, "errors", None)
    if details is None:
        return str(error)
    found = details(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in found)


def _hoisted(value: object, definitions: dict[str, Any]) -> Any:
    """Move every ``$defs`` within a schema to the one at its root."""
    if isinstance(value, list):
        return [_hoisted(item, definitions) for item in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = {}
    for key, item in cast("dict[str, Any]", value).items():
        if key == "$defs":
            for name, definition in item.items():
                moved = _hoisted(definition, definitions)
                if definitions.setdefault(name, moved) != moved:
                    raise TypeError(f"two different types within it are both called {name}")
        else:
            result[key] = _hoisted(item, definitions)
    return result


def _references(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _references(item)
    elif isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            if key == "$ref" and isinstance(item, str):
                yield item.removeprefix(_REFERENCE)
            else:
                yield from _references(item)


def _cycle(definitions: dict[str, Any]) -> str | None:
    """Give one way from a type back to itself, as ``A -> B -> A``; None where there is none."""
    done: set[str] = set()

    def search(name: str, path: tuple[str, ...]) -> str | None:
        if name in path:
            return " -> ".join((*path[path.index(name) :], name))
        if name in done:
            return None
        done.add(name)
        ways = (search(next_, (*path, name)) for next_ in _references(definitions.get(name)))
        return next((way for way in ways if way is not None), None)

    ways = (search(name, ()) for name in definitions)
    return next((way for way in ways if way is not None), None)


def _strict(value: object) -> Any:
    if isinstance(value, list):
        return [_strict(item) for item in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    given = cast("dict[str, Any]", value)
    if isinstance(given.get("$ref"), str):
        return {"$ref": given["$ref"]}  # strict mode allows nothing beside it
    result: dict[str, Any] = {}
    for key, item in given.items():
        if key in _NAMED and isinstance(item, dict):
            parts = cast("dict[str, Any]", item)
            result[key] = {name: _strict(part) for name, part in parts.items()}
        elif key not in ("default", "discriminator"):
            result[key] = _strict(item)
    kinds = {type(choice) for choice in cast("list[object]", given.get("enum", ()))}
    name = _JSON_KINDS.get(kinds.pop()) if len(kinds) == 1 else None
    if name is not None:
        result["type"] = name  # which strict mode wants beside every enum
    if given.get("type") == "object" and "properties" in result:
        result["required"] = list(result["properties"])
        result["additionalProperties"] = False
    return result


def _named(kind: Any) -> str:
    return getattr(kind, "__name__", None) or repr(kind)
