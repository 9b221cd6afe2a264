"""Work that ends with the client that asked for it.

The rule of this file: whoever has left is not worked for. What runs is cancelled and waited for,
so that no task and no unseen exception is left behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias, TypeVar

from ._serving import Message, Receive, Scope, Send, answer_nobody, until_gone

__all__ = ["App", "ClientDisconnectedError", "ReadAhead", "call_while_there", "run_while_there"]

App: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]

T = TypeVar("T")

_DISCONNECT: Final = {"type": "http.disconnect"}


class ClientDisconnectedError(Exception):
    """The client left before its answer was ready, so the work was cancelled."""


async def run_while_there(receive: Receive, work: Awaitable[T]) -> T:
    """Await `work`; cancel it as soon as the client leaves.

    Raises:
        ClientDisconnectedError: The client left; `work` has been cancelled and has ended.
    """

    async def working() -> T:
        return await work

    task = asyncio.ensure_future(working())
    if not await _ended_first(task, asyncio.ensure_future(until_gone(receive))):
        raise ClientDisconnectedError("the client left before its answer was ready")
    return task.result()


async def call_while_there(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    """Run an ASGI application; cancel it if its client leaves before its answer has begun.

    Who has begun to answer sees for itself whether somebody listens, and may have something to
    do behind the answer that is not for this client.
    """
    ahead = ReadAhead(receive)
    begun = False

    async def beginning(message: Message) -> None:
        nonlocal begun
        begun = True
        await send(message)

    async def answering() -> None:
        await app(scope, ahead.receive, beginning)

    running = asyncio.ensure_future(answering())
    leaving = asyncio.ensure_future(ahead.until_gone())
    if await _ended_first(running, leaving, goes_on=lambda: begun):
        running.result()
    elif not begun:
        await answer_nobody(send)


async def _ended_first(
    work: asyncio.Future[Any],
    leaving: asyncio.Future[None],
    goes_on: Callable[[], bool] = lambda: False,
) -> bool:
    """Wait for one of the two and end the other; tell whether it was the work that ended.

    Where `goes_on` says so, the work comes to its end without its client.
    """
    both: set[asyncio.Future[Any]] = {work, leaving}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if goes_on():
            await asyncio.wait({work})
        return work.done()
    finally:
        for one in both:
            one.cancel()
        await asyncio.wait(both)
        for one in both:
            if not one.cancelled():
                one.exception()  # seen, so that nobody logs it


class ReadAhead:
    """Reads what a client sends one message ahead of the application, to see it leave.

    A body is still read no faster than the application takes it.
    """

    __slots__ = ("_changed", "_gone", "_message", "_receive")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._message: Message | None = None
        self._gone = False
        self._changed = asyncio.Condition()

    async def until_gone(self) -> None:
        """Read until the client leaves."""
        while not self._gone:
            message = await self._receive()
            async with self._changed:
                if message["type"] == "http.disconnect":
                    self._gone = True
                else:
                    self._message = message
                self._changed.notify_all()
                if message.get("more_body"):
                    await self._changed.wait_for(lambda: self._message is None)

    async def receive(self) -> Message:
        """Give the next message, as ASGI's `receive`."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._message is not None or self._gone)
            message, self._message = self._message, None
            self._changed.notify_all()
        return message if message is not None else dict(_DISCONNECT)
