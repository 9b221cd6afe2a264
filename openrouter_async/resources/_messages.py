"""The messages of a request: whatever mixture of structs and mappings becomes the wire form.

The rule of this file: pure, and no more is checked than what every message has: a role, and a
content that is text, parts or nothing. All else that a mapping holds is passed on as it is.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import msgspec
from msgspec import UNSET, Struct

from ..types import ChatCompletion, Message, MessageParam
from ..types._history import Seen, note_repeats, without_repeats
from ..types._request import RequestStruct
from ..types._struct import WireStruct
from ..types.attachment import Attachment

__all__ = ["checked_messages", "plain"]

_PACKAGE: Final = __name__.partition(".")[0]


def checked_messages(messages: str | Sequence[MessageParam]) -> list[dict[str, Any]]:
    """Give the messages in their wire form, or raise what is wrong with which."""
    given = cast("object", messages)  # the annotation promises what is checked here
    if isinstance(given, str):
        if not given:
            raise ValueError("messages must not be empty")
        return [{"role": "user", "content": given}]
    if isinstance(given, Mapping | bytes | bytearray | Struct) or not isinstance(given, Sequence):
        kind = type(messages).__name__
        raise TypeError(f"messages must be a str or a sequence of messages, got {kind}")
    items = cast("Sequence[object]", given)
    if not items:
        raise ValueError("messages must not be empty")
    seen: Seen = set()
    return [_checked_message(item, f"messages[{index}]", seen) for index, item in enumerate(items)]


def _checked_message(message: object, place: str, seen: Seen) -> dict[str, Any]:
    if isinstance(message, Message):
        return without_repeats(message.to_param(), seen)
    fields = plain(message)
    if not isinstance(fields, dict) or isinstance(message, ChatCompletion):
        hint = "; pass its .message" if isinstance(message, ChatCompletion) else ""
        raise TypeError(f"{place} must be a mapping, got {type(message).__name__}{hint}")
    fields = cast("dict[str, Any]", fields)
    role: object = fields.get("role")
    if role is None:
        raise ValueError(f"{place}.role is missing; it is 'user', 'assistant', 'system', ...")
    if not isinstance(role, str):
        raise TypeError(f"{place}.role must be a str, got {type(role).__name__}")
    content: object = fields.get("content")
    if isinstance(content, list):
        for index, part in enumerate(cast("list[object]", content)):
            _check_part(part, f"{place}.content[{index}]")
        _advise_on_order(cast("list[object]", content), place)
    elif content is not None and not isinstance(content, str):
        raise TypeError(
            f"{place}.content must be a str, a sequence of parts or None, "
            f"got {type(content).__name__}"
        )
    note_repeats(fields, seen)
    return fields


def _check_part(part: object, place: str) -> None:
    if isinstance(part, Attachment):
        return
    if not isinstance(part, dict):
        raise TypeError(f"{place} must be a mapping, got {type(part).__name__}")
    kind: object = cast("dict[str, object]", part).get("type")
    if not isinstance(kind, str):
        raise ValueError(f"{place}.type must say what the part is, such as 'text'; got {kind!r}")


def _advise_on_order(parts: list[object], place: str) -> None:
    """Warn of images before the text: OpenRouter's documentation advises the other order."""
    kinds = [_kind_of(part) for part in parts]
    if "image_url" in kinds and "text" in kinds and kinds.index("image_url") < kinds.index("text"):
        warnings.warn(
            f"{place}.content: put the text before the images; some models overlook it else",
            stacklevel=_frames_to_the_caller(),
        )


def _frames_to_the_caller() -> int:
    """Count the frames between the function that calls this and the user's code."""
    frame, count = sys._getframe(1), 1  # pyright: ignore[reportPrivateUsage]
    while frame.f_back is not None and frame.f_globals["__name__"].startswith(_PACKAGE):
        frame, count = frame.f_back, count + 1
    return count


def _kind_of(part: object) -> object:
    if isinstance(part, Attachment):
        return "image_url" if part.kind == "image" else part.kind
    return cast("dict[str, object]", part)["type"]


def plain(value: object) -> object:
    """Make lists and mappings of structs and of whatever holds them."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Struct):
        return _plain_struct(value)
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return {name: plain(item) for name, item in pairs}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [plain(item) for item in cast("Sequence[object]", value)]
    return value


def _plain_struct(value: Struct) -> object:
    if isinstance(value, WireStruct):
        return value.to_dict()
    if not isinstance(value, RequestStruct):
        return msgspec.to_builtins(value)  # one of the user's own
    given = ((name, getattr(value, name)) for name in value.__struct_fields__)
    return {name: plain(item) for name, item in given if item is not UNSET}
