"""A server of this package on an event loop of its own, in a thread of its own.

The rule of this file: it knows no server, only something to enter and to leave in one loop.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Generator
from contextlib import AbstractAsyncContextManager, contextmanager

__all__ = ["running_in_thread"]


@contextmanager
def running_in_thread(server: AbstractAsyncContextManager[object]) -> Generator[None]:
    """Have the server run in a thread as long as the block does."""
    started: concurrent.futures.Future[Callable[[], object]] = concurrent.futures.Future()

    async def serve() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        async with server:
            started.set_result(lambda: loop.call_soon_threadsafe(stop.set))
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=run, name="openrouter-testing", daemon=True)
    thread.start()
    stop = started.result()
    try:
        yield
    finally:
        stop()
        thread.join()
