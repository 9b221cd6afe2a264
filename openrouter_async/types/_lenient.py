"""The second, patient decode: whatever of an answer makes sense comes through.

The rule of this file: an answer that is a JSON object always becomes a struct. A field whose
value does not fit is mended where its meaning is plain (a number in a string, a string where a
number is due), else it takes its default, and in a `KeptStruct` it stays in `.extra`. It is
slow on purpose: it runs only when the strict decode of a chunk has failed.
"""

from __future__ import annotations

import json
import re
import types
from functools import cache
from typing import Any, Final, TypeVar, Union, cast, get_args, get_origin

import msgspec
from msgspec import Struct

T = TypeVar("T", bound=Struct)

_LOST: Final = object()
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")

# The API sends tool arguments as a string of JSON; some providers send the JSON itself.
_JSON_TEXT_FIELDS: Final = frozenset({"arguments"})


class NotAnObjectError(ValueError):
    """The bytes are not a JSON object, so no struct can be made of them."""


def decode_leniently(data: bytes, kind: type[T]) -> T:
    """Make a `kind` of the JSON object in `data`, whatever its fields look like.

    Raises:
        NotAnObjectError: `data` is no JSON, or JSON of something else than an object, or it is
            nested more deeply than Python can follow.
    """
    try:
        # The standard decoder accepts NaN and lone surrogates; broken UTF-8 becomes U+FFFD.
        value: object = json.loads(data.decode("utf-8", "replace"), parse_int=_integer)
        if isinstance(value, dict):
            return fit(cast("dict[str, Any]", without_lone_surrogates(cast("object", value))), kind)
        reason = f"JSON of type {type(value).__name__} instead of an object"
    except (ValueError, RecursionError) as error:
        reason = f"no JSON: {error}"  # raised below: the error of `json` holds the whole text
    raise NotAnObjectError(reason)


def fit(value: dict[str, Any], kind: type[T]) -> T:
    """Make a `kind` of plain data, taking every field whose value fits or can be mended."""
    arguments: dict[str, Any] = {}
    left = dict(value)
    keeps_rest = False
    for name, wire_name, field_type in _fields(kind):
        if name == "extra" and wire_name.startswith("("):
            keeps_rest = True
        elif wire_name in value:
            item = _fit_value(value[wire_name], field_type)
            if item is _LOST and wire_name in _JSON_TEXT_FIELDS and value[wire_name] is not None:
                item = json.dumps(value[wire_name])
            if item is not _LOST:
                arguments[name] = item
                del left[wire_name]
            elif value[wire_name] is None:
                del left[wire_name]
    if keeps_rest and left:
        arguments["extra"] = left
    return kind(**arguments)


@cache
def _fields(kind: type[Struct]) -> list[tuple[str, str, Any]]:
    return [(info.name, info.encode_name, info.type) for info in msgspec.structs.fields(kind)]


def _fit_value(value: object, wanted: Any) -> object:
    options = get_args(wanted) if get_origin(wanted) in (Union, types.UnionType) else (wanted,)
    for option in options:
        if option is not Any:
            try:
                return msgspec.convert(value, option)
            except (msgspec.ValidationError, RecursionError):
                continue
        return value
    for option in options:
        mended = _mend_value(value, option)
        if mended is not _LOST:
            return mended
    return _LOST


def _mend_value(value: object, wanted: Any) -> object:
    if get_origin(wanted) is list and isinstance(value, list):
        items = (_fit_value(item, get_args(wanted)[0]) for item in cast("list[object]", value))
        return [item for item in items if item is not _LOST]
    if isinstance(wanted, type) and issubclass(wanted, Struct):
        if isinstance(value, dict):
            return fit(cast("dict[str, Any]", value), wanted)
        from_text = getattr(wanted, "from_text", None)
        return from_text(value) if from_text is not None and isinstance(value, str) else _LOST
    if isinstance(value, bool):
        return _LOST
    if wanted is str and isinstance(value, int | float):
        return str(value)
    if wanted in (int, float) and isinstance(value, int | float | str):
        return _number(value, wanted)
    return _LOST


def _number(value: float | str, wanted: type[int | float]) -> object:
    try:
        number = float(value)
        return wanted(value) if isinstance(value, str) and wanted is int else wanted(number)
    except (ValueError, OverflowError):
        return _LOST


def _integer(text: str) -> int | float:
    """Read a whole number; Python refuses to read one of thousands of digits as an int."""
    return int(text) if len(text) < 1_000 else float(text)


def without_lone_surrogates(value: object) -> object:
    """Replace lone surrogates, which no UTF-8 can carry, all through plain data."""
    if isinstance(value, str):
        if value.isascii():  # an image's megabytes: known at once, where a search takes long
            return value
        return _LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [without_lone_surrogates(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).items()
        return {
            str(without_lone_surrogates(key)): without_lone_surrogates(item) for key, item in items
        }
    return value
