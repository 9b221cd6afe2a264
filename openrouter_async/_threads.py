"""Work that blocks, off the loop.

What may live here: the one way into a worker thread for what is not a request: files, mostly.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

__all__ = ["in_thread"]

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` in a worker thread and wait for it."""
    from anyio import to_thread

    return await to_thread.run_sync(partial(work, *args, **kwargs))
