"""Deadlines: each fires by its own name, in its time, and never on a stream that lives.

The clock jumps, so that a machine which is busy for half a second lets no deadline pass.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import pytest

from openrouter_async import ChatStream, Limits, OpenRouter, OpenRouterError, RetryPolicy, Timeouts
from openrouter_async.errors import (
    APIConnectionError,
    APITimeoutError,
    Billed,
    ConnectTimeout,
    FirstEventTimeout,
    IdleTimeout,
    Phase,
    QueueTimeout,
    TotalTimeout,
    WireIdleTimeout,
)
from openrouter_async.testing import Drip, Emulator, Reply, Stall, chat, completion, http_error
from tests.fake_time import jumping

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping

C = TypeVar("C")
KEY = "sk-or-v1-test-key"
SOON = 0.5
LATE = 30.0
ROLE_ONLY = {"role": "assistant", "content": ""}
COMMENT = b": OPENROUTER PROCESSING\n\n"
COMMENTS = Drip(COMMENT * 100, len(COMMENT), 0.05)
WHITESPACE = Drip(b" " * 100, 1, 0.05)


def client_of(base_url: str, timeouts: Timeouts, limits: Limits | None = None) -> OpenRouter:
    """Give a client that asks once."""
    return OpenRouter(
        KEY,
        base_url=base_url,
        timeouts=timeouts,
        retry=RetryPolicy(max_attempts=1),
        limits=limits or Limits(),
    )


def only(**deadlines: float) -> Timeouts:
    """Give timeouts of which only these can fire in a test."""
    others = dict.fromkeys(("connect", "wire_idle", "first_event", "idle", "total", "queue"), LATE)
    return Timeouts(**(others | deadlines))


@dataclass(frozen=True)
class Silence:
    """A server that stops, and what is to be raised."""

    reply: Reply
    timeouts: Timeouts
    kind: type[OpenRouterError]
    phase: Phase
    text: str = ""
    billed: Billed = "unknown"


HELLO = chat("Hel", "lo")
UNANSWERED = HELLO.before_head(Stall())
HEAD_ONLY = HELLO.stall_after(0)
AMID = HELLO.stall_after(1)
AMID_EVENT = HELLO.stall_after(1, plus_bytes=20)
UNSAID = [ROLE_ONLY] * 100

SILENCES = {
    "wire_idle, no head": Silence(UNANSWERED, only(wire_idle=SOON), WireIdleTimeout, "headers"),
    "first_event, no head": Silence(
        UNANSWERED, only(first_event=SOON), FirstEventTimeout, "headers"
    ),
    "total, no head": Silence(UNANSWERED, only(total=SOON), TotalTimeout, "headers"),
    "wire_idle, no body": Silence(HEAD_ONLY, only(wire_idle=SOON), WireIdleTimeout, "first_event"),
    "first_event, no body": Silence(
        HEAD_ONLY, only(first_event=SOON), FirstEventTimeout, "first_event"
    ),
    "total, no body": Silence(HEAD_ONLY, only(total=SOON), TotalTimeout, "first_event"),
    "wire_idle, amid": Silence(AMID, only(wire_idle=SOON), WireIdleTimeout, "body", "Hel"),
    "wire_idle, amid an event": Silence(
        AMID_EVENT, only(wire_idle=SOON), WireIdleTimeout, "body", "Hel"
    ),
    "idle, amid": Silence(AMID, only(idle=SOON), IdleTimeout, "body", "Hel"),
    "total, amid": Silence(AMID, only(total=SOON), TotalTimeout, "body", "Hel"),
    "first_event, comments": Silence(
        HELLO.after(0, COMMENTS), only(first_event=SOON), FirstEventTimeout, "first_event"
    ),
    "first_event and wire_idle, comments": Silence(
        HELLO.after(0, COMMENTS),
        only(first_event=2 * SOON, wire_idle=SOON),
        FirstEventTimeout,
        "first_event",
    ),
    "idle and wire_idle, comments": Silence(
        HELLO.after(1, COMMENTS), only(idle=2 * SOON, wire_idle=SOON), IdleTimeout, "body", "Hel"
    ),
    "total, comments": Silence(
        HELLO.after(0, COMMENTS), only(total=SOON), TotalTimeout, "first_event"
    ),
    "first_event, roles and empty text": Silence(
        chat(*UNSAID).each(0.05), only(first_event=SOON), FirstEventTimeout, "first_event"
    ),
    "idle, roles and empty text": Silence(
        chat("Hel", *UNSAID, "lo").each(0.05), only(idle=SOON), IdleTimeout, "body", "Hel"
    ),
    "idle, after reasoning": Silence(
        chat(*UNSAID, reasoning="Hm").each(0.05), only(idle=SOON), IdleTimeout, "body"
    ),
    "total, a stream that lives": Silence(
        chat("Hel", *[{"content": "", "reasoning": "hm"}] * 100).each(0.05),
        only(total=SOON, idle=2 * SOON),
        TotalTimeout,
        "body",
        "Hel",
    ),
}


async def side_by_side(cases: Mapping[str, C], check: Callable[[C], Awaitable[None]]) -> None:
    """Check all cases at once: they only wait, and one after the other it would add up."""

    async def named(name: str, case: C) -> None:
        try:
            await check(case)
        except Exception as error:
            error.add_note(f"The case is {name!r}.")
            raise

    async with asyncio.TaskGroup() as group:
        for name, case in cases.items():
            group.create_task(named(name, case))


def fires_in_time(timeouts: Timeouts, kind: type[OpenRouterError], took: float) -> bool:
    """Whether a deadline fired not before its time and at most two seconds after it."""
    fields: dict[type[OpenRouterError], float | None] = {
        ConnectTimeout: timeouts.connect,
        QueueTimeout: timeouts.queue,
        WireIdleTimeout: timeouts.wire_idle,
        FirstEventTimeout: timeouts.first_event,
        IdleTimeout: timeouts.idle,
        TotalTimeout: timeouts.total,
    }
    seconds = fields[kind]
    assert seconds is not None
    return seconds - 0.01 <= took < seconds + 2


@jumping
async def test_a_silence_raises_by_its_name() -> None:
    """Whichever deadline is nearest raises, says how far it came and hangs up at once."""
    await side_by_side(SILENCES, check_silence)


async def check_silence(silence: Silence) -> None:
    """Meet one silence with one stream."""
    now = asyncio.get_running_loop().time
    async with (
        Emulator() as emulator,
        client_of(emulator.base_url, silence.timeouts) as client,
    ):
        await client.warmup()  # so that connecting takes no part of the time
        emulator.play(silence.reply)
        stream = client.stream("Hi")
        text: list[str] = []
        started = now()
        with pytest.raises(APITimeoutError) as caught:
            await hear(stream, text)
        took = now() - started
        error = caught.value
        assert type(error) is silence.kind
        assert fires_in_time(silence.timeouts, silence.kind, took)
        assert "(Timeouts." in str(error)
        assert error.phase == silence.phase
        assert error.billed == silence.billed
        assert error.retryable is False
        assert "".join(text) == silence.text
        assert error.partial is not None
        assert error.partial.text == silence.text
        assert stream.ending == "timeout"
        assert client.stats().leased == 0
        assert client.stats().waiting == 0
        await emulator.wait_for(lambda: emulator.disconnects == 1, timeout=5)


async def hear(stream: ChatStream, heard: list[str]) -> None:
    """Loop over a stream; what is heard stays when it fails."""
    async for chunk in stream:
        heard += [chunk.text]


async def read_as(stream: ChatStream, spelling: str, pause: float = 0.0) -> str:
    """Read a stream in one of its spellings, spending time on each piece."""
    heard = ""
    if spelling == "start":
        _ = await stream.start()
    elif spelling == "await":
        heard = (await stream).text
    elif spelling == "loop":
        async for chunk in stream:
            heard += chunk.text
            await asyncio.sleep(pause)
    elif spelling == "text":
        async for text in stream.text():
            heard += text
            await asyncio.sleep(pause)
    else:
        async for frame in stream.raw():
            heard += frame.decode()
            await asyncio.sleep(pause)
    return heard


@pytest.mark.parametrize("spelling", ["await", "text", "raw", "start"])
@jumping
async def test_every_spelling_keeps_the_deadlines(spelling: str, emulator: Emulator) -> None:
    """However a stream is read, silence ends it."""
    # Bytes with data in them are a sign of life to `.raw()`, which decodes nothing.
    emulator.play(HELLO.after(0 if spelling == "start" else 1, COMMENTS))
    async with client_of(emulator.base_url, only(idle=SOON, first_event=SOON)) as client:
        stream = client.stream("Hi")
        with pytest.raises(APITimeoutError) as caught:
            await read_as(stream, spelling)
        assert type(caught.value) is (FirstEventTimeout if spelling == "start" else IdleTimeout)
        assert client.stats().leased == 0


@dataclass(frozen=True)
class JSONSilence:
    """A server that stops where one JSON body was asked for."""

    reply: Reply
    timeouts: Timeouts
    kind: type[OpenRouterError]
    phase: Phase


WHOLE = completion("Hello")
CHUNKED = replace(WHOLE, framing="chunked")

JSON_SILENCES = {
    "wire_idle, no head": JSONSilence(
        WHOLE.before_head(Stall()), only(wire_idle=SOON), WireIdleTimeout, "headers"
    ),
    "first_event, no head": JSONSilence(
        WHOLE.before_head(Stall()), only(first_event=SOON), FirstEventTimeout, "headers"
    ),
    "total, no head": JSONSilence(
        WHOLE.before_head(Stall()), only(total=SOON), TotalTimeout, "headers"
    ),
    "wire_idle, amid": JSONSilence(
        WHOLE.stall_after(0, plus_bytes=20), only(wire_idle=SOON), WireIdleTimeout, "body"
    ),
    "total, amid": JSONSilence(
        WHOLE.stall_after(0, plus_bytes=20), only(total=SOON), TotalTimeout, "body"
    ),
    "first_event, white space": JSONSilence(
        CHUNKED.after(0, WHITESPACE), only(first_event=SOON), FirstEventTimeout, "first_event"
    ),
    "total, white space": JSONSilence(
        CHUNKED.after(0, WHITESPACE), only(total=SOON), TotalTimeout, "first_event"
    ),
}


@jumping
async def test_one_json_body_is_held_to_them_too() -> None:
    """`complete(transport="json")` waits no longer than a stream; blanks are no answer."""
    await side_by_side(JSON_SILENCES, check_json_silence)


async def check_json_silence(silence: JSONSilence) -> None:
    """Meet one silence with one request."""
    now = asyncio.get_running_loop().time
    async with (
        Emulator() as emulator,
        client_of(emulator.base_url, silence.timeouts) as client,
    ):
        await client.warmup()
        emulator.play(silence.reply)
        started = now()
        with pytest.raises(APITimeoutError) as caught:
            await client.complete("Hi", transport="json")
        assert fires_in_time(silence.timeouts, silence.kind, now() - started)
        assert type(caught.value) is silence.kind
        assert caught.value.phase == silence.phase
        assert caught.value.billed == "unknown"
        assert client.stats().leased == 0
        await emulator.wait_for(lambda: emulator.disconnects == 1, timeout=5)


@jumping
async def test_an_error_that_drips_is_raised_in_time(emulator: Emulator) -> None:
    """The status is known: its body is waited for within `wire_idle` and no longer."""
    refusal = replace(http_error(400, "Wrong"), framing="chunked")
    emulator.play(refusal.after(0, WHITESPACE))
    now = asyncio.get_running_loop().time
    async with client_of(emulator.base_url, only(wire_idle=SOON)) as client:
        started = now()
        with pytest.raises(OpenRouterError) as caught:
            await client.complete("Hi")
        assert now() - started < SOON + 0.5
        assert getattr(caught.value, "status", None) == 400
        assert client.stats().leased == 0


# Before anything is sent.


@contextmanager
def unanswering() -> Generator[str]:
    """A listening port of loopback whose queue is full, so that connecting to it hangs."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        yield f"http://127.0.0.1:{address[1]}/api/v1"


