"""The answer that is not streamed: bytes become a `ChatCompletion`, or the error in them.

The rule of this file: pure, and the same answer as a stream's. What chunks would add up to is
what comes out, so a caller cannot tell by which way an answer came.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ._accumulate import CUTTING
from ._config import Secret
from ._error_bodies import error_in_stream
from ._tool_calls import settled_calls
from .errors import ProtocolError, StreamAPIError
from .types import ChatCompletion, Choice, ErrorBody
from .types._lenient import NotAnObjectError, decode_leniently
from .types.arrival import Arrival

__all__ = ["completion_from"]

_decode: Final = msgspec.json.Decoder(ChatCompletion).decode


def completion_from(
    body: bytes, *, now: float, secret: Secret | None, arrival: Arrival | None = None
) -> ChatCompletion:
    """Decode the answer that is not streamed.

    Args:
        body: The whole body.
        now: Seconds since the epoch, for dates in an error.
        secret: The key, which no message may show.
        arrival: How the answer came, where that is known; its ending is filled in.

    Raises:
        StreamAPIError: The body, which HTTP called a success, holds an error.
        ProtocolError: The body is no chat completion.
    """
    try:
        try:
            completion = _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            completion = decode_leniently(body, ChatCompletion)
    except NotAnObjectError as error:
        raise _no_answer(f"the answer is {error}") from None
    for choice in completion.choices:
        _settle(choice)
    details = completion.error
    if details is None:
        details = next((choice.error for choice in completion.choices if choice.error), None)
    if details is None and any(choice.finish_reason == "error" for choice in completion.choices):
        details = ErrorBody(message="the provider ended the answer with an error")
    finished = all(choice.finish_reason is not None for choice in completion.choices)
    ending = "error" if details is not None else "complete" if finished else "complete_no_reason"
    completion.arrival = msgspec.structs.replace(arrival or Arrival(), ending=ending)
    if details is not None:
        raise _failure_of(completion, details, now, secret)
    if not completion.choices:
        raise _no_answer("the answer holds neither a choice nor an error")
    return completion


def _no_answer(what: str) -> ProtocolError:
    error = ProtocolError(what)
    error.phase = "first_event"
    return error


def _settle(choice: Choice) -> None:
    """Put a message into the form that its chunks would have added up to."""
    message = choice.message
    if not message.tool_calls:
        return
    whole, cut = settled_calls(message.tool_calls, choice.finish_reason not in CUTTING)
    message.tool_calls = whole or None
    message.open_tool_calls = cut or None
    message.content = message.content or None


def _failure_of(
    completion: ChatCompletion, details: ErrorBody, now: float, secret: Secret | None
) -> StreamAPIError:
    key = secret.reveal() if secret is not None else None
    failure = error_in_stream(details, now=now, secret=key)
    failure.generation_id = completion.generation_id
    failure.phase = "first_event"
    if completion.choices:
        failure.partial = completion
        failure.phase = "body"  # a part of the answer was made: never sent again by itself
        failure.retryable = False
        cost = completion.cost
        failure.billed = "unknown" if cost is None else "yes" if cost > 0 else "no"
    return failure
