"""What holds for a whole run: when it stops, who is asked, where it stays.

The rule of this file: pure. The arguments of `OpenRouter.run_tools` are checked here, before
anything is sent, and each further request is derived here from the first.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

import msgspec
from msgspec import Struct

from .._tool_calls import is_json_object
from ..types import Message

if TYPE_CHECKING:
    from ._calls import RunCall
    from ._run import ToolRun

__all__ = [
    "Rules",
    "StopReason",
    "is_blank",
    "is_bound",
    "next_message",
    "next_params",
    "pinned",
    "unanswered",
]

StopReason: TypeAlias = Literal[
    "finished",
    "max_turns",
    "stop_when",
    "repeated_call",
    "needs_approval",
    "handed_over",
    "cut_off",
    "budget",
    "error",
    "closed",
]
"""Why a run stopped: the model asked for no more calls (``finished``); the limit of turns; the
user's condition; the same calls again and again; calls that wait for approval, or for an answer
of the user's; an answer that ended amid a call; an error, of which a used-up budget is one; or
the run was left."""

StopWhen: TypeAlias = "Callable[[ToolRun], bool | Awaitable[bool]]"
OnApproval: TypeAlias = "Callable[[RunCall], bool | str | Awaitable[bool | str]]"

_LASTING: Final = ("auto", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of a run; see `OpenRouter.run_tools`."""

    max_turns: int
    max_parallel: int
    max_repeats: int | None
    stop_when: StopWhen | None
    on_approval: OnApproval | None
    on_error: Literal["tell", "raise"]
    pin_provider: bool

    def __post_init__(self) -> None:
        _check_count("max_turns", self.max_turns, 1)
        _check_count("max_parallel", self.max_parallel, 1)
        if self.max_repeats is not None:
            _check_count("max_repeats", self.max_repeats, 2)
        for name in ("stop_when", "on_approval"):
            value: object = getattr(self, name)
            if value is not None and not callable(value):
                raise TypeError(f"{name} must be a function, got {type(value).__name__}")
        if self.on_error not in ("tell", "raise"):
            raise ValueError(f"on_error must be 'tell' or 'raise', got {self.on_error!r}")


def next_params(params: Mapping[str, Any], provider: str | None) -> dict[str, Any]:
    """Give the parameters of a turn behind the first.

    Args:
        params: Those of the first.
        provider: The provider that has to answer; None where any may.
    """
    changed = dict(params)
    if changed.get("tool_choice") not in _LASTING:
        changed.pop("tool_choice", None)  # a choice that forces a call would force one for ever
    if provider is not None:
        routing = pinned(changed.get("provider"), provider)
        if routing is not None:
            changed["provider"] = routing
    return changed


def is_blank(message: Message) -> bool:
    """Whether a message holds nothing that could be sent back."""
    said = message.content or message.tool_calls or message.images or message.refusal
    return not said and message.audio is None


def is_bound(message: Message) -> bool:
    """Whether a message holds reasoning that only its own provider can read."""
    return any(one.type == "reasoning.encrypted" for one in message.reasoning_details or ())


def next_message(message: Message) -> dict[str, Any]:
    """Give the model's message as the next turn has to carry it.

    Providers that take arguments as an object refuse a history with arguments that are none, so
    those are wrapped; that they were wrong is in the tool's answer.
    """
    turn = message.to_param()
    for call in turn.get("tool_calls") or ():
        function: dict[str, Any] = call["function"]
        if not is_json_object(function["arguments"]):
            function["arguments"] = json.dumps({"not_json": function["arguments"]})
    return turn


def pinned(routing: object, provider: str) -> dict[str, Any] | None:
    """Merge staying with a provider into the user's own routing.

    None where the user's ``only`` or ``order`` leaves that provider out: then the user's stays.
    The user's own spelling of it and ``allow_fallbacks`` stay as well.

    >>> pinned({"order": ["azure", "openai"], "zdr": True}, "OpenAI")
    {'allow_fallbacks': False, 'order': ['openai'], 'zdr': True}
    """
    given: dict[str, Any] = msgspec.to_builtins(routing) if routing is not None else {}
    name = provider
    for key in ("order", "only"):
        listed: Sequence[str] | None = given.get(key)
        if listed:
            own = next((one for one in listed if _slug(one) == _slug(provider)), None)
            if own is None:
                return None
            name = own
    return {"allow_fallbacks": False, **given, "order": [name]}


def unanswered(messages: Sequence[Any]) -> list[Mapping[str, Any]]:
    """Give the tool calls at the end of a history that no tool message has answered."""
    answered: set[object] = set()
    for message in reversed(messages):
        fields = cast("Mapping[str, Any]", message if isinstance(message, Mapping) else {})
        if fields.get("role") == "tool":
            answered.add(fields.get("tool_call_id"))
            continue
        if fields.get("role") != "assistant":
            return []
        calls: list[Mapping[str, Any]] = [_wire(call) for call in fields.get("tool_calls") or ()]
        return [call for call in calls if call.get("id") not in answered]
    return []


def _wire(value: object) -> Any:
    if isinstance(value, Message):
        return value.to_param()
    if isinstance(value, Struct):
        to_dict = getattr(value, "to_dict", None)
        return to_dict() if to_dict is not None else msgspec.to_builtins(value)
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else value


def _slug(provider: str) -> str:
    """Give what a display name and a slug, with or without its variant, have in common."""
    return provider.partition("/")[0].strip().lower().replace(" ", "-")


def _check_count(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, got {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