@pytest.mark.parametrize("name", ["connect", "total"])
@jumping
async def test_a_host_that_does_not_answer(name: str) -> None:
    """Connecting has a deadline of its own, and `total` counts from there."""
    timeouts = only(**{name: SOON})
    now = asyncio.get_running_loop().time
    with unanswering() as base_url:
        async with client_of(base_url, timeouts) as client:
            stream = client.stream("Hi")
            started = now()
            with pytest.raises(APITimeoutError) as caught:
                _ = await stream.start()
            error = caught.value
            kind = ConnectTimeout if name == "connect" else TotalTimeout
            assert type(error) is kind
            assert fires_in_time(timeouts, kind, now() - started)
            assert error.phase == "connect"
            if name == "connect":
                assert error.billed == "no"
                assert error.retryable
            assert stream.ending == "timeout"
            assert client.stats().leased == 0
            assert client.stats().waiting == 0


@jumping
async def test_a_connection_timeout_is_tried_again() -> None:
    """What never left is sent again by default; the exception says how often."""
    retry = RetryPolicy(max_attempts=2, first_delay=0.01)
    with unanswering() as base_url:
        async with OpenRouter(KEY, base_url=base_url, timeouts=only(connect=0.2), retry=retry) as c:
            with pytest.raises(ConnectTimeout) as caught:
                await c.complete("Hi")
            assert caught.value.attempts == 2


