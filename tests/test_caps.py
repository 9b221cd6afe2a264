"""Hostile answers: each has a bound, a typed error that names it, and takes little memory."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from inspect import signature

import aiohttp
import msgspec
import pytest

from openrouter_async import Limits, OpenRouter, OpenRouterError, RetryPolicy
from openrouter_async.errors import BadRequestError, ProtocolError
from openrouter_async.testing import Emulator, Raw, Reply, Send, Stall, chat, http_error, replay
from tests.quiet import KEY, assert_nothing_leased, assert_serves

MB = 2**20
BOMB = gzip.compress(b" " * (64 * MB), 9)  # 64 KB on the wire
SMALL = Limits(max_body_size=MB, max_event_size=MB, max_error_body=64 * 1024)

unpacks_in_pieces = pytest.mark.skipif(
    tuple(map(int, aiohttp.__version__.split(".")[:2])) < (3, 14),
    reason="this aiohttp unpacks what it has read in one piece",
)


@contextmanager
def memory_below(limit: int) -> Generator[None]:
    """Fail where more than so many bytes were in use at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


def bounded(emulator: Emulator, limits: Limits = SMALL) -> OpenRouter:
    """A client with small bounds that tries once."""
    retry = RetryPolicy(max_attempts=1)
    return OpenRouter(KEY, base_url=emulator.base_url, limits=limits, retry=retry)


def packed(status: int, content_type: str) -> Reply:
    """A small answer that unpacks to 64 MB."""
    headers = {"Content-Encoding": "gzip"}
    return http_error(status, body=BOMB, content_type=content_type, headers=headers)


# What unpacks to more than it is.


@unpacks_in_pieces
async def test_bomb_as_a_whole_answer(emulator: Emulator) -> None:
    """A JSON answer is counted unpacked, and given up at its bound."""
    emulator.always(packed(200, "application/json"))
    async with bounded(emulator) as client:
        for ask in (
            lambda: client.complete("Hi", model="m", transport="json"),
            lambda: client.request("POST", "/any"),
        ):
            with memory_below(16 * MB), pytest.raises(ProtocolError, match="max_body_size"):
                await ask()
        assert_nothing_leased(client)


@unpacks_in_pieces
async def test_bomb_as_an_error(emulator: Emulator) -> None:
    """The body of an error is read to its bound, and the status is what is raised."""
    emulator.always(packed(400, "application/json"))
    async with bounded(emulator) as client:
        with memory_below(16 * MB), pytest.raises(BadRequestError):
            await client.complete("Hi", model="m")
        assert_nothing_leased(client)


@unpacks_in_pieces
@pytest.mark.parametrize("start", [b"data: ", b": ", b"event: ", b""])
async def test_bomb_as_a_stream(emulator: Emulator, start: bytes) -> None:
    """An event, a comment or a line without end is given up at the bound of an event."""
    body = gzip.compress(start + b"x" * (64 * MB), 9)
    emulator.always(replay(body, headers={"Content-Encoding": "gzip"}))
    async with bounded(emulator) as client:
        with memory_below(16 * MB), pytest.raises(ProtocolError, match="max_event_size"):
            await client.complete("Hi", model="m")
        assert_nothing_leased(client)


async def test_packed_answer_within_its_bound_is_read(emulator: Emulator) -> None:
    """Compression itself is fine; garbage in its place is a typed error."""
    answer = msgspec.json.encode({"data": ["x" * 1_000] * 100})
    headers = {"Content-Encoding": "gzip"}
    emulator.play(
        http_error(200, body=gzip.compress(answer), headers=headers),
        http_error(200, body=zlib.compress(answer), headers=headers),
    )
    async with bounded(emulator) as client:
        assert len((await client.request("POST", "/any"))["data"]) == 100
        with pytest.raises(OpenRouterError) as info:
            await client.request("POST", "/any")
        assert info.value.phase in ("headers", "first_event")
        assert_nothing_leased(client)


async def test_whole_answer_at_and_over_its_bound(emulator: Emulator) -> None:
    """The bound is exact, and a body of unknown length meets it as well."""
    body = b'"' + b"x" * 998 + b'"'
    emulator.play(
        http_error(200, body=body),
        http_error(200, body=body + b" "),
        http_error(200, body=body + b" ").with_framing("chunked"),
    )
    async with bounded(emulator, Limits(max_body_size=1_000)) as client:
        assert len(await client.request("POST", "/any", type=str)) == 998
        for _ in range(2):
            with pytest.raises(ProtocolError, match="more than 1000 bytes"):
                await client.request("POST", "/any", type=str)
        await assert_serves(client, emulator)


