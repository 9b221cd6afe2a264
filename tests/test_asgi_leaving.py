"""Whoever leaves is not worked for, whoever reads slowly slows the API: relays over plain ASGI."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from openrouter_async import ChatChunk, Limits, OpenRouter, RetryPolicy
from openrouter_async._sse import encode_event
from openrouter_async.integrations.asgi import (
    CancelOnDisconnect,
    ClientDisconnectedError,
    ProtocolName,
    cancel_on_disconnect,
    relay,
)
from openrouter_async.testing import Emulator, Reply, Send, Stall, chat
from tests.quiet import KEY, assert_nothing_leased, settled
from tests.serving import (
    LEAVES_WITHIN,
    Visitor,
    answering,
    asked,
    get,
    served,
    tasks_besides,
    time_to_leave,
)

PROTOCOLS: tuple[ProtocolName, ...] = ("openai", "ai-sdk", "text")
FIVE = ("one ", "two ", "three ", "four ", "five ")


@pytest.fixture
async def client(emulator: Emulator) -> AsyncIterator[OpenRouter]:
    """A client that tries nothing twice, so that a failure is seen at once."""
    retry = RetryPolicy(max_attempts=1)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry) as client:
        yield client


@pytest.mark.parametrize("how", ["close", "abort"])
@pytest.mark.parametrize("when", ["before the first token", "amid the answer", "in silence"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_reader_that_leaves_stops_the_upstream(
    client: OpenRouter, emulator: Emulator, protocol: ProtocolName, when: str, how: str
) -> None:
    """However and whenever the reader leaves, the API is told within half a second."""
    reply = {
        "before the first token": chat(*FIVE).before_head(Stall()),
        "amid the answer": chat(*("word " for _ in range(100_000))),
        "in silence": chat(*FIVE).stall_after(3),
    }[when]
    make = lambda: relay(client.stream("Hi", model="m"), protocol=protocol, heartbeat=0.05)  # noqa: E731
    emulator.always(reply)
    async with answering(make) as port:

        async def begin() -> Callable[[], None]:
            visitor = await asked(emulator, port)
            if when != "before the first token":
                await visitor.until(b"word " if when == "amid the answer" else b"three ")
            return visitor.close if how == "close" else visitor.abort

        assert await time_to_leave(emulator, begin) < LEAVES_WITHIN
        await settled(lambda: client.stats().leased == 0)
    assert_nothing_leased(client)


@pytest.mark.parametrize("when", ["amid the answer", "in silence"])
async def test_a_generator_of_the_users_is_closed(
    client: OpenRouter, emulator: Emulator, when: str
) -> None:
    """What stands between the stream and the relay ends before the request does."""
    many = chat(*("word " for _ in range(100_000)))
    emulator.always(chat("word ", "word ").stall_after(1) if when == "in silence" else many)
    ended = 0

    async def passing() -> AsyncIterator[ChatChunk]:
        nonlocal ended
        try:
            async for chunk in client.stream("Hi", model="m"):
                yield chunk
        finally:
            ended += 1

    async with answering(lambda: relay(passing())) as port:

        async def begin() -> Callable[[], None]:
            visitor = await asked(emulator, port)
            await visitor.until(b"word ")
            return visitor.abort

        assert await time_to_leave(emulator, begin) < LEAVES_WITHIN
        await settled(lambda: ended == emulator.accepted)


async def test_a_plain_endpoint_is_cancelled_when_its_client_leaves(
    client: OpenRouter, emulator: Emulator
) -> None:
    """`cancel_on_disconnect` ends what is awaited, and says so; otherwise it gives its value."""
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            try:
                done = await cancel_on_disconnect(receive, client.complete("Hi", model="m"))
            except ClientDisconnectedError:
                seen.append("left")
                return
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": done.text.encode()})

    async with served(app) as port:
        emulator.play(chat("here"))
        assert (await get(port)).body == b"here"
        emulator.always(chat(*FIVE).stall_after(2))

        async def begin() -> Callable[[], None]:
            return (await asked(emulator, port)).abort

        assert await time_to_leave(emulator, begin) < LEAVES_WITHIN
        await settled(lambda: seen)


async def test_a_failure_of_plain_work_is_raised_as_it_is(emulator: Emulator) -> None:
    """What the awaited thing raises passes through, and the wait for the client ends."""

    async def never() -> dict[str, Any]:
        await asyncio.get_running_loop().create_future()
        return {}

    async def failing() -> None:
        raise LookupError("mine")

    known = asyncio.all_tasks()
    with pytest.raises(LookupError, match="mine"):
        await cancel_on_disconnect(never, failing())
    assert asyncio.all_tasks() == known


@pytest.mark.parametrize("body", [None, "x" * 300_000], ids=["no body", "a large body"])
async def test_the_middleware_cancels_what_any_endpoint_awaits(
    client: OpenRouter, emulator: Emulator, body: str | None
) -> None:
    """Around the application it needs no word in an endpoint, which still can read its body."""
    ended: list[str] = []

    async def endpoint(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        got, more = b"", scope["method"] == "POST"
        while more:
            message = await receive()
            got, more = got + message["body"], message.get("more_body", False)
        try:
            done = await client.complete("Hi", model="m")
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": got + done.text.encode()})

    async with served(CancelOnDisconnect(endpoint)) as port:
        emulator.play(chat("here"))
        expected = (f'"{body}"' if body is not None else "") + "here"
        assert (await get(port, body=body)).body == expected.encode()
        emulator.always(chat(*FIVE).stall_after(2))

        async def begin() -> Callable[[], None]:
            return (await asked(emulator, port, body=body)).abort

        assert await time_to_leave(emulator, begin) < LEAVES_WITHIN
        await settled(lambda: ended)


async def test_a_server_that_says_it_while_sending() -> None:
    """Where `send` raises `OSError`, as ASGI allows, the reader counts as gone and no error is."""
    async with (
        Emulator() as emulator,
        OpenRouter(KEY, base_url=emulator.base_url) as client,
    ):
        emulator.play(chat(*FIVE).stall_after(3))
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            await asyncio.get_running_loop().create_future()
            return {}

        async def send(message: Any) -> None:
            sent.append(message)
            if len(sent) == 2:
                raise OSError("gone")

        stream = client.stream("Hi", model="m")
        await relay(stream)({"type": "http"}, receive, send)
        assert len(sent) == 2
        assert stream.ending == "left"
        await emulator.wait_for(lambda: emulator.disconnects == 1, timeout=30)


async def test_cancelling_the_application_closes_the_stream(
    client: OpenRouter, emulator: Emulator
) -> None:
    """A server that stops cancels its tasks; nothing of the answer is left then."""
    emulator.play(chat(*FIVE).stall_after(3))
    came = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await asyncio.get_running_loop().create_future()
        return {}

    async def send(message: Any) -> None:
        came.set()

    known = asyncio.all_tasks()
    stream = client.stream("Hi", model="m")
    task = asyncio.ensure_future(relay(stream)({"type": "http"}, receive, send))
    await came.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stream.ending == "left"
    assert tasks_besides(known) == []


def resident() -> int:
    """Resident memory of this process in bytes, with the collector's work done."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