@jumping
async def test_waiting_in_line_has_a_deadline_of_its_own(emulator: Emulator) -> None:
    """Who finds no free connection gets a `QueueTimeout`; nothing was sent."""
    emulator.play(HELLO.hold_after(1))
    timeouts = only(queue=SOON)
    now = asyncio.get_running_loop().time
    async with client_of(emulator.base_url, timeouts, Limits(max_connections=1)) as client:
        first = await client.stream("Hi").start()
        second = client.stream("Hi")
        started = now()
        with pytest.raises(APIConnectionError) as caught:
            _ = await second.start()
        assert type(caught.value) is QueueTimeout
        assert fires_in_time(timeouts, QueueTimeout, now() - started)
        assert caught.value.phase == "queue"
        assert caught.value.billed == "no"
        assert emulator.accepted == 1
        emulator.release()
        assert (await first).text == "Hello"
        assert client.stats().waiting == 0
        assert client.stats().leased == client.stats().draining


@jumping
async def test_waiting_in_line_counts_towards_nothing_else(emulator: Emulator) -> None:
    """A request that waits for a connection longer than every other deadline comes through."""
    emulator.play(HELLO.hold_after(1), HELLO)
    short = only(connect=SOON, wire_idle=SOON, first_event=SOON, idle=SOON, total=SOON)
    async with client_of(emulator.base_url, only(), Limits(max_connections=1)) as client:
        first = await client.stream("Hi").start()
        second = asyncio.create_task(client.complete("Hi", timeouts=short))
        await emulator.wait_for(lambda: client.stats().waiting == 1)
        await asyncio.sleep(2 * SOON)
        emulator.release()
        assert (await first).text == "Hello"
        assert (await second).text == "Hello"


