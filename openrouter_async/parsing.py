"""A value that is read while its stream still writes it: `ChatStream.parse`.

The rule of this file: it turns the text of chunks into partial values, each character looked at
once. What a partial is made of is in `_partial_json`, how a whole answer is judged in
`_structured`.
"""

# Cursors are a part of the stream that hands them out.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Generic, Self, TypeVar

from msgspec import UNSET

from ._event_stream import Leaving
from ._partial_json import PartialJSON
from ._structured import ParsedCompletion, response_type_of
from .stream import ChatStream

__all__ = ["ParsedStream", "PartialCursor"]

T = TypeVar("T")


class ParsedStream(Generic[T]):
    """A stream whose text is a value; made by `ChatStream.parse`, never by hand.

    ``async for partial in parsing`` gives the value while it grows, as plain data (dicts, lists,
    strings, ...), since no field of a type can be required of half a value. A later partial has
    all that an earlier one had: containers only get more items, strings only get longer, and
    numbers and literals come when they are whole. It is the growing value itself and not a copy;
    who wants to keep one copies it. At the end of the loop `parsed` is the value, typed.

    ``await parsing`` reads on to the end, or has been there, and gives the whole answer. Leaving
    the loop early closes the connection, as it does with the stream itself.
    """

    __slots__ = ("__weakref__", "_completion", "_response_type", "_stream")

    def __init__(self, stream: ChatStream, response_type: type[T]) -> None:
        if not stream._keeps:
            raise RuntimeError("accumulate=False keeps nothing that could be parsed")
        self._response_type = response_type_of(response_type)
        self._stream = stream
        self._completion: ParsedCompletion[T] | None = None

    @property
    def parsed(self) -> T:
        """The whole value.

        Raises:
            RuntimeError: The stream has not been read to its end, or its end raised.
        """
        if self._completion is None:
            raise RuntimeError("there is no whole value: read the loop to its end, or await this")
        return self._completion.parsed

    def __aiter__(self) -> PartialCursor:
        self._stream._begin_loop()
        return PartialCursor(self._stream, self)

    def __await__(self) -> Generator[Any, Any, ParsedCompletion[T]]:
        return self.collect().__await__()

    async def collect(self) -> ParsedCompletion[T]:
        """Read to the end and give the whole answer with its value.

        Raises:
            OutputError: The answer is no value of the type.
            OpenRouterError: The stream failed; `partial` on the error is what had come.
            RuntimeError: The stream was left.
        """
        if self._completion is None:
            self._completion = self._response_type.read(await self._stream.collect())
        return self._completion


class PartialCursor(Leaving):
    """Iterates a value as it grows."""

    __slots__ = ("_json", "_parsing")

    def __init__(self, stream: ChatStream, parsing: ParsedStream[Any]) -> None:
        super().__init__(stream)
        self._parsing = parsing
        self._json = PartialJSON()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        stream = self._stream
        while True:
            try:
                text = (await stream._step()).text
            except StopAsyncIteration:
                break
            if text:
                self._json.feed(text)
                value = self._parsing._response_type.so_far(self._json)
                if value is not UNSET:
                    return value
        if stream.ending != "left":
            await self._parsing.collect()
        raise StopAsyncIteration
