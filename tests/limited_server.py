"""A server on loopback that takes so many requests at once and refuses the rest with a 429."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from aiohttp import web

KEY = "sk-or-v1-test-key"
CHUNK = {
    "id": "gen-1",
    "model": "m",
    "choices": [{"index": 0, "delta": {"content": "ab"}, "finish_reason": None}],
}
END: dict[str, object] = {
    "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 90, "total_tokens": 100},
}
TAIL = f"data: {json.dumps(END)}\n\ndata: [DONE]\n\n".encode()
GOLDEN = 0.618034
HEAD = f"data: {json.dumps(CHUNK)}\n\n".encode()


def _paces(spread: float) -> Iterator[float]:
    """Give different factors about 1, evenly spread and each time the same."""
    fraction = 0.0
    while True:
        yield 1 + spread * (2 * fraction - 1)
        fraction = (fraction + GOLDEN) % 1


class LimitedServer:
    """Streams answers that take their time, as many at once as `room` says.

    Attributes:
        room: How many it takes at once; asked anew for every request.
        seconds: How long an answer takes, its first delta half of that.
        spread: By which part of that answers take longer or shorter.
        retry_after: What its refusals ask for, in seconds, where they ask.
        arrivals: When requests came, by the loop's clock, and whether they were taken.
        under_way: How many answers are being given.
        most: How many there were at once at most.
    """

    def __init__(
        self,
        room: Callable[[], int],
        *,
        seconds: float = 0.0,
        spread: float = 0.0,
        retry_after: float | None = None,
    ) -> None:
        self.room = room
        self.seconds = seconds
        self.retry_after = retry_after
        self.arrivals: list[tuple[float, bool]] = []
        self.under_way = 0
        self.most = 0
        self.base_url = ""
        self._paces = _paces(spread)
        self._runner: web.AppRunner | None = None

    @property
    def refused(self) -> int:
        """How many requests got a 429."""
        return sum(not taken for _, taken in self.arrivals)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/api/v1/{rest:.*}", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, backlog=4096)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http://{host}:{port}/api/v1"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        taken = self.under_way < self.room()
        self.arrivals.append((asyncio.get_running_loop().time(), taken))
        if not taken:
            headers = {} if self.retry_after is None else {"Retry-After": f"{self.retry_after:g}"}
            body = {"error": {"code": 429, "message": "Slow down"}}
            return web.json_response(body, status=429, headers=headers)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            half = self.seconds / 2 * next(self._paces)
            await asyncio.sleep(half)
            await response.write(HEAD)
            await asyncio.sleep(half)
        finally:
            self.under_way -= 1
        await response.write(TAIL)
        return response
