"""Builds the usual replies: streamed and whole answers, errors, recorded bodies.

The rule of this file: plain functions from plain values to a `Reply`, in the forms that were
seen on the wire. Faults are not built here; they are methods of the reply.
"""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from openrouter_async._sse import encode_comment, encode_event
from openrouter_async.testing._answer import (
    Answer,
    Delta,
    UsageForm,
    text_delta,
    tool_deltas,
    usage_of,
)
from openrouter_async.testing._script import Reply
from openrouter_async.testing._steps import Pause, Send, Step

__all__ = [
    "KEEP_ALIVE",
    "chat",
    "completion",
    "error_chunk",
    "http_error",
    "image_item",
    "json_reply",
    "replay",
    "scripted_answer",
    "stream_reply",
]

KEEP_ALIVE: Final = encode_comment("OPENROUTER PROCESSING")

_MODEL: Final = "openai/gpt-4o-mini"
_PROVIDER: Final = "OpenAI"
_CREATED: Final = 1762064096
_FRAGMENT: Final = 8


def chat(
    *deltas: str | Delta | bytes,
    reasoning: str | Sequence[str] = (),
    reasoning_details: Sequence[Mapping[str, Any]] = (),
    tool_calls: Sequence[Mapping[str, Any]] = (),
    images: Sequence[str | bytes] = (),
    annotations: Sequence[Mapping[str, Any]] = (),
    model: str = _MODEL,
    provider: str = _PROVIDER,
    id: str | None = None,
    finish_reason: str | None = "auto",
    usage: UsageForm | None = "choice",
    cost: float = 0.00015,
    tokens: tuple[int, int] | None = None,
    done: bool = True,
    comments_before: int = 0,
    comments_between: int = 0,
    delay: float = 0.0,
    repeat_finish: int = 1,
) -> Reply:
    """Build a streamed chat completion.

    The stream holds reasoning, text, annotations, images and tool calls, in this order.

    Args:
        deltas: Text of one chunk each; or a mapping, a whole `delta` object; or bytes, the
            data of a whole event.
        reasoning: Reasoning text, one chunk for each piece, with its reasoning details.
        reasoning_details: More reasoning details, one chunk each, behind `reasoning`.
        tool_calls: Mappings with `name`, `arguments` (a string or a mapping, sent in
            fragments, or a list of strings, the fragments) and optionally `id`.
        images: URLs, data URLs or the bytes of PNG files, one chunk each.
        annotations: Annotations, one chunk each.
        model: The model's slug.
        provider: The provider's display name.
        id: The generation id; None makes one from the content.
        finish_reason: "auto" is "tool_calls" when there are tool calls, else "stop"; None
            never sends one.
        usage: Where usage rides: "choice" in a chunk of its own with an empty delta, "empty"
            in a chunk without choices, "finish" in the chunk with the finish reason, None
            nowhere.
        cost: The cost in the usage, in USD.
        tokens: Prompt and completion tokens in the usage; None counts the chunks.
        done: Whether `[DONE]` ends the stream.
        comments_before: Keep-alive comments before the first chunk.
        comments_between: Keep-alive comments before each further chunk with a delta.
        delay: Wait before each further chunk with a delta, in seconds.
        repeat_finish: How many chunks carry the finish reason.

    >>> chat("Hel", "lo", usage="empty").events
    5
    """
    answer = _answer(
        _deltas(deltas, reasoning, reasoning_details, tool_calls, images, annotations),
        model=model,
        provider=provider,
        id=id,
        finish_reason=finish_reason,
        cost=cost,
        tokens=tokens,
    )
    return stream_reply(
        answer,
        usage=usage,
        done=done,
        comments_before=comments_before,
        comments_between=comments_between,
        delay=delay,
        repeat_finish=repeat_finish,
    )


def completion(
    *deltas: str | Delta,
    reasoning: str | Sequence[str] = (),
    reasoning_details: Sequence[Mapping[str, Any]] = (),
    tool_calls: Sequence[Mapping[str, Any]] = (),
    images: Sequence[str | bytes] = (),
    annotations: Sequence[Mapping[str, Any]] = (),
    model: str = _MODEL,
    provider: str = _PROVIDER,
    id: str | None = None,
    finish_reason: str | None = "auto",
    cost: float = 0.00015,
    tokens: tuple[int, int] | None = None,
) -> Reply:
    """Build the answer that is not streamed, with the content that `chat` would stream.

    The arguments are those of `chat`.

    >>> b"Hello" in completion("Hel", "lo").body
    True
    """
    answer = _answer(
        _deltas(deltas, reasoning, reasoning_details, tool_calls, images, annotations),
        model=model,
        provider=provider,
        id=id,
        finish_reason=finish_reason,
        cost=cost,
        tokens=tokens,
    )
    return json_reply(answer.completion(), headers={"X-Generation-Id": answer.id})