async def test_two_hundred_slow_readers_do_not_fill_the_memory() -> None:
    """What a reader does not take stays at the API: neither waiting nor reading on adds memory."""
    readers, size = 200, 8 * 2**20
    piece = encode_event(b'{"choices":[{"delta":{"content":"' + b"x" * 8_000 + b'"}}]}')
    reply = Reply(steps=(Send(piece * (size // len(piece)), len(piece)), Stall()))
    with Emulator.in_thread() as emulator:
        emulator.always(reply)
        async with OpenRouter(
            KEY, base_url=emulator.base_url, limits=Limits(max_connections=readers)
        ) as client:
            async with answering(lambda: relay(client.stream("Hi", model="m"))) as port:
                before = resident()
                visitors = [await Visitor.to(port, receive_buffer=4096) for _ in range(readers)]
                for visitor in visitors:
                    await visitor.reader.readexactly(2**12)
                waiting = resident()
                for _ in range(10):
                    for visitor in visitors:
                        await visitor.reader.readexactly(2**13)
                reading = resident()
                # Without backpressure the whole answers would be here, 1.6 GB of them.
                assert waiting - before < readers * 2**21
                assert reading - waiting < readers * 2**19
                assert emulator.open_connections == readers
                for visitor in visitors:
                    visitor.abort()
                await emulator.wait_for(lambda: emulator.disconnects == readers, timeout=60)
