"""Replies of the other text dialects: built for scripts, and answered by the pretend model.

The rule of this file: plain functions from plain values to a `Reply`, in the forms of
``/responses``, ``/messages`` and ``/completions``. Faults are methods of the reply.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias, TypedDict, Unpack

import msgspec

from openrouter_async._sse import encode_event
from openrouter_async.testing._answer import Answer, Delta
from openrouter_async.testing._build import (
    KEEP_ALIVE,
    http_error,
    json_reply,
    scripted_answer,
)
from openrouter_async.testing._dialects import (
    message_body,
    message_events,
    response_body,
    response_events,
    text_body,
    text_chunks,
)
from openrouter_async.testing._model import answer_to, read_request
from openrouter_async.testing._script import Reply
from openrouter_async.testing._steps import Pause, Send, Step
from openrouter_async.testing._translate import (
    chat_of_message,
    chat_of_response,
    chats_of_texts,
    fields_in,
)

__all__ = ["answers_to", "error_event", "message", "refusal", "reply_of", "response", "text"]

_COMMENTS: Final = 2
_KINDS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}

Fields: TypeAlias = dict[str, Any]


class Script(TypedDict, total=False):
    """What a scripted answer may have besides its text; see `chat`."""

    reasoning: str | Sequence[str]
    tool_calls: Sequence[Mapping[str, Any]]
    images: Sequence[str | bytes]
    model: str
    provider: str
    id: str
    finish_reason: str | None
    cost: float
    tokens: tuple[int, int]


def response(
    *deltas: str | Delta, whole: bool = False, done: bool = True, **script: Unpack[Script]
) -> Reply:
    """Build an answer of ``/responses``.

    Args:
        deltas: Text of one event each.
        whole: Whether it comes in one piece instead of a stream.
        done: Whether `[DONE]` ends the stream.
        **script: As for `chat`; a `finish_reason` of None leaves the last event out.

    >>> response("Hel", "lo").events
    11
    """
    answer = scripted_answer(deltas, script)
    if whole:
        return _whole(answer, response_body(answer))
    return _stream(answer, response_events(answer, done=done))


def message(*deltas: str | Delta, whole: bool = False, **script: Unpack[Script]) -> Reply:
    """Build an answer of ``/messages``.

    The arguments are those of `response`; its stream ends with an event of its own.

    >>> message("Hel", "lo").events
    7
    """
    answer = scripted_answer(deltas, script)
    if whole:
        return _whole(answer, message_body(answer))
    return _stream(answer, message_events(answer))


def text(
    *deltas: str | Delta, whole: bool = False, done: bool = True, **script: Unpack[Script]
) -> Reply:
    """Build an answer of ``/completions``; the arguments are those of `response`.

    >>> text("Hel", "lo").events
    5
    """
    answer = scripted_answer(deltas, script)
    if whole:
        return _whole(answer, text_body([answer]))
    return _stream(answer, text_chunks([answer], done=done))


def error_event(
    dialect: Literal["responses", "messages"],
    message: str,
    *,
    code: str = "server_error",
    error_type: str | None = None,
) -> bytes:
    """Write the event that reports an error, for `Reply.error_after`.

    Args:
        dialect: Whose form it has.
        message: The error's sentence.
        code: The error's code; in the form of messages its kind, such as ``overloaded_error``.
        error_type: OpenRouter's own word for it.
    """
    if dialect == "responses":
        fields = {"type": "error", "code": code, "message": message, "param": None}
        return encode_event(msgspec.json.encode({**fields, "sequence_number": 99}))
    error = {"type": code, "message": message}
    if error_type is not None:
        error["error_type"] = error_type
    return encode_event(msgspec.json.encode({"type": "error", "error": error}), event="error")


# The pretend model.


def answers_to(path: str, body: bytes, *, id: str, created: int) -> tuple[list[Answer], Fields]:
    """Answer a request of one of the three endpoints; give what was asked as well.

    Raises:
        RefusedError: It is a request that OpenRouter would refuse.
        UnreadableError: A document in it cannot be read.
    """
    fields = fields_in(body)
    if path == "/completions":
        chats = chats_of_texts(fields)
    else:
        chats = [(chat_of_response if path == "/responses" else chat_of_message)(fields)]
    requests = [read_request(msgspec.json.encode(chat)) for chat in chats]
    return [answer_to(request, id=id, created=created) for request in requests], fields


def reply_of(path: str, answers: Sequence[Answer], request: Fields, pace: float) -> Reply:
    """Give the reply that carries the answers of the pretend model."""
    answer = answers[0]
    logprobs = request.get("logprobs") is not None
    if request.get("stream") is not True:
        body = {
            "/responses": lambda: response_body(answer),
            "/messages": lambda: message_body(answer),
            "/completions": lambda: text_body(answers, logprobs=logprobs),
        }[path]()
        return _whole(answer, body)
    events = {
        "/responses": lambda: response_events(answer, done=True),
        "/messages": lambda: message_events(answer),
        "/completions": lambda: text_chunks(answers, done=True, logprobs=logprobs),
    }[path]()
    return _stream(answer, events, comments=_COMMENTS, pace=pace)


def refusal(path: str, status: int, sentence: str) -> Reply:
    """Give an error status in the form of the endpoint."""
    if path != "/messages":
        return http_error(status, sentence)
    error = {"type": _KINDS.get(status, "api_error"), "message": sentence}
    envelope = {"type": "error", "error": error, "request_id": None}
    return http_error(status, body=msgspec.json.encode(envelope))


def _whole(answer: Answer, body: bytes) -> Reply:
    return json_reply(body, headers={"X-Generation-Id": answer.id})


def _stream(
    answer: Answer, events: Sequence[bytes], *, comments: int = 0, pace: float = 0.0
) -> Reply:
    steps: list[Step] = [Send(KEEP_ALIVE)] * comments
    for event in events:
        steps += [Send(event), Pause(pace)] if pace > 0 else [Send(event)]
    return Reply(
        headers=(
            ("Content-Type", "text/event-stream"),
            ("Cache-Control", "no-cache"),
            ("X-Generation-Id", answer.id),
        ),
        steps=tuple(steps),
    )
