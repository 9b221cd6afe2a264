"""OpenAI's and OpenRouter's own clients talk to our relay, and to our emulator, and see what they expect."""

# What may be missing is looked for before it is imported.
# ruff: noqa: E402

from __future__ import annotations

from tests.integration.tools import need

need("openai", "openrouter", "fastapi", "uvicorn")

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import openai
import openrouter
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from openai import AsyncOpenAI
from openrouter import errors as official

from openrouter_async import OpenRouter as Ours
from openrouter_async import OpenRouterError, RetryPolicy
from openrouter_async.integrations.fastapi import (
    Client,
    cancel_on_disconnect,
    error_response,
    lifespan,
    relay,
)
from openrouter_async.testing import Emulator, chat, error_chunk, http_error
from tests.quiet import KEY
from tests.serving import LEAVES_WITHIN, served, time_to_leave

FIVE: Final = ("one ", "two ", "three ", "four ", "five ")
HELLO: Final[list[Any]] = [{"role": "user", "content": "Hi"}]
MODEL: Final = "openai/gpt-4o-mini"


def application(emulator: Emulator) -> FastAPI:
    """A backend that any OpenAI client can talk to."""
    make = lambda: Ours(  # noqa: E731
        KEY, base_url=emulator.base_url, retry=RetryPolicy(max_attempts=1)
    )
    app = FastAPI(lifespan=lifespan(make), exception_handlers={OpenRouterError: error_response})

    @app.post("/api/v1/chat/completions")
    async def completions(body: dict[str, Any], request: Request, client: Client) -> Response:
        messages, model = body.pop("messages"), body.pop("model")
        if body.pop("stream", False):
            return relay(client.stream(messages, model=model, extra_body=body), heartbeat=0.05)
        work = client.complete(messages, model=model, extra_body=body)
        completion = await cancel_on_disconnect(request, work)
        # OpenRouter's SDK insists on a field that is null nearly always, and left out by us then.
        return JSONResponse({"system_fingerprint": None, **completion.to_dict()})

    return app


@pytest.fixture(params=["relay", "emulator"])
async def base_url(request: pytest.FixtureRequest, emulator: Emulator) -> AsyncIterator[str]:
    """The address of the relay, or of the emulator itself."""
    async with AsyncExitStack() as stack:
        if request.param == "emulator":
            yield emulator.base_url
        else:
            port = await stack.enter_async_context(served(application(emulator)))
            yield f"http://127.0.0.1:{port}/api/v1"


@asynccontextmanager
async def theirs(base_url: str) -> AsyncGenerator[AsyncOpenAI]:
    """OpenAI's client, which tries nothing twice."""
    async with AsyncOpenAI(api_key=KEY, base_url=base_url, max_retries=0) as client:
        yield client


@asynccontextmanager
async def official_sdk(base_url: str) -> AsyncGenerator[openrouter.OpenRouter]:
    """OpenRouter's own client."""
    async with openrouter.OpenRouter(api_key=KEY, server_url=base_url) as client:
        yield client


