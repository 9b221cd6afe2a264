"""Prompts and answers in the form that OpenTelemetry's conventions give messages.

The rule of this file: pure, and of any text endpoint. What is of no known form is told as it is,
and files by their size: a span is no place for megabytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeGuard, cast

import msgspec

from openrouter_async.types import ChatCompletion

if TYPE_CHECKING:
    from openrouter_async.hooks._facts import TextAnswer

__all__ = ["Sent", "received_in", "sent_in"]

_Fields: TypeAlias = dict[str, Any]

_LONG: Final = 2_000
_TEXTS: Final = frozenset({"text", "input_text", "output_text"})


class Sent(NamedTuple):
    """What a request says.

    Attributes:
        instructions: The parts of what it says beside its messages.
        messages: Its messages.
    """

    instructions: list[Any]
    messages: list[_Fields]


def sent_in(body: bytes) -> Sent:
    """Read the body of a request; what cannot be read says nothing."""
    try:
        asked = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Sent([], [])
    said = asked.get("messages", asked.get("input", asked.get("prompt")))
    instructions = _parts_of(asked.get("system", asked.get("instructions")))
    messages = _items(said) or [said]
    return Sent(instructions, [_sent(one) for one in messages if isinstance(one, (str, dict))])


def received_in(answer: TextAnswer) -> list[_Fields]:
    """Give the messages of an answer, one a choice."""
    if isinstance(answer, ChatCompletion):
        return [
            _message(choice.message.to_dict()) | {"finish_reason": choice.finish_reason or ""}
            for choice in answer.choices
        ]
    said = answer.to_dict()
    if "choices" in said:  # of /completions
        return [
            _message({"content": choice.get("text"), "reasoning": choice.get("reasoning")})
            | {"finish_reason": choice.get("finish_reason") or ""}
            for choice in _fields_in(said["choices"])
        ]
    parts = [part for block in _fields_in(said.get("content")) for part in _block(block)]
    parts += [part for item in _fields_in(said.get("output")) for part in _item(item)]
    reason = next(iter(answer.finish_reasons), "")
    return [{"role": "assistant", "parts": parts, "finish_reason": reason}]


def _sent(message: Any) -> _Fields:
    if isinstance(message, str):
        return {"role": "user", "parts": _parts_of(message)}
    fields = _fields(message)
    if "role" in fields:
        return _message(fields)
    parts = _item(fields)  # an item of /responses that is no message
    return {"role": "tool" if "output" in fields else "assistant", "parts": parts}


def _message(message: _Fields) -> _Fields:
    """Give a message of a chat, or one of the same form."""
    role, content = str(message.get("role") or "assistant"), message.get("content")
    if role == "tool":
        return {"role": role, "parts": [_response(message.get("tool_call_id"), content)]}
    parts: list[Any] = []
    if message.get("reasoning"):
        parts.append({"type": "reasoning", "content": message["reasoning"]})
    parts += _parts_of(content)
    parts += map(_without_files, _fields_in(message.get("images")))
    for call in _fields_in(message.get("tool_calls")):
        function = _fields(call.get("function"))
        parts.append(_call(call.get("id"), function.get("name"), function.get("arguments")))
    return {"role": role, "parts": parts}


def _parts_of(content: Any) -> list[Any]:
    if isinstance(content, str):
        return [{"type": "text", "content": content}]
    return [part for block in _fields_in(content) for part in _block(block)]


def _block(block: _Fields) -> list[Any]:
    """Give the parts of what is a part of a chat's or a block of a message's content."""
    match block.get("type"):
        case kind if kind in _TEXTS or (kind is None and "text" in block):
            return [{"type": "text", "content": block.get("text") or ""}]
        case "thinking":
            return [{"type": "reasoning", "content": block.get("thinking") or ""}]
        case "tool_use":
            return [_call(block.get("id"), block.get("name"), block.get("input"))]
        case "tool_result":
            return [_response(block.get("tool_use_id"), block.get("content"))]
        case _:
            return [_without_files(block)]


def _item(item: _Fields) -> list[Any]:
    """Give the parts of an item of ``/responses``."""
    match item.get("type"):
        case "message":
            return _parts_of(item.get("content"))
        case "reasoning":
            thought = [*_fields_in(item.get("content")), *_fields_in(item.get("summary"))]
            said = "".join(str(part.get("text") or "") for part in thought)
            return [{"type": "reasoning", "content": said}] if said else []
        case "function_call":
            return [_call(item.get("call_id"), item.get("name"), item.get("arguments"))]
        case "function_call_output":
            return [_response(item.get("call_id"), item.get("output"))]
        case _:
            return [_without_files(item)] if item else []


def _call(id: Any, name: Any, arguments: Any) -> _Fields:
    return {"type": "tool_call", "id": id, "name": name, "arguments": arguments}


def _response(id: Any, response: Any) -> _Fields:
    told = response if isinstance(response, str) else _without_files(response)
    return {"type": "tool_call_response", "id": id, "response": told}


def _without_files(value: Any) -> Any:
    """Give a value with its size in place of each file."""
    if isinstance(value, dict):
        fields = cast("_Fields", value)
        return {name: _without_files(inner) for name, inner in fields.items()}
    if _is_list(value):
        return [_without_files(inner) for inner in value]
    if isinstance(value, str) and (value.startswith("data:") or len(value) > _LONG):
        return f"{value[:30].partition(',')[0]}, {len(value)} characters"
    return value


def _fields(value: Any) -> _Fields:
    return cast("_Fields", value) if isinstance(value, dict) else {}


def _fields_in(values: Any) -> list[_Fields]:
    return [_fields(value) for value in _items(values)]


def _items(value: Any) -> list[Any]:
    return value if _is_list(value) else []


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