# What lives is left alone.

LIMIT = 1.0
PULSE = 0.25
DETAIL = {"type": "reasoning.encrypted", "data": "x", "index": 0}

LIVING = {
    "text": chat(*"abcdefgh", delay=PULSE),
    "reasoning": chat(*"abcdefgh", reasoning=["hm"] * 4, delay=PULSE),
    "reasoning details": chat(*"abcdefgh", reasoning_details=[DETAIL] * 4, delay=PULSE),
    "comments between": chat(*"abcdefgh", comments_between=1, delay=PULSE),
    "comments and pauses": chat(*"abcdefgh", comments_before=3, usage=None).each(PULSE / 2),
    "bits of events": Reply(
        headers=(("Content-Type", "text/event-stream"),),
        steps=(Drip(chat(*"abcdefgh", usage=None).body, 60, 0.05),),
    ),
}


@jumping
async def test_a_slow_stream_is_left_alone() -> None:
    """A stream that takes longer than each deadline, and says something, comes through whole."""
    await side_by_side(LIVING, check_living)


async def check_living(living: Reply) -> None:
    """Read one slow stream."""
    timeouts = Timeouts(connect=LIMIT, wire_idle=LIMIT, first_event=LIMIT, idle=LIMIT)
    now = asyncio.get_running_loop().time
    async with Emulator() as emulator, client_of(emulator.base_url, timeouts) as client:
        await client.warmup()
        emulator.play(living)
        started = now()
        completion = await client.complete("Hi")
        assert now() - started > 1.2 * LIMIT
        assert completion.text == "abcdefgh"


