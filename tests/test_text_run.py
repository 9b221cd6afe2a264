"""`_text_run`, and what a stream makes of it: taken together or one by one, it is the same."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

import msgspec
import pytest

from openrouter_async import ChatStream, Limits, OpenRouterError, Timeouts
from openrouter_async._accumulate import Accumulator, Outline
from openrouter_async._event_stream import Accept
from openrouter_async._sse import encode_event
from openrouter_async._text_run import TextRun
from openrouter_async.testing import Emulator, chat
from openrouter_async.types import ChatChunk

Plain = dict[str, Any]

decode = msgspec.json.Decoder(ChatChunk).decode
ENVELOPE: Plain = {"id": "gen-1", "provider": "P", "model": "m", "created": 1}


def event(content: Any = "a", *, choice: Plain | None = None, **top: Any) -> bytes:
    """One event of a chat stream."""
    delta = {"role": "assistant", "content": content}
    return json.dumps(ENVELOPE | {"choices": [{"delta": delta} | (choice or {})]} | top).encode()


OPENING = event("")
OTHER: dict[str, bytes] = {
    "no text": event(None),
    "parts": event([{"type": "text", "text": "p"}]),
    "reasoning": event(choice={"delta": {"content": "", "reasoning": "r"}}),
    "details": event(
        choice={"delta": {"reasoning_details": [{"type": "reasoning.text", "text": "r"}]}}
    ),
    "a tool call": event(choice={"delta": {"content": "", "tool_calls": [{"index": 0}]}}),
    "an image": event(choice={"delta": {"content": "", "images": [{"image_url": {"url": "u"}}]}}),
    "an annotation": event(choice={"delta": {"content": "", "annotations": [{"type": "t"}]}}),
    "sound": event(choice={"delta": {"content": "", "audio": {"transcript": "t"}}}),
    "a refusal": event(choice={"delta": {"content": "", "refusal": "no"}}),
    "other reasoning": event(choice={"delta": {"content": "", "reasoning_content": "r"}}),
    "logprobs": event(choice={"logprobs": {"content": [{"token": "a"}]}}),
    "another choice": event(choice={"index": 1}),
    "two choices": event(choices=[{"delta": {"content": "a"}}, {"index": 1, "delta": {}}]),
    "no choice": event(choices=[]),
    "an end": event(choice={"finish_reason": "stop"}),
    "usage": event(usage={"cost": 1.0}),
    "a tier": event(service_tier="flex"),
    "a fingerprint": event(system_fingerprint="fp"),
    "metadata": event(openrouter_metadata={"a": 1}),
    "what the strict decoder refuses": event(created="1"),
    "no JSON": b"{",
    "the sentinel": b"[DONE]",
}
FAILING: dict[str, bytes] = {
    "an error": event(error={"message": "no", "code": 502}),
    "an error of a choice": event(choice={"error": {"message": "no"}}),
    "an end by an error": event(choice={"finish_reason": "error"}),
}


def opened(kind: type[Outline] = Accumulator) -> Outline:
    """What is known after a first chunk."""
    outline = kind()
    outline.add(decode(OPENING))
    return outline


@pytest.mark.parametrize("data", (OTHER | FAILING).values(), ids=(OTHER | FAILING))
def test_a_run_ends_before_whatever_brings_more_than_text(data: bytes) -> None:
    """What the run leaves is the very next thing, and nothing behind it is touched."""
    events = iter([event("a"), event(""), data, event("b")])
    run = TextRun(decode, events, opened())
    assert run.texts == ["a", ""]
    assert [chunk.text for chunk in run.chunks] == run.texts
    assert [chunk.raw for chunk in run.chunks] == [event("a"), event("")]
    assert (run.next.raw if isinstance(run.next, ChatChunk) else run.next) == data
    assert list(events) == [event("b")]


def test_a_run_waits_for_the_first_chunk() -> None:
    """Before a choice is open nothing is known that could be left out."""
    run = TextRun(decode, iter([event("a"), event("b")]), Accumulator())
    assert (run.chunks, run.next) == ([], event("a"))


@pytest.mark.parametrize("field", ["id", "provider", "model", "created"])
def test_what_was_not_known_yet_is_learnt(field: str) -> None:
    """A chunk that is the first to tell something of who answers is no mere text."""
    outline = Accumulator()
    outline.add(decode(event("", **{field: None})))
    run = TextRun(decode, iter([event("a", **{field: None}), event("b")]), outline)
    assert run.texts == ["a"]
    assert isinstance(run.next, ChatChunk)
    assert run.next.text == "b"


def test_what_every_chunk_repeats_does_not_end_a_run() -> None:
    """A tier and a fingerprint stand on every chunk of some providers."""
    repeated: Plain = {"service_tier": "default", "system_fingerprint": "fp"}
    outline = Accumulator()
    outline.add(decode(event("", **repeated)))
    assert TextRun(decode, iter([event("a", **repeated)]), outline).texts == ["a"]


def test_a_run_is_bounded() -> None:
    """However much has come, only so much is decoded ahead of the reader."""
    events = iter([event(str(number)) for number in range(1_000)])
    run = TextRun(decode, events, opened())
    assert 1 < len(run.chunks) < 200
    assert run.next is None
    assert len(list(events)) == 1_000 - len(run.chunks)


class Reads:
    """An answer that brings given reads."""

    def __init__(self, reads: list[bytes]) -> None:
        self._reads = iter(reads)
        self.attempt, self.status = 1, 200
        self.headers: Mapping[str, str] = {"content-type": "text/event-stream"}
        self.asked_at = self.sending_at = self.sent_at = self.answered_at = 0.0
        self.connected_at: float | None = None
        self.waited = self.read_at = 0.0
        self.observation = None

    def time(self) -> float:
        """No time passes."""
        return 0.0

    def spent(self, tokens: int) -> None:
        """Nobody counts them."""

    async def read(self, limit: float = inf) -> bytes:
        """Give the next read."""
        return next(self._reads, b"")

    def close(self) -> None:
        """Nothing is open."""

    finish = close


def streaming(
    reads: list[bytes], *, accumulate: bool = True, limits: Limits = Limits()
) -> ChatStream:
    """A stream over given reads."""

    async def send(accept: Accept) -> None:
        await accept(Reads(reads))

    return ChatStream(send, timeouts=Timeouts(), limits=limits, accumulate=accumulate)


def seen(stream: ChatStream, chunk: ChatChunk | None) -> object:
    """All that a user can see between two chunks."""
    partial = stream.partial
    if partial is not None:
        partial.arrival = msgspec.structs.replace(partial.arrival, timing=stream.timing)
    return (
        chunk,
        chunk.raw if chunk is not None else None,
        partial.to_dict() if partial is not None else None,
        stream.deltas,
        stream.usage,
        stream.ending,
        repr(stream),
    )


async def history(stream: ChatStream) -> list[object]:
    """Step to the end, looking at everything at each step."""
    found: list[object] = []
    try:
        found += [seen(stream, chunk) async for chunk in stream]
    except OpenRouterError as error:
        found.append((type(error), str(error), error.phase, error.billed))
    found.append(seen(stream, None))
    return found


def mixtures() -> Iterator[list[bytes]]:
    """Streams of many texts with anything else between."""
    for seed in range(60):
        chance = random.Random(seed)
        events = [OPENING] if seed % 3 else []
        for _ in range(chance.randrange(1, 200)):
            kinds = OTHER if chance.random() < 0.08 else None
            name = chance.choice([*OTHER][:-2]) if kinds else ""
            events.append(OTHER[name] if kinds else event(chance.choice(["", "a", 'é"\\\n'])))
        if chance.random() < 0.3:
            events.append(chance.choice([*FAILING.values()]))
        if chance.random() < 0.7:
            events += [OTHER["an end"], OTHER["the sentinel"]]
        yield [encode_event(data) for data in events]


@pytest.mark.parametrize("accumulate", [True, False])
async def test_one_read_or_many_look_the_same(accumulate: bool) -> None:
    """After every single chunk, all that can be asked is the same, however the bytes came."""
    for events in mixtures():
        alone = await history(streaming(events, accumulate=accumulate))
        together = await history(streaming([b"".join(events)], accumulate=accumulate))
        assert together == alone


async def test_collecting_and_looping_give_the_same() -> None:
    """Whoever wants the sum alone gets the same sum, from whatever point on."""
    for number, events in enumerate(mixtures()):
        reads = [b"".join(events[:3]), b"".join(events[3:])]
        looped = streaming(reads)
        collected = streaming(reads)
        outcome: list[object] = []
        for stream in (looped, collected):
            try:
                if stream is looped:
                    async for _ in stream:
                        pass
                else:
                    for _ in range(number % 5):
                        await anext(stream)
                    await stream
                outcome.append(None)
            except OpenRouterError as error:
                outcome.append((type(error), str(error)))
            except (StopAsyncIteration, RuntimeError):
                outcome.append(None)  # stepping by hand had reached the end
        assert outcome[0] == outcome[1]
        assert looped.partial == collected.partial
        assert looped.deltas == collected.deltas


async def test_what_a_user_does_with_a_chunk_is_their_own_matter() -> None:
    """A chunk that is changed changes nothing of what is gathered, nor of what comes behind."""
    stream = streaming([b"".join(map(encode_event, [OPENING, *[event("a")] * 100]))])
    try:
        async for chunk in stream:
            chunk.choices[0].delta.content = "forged"
            chunk.choices.clear()
    except OpenRouterError as error:
        partial = error.partial
        assert partial is not None
        assert partial.text == "a" * 100
    else:
        pytest.fail("a stream without an end raises")


async def test_leaving_amid_a_run_leaves_what_was_handed_out(
    emulator: Emulator, client: Any
) -> None:
    """What was decoded ahead of the reader is not a part of what the reader has seen."""
    emulator.always(chat(*"abcdefgh").split(2**20))
    stream = client.stream("Hi", model="m")
    async for chunk in stream:
        if chunk.text == "d":
            break
    assert stream.ending == "left"
    assert stream.partial.text == "abcd"
    assert stream.deltas == 4
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_what_came_before_an_event_that_is_too_large_is_not_lost() -> None:
    """The error comes in its place, behind every chunk of the same read."""
    events = [OPENING, *[event("a")] * 100, event("b" * 2_000)]
    stream = streaming([b"".join(map(encode_event, events))], limits=Limits(max_event_size=1_000))
    text = ""
    with pytest.raises(OpenRouterError, match="larger than 1,000 bytes"):
        async for chunk in stream:
            text += chunk.text
    assert text == "a" * 100
