"""The loops that are compared: by hand, and through this client; each reads one scene whole.

What may live here: how a stream is read, and how many at a time. Nothing is timed here, so that a
loop is the same wherever its CPU is counted.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine

import aiohttp
import msgspec

from openrouter_async import OpenRouter
from openrouter_async.types import ChatChunk

from ._server import CHUNKS

KEY = "sk-or-v1-benchmark"
SHORT_STREAMS = 100
REQUEST = {"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": True}

Loop = Callable[[str, str], Coroutine[None, None, int]]
"""Takes the server's URL and the scene, and gives how many chunks brought something."""


def chunks_of(scene: str) -> int:
    """How many chunks with content a loop has to find in a scene."""
    return CHUNKS[scene] * (SHORT_STREAMS if scene == "short" else 1)


async def many(scene: str, one: Callable[[], Awaitable[None]]) -> None:
    """Run one stream, or a hundred at once where they are short."""
    if scene == "short":
        await asyncio.gather(*(one() for _ in range(SHORT_STREAMS)))
    else:
        await one()


async def floor(url: str, scene: str) -> int:
    """Bare aiohttp, split at blank lines, decoded by msgspec into the same structs."""
    decode = msgspec.json.Decoder(ChatChunk).decode
    count = 0

    async def one(session: aiohttp.ClientSession) -> None:
        nonlocal count
        async with session.post(f"{url}/{scene}", json=REQUEST) as response:
            rest = b""
            async for data in response.content.iter_any():
                *events, rest = (rest + data).split(b"\n\n")
                for event in events:
                    payload = event[6:]
                    if payload == b"[DONE]":
                        break
                    delta = decode(payload).choices[0].delta
                    count += bool(delta.content or delta.tool_calls or delta.images)

    async with aiohttp.ClientSession() as session:
        await many(scene, lambda: one(session))
    return count


async def lines(url: str, scene: str) -> int:
    """Bare aiohttp, line by line, with the standard library's `json`."""
    count = 0

    async def one(session: aiohttp.ClientSession) -> None:
        nonlocal count
        async with session.post(f"{url}/{scene}", json=REQUEST) as response:
            async for line in response.content:
                if line.startswith(b"data: {"):
                    delta = json.loads(line[6:])["choices"][0]["delta"]
                    count += bool(
                        delta.get("content") or delta.get("tool_calls") or delta.get("images")
                    )

    # One line of an image is longer than aiohttp's own limit allows.
    async with aiohttp.ClientSession(read_bufsize=2**24) as session:
        await many(scene, lambda: one(session))
    return count


async def copied(url: str, scene: str) -> int:
    """Bare aiohttp, bytes read and nothing else."""
    size = 0

    async def one(session: aiohttp.ClientSession) -> None:
        nonlocal size
        async with session.post(f"{url}/{scene}", json=REQUEST) as response:
            async for data in response.content.iter_any():
                size += len(data)

    async with aiohttp.ClientSession() as session:
        await many(scene, lambda: one(session))
    assert size
    return chunks_of(scene)


async def typed(url: str, scene: str) -> int:
    """`async for chunk in client.stream(...)`, with everything on."""
    count = 0

    async def one(client: OpenRouter) -> None:
        nonlocal count
        async for chunk in client.stream("x", model="m"):
            count += bool(chunk.text or chunk.choices[0].delta.tool_calls or chunk.images)

    async with client_for(url, scene) as client:
        await many(scene, lambda: one(client))
    return count


async def text(url: str, scene: str) -> int:
    """`client.stream(...).text()`."""
    count = 0

    async def one(client: OpenRouter) -> None:
        nonlocal count
        async for piece in client.stream("x", model="m").text():
            count += bool(piece)

    async with client_for(url, scene) as client:
        await many(scene, lambda: one(client))
    return count


async def raw(url: str, scene: str) -> int:
    """`client.stream(...).raw()`."""
    size = 0

    async def one(client: OpenRouter) -> None:
        nonlocal size
        async for data in client.stream("x", model="m").raw():
            size += len(data)

    async with client_for(url, scene) as client:
        await many(scene, lambda: one(client))
    assert size
    return chunks_of(scene)


async def messages(url: str, scene: str) -> int:
    """`client.messages.stream(...)`, Anthropic's wire form."""
    count = 0

    async def one(client: OpenRouter) -> None:
        nonlocal count
        asked = [{"role": "user", "content": "x"}]
        async for event in client.messages.stream(asked, model="m", max_tokens=100):
            count += event.type == "content_block_delta"

    async with client_for(url, scene) as client:
        await many(scene, lambda: one(client))
    return count


def client_for(url: str, scene: str) -> OpenRouter:
    """A client whose requests go to the scene's path."""
    return OpenRouter(KEY, base_url=f"{url}/{scene}")


LOOPS: dict[str, Loop] = {
    "floor": floor,
    "typed": typed,
    "text": text,
    "raw": raw,
    "bytes": copied,
    "json lines": lines,
    "messages": messages,
}
