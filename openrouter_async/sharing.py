"""One answer for many readers: `ChatStream.share`.

The rule of this file: the upstream is read by one task and by nobody else, and only while a
reader waits for more. A reader may be cancelled at any moment, so it can own neither the request
nor the clock of its silence; the task can, and it ends with the answer. What came is kept once,
within a bound, for all readers: a reader is an index into it and costs no task and no buffer.
"""

# What is kept and where each reader stands is one state, and a shared stream is read by its steps.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import copy
import math
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, Self, TypeAlias, cast
from weakref import WeakSet

from .errors import OpenRouterError
from .stream import ChatStream
from .types import ChatChunk, ChatCompletion

if TYPE_CHECKING:
    import asyncio

__all__ = ["LaggedError", "SharedReader", "SharedStream", "SlowReader", "WhenLastLeaves"]

SlowReader: TypeAlias = Literal["drop", "wait"]
"""What becomes of a reader that falls behind: it is dropped, or the upstream waits for it."""

WhenLastLeaves: TypeAlias = Literal["close", "finish"] | float
"""What becomes of the upstream without a reader: it is closed at once or after so many seconds,
or read to its end."""

_SLOW: Final = ("drop", "wait")
_LEAVING: Final = ("close", "finish")


class LaggedError(RuntimeError):
    """A reader asks for chunks that are no longer kept.

    Attributes:
        index: The chunk that was asked for.
        first: The oldest chunk that is still kept; a new reader can start there.
    """

    def __init__(self, index: int, first: int) -> None:
        super().__init__(
            f"chunk {index} is no longer kept, the oldest is {first}: the reader came too late or "
            "is too slow; raise keep or max_buffer, or pass slow='wait'"
        )
        self.index = index
        self.first = first

    def __reduce__(self) -> tuple[type[Self], tuple[int, int]]:
        return type(self), (self.index, self.first)


