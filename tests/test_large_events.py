"""One image is one event of many megabytes: its bytes, its memory, its limit, its neighbours."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from openrouter_async import Limits, OpenRouter
from openrouter_async.errors import ProtocolError
from openrouter_async.testing import (
    Drip,
    Emulator,
    Hold,
    Pause,
    Reply,
    Send,
    chat,
    completion,
    error_chunk,
)
from tests.quiet import KEY, assert_nothing_leased, assert_serves

HERE = Path(__file__).parent
MEBIBYTE = 2**20


@cache
def picture(size: int) -> bytes:
    """Bytes that no compression and no repetition makes smaller."""
    return b"\x89PNG\r\n\x1a\n" + random.Random(size).randbytes(size - 8)


@pytest.fixture
def server() -> Iterator[Emulator]:
    """An emulator in a thread, so that it works while the client does."""
    with Emulator.in_thread() as emulator:
        yield emulator


@pytest.mark.parametrize(
    ("split", "comes_first"),
    [(2**10, False), (2**14, False), (2**20, False), (2**14, True)],
)
def test_sixteen_mebibytes_in_one_event(server: Emulator, split: int, comes_first: bool) -> None:
    """Whatever the pieces, the image is right, and memory stays below three times the event."""
    image = picture(16 * MEBIBYTE)
    reply = chat(images=[image]) if comes_first else chat("Here it is.", images=[image])
    if not comes_first:
        reply = reply.after(1, Pause(0.01))
    server.always(reply.split(split))
    done = subprocess.run(
        [sys.executable, str(HERE / "large_event_client.py"), server.base_url],
        env={**os.environ, "PYTHONPATH": str(HERE.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    seen: dict[str, Any] = json.loads(done.stdout)
    assert seen["sha256"] == hashlib.sha256(image).hexdigest()
    assert seen["event"] > 16 * MEBIBYTE * 4 / 3
    assert seen["streamed"] < 2.5 * seen["event"]  # up to the image in the user's hands
    assert seen["decoded"] < 3 * seen["event"]  # and with its bytes made of it


async def test_every_spelling_gives_the_image(server: Emulator) -> None:
    """Loop, whole answer, bytes and JSON: the same image, and a relay passes on every byte."""
    image = picture(4 * MEBIBYTE)
    reply = chat("Here it is.", images=[image]).split(10_000)
    async with OpenRouter(KEY, base_url=server.base_url) as client:
        server.play(reply, reply, completion(images=[image]), reply)
        found = [image.bytes async for image in client.stream("Draw").images()]
        assert found == [image]
        answer = await client.complete("Draw")
        assert [image.bytes for image in answer.images] == [image]
        answer = await client.complete("Draw", transport="json")
        assert [image.bytes for image in answer.images] == [image]
        relayed = [part async for part in client.stream("Draw").raw()]
        assert b"".join(relayed) == reply.body
        assert any(base64.b64encode(image) in part for part in relayed)


@pytest.mark.parametrize("split", [1_000, 2**16, 2**20])
async def test_event_over_the_limit(server: Emulator, split: int) -> None:
    """A larger event is refused with the limit, the way to raise it, and what came before it."""
    server.always(chat("Here it is.", images=[picture(MEBIBYTE)]).split(split))
    limits = Limits(max_event_size=2**17)
    async with OpenRouter(KEY, base_url=server.base_url, limits=limits) as client:
        stream = client.stream("Draw", model="m")
        with pytest.raises(ProtocolError, match="131,072") as info:
            async for _ in stream:
                pass
        assert "Limits(max_event_size=" in str(info.value)
        assert stream.ending == "error"
        assert info.value.partial is not None
        assert info.value.partial.text == "Here it is."
        assert_nothing_leased(client)
        await assert_serves(client, server)
    raised = Limits(max_event_size=2**21)
    server.always(chat("Here it is.", images=[picture(MEBIBYTE)]).split(split))
    async with OpenRouter(KEY, base_url=server.base_url, limits=raised) as client:
        assert (await client.complete("Draw", model="m")).images[0].bytes == picture(MEBIBYTE)


async def test_event_without_end_is_left_at_the_limit(server: Emulator) -> None:
    """A server that never ends an event is left when the limit is reached, not at the end."""
    endless = Reply(
        headers=(("Content-Type", "text/event-stream"),),
        steps=(Send(b"data: "), Drip(b"x" * 10**8, 10**5, 0.001)),
    )
    server.always(endless)
    limits = Limits(max_event_size=10**6)
    async with OpenRouter(KEY, base_url=server.base_url, limits=limits) as client:
        with pytest.raises(ProtocolError, match="1,000,000"):
            await client.complete("Draw", model="m")
        await server.wait_for(lambda: server.disconnects == 1)


async def test_other_streams_go_on(server: Emulator) -> None:
    """While one event of megabytes is on its way, and when it proves too large, others are read."""
    image = picture(8 * MEBIBYTE)
    half = chat(images=[image]).split(2**14)
    body = half.body
    middle = len(body) // 2
    server.play(
        Reply(headers=half.headers, steps=(Send(body[:middle]), Hold(), Send(body[middle:]))),
        chat("a", "b", "c").each(0.001),
        Reply(headers=half.headers, steps=(Send(body[:middle], 2**14), Send(body[middle:]))),
        chat("d", "e", "f").each(0.001),
    )
    limits = Limits(max_event_size=9 * MEBIBYTE)
    async with (
        OpenRouter(KEY, base_url=server.base_url) as client,
        OpenRouter(KEY, base_url=server.base_url, limits=limits) as strict,
    ):
        large = asyncio.create_task(client.complete("Draw", model="m"))
        await server.wait_for(lambda: server.holding)
        assert (await client.complete("Hi", model="m")).text == "abc"
        assert not large.done()
        too_large = asyncio.create_task(strict.complete("Draw", model="m"))
        await server.wait_for(lambda: server.accepted == 3)
        assert (await client.complete("Hi", model="m")).text == "def"
        with pytest.raises(ProtocolError, match="max_event_size"):
            await too_large
        server.release()
        assert (await large).images[0].bytes == image


async def test_cut_amid_a_large_event(server: Emulator) -> None:
    """Half an image is no image: the stream is broken, and nothing of it is offered."""
    reply = chat("Here it is.", images=[picture(MEBIBYTE)])
    server.play(
        reply.cut_after(1, plus_bytes=500_000),
        reply.end_after(1).split(1_000),
        reply.error_after(1, error_chunk(502, "x" * 100_000)),
    )
    async with OpenRouter(KEY, base_url=server.base_url) as client:
        for ending in ("broken", "truncated", "error"):
            stream = client.stream("Draw", model="m")
            with pytest.raises(Exception, match=r".") as info:
                await stream
            assert stream.ending == ending
            partial = getattr(info.value, "partial", None)
            assert partial is not None
            assert partial.text == "Here it is."
            assert list(partial.images) == []
            assert len(str(info.value)) < 5_000