def error_chunk(
    code: int | str | None,
    message: str,
    *,
    metadata: Mapping[str, Any] | None = None,
    finish_reason: str | None = "error",
    usage: Mapping[str, Any] | None = None,
    model: str = _MODEL,
    provider: str = _PROVIDER,
    id: str = "gen-1762064096-emulated",
    bare: bool = False,
) -> bytes:
    r"""Build the event that reports an error in the middle of a stream.

    Args:
        code: The error's code; a number in the documented form.
        message: The error's sentence.
        metadata: The error's metadata.
        finish_reason: The finish reason beside it; None was seen, too.
        usage: A usage object to go with it.
        model: The model's slug.
        provider: The provider's display name.
        id: The generation id.
        bare: Send the error object and nothing beside it.

    >>> error_chunk(502, "Provider returned error", bare=True)
    b'data: {"error":{"code":502,"message":"Provider returned error"}}\n\n'
    """
    error: dict[str, Any] = {"code": code, "message": message}
    if metadata is not None:
        error["metadata"] = metadata
    if bare:
        return encode_event(msgspec.json.encode({"error": error}))
    chunk: dict[str, Any] = {
        "id": id,
        "provider": provider,
        "error": error,
        "model": model,
        "object": "chat.completion.chunk",
        "created": _CREATED,
        "choices": [
            {
                "index": 0,
                "delta": text_delta(""),
                "finish_reason": finish_reason,
                "native_finish_reason": finish_reason,
                "logprobs": None,
            }
        ],
    }
    if usage is not None:
        chunk["usage"] = usage
    return encode_event(msgspec.json.encode(chunk))


def http_error(
    status: int,
    message: str = "",
    *,
    code: int | str | None = None,
    metadata: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    content_type: str = "application/json",
) -> Reply:
    """Build an answer with an error status.

    Args:
        status: The HTTP status.
        message: The error's sentence.
        code: The error's code; None is the status.
        metadata: The error's metadata.
        headers: More headers, such as `Retry-After`.
        body: The whole body in place of OpenRouter's envelope, such as a gateway's HTML.
        content_type: The body's media type.

    Raises:
        TypeError: `status` is no number.

    >>> http_error(429, "Slow down", headers={"Retry-After": "2"}).body
    b'{"error":{"message":"Slow down","code":429}}'
    """
    if not isinstance(cast("object", status), int):
        raise TypeError(f"status must be a number, such as 429, got {status!r}")
    if body is None:
        error: dict[str, Any] = {"message": message, "code": status if code is None else code}
        if metadata is not None:
            error["metadata"] = metadata
        body = msgspec.json.encode({"error": error})
    return json_reply(body, status=status, headers=headers, content_type=content_type)


