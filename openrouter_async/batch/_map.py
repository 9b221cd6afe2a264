"""`MapRun`: many requests, a bounded number of them at a time, and each one's result.

The rule of this file: a request counts from the moment it is asked for until its reader comes
back for the next, and no more than `room` count at once. That one number is all there is to
memory and to backpressure in both directions: who reads slowly is asked for less, and the
source is never read ahead.

The tasks that send belong to a `_Crew`, which knows nothing of who reads. So a reader that is
dropped is collected at once, and ends the crew with it: nothing is open across an
``__anext__``. A crew grows by one task whenever its last idle one finds something to do, never
by one for each request.
"""

# The cursor is a part of the run that hands it out.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections import deque
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar, cast

from msgspec import Struct

from .._config import Adaptive, Limits
from ._request import (
    Requests,
    RequestT,
    keywords_of,
    refuse_one_request,
    refuse_unknown_keywords,
)

if TYPE_CHECKING:
    import asyncio

__all__ = ["MapCursor", "MapResult", "MapRun", "at_once", "map_requests"]

R = TypeVar("R")
V = TypeVar("V")


class MapResult(Struct, Generic[R, V], frozen=True):
    """What came of one request: a value or an error.

    Attributes:
        index: The request's position, from 0.
        request: The request as it was given.
        value: The answer; None where there is an error.
        error: Why there is none: an `OpenRouterError`, or a TypeError or ValueError where the
            request itself is wrong.
        seconds: From the moment the request was asked for until its end, all waiting included.
    """

    index: int
    request: R
    value: V | None
    error: Exception | None
    seconds: float

    def unwrap(self) -> V:
        """Give the value, or raise the error."""
        if self.error is not None:
            raise self.error
        return cast("V", self.value)

    def __repr__(self) -> str:
        # Neither the request nor the answer: both may be long, and the first is private.
        said = "ok" if self.error is None else type(self.error).__name__
        return f"MapResult(index={self.index}, {said}, seconds={self.seconds:.3f})"


