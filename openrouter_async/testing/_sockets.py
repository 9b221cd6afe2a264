"""What asyncio does not offer of a socket: its reset, and whether all of it has arrived.

The rule of this file: the kernel is asked here and nowhere else.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from typing import Final, cast

__all__ = ["arrived", "linger_zero"]

_ARRIVAL_MAX: Final = 2.0
_LINGER_ZERO: Final = struct.pack("ii", 1, 0)


async def arrived(transport: asyncio.BaseTransport) -> None:
    """Wait until the peer's kernel has every byte: a reset throws away what still waits here.

    The kernel tells no one when its queue is empty, so it has to be asked again and again.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _ARRIVAL_MAX
    while _unsent(transport) and loop.time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.001)


def _unsent(transport: asyncio.BaseTransport) -> int:
    waiting = cast("asyncio.WriteTransport", transport).get_write_buffer_size()
    sock = cast("socket.socket | None", transport.get_extra_info("socket"))
    if sock is None or sock.fileno() < 0 or sys.platform != "linux":
        return waiting
    import fcntl
    import termios

    queued = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
    return waiting + int.from_bytes(queued, sys.byteorder)


def linger_zero(transport: asyncio.BaseTransport) -> None:
    """Have the next closing of a connection be a reset."""
    sock = cast("socket.socket | None", transport.get_extra_info("socket"))
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
