"""Plain data becomes what an annotation says, or is refused with the name of the place.

The rule of this file: pure. msgspec reads, checks and puts keys in order; its refusals are said
again in the words of an argument: which one, what is allowed, what was given. What was given is
shown as a number, a type or a length, never as text, which may be a prompt.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence, Sized
from typing import Any, Final, TypeVar

import msgspec
from msgspec import inspect

__all__ = ["fit"]

T = TypeVar("T")

_AT: Final = re.compile(r"(.*?)(?: - at `(key` in `)?\$([^`]*)`)?", re.DOTALL)
_STEP: Final = re.compile(r"\.(\w+)|\[(\d+|\.\.\.)\]")
_WANTED: Final = {
    "array": "a sequence",
    "bool": "a bool",
    "date": "a day",
    "datetime": "a moment",
    "float": "a number",
    "int": "an int",
    "null": "None",
    "object": "a mapping",
    "str": "a str",
    "uuid": "a UUID",
}
_GOT: Final = {"array": "list", "null": "None", "object": "dict"}
_FORMS: Final = {
    "Invalid RFC3339 encoded datetime": "be a moment such as '2026-01-31T12:00:00Z'",
    "Expected `datetime` with a timezone component": "be a moment with its time zone, such as UTC",
    "Invalid RFC3339 encoded date": "be a day such as '2026-01-31'",
    "Invalid UUID": "be a UUID such as '0df9e665-d932-5740-b2c7-b52af166bc11'",
}
_UNITS: Final = {
    inspect.StrType: "characters",
    inspect.ListType: "items",
    inspect.DictType: "pairs",
}


def fit(value: object, kind: type[T], place: str = "") -> T:
    """Read plain data as a `kind`, keys in its order; `place` says for the error where it stands.

    Raises:
        TypeError: A value has the wrong type, or a key is unknown.
        ValueError: A value is out of range, or a key is missing.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        reason = str(error)
    raise _refusal(reason, value, kind, place)


def _refusal(reason: str, value: object, kind: type, place: str) -> Exception:
    found = _AT.fullmatch(reason)
    what, in_key, path = found.groups("") if found else (reason, "", "")
    place = (place + path).lstrip(".")
    types = _types_at(kind, path, in_key=bool(in_key))
    if in_key:
        place = f"a key of {place}"
    if match := re.fullmatch(r"Expected `(.*)`, got `(.*)`", what):
        wanted = [_WANTED.get(word, word) for word in match[1].split(" | ")]
        got = _GOT.get(match[2], match[2])
        return TypeError(f"{place} must be {_either(wanted)}, got {got}")
    if match := re.fullmatch(r"Object contains unknown field `(.*)`", what):
        name = match[1]
        known = _keys_of(types)
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
        return TypeError(f"unknown key {place}.{name}; {hint} (newer fields go into extra_body)")
    if match := re.fullmatch(r"Object missing required field `(.*)`", what):
        return ValueError(f"{place}.{match[1]} is missing".lstrip("."))
    if what in _FORMS:
        return ValueError(f"{place} must {_FORMS[what]}")
    allowed = next(filter(None, map(_allowed, types)), None)
    if allowed is None:
        return ValueError(f"{place}: {what}")
    shown = "" if in_key else _measure(_value_at(value, path))
    return ValueError(f"{place} must {allowed}{shown}")


def _types_at(kind: type, path: str, *, in_key: bool) -> tuple[inspect.Type, ...]:
    """Give what msgspec allows at a path, one entry for each member of a union."""
    types = _members(inspect.type_info(kind))
    for name, _ in _STEP.findall(path):
        for option in types:
            if isinstance(option, inspect.StructType | inspect.TypedDictType) and name:
                fields = {field.encode_name: field.type for field in option.fields}
                types = _members(fields[name])
            elif isinstance(option, inspect.ListType) and not name:
                types = _members(option.item_type)
            elif isinstance(option, inspect.DictType) and not name:
                types = _members(option.value_type)
    if in_key:
        return tuple(option.key_type for option in types if isinstance(option, inspect.DictType))
    return types


def _members(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    return kind.types if isinstance(kind, inspect.UnionType) else (kind,)


def _keys_of(types: Iterable[inspect.Type]) -> list[str]:
    shapes = [option for option in types if isinstance(option, inspect.StructType)]
    return [field.encode_name for shape in shapes for field in shape.fields]


def _allowed(option: inspect.Type) -> str | None:
    """Say which values of a type are allowed; None where all are."""
    if isinstance(option, inspect.LiteralType):
        return f"be {_either([repr(word) for word in option.values])}"
    if isinstance(option, inspect.FloatType | inspect.IntType):
        bounds = _range(option.ge, option.le)
        if option.gt is not None:
            bounds = f"above {option.gt:g}" + (f" and {bounds}" if bounds else "")
        return f"be {bounds}" if bounds else None
    if isinstance(option, inspect.StrType) and option.pattern:
        return f"match {option.pattern} with at most {option.max_length} characters"
    if isinstance(option, inspect.StrType | inspect.ListType | inspect.DictType):
        bounds = _range(option.min_length, option.max_length)
        unit = _UNITS[type(option)] if bounds != "at least 1" else _UNITS[type(option)][:-1]
        return f"have {bounds} {unit}" if bounds else None
    return None


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"between {low:g} and {high:g}"
    if low is not None:
        return f"at least {low:g}"
    return f"at most {high:g}" if high is not None else ""


def _value_at(value: Any, path: str) -> Any:
    for name, position in _STEP.findall(path):
        if position == "...":
            return None
        value = value[name] if name else value[int(position)]
    return value


def _measure(value: object) -> str:
    """Show a number, or how much of something there is, never what it says."""
    if isinstance(value, int | float):
        return f", got {value}"
    return f", got {len(value)}" if isinstance(value, Sized) and not isinstance(value, str) else ""


def _either(words: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
