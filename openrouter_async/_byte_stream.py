"""A body that is no event stream but a file: sound or a video, as it comes.

The rule of this file: every read is an item. How a stream starts, waits, fails and is left is
the business of `EventStream`; here is only what bytes mean. Nothing is kept but by who awaits the
whole.
"""

# The stream is read by its own steps.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from typing import Any, ClassVar, Generic, NoReturn, TypeVar

from ._bodies import too_large
from ._config import Limits, Secret, Timeouts
from ._error_bodies import error_in, error_in_stream
from ._event_stream import EventStream, Send, _State
from .errors import Billed, OpenRouterError, StreamTruncatedError

__all__ = ["ByteStream"]

R = TypeVar("R")


class ByteStream(EventStream[bytes], Generic[R]):
    """A file as it comes; made by the methods of a client, never by hand.

    It has four right spellings: ``async for data in stream``, ``async with stream``,
    ``whole = await stream``, and ``await stream.start()`` with ``anext(stream)``. A loop that is
    left early, by whatever way, closes the connection at once.

    Attributes:
        status: The HTTP status.
        headers: The answer's headers, looked up without regard to case.
        timing: When things happened, in seconds.
        ending: How the stream ended; None while it has not.
        received: Bytes that have been handed out so far.
    """

    __slots__ = ("_billed", "_gathered", "_make", "received")

    _wanted: ClassVar[str] = "a file"

    def __init__(
        self,
        send: Send,
        *,
        make: Callable[[bytes, Mapping[str, str]], R],
        billed: Billed,
        timeouts: Timeouts,
        limits: Limits,
        secret: Secret | None = None,
    ) -> None:
        self._make = make  # of all bytes and the headers
        self._billed: Billed = billed  # what a file that came in part costs
        self._gathered: list[bytes] | None = None
        super().__init__(send, timeouts=timeouts, limits=limits, secret=secret)

    @property
    def generation_id(self) -> str | None:
        """The ``gen-...`` id, which the headers alone tell."""
        return self.headers.get("x-generation-id")

    def __await__(self) -> Generator[Any, Any, R]:
        return self.collect().__await__()

    async def collect(self) -> R:
        """Read to the end and give the whole.

        Raises:
            OpenRouterError: The stream failed; `partial_bytes` on the error is what had come.
            RuntimeError: The stream is read already, or was left.
        """
        self._begin_loop()
        gathered = self._gathered = []
        try:
            while True:
                gathered.append(await self._step())
                if self.received > self._limits.max_body_size:
                    raise self._failed(too_large(self._limits.max_body_size))
        except StopAsyncIteration:
            if self.ending == "left":
                raise RuntimeError("this stream was closed while it was being read") from None
        finally:
            self._gathered = None
        return self._make(b"".join(gathered), self.headers)

    def raw(self) -> NoReturn:
        """Refuse: the items of this stream are the bytes as they come.

        Raises:
            TypeError: Always.
        """
        raise TypeError("a stream of bytes is raw as it is: loop over the stream itself")

    # What bytes mean.

    def _reset(self) -> None:
        super()._reset()
        self.received = 0

    def _reads(self, kind: str) -> bool:
        return "json" not in kind and not kind.startswith("text/")

    def _decoded(self, data: bytes) -> list[bytes]:
        return [data]

    def _take(self, data: bytes) -> bytes:
        self.deltas += 1
        self.received += len(data)
        return data

    def _at_end_of_body(self) -> None:
        if not self.received:
            raise StreamTruncatedError("the body ended before its first byte: there is no file")
        self._end_as(_State.ENDED, "complete")

    def _from_json(self, body: bytes) -> NoReturn:
        details = error_in(body)
        if details is None:
            raise self._not_a_stream(body)
        raise error_in_stream(details, now=time.time(), secret=self._revealed())

    def _complete_error(self, error: OpenRouterError) -> None:
        error.generation_id = error.generation_id or self.generation_id
        if error.phase == "body":
            error.retryable = False
            error.billed = self._billed
        if self._gathered is not None:
            error.partial_bytes = b"".join(self._gathered)
