"""``POST /chat/completions``: a user's arguments become the bytes of a request.

The rule of this file: pure, and strict. What is wrong with an argument is said here, before
anything is sent, with the name of the place. The order of the fields on the wire is fixed.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from .._config import Secret
from .._error_bodies import error_in_stream
from ..errors import ProtocolError, StreamAPIError
from ..types import ChatCompletion, ChatParams, ErrorBody, Message, MessageParam
from ..types._lenient import NotAnObjectError, decode_leniently
from ..types._struct import WireStruct

__all__ = ["PATH", "chat_body", "completion_from"]

PATH: Final = "/chat/completions"

_NOT_IN_BODY: Final = frozenset({"extra_body", "extra_headers"})
_FIELDS: Final = tuple(name for name in ChatParams.__annotations__ if name not in _NOT_IN_BODY)
_KNOWN: Final = frozenset(ChatParams.__annotations__)

_decode_completion: Final = msgspec.json.Decoder(ChatCompletion).decode


def chat_body(
    messages: str | Sequence[MessageParam],
    *,
    model: str | None,
    stream: bool,
    params: Mapping[str, Any],
) -> bytes:
    """Build the body of a chat request.

    Args:
        messages: A prompt, or messages as mappings and message structs, mixed.
        model: The model; None leaves the choice to the account's default.
        stream: Whether the answer is to come as a stream.
        params: The further fields, of `ChatParams`.

    Raises:
        TypeError: An argument has the wrong type, or a keyword is unknown.
        ValueError: An argument has an impossible value.
    """
    if model is not None and not isinstance(cast("object", model), str):
        raise TypeError(f"model must be a str, got {type(model).__name__}")
    if model is not None and not model.strip():
        raise ValueError("model must not be empty; leave it out for the account's default model")
    _refuse_unknown(params)
    body: dict[str, Any] = {} if model is None else {"model": model}
    body["messages"] = checked_messages(messages)
    body["stream"] = stream
    body |= {name: params[name] for name in _FIELDS if name in params}
    extra = params.get("extra_body", {})
    if not isinstance(extra, Mapping):
        raise TypeError(f"extra_body must be a mapping, got {type(extra).__name__}")
    body |= cast("Mapping[str, Any]", extra)
    return _encode(body)


def checked_messages(messages: str | Sequence[MessageParam]) -> list[dict[str, Any]]:
    """Give the messages in their wire form, or say what is wrong with which."""
    given = cast("object", messages)  # the annotation promises what is checked here
    if isinstance(given, str):
        if not given:
            raise ValueError("messages must not be empty")
        return [{"role": "user", "content": given}]
    if isinstance(given, Mapping | bytes | bytearray | Struct) or not isinstance(given, Sequence):
        raise TypeError(f"messages must be a str or a sequence of messages, got {_kind(messages)}")
    items = cast("Sequence[object]", given)
    if not items:
        raise ValueError("messages must not be empty")
    return [_checked_message(item, f"messages[{index}]") for index, item in enumerate(items)]


def _checked_message(message: object, place: str) -> dict[str, Any]:
    if isinstance(message, Message):
        return message.to_dict()
    if not isinstance(message, Mapping):
        hint = "; pass its .message" if isinstance(message, ChatCompletion) else ""
        raise TypeError(f"{place} must be a mapping, got {type(message).__name__}{hint}")
    fields = dict(cast("Mapping[str, Any]", message))
    role: object = fields.get("role")
    if role is None:
        raise ValueError(f"{place}.role is missing; it is 'user', 'assistant', 'system', ...")
    if not isinstance(role, str):
        raise TypeError(f"{place}.role must be a str, got {type(role).__name__}")
    content: object = fields.get("content")
    if isinstance(content, Sequence) and not isinstance(content, str | bytes | bytearray):
        parts = cast("Sequence[object]", content)
        fields["content"] = [
            _checked_part(part, f"{place}.content[{index}]") for index, part in enumerate(parts)
        ]
    elif content is not None and not isinstance(content, str):
        raise TypeError(
            f"{place}.content must be a str, a sequence of parts or None, "
            f"got {type(content).__name__}"
        )
    return fields


def _checked_part(part: object, place: str) -> object:
    if isinstance(part, WireStruct):
        return part.to_dict()
    if isinstance(part, Struct):
        return part
    if not isinstance(part, Mapping):
        raise TypeError(f"{place} must be a mapping, got {type(part).__name__}")
    kind: object = cast("Mapping[str, object]", part).get("type")
    if not isinstance(kind, str):
        raise ValueError(f"{place}.type must say what the part is, such as 'text'; got {kind!r}")
    return cast("object", part)


def _kind(value: object) -> str:
    return type(value).__name__


def _refuse_unknown(params: Mapping[str, Any]) -> None:
    for name in params:
        if name not in _KNOWN:
            close = difflib.get_close_matches(name, _KNOWN, n=1)
            hint = f"did you mean {close[0]!r}?" if close else "newer fields go into extra_body"
            raise TypeError(f"unknown keyword {name!r}; {hint}")


def _encode(body: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except (TypeError, ValueError, RecursionError):
        # Which field was it? The value itself is not shown: it is the user's prompt.
        for name, value in body.items():
            try:
                msgspec.json.encode(value)
            except UnicodeEncodeError:
                raise ValueError(f"{name} holds a lone surrogate, which is no text") from None
            except (TypeError, ValueError, RecursionError) as error:
                raise TypeError(f"{name} cannot be sent as JSON: {error}") from None
        raise


def completion_from(body: bytes, *, now: float, secret: Secret | None) -> ChatCompletion:
    """Decode the answer that is not streamed.

    Raises:
        StreamAPIError: The body, which HTTP called a success, holds an error.
        ProtocolError: The body is no chat completion.
    """
    try:
        try:
            completion = _decode_completion(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            completion = decode_leniently(body, ChatCompletion)
    except NotAnObjectError as error:
        raise ProtocolError(f"the answer is {error}") from None
    details = completion.error
    if details is None:
        details = next((choice.error for choice in completion.choices if choice.error), None)
    if details is None and any(choice.finish_reason == "error" for choice in completion.choices):
        details = ErrorBody(message="the provider ended the answer with an error")
    if details is not None:
        raise _failure_of(completion, details, now, secret)
    if not completion.choices:
        raise ProtocolError("the answer holds neither a choice nor an error")
    return completion


def _failure_of(
    completion: ChatCompletion, details: ErrorBody, now: float, secret: Secret | None
) -> StreamAPIError:
    key = secret.reveal() if secret is not None else None
    failure = error_in_stream(details, now=now, secret=key)
    failure.generation_id = completion.id
    if completion.choices:
        failure.partial = completion
        failure.phase = "body"  # a part of the answer was made: never sent again by itself
        failure.retryable = False
        cost = completion.cost
        failure.billed = "unknown" if cost is None else "yes" if cost > 0 else "no"
    return failure
