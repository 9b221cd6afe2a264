"""What an answer cost: known at once, or found in the record of the generation."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from openrouter_async import ChatStream, OpenRouter, RetryPolicy
from openrouter_async.errors import AuthenticationError, NotFoundError, ProtocolError
from openrouter_async.testing import Emulator, Stall, chat, generation, http_error, replay
from openrouter_async.types import GenerationRecord

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATH = "/generation"
MISSING = http_error(404, "Generation not found")


@pytest.fixture
async def asking(emulator: Emulator) -> AsyncIterator[OpenRouter]:
    """A client that asks once."""
    once = RetryPolicy(max_attempts=1)
    async with OpenRouter("sk-test", base_url=emulator.base_url, retry=once) as client:
        yield client


async def left_early(client: OpenRouter, emulator: Emulator) -> ChatStream:
    """A stream that its reader left after the first chunk."""
    emulator.play(chat("a", "b", id="gen-1").hold_after(1))
    stream = client.stream("Hi", model="m")
    async for _ in stream:
        break
    assert stream.ending == "left"
    assert (stream.cost, stream.usage) == (None, None)
    return stream


def asked(emulator: Emulator) -> list[str | None]:
    """The generation ids that were asked for."""
    return [request.query.get("id") for request in emulator.requests if request.method == "GET"]


async def test_a_stream_with_usage_knows_its_cost(emulator: Emulator, asking: OpenRouter) -> None:
    """Where the usage came, nothing is asked."""
    emulator.play(chat("a", cost=0.5))
    stream = asking.stream("Hi", model="m")
    await stream
    assert await stream.settle_cost() == stream.cost == 0.5
    assert asked(emulator) == []


async def test_a_stream_that_was_left_finds_its_cost(
    emulator: Emulator, asking: OpenRouter
) -> None:
    """The record is waited for as long as the API does not know it, with few questions."""
    stream = await left_early(asking, emulator)
    record = generation("gen-1", cost=0.25, tokens=(10, 3), native_tokens_cached=4)
    emulator.play(MISSING, MISSING, record, path=PATH)
    assert await stream.settle_cost() == 0.25
    assert asked(emulator) == ["gen-1"] * 3
    assert stream.cost == 0.25
    assert stream.cached_tokens == 4
    usage = stream.usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (10, 3, 13)
    assert stream.partial is not None
    assert stream.partial.cost == 0.25
    assert await stream.settle_cost() == 0.25
    assert len(asked(emulator)) == 3


async def test_a_cost_that_is_not_found_in_time_is_unknown(
    emulator: Emulator, asking: OpenRouter
) -> None:
    """After the deadline the cost is None, never zero, and the id is there to ask again."""
    stream = await left_early(asking, emulator)
    emulator.always(MISSING, path=PATH)
    assert await stream.settle_cost(timeout=0.15) is None
    assert (stream.cost, stream.usage) == (None, None)
    assert stream.generation_id == "gen-1"
    assert 1 < len(asked(emulator)) < 5


async def test_a_silent_server_does_not_hold_up_the_deadline(
    emulator: Emulator, asking: OpenRouter
) -> None:
    """A record that is asked for and never answered ends with the deadline, too."""
    stream = await left_early(asking, emulator)
    emulator.play(replay(b"", content_type="application/json").before_head(Stall()), path=PATH)
    assert await stream.settle_cost(timeout=0.1) is None
    assert asking.stats().leased == 0


async def test_a_cancelled_reader_can_settle_later(emulator: Emulator, asking: OpenRouter) -> None:
    """Cancelling waits for nothing; who wants the cost asks for it afterwards."""
    emulator.play(chat("a", "b", id="gen-1").hold_after(1))
    stream = await asking.stream("Hi", model="m").start()
    task = asyncio.ensure_future(stream.collect())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asked(emulator) == []
    emulator.play(generation("gen-1", cost=0.125), path=PATH)
    assert await stream.settle_cost() == 0.125


async def test_other_failures_are_raised(emulator: Emulator, asking: OpenRouter) -> None:
    """Only a missing record is waited for; every other refusal is an error."""
    stream = await left_early(asking, emulator)
    emulator.play(http_error(401, "User not found."), path=PATH)
    with pytest.raises(AuthenticationError):
        await stream.settle_cost()
    emulator.play(replay(b"[]", content_type="application/json"), path=PATH)
    with pytest.raises(ProtocolError, match="instead of an object"):
        await stream.settle_cost()


async def test_a_stream_that_is_not_over_has_no_cost_yet(
    emulator: Emulator, asking: OpenRouter
) -> None:
    """Settling is for a stream that is over; one that never had an id cost nothing that is known."""
    emulator.play(chat("a", "b").hold_after(1))
    stream = asking.stream("Hi", model="m")
    with pytest.raises(RuntimeError, match="not over"):
        await stream.settle_cost()
    await anext(stream)
    with pytest.raises(RuntimeError, match="not over"):
        await stream.settle_cost()
    stream.close()
    never_sent = asking.stream("Hi", model="m")
    never_sent.close()
    assert await never_sent.settle_cost() is None
    assert asked(emulator) == []


async def test_the_pretend_model_keeps_records(emulator: Emulator, asking: OpenRouter) -> None:
    """Without a script the emulator has a record of each answer, as the API does."""
    stream = asking.stream("Hi", model="openai/gpt-4o-mini")
    async for _ in stream:
        break
    cost = await stream.settle_cost()
    assert cost is not None
    assert cost > 0
    assert stream.generation_id is not None
    record = await asking.generations.get(stream.generation_id)
    assert (record.cost, record.model) == (cost, "openai/gpt-4o-mini")


# The record itself.


async def test_a_record_is_read_leniently(emulator: Emulator, asking: OpenRouter) -> None:
    """A number in a string, a null and a field to come: the record comes through."""
    odd: dict[str, Any] = {"latency": "12.5", "model": None, "num_fetches": "x", "to_come": [1]}
    tries = [{"provider_name": "P", "status": 200, "to_come": 1}]
    emulator.play(generation("gen-1", cost=None, provider_responses=tries, **odd), path=PATH)
    record = await asking.generations.get("gen-1")
    assert (record.latency, record.model, record.cost) == (12.5, None, None)
    assert record.extra == {"num_fetches": "x", "to_come": [1]}
    assert [each.provider_name for each in record.provider_responses or ()] == ["P"]
    assert GenerationRecord.from_dict(record.to_dict()) == record


async def test_a_record_that_is_missing_is_an_error(emulator: Emulator, asking: OpenRouter) -> None:
    """Asked for once, a missing record raises; within `wait` it may still come."""
    emulator.play(MISSING, MISSING, generation("gen-1"), path=PATH)
    with pytest.raises(NotFoundError):
        await asking.generations.get("gen-1")
    assert (await asking.generations.get("gen-1", wait=5)).id == "gen-1"


@pytest.mark.parametrize("wait", [-1.0, float("nan")])
async def test_bad_arguments_are_refused(wait: float, asking: OpenRouter) -> None:
    """An empty id and an impossible wait are errors at the call."""
    with pytest.raises(ValueError, match="generation_id"):
        await asking.generations.get("")
    with pytest.raises(ValueError, match="wait"):
        await asking.generations.get("gen-1", wait=wait)


# When it is over.


async def test_on_end_is_told_once_in_whatever_way(emulator: Emulator, asking: OpenRouter) -> None:
    """A callback is called once with the stream, whether it ended, failed, was left or dropped."""
    seen: list[str | None] = []

    def over(stream: ChatStream) -> None:
        seen.append(stream.ending)

    emulator.play(chat("a"), chat("a").end_after(1), chat("a", "b").hold_after(1))
    for _ in range(3):
        stream = asking.stream("Hi", model="m")
        stream.on_end(over)
        try:
            async for _ in stream:
                if len(seen) == 2:
                    break
        except Exception as error:
            assert "neither a finish reason" in str(error)
        stream.close()
    stream = asking.stream("Hi", model="m")
    stream.on_end(over)
    del stream
    assert seen == ["complete", "truncated", "left", "left"]


async def test_on_end_of_a_stream_that_is_over(emulator: Emulator, asking: OpenRouter) -> None:
    """A callback that comes too late is called at once."""
    emulator.play(chat("a"))
    stream = asking.stream("Hi", model="m")
    await stream
    seen: list[ChatStream] = []
    stream.on_end(seen.append)
    assert seen == [stream]


async def test_a_stream_is_freed_without_the_collector(
    emulator: Emulator, asking: OpenRouter
) -> None:
    """What a stream holds for settling its cost makes no cycle with it."""
    emulator.play(chat("a"))
    gc.disable()
    try:
        stream = asking.stream("Hi", model="m")
        await stream
        watch = weakref.ref(stream)
        del stream
        assert watch() is None
    finally:
        gc.enable()