def replay(
    body: bytes,
    *,
    content_type: str = "text/event-stream",
    split: int | Sequence[int] | random.Random | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    r"""Build a reply of exactly these bytes, such as a recorded body.

    Args:
        body: The bytes.
        content_type: Their media type.
        split: See `Reply.split`; None sends the body as one HTTP chunk.
        status: The HTTP status.
        headers: More headers.

    >>> replay(b"data: 1\n\ndata: [DONE]\n\n", split=1).events
    2
    """
    reply = Reply(
        status=status,
        headers=(("Content-Type", content_type), *(headers or {}).items()),
        steps=(Send(body),) if body else (),
    )
    return reply if split is None else reply.split(split)


def json_reply(
    body: bytes,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    content_type: str = "application/json",
) -> Reply:
    """Build a reply with a body of known length."""
    return Reply(
        status=status,
        headers=(("Content-Type", content_type), *(headers or {}).items()),
        steps=(Send(body),) if body else (),
        framing="length",
    )


def stream_reply(
    answer: Answer,
    *,
    usage: UsageForm | None = "choice",
    done: bool = True,
    comments_before: int = 0,
    comments_between: int = 0,
    delay: float = 0.0,
    repeat_finish: int = 1,
) -> Reply:
    """Build the stream of an answer; see `chat` for the arguments."""
    steps: list[Step] = [Send(KEEP_ALIVE)] * comments_before
    for position, event in enumerate(answer.delta_events()):
        if position:
            steps += [Send(KEEP_ALIVE)] * comments_between
            if delay > 0:
                steps.append(Pause(delay))
        steps.append(Send(event))
    steps += map(Send, answer.tail_events(usage, repeat_finish, done=done))
    return Reply(
        headers=(
            ("Content-Type", "text/event-stream"),
            ("Cache-Control", "no-cache"),
            ("X-Generation-Id", answer.id),
        ),
        steps=tuple(steps),
    )


def image_item(image: str | bytes, index: int = 0) -> dict[str, Any]:
    """Give the object that carries one image in a delta or a message."""
    if isinstance(image, bytes):
        image = "data:image/png;base64," + base64.b64encode(image).decode()
    return {"type": "image_url", "image_url": {"url": image}, "index": index}


def scripted_answer(deltas: Iterable[str | Delta], script: Mapping[str, Any]) -> Answer:
    """Build the answer that the arguments of `chat` describe, in no wire form yet."""
    return _answer(
        _deltas(
            deltas,
            script.get("reasoning", ()),
            (),
            script.get("tool_calls", ()),
            script.get("images", ()),
            (),
        ),
        model=script.get("model", _MODEL),
        provider=script.get("provider", _PROVIDER),
        id=script.get("id"),
        finish_reason=script.get("finish_reason", "auto"),
        cost=script.get("cost", 0.00015),
        tokens=script.get("tokens"),
    )


def _answer(
    deltas: Sequence[Delta | bytes],
    *,
    model: str,
    provider: str,
    id: str | None,
    finish_reason: str | None,
    cost: float,
    tokens: tuple[int, int] | None,
) -> Answer:
    if finish_reason == "auto":
        calls = any("tool_calls" in delta for delta in deltas if not isinstance(delta, bytes))
        finish_reason = "tool_calls" if calls else "stop"
    if id is None:
        digest = hashlib.sha256(msgspec.json.encode(deltas)).hexdigest()
        id = f"gen-{_CREATED}-{digest[:20]}"
    prompt_tokens, completion_tokens = tokens or (10, len(deltas))
    return Answer(
        deltas=deltas,
        id=id,
        model=model,
        provider=provider,
        created=_CREATED,
        finish_reason=finish_reason,
        native_finish_reason=finish_reason,
        usage=usage_of(prompt_tokens, completion_tokens, prompt_cost=0.0, completion_cost=cost),
    )


def _deltas(
    deltas: Iterable[str | Delta | bytes],
    reasoning: str | Sequence[str],
    reasoning_details: Iterable[Mapping[str, Any]],
    tool_calls: Sequence[Mapping[str, Any]],
    images: Sequence[str | bytes],
    annotations: Iterable[Mapping[str, Any]],
) -> list[Delta | bytes]:
    pieces = (reasoning,) if isinstance(reasoning, str) else reasoning
    details: list[Mapping[str, Any]] = [
        {"type": "reasoning.text", "text": piece, "index": 0, "format": None} for piece in pieces
    ]
    made: list[Delta | bytes] = [
        text_delta("", reasoning=detail.get("text"), reasoning_details=[detail])
        for detail in (*details, *reasoning_details)
    ]
    made += [text_delta(delta) if isinstance(delta, str) else delta for delta in deltas]
    made += [text_delta("", annotations=[annotation]) for annotation in annotations]
    made += [
        text_delta("", images=[image_item(image, index)]) for index, image in enumerate(images)
    ]
    for index, call in enumerate(tool_calls):
        made += tool_deltas(
            index, call.get("id") or f"call_{index}", call["name"], _fragments(call["arguments"])
        )
    return made


def _fragments(arguments: str | Mapping[str, Any] | Sequence[str]) -> Sequence[str]:
    if isinstance(arguments, Mapping):
        arguments = msgspec.json.encode(arguments).decode()
    if isinstance(arguments, str):
        text = arguments
        return [text[start : start + _FRAGMENT] for start in range(0, len(text), _FRAGMENT)]
    return arguments
