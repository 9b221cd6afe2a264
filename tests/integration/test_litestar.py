"""Litestar serves our relay with nothing of ours but plain ASGI, and behaves as FastAPI does with it."""

# What may be missing is looked for before it is imported.
# ruff: noqa: E402

from __future__ import annotations

from tests.integration.tools import need

need("litestar", "uvicorn")

from collections.abc import Callable
from typing import Any

# Litestar reads the annotations of an endpoint when it is made.
from litestar import Litestar, Request, get
from litestar.types import ASGIApp

from openrouter_async import OpenRouter, RetryPolicy
from openrouter_async.integrations.asgi import lifespan, relay
from openrouter_async.testing import Emulator, chat, http_error
from tests.quiet import KEY
from tests.serving import LEAVES_WITHIN, Visitor, asked, served, time_to_leave
from tests.serving import get as visit

FIVE = ("one ", "two ", "three ", "four ", "five ")


@get("/story")
async def story(request: Request[Any, Any, Any]) -> ASGIApp:
    """Relay a story as plain text."""
    client: OpenRouter = request.app.state.openrouter
    return relay(client.stream("A story", model="openai/gpt-4o-mini"), protocol="text")


def application(emulator: Emulator) -> Litestar:
    """An application with a client of its own, which asks once."""
    make = lambda: OpenRouter(  # noqa: E731
        KEY, base_url=emulator.base_url, retry=RetryPolicy(max_attempts=1)
    )
    return Litestar([story], lifespan=[lifespan(make)])


async def test_a_stream_is_relayed(emulator: Emulator) -> None:
    """The text comes whole, with the headers of the protocol."""
    emulator.play(chat(*FIVE))
    async with served(application(emulator)) as port:
        answer = await visit(port, "/story")
    assert (answer.status, answer.body.decode(), answer.is_whole) == (200, "".join(FIVE), True)
    assert answer.headers["content-type"].startswith("text/plain")


async def test_a_refusal_keeps_its_status(emulator: Emulator) -> None:
    """A 429 before the first token is a 429 with its `Retry-After`."""
    emulator.play(http_error(429, "Slow down", headers={"Retry-After": "7"}))
    async with served(application(emulator)) as port:
        answer = await visit(port, "/story")
    assert (answer.status, answer.headers["retry-after"]) == (429, "7")


async def test_a_failure_after_five_tokens_keeps_them(emulator: Emulator) -> None:
    """The body is the five tokens and what went wrong, and is cut, so that no end is told."""
    emulator.play(chat(*FIVE, "six").reset_after(5))
    async with served(application(emulator), expect="without completing response") as port:
        answer = await visit(port, "/story")
    assert (answer.status, answer.is_whole) == (200, False)
    assert answer.body.decode().startswith("".join(FIVE) + "\n\n[error] ")


async def test_a_reader_that_leaves_stops_the_upstream(emulator: Emulator) -> None:
    """The emulator sees its client go within half a second, and no task is left."""
    emulator.always(chat(*FIVE).stall_after(3))
    async with served(application(emulator)) as port:

        async def begin() -> Callable[[], object]:
            visitor: Visitor = await asked(emulator, port, "/story")
            await visitor.until(b"three")
            return visitor.abort

        assert await time_to_leave(emulator, begin) < LEAVES_WITHIN
