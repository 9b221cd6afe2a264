"""What a tool takes: a signature or a type becomes a JSON schema, and JSON becomes its arguments.

The rule of this file: pure. A function is looked at and never called, and every complaint names
the tool and the parameter.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Annotated, Any, Final, TypeAlias, get_type_hints

import msgspec
from msgspec import Meta

from .._schema import fits_strict, read_as, schema_of, strict

__all__ = ["Arguments", "arguments_of", "arguments_of_type", "described", "innermost"]

_AnyCallable: TypeAlias = Callable[..., object]

_SECTION: Final = re.compile(
    r"(args|arguments|parameters|params|returns?|yields?|raises|examples?|notes?|attributes"
    r"|see also|todo|warnings?|warns):\s*$",
    re.IGNORECASE,
)
_ENTRY: Final = re.compile(r"\*{0,2}(\w+)\s*(?:\(.*?\))?\s*:\s*(.*)$")
_NOT_BY_NAME: Final = {
    inspect.Parameter.VAR_POSITIONAL: "takes any number of values; give it a name and a list type",
    inspect.Parameter.VAR_KEYWORD: "takes any name; the model has to know the names",
    inspect.Parameter.POSITIONAL_ONLY: "cannot be given by name",
}


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a tool takes.

    Attributes:
        schema: The JSON schema, of an object.
        kind: The type that the JSON is read as.
        names: The parameters, in the order of the fields of `kind`; None where the value is
            given as a whole.
    """

    schema: dict[str, Any]
    kind: Any
    names: tuple[str, ...] | None

    def read(self, text: str) -> Any:
        """Read a call's arguments: a dict by parameter, or the value as a whole.

        Raises:
            MismatchError: The text is no JSON, or does not fit.
        """
        # Calls without arguments come as nothing, as blanks or as null.
        value = read_as(self.kind, "{}" if text.strip() in ("", "null") else text)
        if self.names is None:
            return value
        return dict(zip(self.names, msgspec.structs.astuple(value), strict=True))


def arguments_of(function: _AnyCallable, name: str, *, is_strict: bool) -> Arguments:
    """Read what a function takes off its signature and its docstring.

    Args:
        function: A function, a bound method, a `functools.partial` or a callable object.
        name: The tool's name, for messages.
        is_strict: Whether the schema shall have the form that ``strict: true`` asks for.

    Raises:
        TypeError: A parameter has no type hint, or one that JSON cannot say.
    """
    parameters = _parameters(function, name)
    hints = _hints(function, parameters, name)
    texts = described(innermost(function).__doc__)[1]
    fields: list[tuple[str, Any, Any]] = []
    defaults: dict[str, object] = {}
    for position, (key, parameter) in enumerate(parameters.items()):
        place = f"tool {name!r}: parameter {key!r}"
        if key not in hints:
            first = " (give the bound method, as `object.method`)" if key == "self" else ""
            raise TypeError(f"{place} has no type hint{first}")
        schema_of(hints[key], place)  # so that a message names the parameter
        field = msgspec.field()
        if parameter.default is not parameter.empty:
            defaults[key] = parameter.default
            field = msgspec.field(default_factory=_giver_of(parameter.default))
        fields.append((f"p{position}", _explained(hints[key], texts.get(key)), field))
    kind = msgspec.defstruct(
        f"{name}_arguments",
        fields,
        kw_only=True,
        # A misspelt optional argument shall not be dropped. Where there are none to misspell,
        # what some models make up for the sake of having any is let pass.
        forbid_unknown_fields=bool(fields),
        # The fields have names of ours, for a parameter may have one that a struct cannot have.
        rename={f"p{position}": key for position, key in enumerate(parameters)},
    )
    schema = schema_of(kind, f"tool {name!r}")
    del schema["title"]
    for key, default in defaults.items():
        _add_default(schema["properties"][key], default)
    return Arguments(_strict(schema, name) if is_strict else schema, kind, tuple(parameters))


