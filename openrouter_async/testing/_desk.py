"""What was asked of the emulator, and what it shall answer next.

The rule of this file: the emulator's whole state is here, readable from any thread. Nothing
here waits or touches a socket, and no answer is made up here: without a script the desk has
none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

import msgspec

from openrouter_async.testing._script import Reply
from openrouter_async.testing._watch import Flag, Gates, Watch

__all__ = ["BASE_PATH", "Desk", "ReceivedRequest"]

BASE_PATH: Final = "/api/v1"


@dataclass(frozen=True, slots=True, eq=False)
class ReceivedRequest:
    """One request as it arrived.

    Attributes:
        method: The HTTP method.
        path: The path, with `/api/v1` and without the query.
        query: The query parameters.
        headers: The headers; names are found in any case.
        body: The whole body.
        connection: The number of the TCP connection it came over, from 1.
        disconnected: Set when the client left before the answer was complete.
        finished: Set when the answer was played to its end.
        at: When its last byte had come, in seconds of `time.monotonic`.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    connection: int
    disconnected: Flag
    finished: Flag
    at: float = field(default_factory=monotonic)

    @property
    def json(self) -> Any:
        """The body, decoded.

        Raises:
            msgspec.DecodeError: The body is not JSON.
        """
        return msgspec.json.decode(self.body)


class Desk:
    """Counts, remembers, and hands out the scripted replies."""

    def __init__(self) -> None:
        self.watch: Final = Watch()
        self.gates: Final = Gates(self.watch)
        self.requests: Final[list[ReceivedRequest]] = []
        self.accepted = 0
        self.connections = 0
        self.open_connections = 0
        self.disconnects = 0
        self._queued: Final[dict[str | None, deque[Reply]]] = {None: deque()}
        self._standing: Final[dict[str | None, Reply]] = {}

    def play(self, replies: tuple[Reply, ...], path: str | None) -> None:
        """Queue replies for POST requests, or for every request to one path.

        Raises:
            TypeError: One of them is no reply.
        """
        for reply in replies:
            _check_reply(reply)
        self._queued.setdefault(path, deque()).extend(replies)

    def always(self, reply: Reply | None, path: str | None) -> None:
        """Set what answers where nothing is queued, or take it back.

        Raises:
            TypeError: It is no reply.
        """
        if reply is None:
            self._standing.pop(path, None)
        else:
            _check_reply(reply)
            self._standing[path] = reply

    def take(self, request: ReceivedRequest) -> Reply | None:
        """Give the scripted reply to a request, off the queue if one is queued."""
        keys: list[str | None] = [request.path.removeprefix(BASE_PATH)]
        if request.method == "POST":
            keys.append(None)
        for key in keys:
            if queue := self._queued.get(key):
                return queue.popleft()
        return next((self._standing[key] for key in keys if key in self._standing), None)

    def connected(self) -> int:
        """Count a new connection; give its number."""
        self.connections += 1
        self.open_connections += 1
        self.watch.notify()
        return self.connections

    def hung_up(self) -> None:
        """Count a connection that is no more."""
        self.open_connections -= 1
        self.watch.notify()

    def received(self, request: ReceivedRequest) -> None:
        """Remember a request that was read to its end."""
        self.requests.append(request)
        self.accepted += request.method == "POST"
        self.watch.notify()

    def left(self, request: ReceivedRequest | None) -> None:
        """Count a client that left before its answer was complete."""
        self.disconnects += 1
        if request is not None:
            request.disconnected.set()
        self.watch.notify()


def _check_reply(reply: object) -> None:
    if not isinstance(reply, Reply):
        raise TypeError(
            f'a reply is made by chat("Hello"), http_error(429) and their like, got {reply!r:.80}'
        )
