"""The proxy of the test kit: every damage at its byte or on demand, and nothing of it stays."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

import pytest

from openrouter_async import OpenRouter, RetryPolicy, StreamBrokenError
from openrouter_async.testing import (
    Corrupt,
    Cut,
    Emulator,
    Fault,
    FaultProxy,
    Pause,
    Reset,
    Slow,
    Stall,
    chat,
)
from tests.quiet import KEY, open_sockets, other_tasks, silence


class Echo(NamedTuple):
    """A server that sends back what it is sent, by way of a proxy."""

    proxy: FaultProxy
    heard: list[bytes]

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to it through the proxy."""
        parts = urlsplit(self.proxy.base_url)
        return await asyncio.open_connection(parts.hostname, parts.port)

    async def ask(self, data: bytes) -> bytes:
        """Send, hang up in good order, and give what comes back."""
        reader, writer = await self.connect()
        try:
            writer.write(data)
            writer.write_eof()
            return await reader.read()
        finally:
            writer.transport.abort()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    """An echo behind a proxy; afterwards no socket, no task and no word in a log is left."""
    sockets, tasks = open_sockets(), other_tasks()
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                heard.append(data)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            heard.append(b"broken")
        finally:
            writer.close()

    with silence(asyncio.get_running_loop()):
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with FaultProxy(f"http://127.0.0.1:{port}") as proxy:
            yield Echo(proxy, heard)
        assert proxy.open_connections == 0
        server.close()
        await proxy.wait_for(lambda: not other_tasks(tasks) and open_sockets() <= sockets)


TEXT = bytes(range(256)) * 8


async def test_by_itself_it_changes_nothing(echo: Echo) -> None:
    """What is sent arrives, both ways, hang-ups included, and is counted."""
    large = TEXT * 1_000
    assert await echo.ask(large) == large
    assert (echo.proxy.connections, echo.proxy.request_bytes) == (1, len(large))
    assert echo.proxy.response_bytes == len(large)
    await echo.proxy.wait_for(lambda: echo.proxy.open_connections == 0)


@pytest.mark.parametrize("after", [0, 1, 1_000, len(TEXT)])
@pytest.mark.parametrize("damage", [Cut(), Reset()], ids=["FIN", "RST"])
async def test_the_response_ends_at_a_byte(echo: Echo, damage: Cut | Reset, after: int) -> None:
    """Exactly so many bytes arrive, then the end, in good order or not."""
    echo.proxy.play(Fault(damage, after=after))
    reader, writer = await echo.connect()
    writer.write(TEXT)
    if isinstance(damage, Cut):
        assert await reader.read() == TEXT[:after]
    else:
        assert await reader.readexactly(after) == TEXT[:after]
        with pytest.raises(ConnectionResetError):
            await reader.read()
    assert echo.proxy.response_bytes == after
    writer.transport.abort()
    assert await echo.ask(TEXT) == TEXT


@pytest.mark.parametrize("after", [0, 1, 1_000, len(TEXT)])
@pytest.mark.parametrize("damage", [Cut(), Reset()], ids=["FIN", "RST"])
async def test_the_request_ends_at_a_byte(echo: Echo, damage: Cut | Reset, after: int) -> None:
    """The server sees exactly so many bytes, and at 0 not even a connection."""
    echo.proxy.play(Fault(damage, after=after, way="request"))
    reader, writer = await echo.connect()
    writer.write(TEXT)
    try:
        await reader.read()
        assert isinstance(damage, Cut)
    except ConnectionResetError:
        assert isinstance(damage, Reset)
    writer.transport.abort()
    await echo.proxy.wait_for(lambda: echo.proxy.open_connections == 0)
    assert echo.proxy.request_bytes == after
    assert b"".join(echo.heard).removesuffix(b"broken") == TEXT[:after]