def arguments_of_type(kind: type, name: str, *, is_strict: bool) -> Arguments:
    """Take a struct, dataclass, TypedDict or pydantic model as the arguments as a whole.

    Raises:
        TypeError: The type has no JSON schema, or is no object in JSON.
    """
    schema = schema_of(kind, f"tool {name!r}")
    if schema.get("type") != "object":
        raise TypeError(f"tool {name!r}: {kind.__name__} is no object in JSON")
    schema = {key: item for key, item in schema.items() if key not in ("title", "description")}
    return Arguments(_strict(schema, name) if is_strict else schema, kind, None)


def described(docstring: str | None) -> tuple[str, dict[str, str]]:
    """Split a Google-style docstring into its text and what it says of each parameter.

    >>> described("Add.\\n\\nArgs:\\n    a: One\\n        number.\\n\\nReturns:\\n    The sum.")
    ('Add.', {'a': 'One number.'})
    """
    text: list[str] = []
    entries: dict[str, str] = {}
    section = ""
    indent = 0
    entry = ""
    for line in inspect.cleandoc(docstring or "").splitlines():
        depth = len(line) - len(line.lstrip())
        if depth == 0 and line:
            header = _SECTION.match(line)
            section = header[1].lower() if header else section and "other"
            indent, entry = 0, ""
        if not section:
            text.append(line)
        elif section in ("args", "arguments", "parameters", "params") and depth:
            indent = indent or depth
            found = _ENTRY.match(line.strip()) if depth == indent else None
            if found:
                entry = found[1]
                entries[entry] = found[2]
            elif entry:
                entries[entry] = f"{entries[entry]} {line.strip()}".strip()
    return "\n".join(text).strip(), entries


def innermost(function: _AnyCallable) -> _AnyCallable:
    """Give the function that partials and callable objects are made of."""
    while isinstance(function, partial):
        function = function.func
    is_plain = inspect.isroutine(function) or inspect.isclass(function)
    return function if is_plain else type(function).__call__


def _parameters(function: _AnyCallable, name: str) -> dict[str, inspect.Parameter]:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        raise TypeError(f"tool {name!r}: its signature cannot be read") from None
    fixed: set[str] = set()
    partials = function
    while isinstance(partials, partial):
        fixed |= partials.keywords.keys()
        partials = partials.func
    parameters = {key: one for key, one in signature.parameters.items() if key not in fixed}
    for key, parameter in parameters.items():
        if parameter.kind in _NOT_BY_NAME:
            raise TypeError(f"tool {name!r}: parameter {key!r} {_NOT_BY_NAME[parameter.kind]}")
    return parameters


def _hints(
    function: _AnyCallable, parameters: Mapping[str, inspect.Parameter], name: str
) -> dict[str, Any]:
    """Resolve the hints of the parameters alone: what is returned may be anything."""
    inner = inspect.unwrap(innermost(function))
    given = {
        key: one.annotation for key, one in parameters.items() if one.annotation is not one.empty
    }
    try:
        return get_type_hints(
            SimpleNamespace(__annotations__=given),
            globalns=getattr(inner, "__globals__", {}),
            include_extras=True,
        )
    except NameError as error:
        raise TypeError(
            f"tool {name!r}: a type hint is a name that its module does not have: {error}"
        ) from None


def _explained(hint: Any, text: str | None) -> Any:
    """Put the docstring's words onto a hint that brings none of its own."""
    for extra in getattr(hint, "__metadata__", ()):
        if isinstance(extra, str):
            text = extra
        elif isinstance(extra, Meta) and extra.description is not None:
            return hint
        elif isinstance(getattr(extra, "description", None), str):
            text = extra.description
    return Annotated[hint, Meta(description=text)] if text else hint


def _strict(schema: dict[str, Any], name: str) -> dict[str, Any]:
    closed = strict(schema)
    if not fits_strict(closed):
        raise TypeError(
            f"tool {name!r}: strict=True cannot hold a model to these types; it can where every "
            "object names its fields and every value its kind, which dict and Any do not"
        )
    return closed


def _giver_of(default: Any) -> Callable[[], Any]:
    return lambda: default


def _add_default(schema: dict[str, Any], default: object) -> None:
    try:
        schema["default"] = msgspec.to_builtins(default, str_keys=True)
    except (TypeError, ValueError, RecursionError):
        return  # the function knows it; JSON has no word for it
