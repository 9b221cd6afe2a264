"""Long work on the event loop, one piece a turn.

The rule of this file: it only says when. A loop runs whatever is ready before it looks at its
sockets again; several images that end in one such turn would hold up every other stream for the
sum of their times, and with a turn for each only for the longest.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

if TYPE_CHECKING:
    import asyncio

__all__ = ["is_being_cancelled", "turn_of_its_own"]

_TAKEN: Final[WeakSet[asyncio.AbstractEventLoop]] = WeakSet()
"""The loops in whose present turn long work is done already."""


async def turn_of_its_own() -> None:
    """Wait for a turn of the loop in which nobody else does long work."""
    import asyncio

    loop = asyncio.get_running_loop()
    while loop in _TAKEN:  # noqa: ASYNC110 - it is the turns themselves that are waited for
        await asyncio.sleep(0)
    _TAKEN.add(loop)
    loop.call_soon(_TAKEN.discard, loop)  # runs first in the turn after this one


def is_being_cancelled() -> bool:
    """Tell whether the running task was asked to stop, in whichever of its frames that is felt."""
    asyncio = sys.modules.get("asyncio")  # who has not imported it runs no task
    if asyncio is None:
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return False
    return task is not None and task.cancelling() > 0