@pytest.mark.parametrize(
    ("bad", "after", "expected"),
    [
        (None, 0, b"\x9eb"),
        (None, 1, b"a\x9d"),
        (b"XY", 0, b"XY"),
        (b"XYZ", 1, b"aX"),
        (b"", 1, b"ab"),
        (b"X", 2, b"ab"),
    ],
)
@pytest.mark.parametrize("way", ["request", "response"])
async def test_bytes_are_changed(
    echo: Echo,
    way: Literal["request", "response"],
    bad: bytes | None,
    after: int,
    expected: bytes,
) -> None:
    """What is put in place of the bytes behind an offset has their length; the rest is whole."""
    echo.proxy.play(Fault(Corrupt(bad), after=after, way=way))
    assert await echo.ask(b"ab") == expected
    assert await echo.ask(b"ab") == b"ab"


async def test_a_change_goes_over_several_reads(echo: Echo) -> None:
    """What replaces more than has come yet goes on in what comes next."""
    echo.proxy.play(Fault(Corrupt(b"XYZ"), after=1))
    reader, writer = await echo.connect()
    writer.write(b"ab")
    assert await reader.readexactly(2) == b"aX"
    writer.write(b"cdef")
    assert await reader.readexactly(4) == b"YZef"
    writer.transport.abort()


async def test_a_stalled_wire_is_restored(echo: Echo) -> None:
    """A stall holds everything up in both directions, and nothing is lost over it."""
    echo.proxy.play(Fault(Stall(), after=3))
    reader, writer = await echo.connect()
    writer.write(TEXT)
    assert await reader.readexactly(3) == TEXT[:3]
    writer.write(b"more")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await reader.read(1)
    assert (echo.proxy.request_bytes, echo.proxy.response_bytes) == (len(TEXT), 3)
    echo.proxy.restore()
    writer.write_eof()
    assert await reader.read() == TEXT[3:] + b"more"
    writer.transport.abort()


async def test_a_pause_ends_by_itself(echo: Echo) -> None:
    """A pause holds up one direction for a while."""
    echo.proxy.play(Fault(Pause(0.1), after=3))
    began = asyncio.get_running_loop().time()
    assert await echo.ask(TEXT) == TEXT
    assert asyncio.get_running_loop().time() - began >= 0.1


async def test_a_slow_wire(echo: Echo) -> None:
    """Bytes come at the pace that was asked for, and at once when it is restored."""
    echo.proxy.play(Fault(Slow(10_000), after=48))
    reader, writer = await echo.connect()
    began = asyncio.get_running_loop().time()
    writer.write(TEXT)
    await reader.readexactly(1_048)
    assert asyncio.get_running_loop().time() - began >= 0.08
    echo.proxy.restore()
    writer.write_eof()
    assert len(await reader.read()) == len(TEXT) - 1_048
    writer.transport.abort()


@pytest.mark.parametrize("how", ["cut", "reset"])
async def test_open_connections_end_on_demand(echo: Echo, how: str) -> None:
    """All that are open end; new ones are as before."""
    ends = [await echo.connect() for _ in range(3)]
    for reader, writer in ends:
        writer.write(b"a")
        await reader.readexactly(1)
    getattr(echo.proxy, how)()
    for reader, writer in ends:
        if how == "cut":
            assert await reader.read() == b""
        else:
            with pytest.raises(ConnectionResetError):
                await reader.read()
        writer.transport.abort()
    await echo.proxy.wait_for(lambda: echo.proxy.open_connections == 0)
    assert await echo.ask(b"a") == b"a"


async def test_stalled_and_slowed_on_demand(echo: Echo) -> None:
    """Open connections and new ones stand still until they are restored; slow is slow for both."""
    reader, writer = await echo.connect()
    writer.write(b"a")
    await reader.readexactly(1)
    echo.proxy.stall()
    await asyncio.sleep(0)
    writer.write(b"b")
    writer.write_eof()
    late = asyncio.create_task(echo.ask(b"c"))
    await echo.proxy.wait_for(lambda: echo.proxy.connections == 2)
    assert echo.proxy.request_bytes == 1
    echo.proxy.restore()
    assert await reader.read() == b"b"
    assert await late == b"c"
    writer.transport.abort()
    echo.proxy.slow(1_000)
    began = asyncio.get_running_loop().time()
    assert await echo.ask(bytes(60)) == bytes(60)
    assert asyncio.get_running_loop().time() - began >= 0.04
    with pytest.raises(ValueError, match="rate"):
        echo.proxy.slow(0)


