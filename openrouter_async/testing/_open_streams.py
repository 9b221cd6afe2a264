"""Streams that were begun and are neither over nor left.

The rule of this file: nobody keeps a list of streams for its sake; it asks the garbage collector,
which knows of every object, when it is called.
"""

# What a stream shows of its state is not all of it.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import gc
from collections.abc import Iterable
from typing import Any

from openrouter_async._event_stream import EventStream, _State

__all__ = ["assert_no_open_streams", "open_streams"]


def open_streams() -> list[EventStream[Any]]:
    """Give the streams of this process whose connection is open, or being opened.

    A stream that nobody holds is closed already, so that each of these is held by somebody: by a
    task, an object, or a reference cycle that the garbage collector has not come to yet.
    """
    streams: list[EventStream[Any]] = [
        found for found in gc.get_objects() if isinstance(found, EventStream)
    ]
    return [stream for stream in streams if stream._state in (_State.OPENING, _State.OPEN)]


def assert_no_open_streams(known: Iterable[EventStream[Any]] = ()) -> None:
    """Fail where a stream was left open.

    Args:
        known: Streams that are not meant, such as those that were open before.

    Raises:
        AssertionError: There is one; the message tells what had come of each.
    """
    before = {id(stream) for stream in known}
    left = [stream for stream in open_streams() if id(stream) not in before]
    if left:
        shown = ", ".join(map(repr, left))
        raise AssertionError(
            f"streams were left open ({len(left)}), so that the server goes on and bills: {shown}; "
            "read a stream to its end, close() it, or loop over it and drop it"
        )