class _Crew(Generic[R, V]):
    """The tasks that ask for requests and send them.

    Attributes:
        results: What came and was not taken yet; as bounded as the room, in which it counts.
        tasks: Those that work; where there are none any more, all is over.
        failure: That of the source, not of a request.
    """

    __slots__ = (
        "_count",
        "_idle",
        "_is_asked",
        "_is_async",
        "_is_over",
        "_line",
        "_loop",
        "_most",
        "_parked",
        "_places",
        "_readers",
        "_refuse",
        "_send",
        "_source",
        "failure",
        "results",
        "tasks",
    )

    def __init__(
        self,
        source: Iterable[R] | AsyncIterable[R],
        send: Callable[[R], Awaitable[V]],
        most: int,
        refuse: Callable[[], None],
    ) -> None:
        self._source: Iterator[R] | AsyncIterator[R] | None
        self._is_async = isinstance(source, AsyncIterable)
        self._source = (
            aiter(cast("AsyncIterable[R]", source))
            if self._is_async
            else iter(cast("Iterable[R]", source))
        )
        self._send = send
        self._most = most
        self._refuse = refuse
        self._count = 0  # requests asked for
        self._idle = 0  # tasks that have none
        self._places = 0  # how many more may count
        self._parked: deque[asyncio.Future[None]] = deque()  # tasks that wait for a place
        self._line: deque[asyncio.Future[None]] = deque()  # tasks that wait for an async source
        self._is_asked = False  # whether one of them is at it
        self._readers: deque[asyncio.Future[None]] = deque()
        self._is_over = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self.results: deque[MapResult[R, V]] = deque()
        self.tasks: set[asyncio.Task[None]] = set()
        self.failure: BaseException | None = None

    @property
    def has_begun(self) -> bool:
        """Whether there ever was a task."""
        return self._loop is not None

    def begin(self, room: int) -> None:
        """Start the first task in the running loop."""
        import asyncio

        self._loop = asyncio.get_running_loop()
        self._places = room
        self._hire()

    def make_room(self, count: int) -> None:
        """Take note that so many results count no more."""
        while count and self._parked:
            count -= _wake_one(self._parked)
        self._places += count

    async def something(self) -> None:
        """Wait for a result, or for the end."""
        assert self._loop is not None
        reader: asyncio.Future[None] = self._loop.create_future()
        self._readers.append(reader)
        try:
            await reader
        except BaseException:
            if reader in self._readers:
                self._readers.remove(reader)
            elif self.results:
                _wake_one(self._readers)  # was woken for what it does not take
            raise

    def finish(self) -> None:
        """Ask for nothing more; what is under way still comes."""
        self._is_over = True
        self._source = None  # a generator is closed by being dropped

    def stop(self) -> None:
        """Cancel everything, without waiting."""
        self.finish()
        if not self.tasks or self._loop is None or self._loop.is_closed():
            return
        from asyncio import _get_running_loop

        if _get_running_loop() is self._loop:
            self._cancel()
        else:  # dropped by the garbage collector in some other thread
            with suppress(RuntimeError):  # the loop was closed meanwhile
                self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        for task in list(self.tasks):
            task.cancel()

    def _hire(self) -> None:
        import asyncio

        self._idle += 1
        task = asyncio.create_task(self._work())
        self.tasks.add(task)
        task.add_done_callback(self._leave)

    def _leave(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled():
            task.exception()  # was noted as the failure
        if not self.tasks:
            while self._readers:
                _wake_one(self._readers)

    async def _work(self) -> None:
        try:
            await self._work_on()
        except BaseException as error:
            # The source's own, or cancelled by somebody who is not the reader of the results.
            if self.failure is None and not self._is_over:
                self.failure = error
            raise
        finally:
            self.finish()
            while self._parked or self._line:  # only to see that all is over
                _wake_one(self._parked)
                _wake_one(self._line)

    async def _work_on(self) -> None:
        assert self._loop is not None
        clock = self._loop.time
        while True:
            if self._places:
                self._places -= 1
            else:
                place: asyncio.Future[None] = self._loop.create_future()
                self._parked.append(place)
                await place
            try:
                if self._is_async:
                    request = await self._next_in_turn()
                elif self._is_over:
                    return
                else:
                    self._refuse()
                    request = next(cast("Iterator[R]", self._source))
            except (StopIteration, StopAsyncIteration):
                return
            index = self._count
            self._count += 1
            started = clock()
            self._idle -= 1
            if not self._idle and len(self.tasks) < self._most:
                self._hire()
            value: V | None = None
            failure: Exception | None = None
            try:
                value = await self._send(request)
            except Exception as error:  # noqa: BLE001 - it is the request's result
                failure = error
            self._idle += 1
            self.results.append(MapResult(index, request, value, failure, clock() - started))
            if self._readers:
                _wake_one(self._readers)
            del request, value, failure  # an idle task keeps nothing alive

    async def _next_in_turn(self) -> R:
        """Ask an async source, which one task at a time may do.

        Who has asked wakes two of those in line: so a source that has many at hand gives them to
        all in a few turns of the loop, not one a turn as with a lock, and one that makes each
        wait has one woken in vain.
        """
        assert self._loop is not None
        while self._is_asked:
            turn: asyncio.Future[None] = self._loop.create_future()
            self._line.append(turn)
            await turn
        if self._is_over:
            raise StopAsyncIteration
        self._refuse()
        self._is_asked = True
        try:
            return await anext(cast("AsyncIterator[R]", self._source))
        finally:
            self._is_asked = False
            _wake_one(self._line)
            _wake_one(self._line)


def _wake_one(waiting: deque[asyncio.Future[None]]) -> bool:
    """Wake the first that waits still, and tell whether there was one."""
    while waiting:
        future = waiting.popleft()
        if not future.done():
            future.set_result(None)
            return True
    return False


class MapRun(Generic[R, V]):
    """The results of many requests; made by `OpenRouter.map`, never by hand.

    ``async for result in run`` gives each as it comes. Nothing is sent before the first is asked
    for. Leaving the loop, by whatever way, cancels what is under way; `aclose` and leaving
    ``async with run`` wait for its end besides. Waiting for a result may be cancelled, as by
    `asyncio.timeout`, and done again with ``anext(run)``: nothing is lost.

    A source that raises ends the run: its error comes after the results that were under way.
    """

    def __init__(
        self,
        source: Iterable[R] | AsyncIterable[R],
        send: Callable[[R], Awaitable[V]],
        *,
        concurrency: int,
        ordered: bool = False,
        refuse: Callable[[], None] = lambda: None,
    ) -> None:
        if isinstance(cast("object", concurrency), bool) or not isinstance(
            cast("object", concurrency), int
        ):
            raise TypeError(f"concurrency must be a whole number, got {concurrency!r}")
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, got {concurrency}")
        self._crew = _Crew(source, send, concurrency, refuse)
        # In order, a slow one holds up those behind it, so as many again may be finished.
        self._room = concurrency * 2 if ordered else concurrency
        self._early: dict[int, MapResult[R, V]] | None = {} if ordered else None
        self._given = 0
        self._in_hand = 0  # results that the reader has and may still be working on
        self._is_looped = False
        self._is_over = False

    def __aiter__(self) -> MapCursor[R, V]:
        if self._is_looped:
            raise RuntimeError("this run is looped over already; make another with client.map()")
        self._is_looped = True
        return MapCursor(self)

    def __anext__(self) -> Coroutine[Any, Any, MapResult[R, V]]:
        return self._next()

    async def take(self) -> list[MapResult[R, V]]:
        """Wait for a result, and give it with all others that are there; none at the end."""
        try:
            first = await self._next()
        except StopAsyncIteration:
            return []
        return [first, *self.ready()]

    def ready(self) -> list[MapResult[R, V]]:
        """Give the results that are there already, without waiting."""
        results: list[MapResult[R, V]] = []
        while (result := self._waiting()) is not None:
            results.append(self._hand_out(result))
        return results

    def finish(self) -> None:
        """Ask for no more requests; the results of those under way still come."""
        self._crew.finish()

    def close(self) -> None:
        """Cancel what is under way, without waiting for its end; idempotent."""
        self._is_over = True
        self._crew.stop()

    async def aclose(self) -> None:
        """Cancel what is under way, and wait until it has ended."""
        self.close()
        if self._crew.tasks:
            import asyncio

            await asyncio.wait(self._crew.tasks)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        if hasattr(self, "_crew"):
            self._crew.stop()

    def __repr__(self) -> str:
        return f"<MapRun: {self._given} results, {len(self._crew.tasks)} tasks>"

    async def _next(self) -> MapResult[R, V]:
        if self._is_over:
            raise StopAsyncIteration
        crew = self._crew
        if not crew.has_begun:
            crew.begin(self._room)
        elif self._in_hand:
            crew.make_room(self._in_hand)
            self._in_hand = 0
        while (result := self._waiting()) is None:
            if not crew.tasks:
                self._end()
            await crew.something()
        return self._hand_out(result)

    def _waiting(self) -> MapResult[R, V] | None:
        """Give the next result if it is there already."""
        results, early = self._crew.results, self._early
        if early is None:
            return results.popleft() if results else None
        while results:
            result = results.popleft()
            early[result.index] = result
        return early.pop(self._given, None)

    def _hand_out(self, result: MapResult[R, V]) -> MapResult[R, V]:
        self._given += 1
        self._in_hand += 1
        return result

    def _end(self) -> NoReturn:
        self._is_over = True
        failure, self._crew.failure = self._crew.failure, None
        if failure is not None:
            raise failure
        raise StopAsyncIteration


class MapCursor(Generic[R, V]):
    """A loop over a run; dropping it is leaving the run."""

    __slots__ = ("_run",)

    def __init__(self, run: MapRun[R, V]) -> None:
        self._run = run

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Coroutine[Any, Any, MapResult[R, V]]:
        return self._run._next()

    async def aclose(self) -> None:
        """Leave the run and wait for its end; the spelling of ``contextlib.aclosing``."""
        await self._run.aclose()

    def __del__(self) -> None:
        self._run.close()


def map_requests(
    complete: Callable[..., Awaitable[V]],
    requests: Requests[RequestT],
    common: Mapping[str, Any],
    *,
    concurrency: int | None,
    ordered: bool,
    limits: Limits,
    refuse: Callable[[], None],
) -> MapRun[RequestT, V]:
    """Give the run of chat requests.

    Args:
        complete: Sends one.
        requests: The requests.
        common: Keywords of those that do not say otherwise; None stands for not given.
        concurrency: How many at once; None is as many as `limits` say.
        ordered: Whether the results come in the order of the requests.
        limits: The client's.
        refuse: Raises where the client can send nothing any more.

    Raises:
        TypeError: An argument has the wrong type, or a keyword is unknown.
        ValueError: `concurrency` is smaller than 1.
    """
    refuse()
    refuse_one_request(requests)
    refuse_unknown_keywords(common)
    common = {name: value for name, value in common.items() if value is not None}

    def send(request: RequestT) -> Awaitable[V]:
        return complete(**keywords_of(request, common))

    return MapRun(
        requests,
        send,
        concurrency=at_once(limits) if concurrency is None else concurrency,
        ordered=ordered,
        refuse=refuse,
    )


def at_once(limits: Limits) -> int:
    """Tell how many requests a client with these limits can have under way at once."""
    adaptive = limits.adaptive
    if adaptive is False:
        return limits.max_connections
    most = Adaptive().most if adaptive is True else adaptive.most
    return min(most, limits.max_connections)