async def test_openai_streams(base_url: str, emulator: Emulator) -> None:
    """Text, tool calls, finish reason, usage and the end come as from OpenAI."""
    call = {"id": "c1", "name": "f", "arguments": '{"x": 1}'}
    emulator.play(
        chat(*FIVE, comments_before=3, comments_between=1, tokens=(3, 5)), chat(tool_calls=[call])
    )
    async with theirs(base_url) as client:
        text, usage = "", None
        reasons: list[str | None] = []
        stream = await client.chat.completions.create(
            model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        async for chunk in stream:
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
                reasons.append(chunk.choices[0].finish_reason)
            usage = chunk.usage or usage
        assert text == "".join(FIVE)
        assert [reason for reason in reasons if reason] == ["stop"]
        assert usage is not None
        assert (usage.prompt_tokens, usage.completion_tokens) == (3, 5)
        async with client.chat.completions.stream(model=MODEL, messages=HELLO) as helper:
            async for _ in helper:
                pass
            final = await helper.get_final_completion()
        made = (final.choices[0].message.tool_calls or [])[0]
        assert made.type == "function"
        assert (made.id, made.function.name, made.function.arguments) == ("c1", "f", '{"x": 1}')


async def test_openai_completes(base_url: str) -> None:
    """A whole answer has its fields, whoever streams underneath."""
    async with theirs(base_url) as client:
        answer = await client.chat.completions.create(model=MODEL, messages=HELLO, temperature=0.5)
    assert answer.id.startswith("gen-")
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens > 0


@pytest.mark.parametrize("streamed", [True, False])
async def test_openai_sees_a_refusal(base_url: str, emulator: Emulator, streamed: bool) -> None:
    """A 429 before the first token is its `RateLimitError`, with the words and when to return."""
    emulator.always(http_error(429, "Slow down", headers={"Retry-After": "7"}))
    async with theirs(base_url) as client:
        with pytest.raises(openai.RateLimitError, match="Slow down") as caught:
            await client.chat.completions.create(model=MODEL, messages=HELLO, stream=streamed)
    assert caught.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("how", ["an error event", "a broken connection"])
async def test_openai_sees_a_failure_after_five_tokens(emulator: Emulator, how: str) -> None:
    """It has the five tokens, then raises its own `APIError`: nothing passes for a whole answer."""
    whole = chat(*FIVE, "six")
    failed = whole.error_after(5, error_chunk(502, "It fell over"))
    emulator.play(failed if how == "an error event" else whole.reset_after(5))
    text = ""
    async with (
        served(application(emulator)) as port,
        theirs(f"http://127.0.0.1:{port}/api/v1") as client,
    ):
        stream = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        with pytest.raises(openai.APIError, match=r"fell over|broke off"):
            async for chunk in stream:
                text += chunk.choices[0].delta.content or ""
    assert text == "".join(FIVE)


async def test_openai_leaves(base_url: str, emulator: Emulator) -> None:
    """Closing its stream closes ours, through the relay as well."""
    emulator.always(chat(*FIVE).stall_after(3))
    closing: list[asyncio.Future[None]] = []
    async with theirs(base_url) as client:

        async def begin() -> Callable[[], object]:
            stream = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
            async for chunk in stream:
                if chunk.choices[0].delta.content == "three ":
                    break
            return lambda: closing.append(asyncio.ensure_future(stream.close()))

        assert await time_to_leave(emulator, begin) < LEAVES_WITHIN
        await asyncio.gather(*closing)


async def test_the_official_sdk_streams(base_url: str, emulator: Emulator) -> None:
    """Each chunk passes its strict schema; text, reason and cost are there."""
    emulator.play(chat(*FIVE, comments_before=1, cost=0.25))
    async with official_sdk(base_url) as client:
        stream = await client.chat.send_async(messages=HELLO, model=MODEL, stream=True)
        text, cost = "", None
        async with stream as events:
            async for chunk in events:
                for choice in chunk.choices:
                    text += choice.delta.content or ""
                cost = chunk.usage.cost if chunk.usage else cost
    assert text == "".join(FIVE)
    assert cost == 0.25


async def test_the_official_sdk_completes(base_url: str) -> None:
    """A whole answer passes its strict schema."""
    async with official_sdk(base_url) as client:
        answer = await client.chat.send_async(messages=HELLO, model=MODEL)
    assert answer.choices[0].message.content
    assert answer.usage is not None


async def test_the_official_sdk_sees_a_refusal(base_url: str, emulator: Emulator) -> None:
    """A 429 before the first token is its own error of that status, with the words."""
    emulator.always(http_error(429, "Slow down"))
    async with official_sdk(base_url) as client:
        with pytest.raises(official.TooManyRequestsResponseError) as caught:
            await client.chat.send_async(messages=HELLO, model=MODEL, stream=True, retries=None)
    assert "Slow down" in str(caught.value)


async def test_the_official_sdk_sees_a_failure_after_five_tokens(emulator: Emulator) -> None:
    """What we send for a broken connection passes its schema, with the error in it."""
    emulator.play(chat(*FIVE, "six").reset_after(5))
    text, words = "", None
    async with (
        served(application(emulator)) as port,
        official_sdk(f"http://127.0.0.1:{port}/api/v1") as client,
    ):
        stream = await client.chat.send_async(messages=HELLO, model=MODEL, stream=True)
        async with stream as events:
            async for chunk in events:
                text += "".join(choice.delta.content or "" for choice in chunk.choices)
                words = chunk.error.message if chunk.error else words
    assert text == "".join(FIVE)
    assert words == "The answer broke off before its end."