class SharedStream:
    """One chat answer that any number of readers follow, each at its own pace.

    Made by `ChatStream.share`. Nothing is sent before the first reader asks for a chunk, and
    nothing is read of the answer unless a reader has taken all that has come. All readers belong
    to one event loop.

    Attributes:
        stream: The upstream, for its `usage`, `partial`, `ending` and the like.

    >>> async def example(client: OpenRouter) -> None:
    ...     shared = client.stream("Tell me a story").share(when_last_leaves=30.0)
    ...     async for chunk in shared:  # a reader from the first chunk; another may run beside it
    ...         print(chunk.text, end="")
    """

    __slots__ = (
        "__weakref__",
        "_failure",
        "_first",
        "_is_closed",
        "_is_over",
        "_keep",
        "_kept",
        "_loop",
        "_max_buffer",
        "_pump",
        "_readers",
        "_resume",
        "_size",
        "_slow",
        "_timer",
        "_waiters",
        "_when_last_leaves",
        "stream",
    )

    def __init__(
        self,
        stream: ChatStream,
        *,
        keep: int = 10_000,
        max_buffer: int = 64 * 2**20,
        slow: SlowReader = "drop",
        when_last_leaves: WhenLastLeaves = "close",
    ) -> None:
        _check_whole("keep", keep)
        _check_whole("max_buffer", max_buffer)
        if slow not in _SLOW:
            raise ValueError(f"slow must be 'drop' or 'wait', got {slow!r}")
        if when_last_leaves not in _LEAVING:
            _check_seconds(when_last_leaves)
        self.stream = stream
        self._keep = keep
        self._max_buffer = max_buffer
        self._slow = slow
        self._when_last_leaves = when_last_leaves
        self._kept: deque[ChatChunk] = deque()
        self._first = 0  # the index of the oldest kept chunk
        self._size = 0  # bytes of what is kept, as they came
        self._readers: WeakSet[SharedReader] = WeakSet()  # a reader leaves by being dropped
        self._waiters: set[asyncio.Future[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pump: asyncio.Task[None] | None = None
        self._resume: asyncio.Future[None] | None = None  # set while the pump rests
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False  # by its user, before the answer had ended
        self._is_over = False  # nothing more comes
        self._failure: BaseException | None = None

    @property
    def received(self) -> int:
        """How many chunks have come: the index of the next one."""
        return self._first + len(self._kept)

    @property
    def readers(self) -> int:
        """How many readers there are."""
        return len(self._readers)

    def __repr__(self) -> str:
        return f"<SharedStream: {self.received} chunks, {self.readers} readers, of {self.stream!r}>"

    def reader(self, start: int = 0) -> SharedReader:
        """Follow the answer from a chunk on, what is kept first, then what is still to come.

        The reader counts from this call on, until it is closed or dropped.

        Args:
            start: The index of the first chunk to be given, from 0; `received` for new ones only.

        Raises:
            LaggedError: That chunk is no longer kept.
            TypeError: `start` is no whole number.
            ValueError: `start` is negative.
        """
        if isinstance(cast("object", start), bool) or not isinstance(cast("object", start), int):
            raise TypeError(f"start must be a whole number, got {start!r}")
        if start < 0:
            raise ValueError(f"start must be at least 0, got {start}")
        if start < self._first:
            raise LaggedError(start, self._first)
        reader = SharedReader(self, start)
        self._readers.add(reader)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return reader

    def __aiter__(self) -> SharedReader:
        return self.reader()

    async def collect(self) -> ChatCompletion:
        """Wait for the end and give the whole answer, as a reader that looks at no chunk.

        Raises:
            OpenRouterError: The upstream failed; `partial` on the error is what had come.
            RuntimeError: The shared stream was closed, or nothing of the answer is kept
                (``accumulate=False``).
        """
        reader = self.reader(self.received)
        async for _ in reader:
            pass
        partial = self.stream.partial
        if partial is None:
            raise RuntimeError("accumulate=False keeps nothing that could be collected")
        return partial

    def close(self) -> None:
        """Close the upstream at once, for all readers; idempotent."""
        self._is_closed = True
        self.stream.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pump is None:
            self._is_over = True
        elif self._resume is not None and not self._resume.done():
            self._resume.set_result(None)  # the pump finds the stream closed

    async def aclose(self) -> None:
        """Close the upstream; the same as `close`, for ``contextlib.aclosing`` and its like."""
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # The one who reads.

    async def _read_upstream(self, loop: asyncio.AbstractEventLoop) -> None:
        stream = self.stream
        while True:
            if not self._is_wanted():
                self._resume = loop.create_future()
                try:
                    await self._resume
                finally:
                    self._resume = None
            try:
                self._add(await anext(stream))
            except StopAsyncIteration:
                return
            # What came in the same read is taken as long as nobody loses a chunk over it.
            while self._make_room() and (chunk := stream._waiting_item()) is not None:
                self._add(chunk)
            self._wake()

    def _is_wanted(self) -> bool:
        """Tell whether to read on: a reader has nothing left, or the answer is to be finished."""
        if not self._readers:
            return self._when_last_leaves == "finish"
        return bool(self._waiters) and (self._slow == "drop" or self._make_room())

    def _make_room(self) -> bool:
        """Drop what no reader needs any more; tell whether one more chunk fits without loss."""
        while self._is_full() and all(reader.index > self._first for reader in self._readers):
            self._drop_oldest()
        return not self._is_full()

    def _is_full(self) -> bool:
        return len(self._kept) >= self._keep or self._size >= self._max_buffer

    def _drop_oldest(self) -> None:
        self._size -= len(self._kept.popleft().raw)
        self._first += 1

    def _add(self, chunk: ChatChunk) -> None:
        while self._is_full():
            self._drop_oldest()
        self._kept.append(chunk)
        self._size += len(chunk.raw)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, set()  # who was woken waits for nothing
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _ended(self, pump: asyncio.Task[None]) -> None:
        failure = None if pump.cancelled() else pump.exception()
        if failure is not None and not self._is_closed:  # an opening that is closed raises
            self._failure = failure.with_traceback(None)  # whose frames hold this object
        self.stream.close()
        self._is_over = True
        self._pump = None
        self._wake()

    # What readers ask for.

    def _nudge(self) -> None:
        """Have the pump go on where it rests without need."""
        if self._resume is not None and not self._resume.done() and self._is_wanted():
            self._resume.set_result(None)

    async def _wait_for_more(self, reader: SharedReader) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            self._pump = loop.create_task(self._read_upstream(loop))
            self._pump.add_done_callback(self._ended)
        elif self._loop is not loop:
            raise RuntimeError("this shared stream belongs to another event loop")
        waiter = reader._waiter = loop.create_future()
        self._waiters.add(waiter)
        self._nudge()
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    def _end(self) -> BaseException:
        """Give what ends a reader: the upstream's failure, to each an exception of its own."""
        failure = self._failure
        if isinstance(failure, OpenRouterError):
            own = copy.copy(failure)
            own.__cause__ = failure.__cause__
            return own
        if failure is not None:
            return failure.with_traceback(None)
        if self.stream.ending == "left":
            return RuntimeError("this shared stream was closed before its answer had ended")
        return StopAsyncIteration()

    def _leave(self, reader: SharedReader) -> None:
        self._readers.discard(reader)
        loop = self._loop
        if self._is_over or loop is None or loop.is_closed():
            return
        if reader._waiter is not None and not reader._waiter.done():
            reader._waiter.set_result(None)  # another task has closed it
        policy = self._when_last_leaves
        if self._readers or policy == "finish":
            self._nudge()
        elif isinstance(policy, str):
            self.close()
        else:
            self._timer = loop.call_later(policy, self.close)


class SharedReader:
    """Iterates a shared stream from one chunk on; made by `SharedStream.reader`.

    It is a reader until it is closed or dropped, as at the end of an ``async for`` over it.
    Waiting for a chunk may be cancelled, as by `asyncio.timeout`, and done again: nothing is lost.

    Attributes:
        index: The index of the chunk that comes next: where to start again after a pause.
    """

    __slots__ = ("__weakref__", "_is_closed", "_shared", "_waiter", "index")

    def __init__(self, shared: SharedStream, start: int) -> None:
        self._shared = shared
        self._is_closed = False
        self._waiter: asyncio.Future[None] | None = None
        self.index = start

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChatChunk:
        shared = self._shared
        while not self._is_closed:
            offset = self.index - shared._first
            if offset < 0:
                self.close()
                raise LaggedError(self.index, shared._first)
            if offset < len(shared._kept):
                chunk = shared._kept[offset]
                self.index += 1
                if shared._resume is not None:
                    shared._nudge()
                return chunk
            if shared._is_over:
                self.close()
                raise shared._end()
            await shared._wait_for_more(self)
        raise StopAsyncIteration

    def close(self) -> None:
        """Leave; what becomes of the upstream is the shared stream's `when_last_leaves`."""
        if not self._is_closed:
            self._is_closed = True
            self._shared._leave(self)

    async def aclose(self) -> None:
        """Leave; the same as `close`, for ``contextlib.aclosing`` and its like."""
        self.close()

    def __del__(self) -> None:
        self.close()


def _check_whole(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")


def _check_seconds(value: object) -> None:
    if isinstance(value, str):
        raise ValueError(f"when_last_leaves must be 'close', 'finish' or seconds, got {value!r}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"when_last_leaves must be 'close', 'finish' or seconds, got {value!r}")
    if not 0 <= value < math.inf:
        raise ValueError(f"when_last_leaves must be 0 or more seconds and finite, got {value!r}")