BUSY = {
    f"{spelling}, {pace}": (spelling, reply)
    for spelling in ("loop", "text", "raw")
    for pace, reply in (("burst", chat(*"ab")), ("slow", chat(*"ab").each(0.05)))
}


@jumping
async def test_the_users_own_time_does_not_count() -> None:
    """A loop body that takes longer than every deadline but `total` loses nothing."""
    await side_by_side(BUSY, check_busy)


async def check_busy(case: tuple[str, Reply]) -> None:
    """Read one stream with a slow loop body."""
    spelling, reply = case
    timeouts = Timeouts(connect=SOON, wire_idle=SOON, first_event=SOON, idle=SOON)
    async with Emulator() as emulator, client_of(emulator.base_url, timeouts) as client:
        await client.warmup()
        emulator.play(reply)
        stream = client.stream("Hi")
        heard = await read_as(stream, spelling, 1.3 * SOON)
        assert heard == (reply.body.decode() if spelling == "raw" else "ab")
        assert stream.ending == "complete"


@jumping
async def test_a_pause_before_the_first_look_does_not_count(emulator: Emulator) -> None:
    """Between `start` and the first step the user's time is the user's."""
    emulator.play(chat(*"abc").hold_after(1))
    async with client_of(emulator.base_url, only(idle=SOON, wire_idle=SOON)) as client:
        stream = await client.stream("Hi").start()
        await asyncio.sleep(1.5 * SOON)
        emulator.release()
        assert (await stream).text == "abc"


@jumping
async def test_total_counts_the_users_time_too(emulator: Emulator) -> None:
    """`total` is the whole request: it fires at the next wait for the socket."""
    emulator.play(chat(*"abc").hold_after(1))
    async with client_of(emulator.base_url, only(total=SOON)) as client:
        stream = client.stream("Hi")
        assert (await anext(stream)).text == "a"
        await asyncio.sleep(1.2 * SOON)
        with pytest.raises(TotalTimeout):
            await anext(stream)


@jumping
async def test_deadlines_of_one_request(emulator: Emulator) -> None:
    """A call's own timeouts take the place of the client's, for that call."""
    emulator.play(AMID, chat("a", "b", delay=1.5 * SOON))
    async with client_of(emulator.base_url, only()) as client:
        with pytest.raises(IdleTimeout, match=r"0\.5 s \(Timeouts\.idle\)"):
            await client.complete("Hi", timeouts=only(idle=SOON))
        assert (await client.complete("Hi")).text == "ab"


@jumping
async def test_none_switches_a_deadline_off(emulator: Emulator) -> None:
    """With every deadline None a slow stream is waited for."""
    emulator.play(chat("a", "b", delay=SOON))
    off = Timeouts(connect=None, wire_idle=None, first_event=None, idle=None)
    async with client_of(emulator.base_url, off) as client:
        assert (await client.complete("Hi")).text == "ab"
