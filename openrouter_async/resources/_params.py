"""The keywords of a chat request: what fits goes on, what does not is refused by its name.

The rule of this file: pure, and `ChatParams` (or its like for another endpoint) with the structs
it names is the only source of what is allowed. A value is made plain, then read back as what the
annotation says, which checks it and puts the keys of a mapping into the order of its struct. What
no struct describes (a new plugin, a new tool, a JSON schema) passes as it is.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, cast, get_args

import msgspec
from msgspec import Struct

from ..types import (
    ChatParams,
    ImageConfig,
    Plugin,
    RequestTool,
    ResponseFormat,
    StopCondition,
    ToolChoice,
    Trace,
)
from ._fit import fit

__all__ = ["checked_params", "plain_params", "refuse_unknown"]

# Mappings that are told apart by a word of theirs; an unknown word is a newer kind of thing.
_TOLD_APART: Final[dict[str, tuple[str, Any]]] = {
    "response_format": ("type", ResponseFormat),
    "stop_server_tools_when": ("type", StopCondition),
    "plugins": ("id", Plugin),
}
_OF_CHATS: Final[dict[str, tuple[str, Any]]] = {
    "tools": ("type", RequestTool),
    "tool_choice": ("type", ToolChoice),
}
# Mappings with keys of the user's own beside known ones, which are checked alone.
_FREE: Final[dict[str, type[Struct]]] = {"image_config": ImageConfig, "trace": Trace}
# What the client's calls take besides. None of it is said to the API, so none of it comes here but
# by mistake: misspelt, or given to a call that does not take it.
_OF_CALLS: Final[dict[str, str]] = {
    "accumulate": "stream",
    "aspect_ratio": "stream_images",
    "budget": "stream",
    "concurrency": "map",
    "engine": "stream_pdf",
    "fallback": "stream",
    "hedge_after": "stream",
    "image_size": "stream_images",
    "images": "stream_images",
    "max_parallel": "run_tools",
    "max_repeats": "run_tools",
    "max_turns": "run_tools",
    "on_approval": "run_tools",
    "on_error": "run_tools",
    "ordered": "map",
    "pin_provider": "run_tools",
    "remember_documents": "stream",
    "response_type": "complete",
    "stop_when": "run_tools",
    "strict": "complete",
    "system": "conversation",
    "timeouts": "stream",
    "transport": "complete",
}
_CLOSE: Final = 0.7
"""How alike two words must be for the one to be the other misspelt."""


def checked_params(params: Mapping[str, object], shape: type[Any] = ChatParams) -> dict[str, Any]:
    """Give the keywords in their wire form and in the order of their shape, which allows them.

    Raises:
        TypeError: A value has the wrong type, or a keyword or a key is unknown.
        ValueError: A value is out of range, something is missing, or two keywords contradict.
    """
    names = tuple(shape.__annotations__)
    is_chat = shape is ChatParams
    if is_chat:
        refuse_unknown(params)
    checked = cast("dict[str, Any]", fit(plain_params(params, names), shape))
    for name, (mark, shapes) in (_TOLD_APART | (_OF_CHATS if is_chat else {})).items():
        if name in checked:
            checked[name] = _told_apart(checked[name], mark, _by_mark(shapes, mark), name)
    for name, shape in _FREE.items():
        if name in checked:
            fit(checked[name], shape, name)
    if is_chat:
        _refuse_contradictions(checked)
    return {name: checked[name] for name in names if name in checked}


def refuse_unknown(names: Iterable[str]) -> None:
    """Refuse what is no keyword of a chat request, and name the one that may be meant.

    Raises:
        TypeError: One of the names is unknown.
    """
    for name in names:
        if name in ChatParams.__annotations__:
            continue
        if name == "stream":
            hint = "client.stream(...) streams, client.complete(...) gives the whole answer"
            raise TypeError(f"unknown keyword 'stream'; {hint}")
        if name in _OF_CALLS:
            raise TypeError(f"unknown keyword {name!r} here; client.{_OF_CALLS[name]}(...) has it")
        raise _unknown(name, (*ChatParams.__annotations__, *_OF_CALLS))


def plain_params(params: Mapping[str, object], known: Collection[str]) -> dict[str, object]:
    """Make lists and mappings of whatever known keywords were given, structs included."""
    return {name: _plain(name, value, known) for name, value in params.items()}


def _plain(name: str, value: object, known: Collection[str]) -> object:
    if name not in known:
        raise _unknown(name, known)
    if isinstance(value, type):
        hint = "; give it as response_type" if name == "response_format" else ""
        raise TypeError(f"{name} must be a value, got the class {value.__name__}{hint}")
    try:
        return msgspec.to_builtins(
            value, str_keys=True, builtin_types=(bytes, bytearray), enc_hook=_foreign
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{name} cannot be sent as JSON: {error}") from None


def _unknown(name: str, known: Collection[str]) -> TypeError:
    close = difflib.get_close_matches(name, known, n=1, cutoff=_CLOSE)
    extra = next((name for name in ("extra_body", "extra_query") if name in known), None)
    more = f"newer fields go into {extra}" if extra else f"known are {', '.join(sorted(known))}"
    hint = f"did you mean {close[0]!r}?" if close else more
    return TypeError(f"unknown keyword {name!r}; {hint}")


def _foreign(value: object) -> object:
    for base in (str, int, float):
        if isinstance(value, base):
            return base(value)  # a subclass, such as numpy's
    if isinstance(value, Mapping):
        return dict(cast("Mapping[object, object]", value))
    if isinstance(value, Sequence):
        return list(cast("Sequence[object]", value))
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _told_apart(value: object, mark: str, shapes: Mapping[object, Any], place: str) -> object:
    if isinstance(value, list):
        items = enumerate(cast("list[object]", value))
        return [_told_apart(item, mark, shapes, f"{place}[{index}]") for index, item in items]
    if not isinstance(value, dict):
        return value
    item = cast("dict[str, object]", value)
    kind = item.get(mark)
    if not isinstance(kind, str):
        raise ValueError(f"{place}.{mark} must say which one it is; got {kind!r}")
    return fit(item, shapes[kind], place) if kind in shapes else item


@cache
def _by_mark(shapes: object, mark: str) -> dict[object, type[Struct]]:
    """Give each struct of a union under the words that it goes by."""
    return {
        word: shape
        for shape in get_args(shapes)
        for field in msgspec.structs.fields(shape)
        if field.name == mark
        for word in get_args(field.type)
    }


def _refuse_contradictions(checked: Mapping[str, Any]) -> None:
    if checked.get("top_logprobs") is not None and checked.get("logprobs") is not True:
        raise ValueError("top_logprobs needs logprobs=True")
    effort = checked.get("reasoning_effort")
    if effort is not None and "reasoning" in checked:
        other = checked["reasoning"].effort
        if other not in (effort, None, msgspec.UNSET):
            raise ValueError(
                f"reasoning_effort and reasoning.effort contradict: {effort!r} and {other!r}"
            )
