"""Requests of the other text dialects, told as the chat that the pretend model answers.

The rule of this file: a request in, a chat request out; plain data, nothing is sent or kept. What
OpenRouter would refuse raises `RefusedError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from openrouter_async.testing._model import RefusedError

__all__ = ["chat_of_message", "chat_of_response", "chats_of_texts", "fields_in"]

Fields = dict[str, Any]

_ALIKE: Final = ("model", "models", "stream", "temperature", "user", "session_id", "plugins")


def fields_in(body: bytes) -> Fields:
    """Decode the body of a request.

    Raises:
        RefusedError: It is no JSON object.
    """
    try:
        return msgspec.json.decode(body, type=Fields)
    except msgspec.DecodeError as error:
        raise RefusedError(400, f"Invalid JSON body: {error}") from error


def chat_of_response(request: Fields) -> Fields:
    """Tell a request of ``/responses`` as a chat.

    Raises:
        RefusedError: It wants state, or says nothing.
    """
    if request.get("store") or request.get("previous_response_id") is not None:
        raise RefusedError(400, "store and previous_response_id are not supported")
    given: Any = request.get("input")
    items: list[Fields] = [{"role": "user", "content": given}] if isinstance(given, str) else given
    if not items:
        raise RefusedError(400, "input: Required")
    messages = [_message_of_item(item) for item in items]
    if request.get("instructions"):
        messages.insert(0, {"role": "system", "content": request["instructions"]})
    chat = _alike(request, messages, request.get("max_output_tokens"))
    tools = [tool for tool in request.get("tools") or () if tool.get("type") == "function"]
    if tools:
        chat["tools"] = [{"type": "function", "function": tool} for tool in tools]
    choice: Any = request.get("tool_choice")
    if isinstance(choice, dict):
        choice = {"type": "function", "function": cast("Fields", choice)}
    chat |= _given(tool_choice=choice, reasoning=request.get("reasoning"))
    wanted = _mapping(_mapping(request.get("text")).get("format"))
    if wanted.get("type") in ("json_object", "json_schema"):
        chat["response_format"] = {"type": wanted["type"], "json_schema": wanted}
    return chat | _given(modalities=request.get("modalities"))


def _message_of_item(item: Fields) -> Fields:
    kind = item.get("type", "message")
    if kind == "function_call":
        function = {"name": item.get("name"), "arguments": item.get("arguments")}
        call = {"id": item.get("call_id"), "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}
    if kind == "function_call_output":
        return {"role": "tool", "content": _plain(item.get("output"))}
    return {"role": item.get("role", "assistant"), "content": _plain(item.get("content"))}


def chat_of_message(request: Fields) -> Fields:
    """Tell a request of ``/messages`` as a chat.

    Raises:
        RefusedError: Its models contradict, or a block has no place in it.
    """
    if request.get("fallbacks") and request.get("models"):
        raise RefusedError(400, "fallbacks and models cannot be used together")
    messages = [_message_of_turn(turn) for turn in request.get("messages") or ()]
    if request.get("system"):
        messages.insert(0, {"role": "system", "content": _plain(request["system"])})
    chat = _alike(request, messages, request.get("max_tokens"))
    tools = [tool for tool in request.get("tools") or () if "input_schema" in tool]
    if tools:
        chat["tools"] = [
            {"type": "function", "function": {**tool, "parameters": tool["input_schema"]}}
            for tool in tools
        ]
    choice = _mapping(request.get("tool_choice"))
    if choice.get("type") == "none":
        chat["tool_choice"] = "none"
    elif choice.get("name"):
        chat["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
    thinking = _mapping(request.get("thinking"))
    chat["reasoning"] = {"enabled": thinking.get("type") in ("enabled", "adaptive")}
    wanted = _mapping(_mapping(request.get("output_config")).get("format"))
    if wanted.get("type") == "json_schema":
        chat["response_format"] = {"type": "json_schema", "json_schema": wanted}
    return chat


def _message_of_turn(turn: Fields) -> Fields:
    content: object = turn.get("content")
    blocks = cast("list[Fields]", content) if isinstance(content, list) else []
    if any(block.get("type") == "tool_result" for block in blocks):
        said = " ".join(_plain(block.get("content")) for block in blocks)
        return {"role": "tool", "content": said}
    return {"role": turn.get("role"), "content": _plain(turn.get("content"))}


def chats_of_texts(request: Fields) -> list[Fields]:
    """Tell a request of ``/completions`` as one chat for each text that is asked for.

    Raises:
        RefusedError: It has no prompt.
    """
    prompt: Any = request.get("prompt")
    if not prompt:
        raise RefusedError(400, "prompt: Required")
    if isinstance(prompt, str) or not isinstance(prompt[0], str | list):
        prompt = [prompt]
    given = cast("list[object]", prompt)
    texts = [text if isinstance(text, str) else "tokens " + _plain(text) for text in given]
    return [
        _alike(request, [{"role": "user", "content": text}], request.get("max_tokens"))
        | _given(reasoning=request.get("reasoning"))
        for text in texts
        for _ in range(request.get("n") or 1)
    ]


def _alike(request: Fields, messages: Sequence[Fields], most: int | None) -> Fields:
    chat: Fields = {name: request[name] for name in _ALIKE if name in request}
    return {**chat, "messages": messages, **_given(max_completion_tokens=most)}


def _mapping(value: object) -> Fields:
    """Give an object that came from JSON; anything else counts as an empty one."""
    return cast("Fields", value) if isinstance(value, dict) else {}


def _given(**fields: Any) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}


def _plain(content: object) -> str:
    """Give the text of a content of whichever form."""
    if isinstance(content, list):
        return " ".join(filter(None, map(_plain, cast("list[object]", content))))
    if isinstance(content, Mapping):
        fields = cast("Mapping[str, object]", content)
        return str(fields.get("text") or fields.get("input_text") or "")
    return "" if content is None else str(content)