# Headers.


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"X-Long: " + b"x" * 20_000 + b"\r\n", id="a long one"),
        pytest.param(b"X" * 20_000 + b": y\r\n", id="a long name"),
        pytest.param(b"".join(b"X-%d: y\r\n" % at for at in range(20_000)), id="many"),
    ],
)
async def test_headers_have_a_bound(emulator: Emulator, head: bytes) -> None:
    """Headers that are too long or too many are a protocol error, and are not repeated."""
    emulator.always(chat("x").before_head(Raw(b"HTTP/1.1 200 OK\r\n" + head), Stall()))
    if b"X-19999" in head and "max_headers" not in signature(aiohttp.ClientSession).parameters:
        pytest.skip("this aiohttp bounds the length of headers, not their number")
    async with bounded(emulator) as client:
        with memory_below(4 * MB), pytest.raises(ProtocolError, match="header") as info:
            await client.complete("Hi", model="m")
        assert info.value.phase == "headers"
        assert "xxxx" not in str(info.value)
        assert_nothing_leased(client)


# What a stream opens.


def chunk(*choices: dict[str, object]) -> Send:
    """One event with these choices."""
    return Send(b"data: " + msgspec.json.encode({"id": "gen-1", "choices": choices}) + b"\n\n")


def opening_choices(count: int) -> Reply:
    """A stream that opens so many choices, each with a word."""
    return replay(
        b"".join(
            chunk({"index": at, "delta": {"content": "x"}, "finish_reason": "stop"}).data
            for at in range(count)
        )
        + b"data: [DONE]\n\n"
    )


def opening_calls(count: int) -> Reply:
    """A stream that opens so many tool calls, after a word."""
    calls = [{"index": at, "id": f"c{at}", "function": {"name": "f"}} for at in range(count)]
    first = chunk({"index": 0, "delta": {"content": "Hel"}}).data
    rest = b"".join(chunk({"index": 0, "delta": {"tool_calls": [call]}}).data for call in calls)
    end = chunk({"index": 0, "delta": {}, "finish_reason": "tool_calls"}).data
    return replay(first + rest + end + b"data: [DONE]\n\n")


@pytest.mark.parametrize("accumulate", [True, False])
async def test_choices_have_a_bound(emulator: Emulator, accumulate: bool) -> None:
    """As many choices as allowed come through; one more ends the stream with what had come."""
    async with bounded(emulator, Limits(max_choices=3)) as client:
        emulator.play(opening_choices(3), opening_choices(4))
        stream = client.stream("Hi", model="m", accumulate=accumulate)
        assert len([item async for item in stream]) == 3
        stream = client.stream("Hi", model="m", accumulate=accumulate)
        with pytest.raises(ProtocolError, match=r"more than 3 choices.*max_choices") as info:
            async for _ in stream:
                pass
        assert info.value.phase == "body"
        if accumulate:
            assert info.value.partial is not None
            assert len(info.value.partial.choices) == 3
        assert_nothing_leased(client)


async def test_tool_calls_have_a_bound(emulator: Emulator) -> None:
    """As many calls as allowed come through; one more ends the stream with what had come."""
    async with bounded(emulator, Limits(max_tool_calls=5)) as client:
        emulator.play(opening_calls(5), opening_calls(6))
        assert len((await client.complete("Hi", model="m")).tool_calls) == 5
        with pytest.raises(ProtocolError, match=r"more than 5 tool calls.*max_tool_calls") as info:
            await client.complete("Hi", model="m")
        assert info.value.partial is not None
        assert info.value.partial.text == "Hel"
        assert_nothing_leased(client)


async def test_default_bounds_are_generous(client: OpenRouter, emulator: Emulator) -> None:
    """A hundred choices, or a thousand tool calls, are nothing unusual."""
    emulator.play(opening_choices(100), opening_calls(1_000))
    assert len((await client.complete("Hi", model="m")).choices) == 100
    assert len((await client.complete("Hi", model="m")).tool_calls) == 1_000