async def test_a_standing_fault(echo: Echo) -> None:
    """`always` is for every connection for which nothing is queued, and None spares them."""
    echo.proxy.always(Fault(Cut(), after=1))
    echo.proxy.play(Fault(Cut(), after=2), None)
    assert [await echo.ask(b"abc") for _ in range(4)] == [b"ab", b"abc", b"a", b"a"]
    echo.proxy.always(None)
    assert await echo.ask(b"abc") == b"abc"


async def test_a_server_that_is_not_there() -> None:
    """Who asks for a server that refuses is reset."""
    async with FaultProxy("http://127.0.0.1:1/api") as proxy:
        reader, writer = await Echo(proxy, []).connect()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.transport.abort()
    assert proxy.base_url.endswith("/api")


async def test_leaving_amid_everything(echo: Echo) -> None:
    """Stalled, slow and half-closed connections are gone when the proxy is."""
    echo.proxy.play(Fault(Stall(), after=1), Fault(Slow(1)), Fault(Pause(60), way="request"))
    ends = [await echo.connect() for _ in range(4)]
    for _, writer in ends:
        writer.write(TEXT)
    ends[0][1].write_eof()
    await echo.proxy.wait_for(lambda: echo.proxy.response_bytes > len(TEXT))
    for _, writer in ends:
        writer.transport.abort()


async def test_a_client_behind_it(emulator: Emulator) -> None:
    """The docstring's example: a stream that breaks on the wire keeps what had come."""
    reply = chat("Hello", " there")
    emulator.always(reply)
    async with FaultProxy(emulator.base_url) as proxy:
        retry = RetryPolicy(max_attempts=1)
        async with OpenRouter(KEY, base_url=proxy.base_url, retry=retry) as client:
            head = sum(len(act) for act in reply.program.acts if isinstance(act, bytes))
            proxy.play(Fault(Reset(), after=head - 400))
            with pytest.raises(StreamBrokenError) as caught:
                await client.complete("Hi", model="m")
            assert caught.value.partial is not None
            assert (await client.complete("Hi", model="m")).text == "Hello there"


def test_in_a_thread() -> None:
    """It runs beside code that has no loop, and the thread ends with the block."""
    with Emulator.in_thread() as emulator, FaultProxy.in_thread(emulator.base_url) as proxy:
        emulator.always(chat("ab"))

        async def ask() -> str:
            async with OpenRouter(KEY, base_url=proxy.base_url) as client:
                return (await client.complete("Hi", model="m")).text

        assert asyncio.run(ask()) == "ab"
        assert proxy.connections == 1
    assert not any(thread.name == "openrouter-testing" for thread in threading.enumerate())


async def test_misuse() -> None:
    """What cannot be is refused by its name."""
    with pytest.raises(ValueError, match="target"):
        FaultProxy("127.0.0.1:80")
    with pytest.raises(ValueError, match="after"):
        Fault(Cut(), after=-1)
    with pytest.raises(ValueError, match="way"):
        Fault(Cut(), way="up")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rate"):
        Slow(float("nan"))
    proxy = FaultProxy("http://127.0.0.1:1")
    proxy.cut()
    with pytest.raises(RuntimeError, match="started"):
        _ = proxy.base_url
    async with proxy:
        with pytest.raises(RuntimeError, match="running"):
            await proxy.__aenter__()
        with pytest.raises(TimeoutError, match="0 connections"):
            await proxy.wait_for(lambda: False, 0.01)
