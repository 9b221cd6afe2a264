"""What came back beside the text: reasoning, usage, who answered, headers, timing, emptiness."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from openrouter_async import (
    ChatChunk,
    ChatCompletion,
    ChatStream,
    Message,
    OpenRouter,
    RetryPolicy,
    StreamTruncatedError,
)
from openrouter_async._completion import completion_from
from openrouter_async.testing import Emulator, Reply, chat, completion, replay
from openrouter_async.types import Choice, Headers, RateLimit, Timing, Usage

Plain = dict[str, Any]

DETAIL: Plain = {"type": "reasoning.text", "text": "hm", "index": 0}
SUMMARY: Plain = {"type": "reasoning.summary", "summary": " so", "index": 1}
SEALED: Plain = {"type": "reasoning.encrypted", "data": "eHl6", "index": 2}
USAGE: Plain = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "cost": 0.25,
    "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
    "completion_tokens_details": {"reasoning_tokens": 7, "image_tokens": 3},
}


def events(*chunks: Plain) -> Reply:
    """A stream of these chunks."""
    body = b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks)
    return replay(body + b"data: [DONE]\n\n", headers={"X-Generation-Id": "gen-header"})


def chunk(finish: str | None = None, usage: Plain | None = None, **delta: Any) -> Plain:
    """One chunk of a stream."""
    wire: Plain = {
        "id": "gen-1",
        "model": "m/one",
        "provider": "P",
        "object": "chat.completion.chunk",
        "created": 7,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return (
        wire if usage is None else {**wire, "usage": usage, "openrouter_metadata": {"attempt": 1}}
    )


def whole(message: Plain, finish: str | None = "stop", **top: Any) -> Plain:
    """The body of an answer that is not streamed."""
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {
        "id": "gen-1",
        "model": "m/one",
        "provider": "P",
        "object": "chat.completion",
        "created": 7,
        "choices": [choice],
        **top,
    }


def as_json(body: Plain) -> Reply:
    """An answer that is not streamed."""
    headers = {"X-Generation-Id": "gen-header"}
    return replay(json.dumps(body).encode(), content_type="application/json", headers=headers)


# Reasoning.


@pytest.mark.parametrize(
    ("delta", "reasoning"),
    [
        ({"reasoning_details": [DETAIL, SUMMARY, SEALED]}, "hm so"),
        ({"reasoning": "hm", "reasoning_details": [DETAIL]}, "hm"),
        ({"reasoning_content": "hm", "reasoning_details": [DETAIL]}, "hm"),
        ({"reasoning_details": [SEALED]}, ""),
        ({"reasoning_details": []}, ""),
    ],
)
def test_reasoning_is_said_once(delta: Plain, reasoning: str) -> None:
    """The text of reasoning details stands in where no plain text came, and is never doubled."""
    assert ChatChunk.from_dict({"choices": [{"delta": delta}]}).reasoning == reasoning
    assert ChatCompletion.from_dict(whole(delta)).reasoning in (reasoning, "hm")


def test_the_details_of_a_message_are_not_made_into_plain_text() -> None:
    """The message keeps what came; only the spelling of the answer falls back."""
    answer = ChatCompletion.from_dict(whole({"reasoning_details": [DETAIL, SUMMARY]}))
    assert answer.message.reasoning is None
    assert answer.reasoning == "hm so"


@pytest.mark.parametrize("plain", [True, False])
async def test_the_reasoning_of_a_stream(
    plain: bool, emulator: Emulator, client: OpenRouter
) -> None:
    """`.reasoning()` gives the pieces as they come, and the whole is their sum."""
    more: Plain = {"reasoning": "hm"} if plain else {}
    again: Plain = {"reasoning": "?"} if plain else {}
    emulator.play(
        events(
            chunk(content=""),
            chunk(content="", reasoning_details=[DETAIL], **more),
            chunk(content="", reasoning_details=[{**DETAIL, "text": "?"}], **again),
            chunk(content="So."),
            chunk("stop", content=""),
        )
    )  # fmt: skip
    stream = client.stream("Hi", model="m")
    assert [piece async for piece in stream.reasoning()] == ["hm", "?"]
    assert stream.ending == "complete"
    assert stream.partial is not None
    assert (stream.partial.reasoning, stream.partial.text) == ("hm?", "So.")
    with pytest.raises(RuntimeError, match="looped over once"):
        stream.reasoning()


async def test_leaving_the_reasoning_leaves_the_stream(
    emulator: Emulator, client: OpenRouter
) -> None:
    """A loop over the reasoning that is left closes the connection, like any loop."""
    emulator.play(chat("So.", reasoning=["a", "b", "c"]).hold_after(2))
    stream = client.stream("Hi", model="m")
    async for piece in stream.reasoning():
        assert piece == "a"
        break
    assert stream.ending == "left"
    await emulator.wait_for(lambda: emulator.requests[0].disconnected)


# As plain attributes.

SAME = (
    "cost",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "image_tokens",
    "provider",
    "model",
    "generation_id",
    "openrouter_metadata",
    "ending",
    "rate_limit",
    "usage",
)


@pytest.mark.parametrize("transport", ["stream", "json"])
async def test_what_came_back_is_plain_attributes(
    transport: Any, emulator: Emulator, client: OpenRouter
) -> None:
    """Stream and answer tell the same of themselves, by whichever way the answer came."""
    expected: Plain = {
        "cost": 0.25,
        "cached_tokens": 60,
        "cache_write_tokens": 30,
        "reasoning_tokens": 7,
        "image_tokens": 3,
        "provider": "P",
        "model": "m/one",
        "generation_id": "gen-header",
        "openrouter_metadata": {"attempt": 1},
        "ending": "complete",
        "rate_limit": None,
        "usage": Usage.from_dict(USAGE),
    }
    answer: ChatCompletion | ChatStream | None
    if transport == "stream":
        emulator.play(events(chunk(content="So."), chunk("stop", USAGE, content="")))
        stream = client.stream("Hi", model="m")
        answer = await stream
        assert {name: getattr(stream, name) for name in SAME} == expected
        assert answer.timing == stream.timing
        assert stream.timing.tokens_per_second is not None
    else:
        body = whole({"content": "So."}, usage=USAGE, openrouter_metadata={"attempt": 1})
        emulator.play(as_json(body))
        answer = await client.complete("Hi", model="m", transport="json")
    assert {name: getattr(answer, name) for name in SAME} == expected
    assert answer.headers["X-GENERATION-ID"] == answer.headers["x-generation-id"] == "gen-header"
    timing = answer.timing
    marks = (timing.queue, timing.connect, timing.headers, timing.end)
    assert None not in marks
    assert sorted(marks, key=float) == list(marks)  # type: ignore[arg-type]


async def test_attributes_of_an_answer_without_usage(
    emulator: Emulator, client: OpenRouter
) -> None:
    """Where the server counted nothing, every count is None and never zero."""
    emulator.play(chat("So.", usage=None))
    stream = client.stream("Hi", model="m")
    answer = await stream
    for teller in (stream, answer):
        assert teller.usage is None
        assert [getattr(teller, name) for name in SAME[:5]] == [None] * 5


async def test_a_rate_limit_is_read_off_the_headers(emulator: Emulator, client: OpenRouter) -> None:
    """Limit, what is left of it and when it begins anew, where the headers say so."""
    limits = {"X-RateLimit-Limit": "20", "X-RateLimit-Reset": "1741305600000"}
    emulator.play(chat("a").with_headers(limits))
    stream = client.stream("Hi", model="m")
    answer = await stream
    expected = RateLimit(limit=20, remaining=None, reset=1741305600.0)
    assert stream.rate_limit == answer.rate_limit == expected
    odd = {"x-ratelimit-limit": "many", "x-ratelimit-remaining": "nan", "x-ratelimit-reset": "inf"}
    assert ChatCompletion(arrival=answer.arrival).rate_limit == expected
    assert (
        completion_from(
            json.dumps(whole({"content": "a"})).encode(),
            now=0.0,
            secret=None,
            arrival=type(answer.arrival)(headers=odd),
        ).rate_limit
        is None
    )


async def test_an_error_carries_how_far_it_came(emulator: Emulator) -> None:
    """The partial of an error tells headers, ending and timing, too."""
    emulator.play(chat("a", "b").end_after(1))
    async with OpenRouter(
        "k", base_url=emulator.base_url, retry=RetryPolicy(max_attempts=1)
    ) as one:
        with pytest.raises(StreamTruncatedError) as caught:
            await one.complete("Hi", model="m")
    partial = caught.value.partial
    assert partial is not None
    assert partial.ending == "truncated"
    assert partial.generation_id == caught.value.generation_id
    assert partial.timing.end is not None


async def test_how_an_answer_came_is_no_part_of_what_it_says(
    emulator: Emulator, client: OpenRouter
) -> None:
    """Equality, plain data and JSON leave it out; pickles and copies keep it; repr hides it."""
    emulator.play(chat("a").with_headers({"X-Secret": "of-the-server"}), chat("a"), chat("b"))
    first, second, other = [await client.complete("Hi", model="m") for _ in range(3)]
    assert first == second
    assert first != other
    assert first != "a"
    assert first.timing != second.timing or first.headers != second.headers
    bare = ChatCompletion.from_dict(first.to_dict())
    assert bare == first
    assert bare.headers == {}
    assert (bare.timing, bare.ending) == (Timing(), None)
    assert b"arrival" not in first.to_json()
    assert "of-the-server" not in repr(first)
    for twin in (pickle.loads(pickle.dumps(first)), copy.copy(first), copy.deepcopy(first)):
        assert twin == first
        assert twin.headers == first.headers
        assert (twin.timing, twin.ending) == (first.timing, "complete")


def test_headers_are_a_mapping_without_case() -> None:
    """Headers compare, iterate and pickle like any mapping, and do not show their values."""
    headers = Headers({"X-One": "1", "Content-Type": "text"})
    assert headers["x-ONE"] == headers.get("X-one") == "1"
    assert "CONTENT-type" in headers
    assert dict(headers) == {"x-one": "1", "content-type": "text"}
    assert pickle.loads(pickle.dumps(headers)) == headers
    assert repr(headers) == "Headers(x-one, content-type)"
    with pytest.raises(KeyError):
        headers["x-two"]


# Money.


def test_cache_reads_and_writes_are_parts_of_the_prompt() -> None:
    """What was read from and written to the cache is reported and counted once."""
    usage = Usage.from_dict(USAGE)
    assert usage.cached_tokens == 60
    assert usage.cache_write_tokens == 30
    assert usage.prompt_tokens + usage.completion_tokens == usage.total_tokens
    assert usage.cached_tokens + usage.cache_write_tokens <= usage.prompt_tokens


def test_usages_add_up() -> None:
    """A sum adds number by number; what only one side says stays, and what none says is None."""
    one = Usage.from_dict({**USAGE, "is_byok": False, "server_tool_use_details": {"web": 1}})
    other = Usage(prompt_tokens=1, total_tokens=1, is_byok=True, server_tool_use_details={"web": 2})
    total = one + other
    assert (total.prompt_tokens, total.total_tokens, total.cost) == (101, 121, 0.25)
    assert (total.cached_tokens, total.is_byok) == (60, True)
    assert total.server_tool_use_details == {"web": 3}
    assert (Usage() + Usage()).cost is None
    assert (one + one).cached_tokens == 120


# Emptiness.


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (whole({"content": ""}), "nothing"),
        (whole({"content": None}), "nothing"),
        (whole({"content": " \n"}), "nothing"),
        (whole({"content": ""}, usage={"prompt_tokens": 9, "completion_tokens": 0}), "no_tokens"),
        (whole({"content": "", "reasoning": "hm"}), "reasoning_only"),
        (whole({"content": "", "reasoning_details": [SEALED]}), "reasoning_only"),
        (whole({"content": "", "reasoning": "hm"}, "length"), "length"),
        (whole({"content": ""}, "content_filter"), "content_filter"),
        (whole({"content": ""}, "tool_calls"), "tool_calls"),
        (whole({"content": ""}, None), "nothing"),
        ({"choices": []}, "no_choice"),
        ({"choices": [{"finish_reason": "stop", "native_finish_reason": "SAFETY"}]}, "SAFETY"),
        ({"choices": [{"finish_reason": "stop", "native_finish_reason": "STOP"}]}, "nothing"),
    ],
)
def test_an_empty_answer_says_why(body: Plain, reason: str) -> None:
    """An answer that says nothing is empty, with the most telling reason that it gives."""
    answer = ChatCompletion.from_dict(body)
    assert answer.is_empty
    assert answer.empty_reason == reason


@pytest.mark.parametrize(
    "message",
    [
        {"content": "a"},
        {"refusal": "no"},
        {"tool_calls": [{"id": "c"}]},
        {"images": [{"image_url": {"url": "data:,x"}}]},
        {"audio": {"id": "a"}},
        {"content": [{"type": "text", "text": "a"}]},
    ],
)
def test_an_answer_that_says_something_is_not_empty(message: Plain) -> None:
    """Text, a refusal, a call, an image or sound: each is an answer."""
    answer = ChatCompletion.from_dict(whole(message))
    assert not answer.is_empty
    assert answer.empty_reason is None


# Both ways are one.

CONTENTS: dict[str, Plain] = {
    "text": {"content": ["Hel", "lo"]},
    "tools": {
        "content": [],
        "tool_calls": [
            {"id": "a", "name": "f", "arguments": {"x": 1}},
            {"id": "b", "name": "g", "arguments": []},
        ],
    },
    "text and tools": {"content": ["So"], "tool_calls": [{"name": "f", "arguments": {}}]},
    "reasoning": {
        "content": ["So."],
        "reasoning": ["h", "m"],
        "reasoning_details": [{**DETAIL, "signature": "s", "text": ""}, SEALED],
    },
    "annotations": {"content": ["a"], "annotations": [{"type": "url_citation", "url_citation": {"url": "u"}}]},
    "images": {"content": ["", "a"], "images": ["data:,x", "data:,y"]},
    "cut": {"content": ["a"], "finish_reason": "length"},
}  # fmt: skip


@pytest.mark.parametrize("name", CONTENTS)
async def test_both_ways_give_one_answer(name: str, emulator: Emulator, client: OpenRouter) -> None:
    """`complete` gives the same fields, streamed or in one piece."""
    fields = dict(CONTENTS[name])
    content = fields.pop("content")
    emulator.play(chat(*content, id="gen-1", **fields), completion(*content, id="gen-1", **fields))
    streamed = await client.complete("Hi", model="m")
    at_once = await client.complete("Hi", model="m", transport="json")
    assert streamed.to_dict() == at_once.to_dict()
    assert streamed == at_once
    assert streamed.message.to_param() == at_once.message.to_param()


LOGPROBS: Plain = {"content": [{"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": []}]}


async def test_both_ways_give_one_answer_with_all_the_rest(
    emulator: Emulator, client: OpenRouter
) -> None:
    """Log probabilities, native reasons, service tier and null contents are the same, too."""
    top: Plain = {"service_tier": "flex", "system_fingerprint": "fp", "usage": USAGE}
    end: Plain = {"finish_reason": "stop", "native_finish_reason": "STOP"}
    calls = [{"index": 0, "type": "function", "function": {"name": "f", "arguments": None}}]
    say = chunk(content=None, refusal="no", tool_calls=calls)
    say["choices"][0]["logprobs"] = LOGPROBS
    last = {**chunk(), **top}
    last["choices"] = [{"index": 0, "delta": {}, **end}]
    emulator.play(events(say, last))
    body = whole({"role": "assistant", "content": "", "refusal": "no", "tool_calls": calls}, **top)
    body["choices"][0] |= {"logprobs": LOGPROBS, **end}
    emulator.play(as_json(body))
    streamed = await client.complete("Hi", model="m")
    at_once = await client.complete("Hi", model="m", transport="json")
    assert streamed.to_dict() == at_once.to_dict()
    assert at_once.tool_calls[0].function.arguments == "{}"
    assert at_once.tool_calls[0].id


async def test_a_call_that_was_cut_off_cannot_be_run_either_way(
    emulator: Emulator, client: OpenRouter
) -> None:
    """An answer that ended before its time keeps an unfinished call apart, also in one piece."""
    call: Plain = {"id": "c", "name": "f", "arguments": ['{"a": ']}
    asked: Plain = {"tool_calls": [call], "finish_reason": "length", "id": "gen-1"}
    emulator.play(chat(**asked), completion(**asked))
    ways: list[Any] = ["stream", "json"]
    for transport in ways:
        answer = await client.complete("Hi", model="m", transport=transport)
        assert answer.tool_calls == []
        assert [c.function.arguments for c in answer.message.open_tool_calls or ()] == ['{"a": ']


def test_a_null_content_stays_one() -> None:
    """An answer whose content is null has none, an answer whose content is empty has that."""
    for content in (None, ""):
        body = json.dumps(whole({"content": content})).encode()
        assert completion_from(body, now=0.0, secret=None).message.content == content
    assert Choice().message == Message()


# Calling it wrongly.


async def test_a_loop_over_an_awaited_stream_says_what_to_do(
    emulator: Emulator, client: OpenRouter
) -> None:
    """Awaiting a stream gives the whole answer, which is no stream any more."""
    emulator.play(chat("a"))
    awaited: Any = await client.stream("Hi", model="m")
    with pytest.raises(TypeError, match="without await"):
        async for _ in awaited:
            pass


async def test_a_loop_over_a_started_stream_works(emulator: Emulator, client: OpenRouter) -> None:
    """What has been started can be looped over."""
    emulator.play(chat("a", "b"))
    stream = await client.stream("Hi", model="m").start()
    assert [chunk.text async for chunk in stream if chunk.text] == ["a", "b"]


async def test_a_loop_over_complete_says_what_to_do(emulator: Emulator, client: OpenRouter) -> None:
    """Looping over `complete` raises where it stands, and asks nothing of the server."""
    coroutine: Any = client.complete("Hi", model="m")
    with pytest.raises(TypeError, match="__aiter__"):
        async for _ in coroutine:
            pass
    coroutine.close()
    assert emulator.accepted == 0
