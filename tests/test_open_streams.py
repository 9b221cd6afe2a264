"""Streams that were left open are found, whoever holds them, and no others are."""

from __future__ import annotations

import asyncio
import gc

import pytest

from openrouter_async import OpenRouter, OpenRouterError
from openrouter_async.testing import (
    Emulator,
    Stall,
    assert_no_open_streams,
    chat,
    open_streams,
)

MODEL = "openai/gpt-4o-mini"


async def test_a_stream_that_is_held_is_found(client: OpenRouter, emulator: Emulator) -> None:
    """A stream that is begun is open until it is left, and the message tells what had come."""
    emulator.play(chat("Hello", " there").hold_after(1))
    before = open_streams()
    stream = client.stream("Hi", model=MODEL)
    assert_no_open_streams(before)
    await anext(stream)
    assert [found for found in open_streams() if found not in before] == [stream]
    with pytest.raises(AssertionError, match=r"streams were left open \(1\).*1 deltas"):
        assert_no_open_streams(before)
    assert_no_open_streams([*before, stream])
    stream.close()
    assert_no_open_streams(before)


async def test_what_is_over_is_not_open(client: OpenRouter, emulator: Emulator) -> None:
    """Streams that ended, failed, were dropped or are left by their loop are no finding."""
    before = open_streams()
    emulator.play(chat("a"), chat("b").end_after(1), chat("c").hold_after(1), chat("d"))
    await (whole := client.stream("Hi", model=MODEL))
    failed = client.stream("Hi", model=MODEL)
    with pytest.raises(OpenRouterError):
        await failed
    async for _ in (left := client.stream("Hi", model=MODEL)):
        break
    dropped = await client.stream("Hi", model=MODEL).start()
    del dropped
    assert_no_open_streams(before)
    assert [stream.ending for stream in (whole, failed, left)] == ["complete", "truncated", "left"]


async def test_a_stream_that_is_being_opened(client: OpenRouter, emulator: Emulator) -> None:
    """A request that waits for its answer in a task that goes on is found too."""
    before = open_streams()
    emulator.play(chat("a").before_head(Stall()))
    task = asyncio.create_task(client.complete("Hi", model=MODEL))
    await emulator.wait_for(lambda: emulator.accepted == 1)
    with pytest.raises(AssertionError, match="being sent"):
        assert_no_open_streams(before)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    del task
    gc.collect()
    assert_no_open_streams(before)
