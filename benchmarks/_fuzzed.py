"""What is fuzzed: each target takes bytes from anywhere and may raise our own errors alone.

What may live here: one function a target, which raises `AssertionError` (or whatever foreign
thing it met) where a promise is broken. Imported late, so that a fuzzer can instrument it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from openrouter_async import ChatStream, Limits, OpenRouterError, Timeouts
from openrouter_async._accumulate import Accumulator
from openrouter_async._error_bodies import error_from_response
from openrouter_async._event_stream import Accept
from openrouter_async._sse import EventTooLargeError, SSEDecoder
from openrouter_async.errors import APIStatusError
from openrouter_async.types import ChatChunk
from openrouter_async.types._lenient import NotAnObjectError, decode_leniently

__all__ = ["TARGETS"]

_MAX_EVENT: Final = 2_048


def _events(data: bytes, pieces: list[bytes]) -> tuple[list[bytes], bool]:
    """Give the events of `pieces`, which are `data`, and whether one of them was too large."""
    decoder = SSEDecoder(_MAX_EVENT)
    events: list[bytes] = []
    try:
        for piece in pieces:
            events += decoder.feed(piece)
    except EventTooLargeError as error:
        return events + error.events, True
    assert sum(map(len, events)) <= len(data)
    return events, False


def decoder(data: bytes) -> None:
    """Events are the same however the bytes are split, and are never larger than allowed."""
    events, too_large = _events(data, [data])
    middle = data[0] * len(data) // 256 if data else 0
    again, too_large_again = _events(data, [data[:middle], data[middle:]])
    assert too_large == too_large_again
    assert events == again
    assert all(len(event) <= _MAX_EVENT for event in events)


async def _never(_: Accept) -> None:
    raise AssertionError("nothing is sent here")


def chunk(data: bytes) -> None:
    """An event is a chunk, no chunk at all, or an error of ours."""
    stream = ChatStream(_never, timeouts=Timeouts(), limits=Limits())
    try:
        taken = stream._take(data)
        if taken is not None:
            assert taken.to_dict() is not None
            assert isinstance(taken.text + taken.reasoning + str(taken.tool_calls), str)
        partial = stream.partial
        assert partial is not None
        partial.to_json()
    except OpenRouterError:
        pass
    finally:
        stream.close()


def error(data: bytes) -> None:
    """Whatever the body of an error, one exception of bounded length comes out."""
    status = 400 + (data[0] if data else 0)
    failure = error_from_response(
        status, {"retry-after": data[:8].decode("latin-1")}, data, now=0.0, secret="sk-or-v1-secret"
    )
    assert isinstance(failure, APIStatusError)
    assert 0 < len(str(failure)) <= 2_000
    assert failure.retry_after is None or failure.retry_after >= 0


def accumulator(data: bytes) -> None:
    """Chunks in any order and state add up to something that can be shown and sent."""
    gathered = Accumulator()
    for line in data.split(b"\n"):
        try:
            part = decode_leniently(line, ChatChunk)
        except NotAnObjectError:
            continue
        gathered.add(part)
    for ended in (False, True):
        completion = gathered.completion(ended=ended)
        assert completion is not None
        completion.to_json()
        identifiers = [call.id for call in completion.tool_calls]
        assert len(set(identifiers)) == len(identifiers)


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "decoder": decoder,
    "chunk": chunk,
    "error": error,
    "accumulator": accumulator,
}
