"""The clients that are compared, each behind the same few methods.

The rule of this file: each does what its documentation shows, with nothing switched off, and
imports its library only when it is chosen, as each library lives in an environment of its own.
A reader counts the chunks that say something and does nothing else with them.
"""

# Other libraries are in other environments: no type checker sees them here.
# mypy: disable-error-code="import-not-found, no-untyped-call, unused-ignore"
# pyright: basic, reportMissingImports=false, reportMissingTypeStubs=false

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

KEY = "sk-or-v1-benchmark"
MODEL = "x-ai/grok-4"
MESSAGES = [{"role": "user", "content": "x"}]


class Client:
    """One library, or one way to use it.

    Attributes:
        can: The scenes that it takes part in.
        is_slow: It is given fewer chunks, or a run would take minutes.
    """

    can: frozenset[str] = frozenset()
    is_slow = False

    def opened(self, base_url: str) -> AbstractAsyncContextManager[Any]:
        """Give the library's client for a base URL."""
        raise NotImplementedError

    async def read(self, client: Any) -> int:
        """Read one answer to its end; give how many chunks said something."""
        raise NotImplementedError

    def texts(self, client: Any) -> AsyncIterator[str]:
        """Give the texts of one answer."""
        raise NotImplementedError

    async def collect(self, client: Any) -> str:
        """Give the text of one whole answer."""
        return "".join([text async for text in self.texts(client)])

    async def many(self, client: Any, count: int, concurrency: int) -> int:
        """Ask for so many answers, so many at a time; give how many came."""
        import asyncio

        semaphore = asyncio.Semaphore(concurrency)

        async def one() -> bool:
            async with semaphore:
                return bool(await self.collect(client))

        return sum(await asyncio.gather(*(one() for _ in range(count))))

    async def upload(self, client: Any, path: str) -> None:
        """Ask about a PDF."""
        raise NotImplementedError


_CHAT = frozenset({"packed", "burst", "trickle", "short"})


class Floor(Client):
    """Bare aiohttp, split at blank lines, msgspec into the same structs, and nothing else."""

    can = _CHAT | {"crowd", "image", "upload", "batch", "tools", "long", "import"}

    def __init__(self) -> None:
        import msgspec

        from openrouter_async.types import ChatChunk

        self.decode: Callable[[bytes], Any] = msgspec.json.Decoder(ChatChunk).decode

    @asynccontextmanager
    async def opened(self, base_url: str) -> AsyncIterator[Any]:
        import aiohttp

        connector = aiohttp.TCPConnector(limit=0)
        headers = {"Authorization": f"Bearer {KEY}"}
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
            yield session, f"{base_url}/chat/completions"

    async def read(self, client: Any) -> int:
        session, url = client
        decode = self.decode
        count = 0
        body = {"model": MODEL, "messages": MESSAGES, "stream": True}
        async with session.post(url, json=body) as response:
            rest = b""
            async for data in response.content.iter_any():
                *events, rest = (rest + data).split(b"\n\n")
                for event in events:
                    payload = event[6:]
                    if payload == b"[DONE]":
                        break
                    delta = decode(payload).choices[0].delta
                    count += bool(delta.content or delta.images or delta.tool_calls)
        return count

    async def texts(self, client: Any) -> AsyncIterator[str]:
        session, url = client
        body = {"model": MODEL, "messages": MESSAGES, "stream": True}
        async with session.post(url, json=body) as response:
            rest = b""
            async for data in response.content.iter_any():
                *events, rest = (rest + data).split(b"\n\n")
                for event in events:
                    payload = event[6:]
                    if payload == b"[DONE]":
                        break
                    text = self.decode(payload).choices[0].delta.content
                    if text:
                        yield text

    async def many(self, client: Any, count: int, concurrency: int) -> int:
        import asyncio

        semaphore = asyncio.Semaphore(concurrency)
        done = 0

        async def one() -> None:
            nonlocal done
            try:
                text = await self.collect(client)
                done += bool(text)
            finally:
                semaphore.release()

        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                await semaphore.acquire()
                group.create_task(one())
        return done

    async def upload(self, client: Any, path: str) -> None:
        session, url = client
        body = {"model": MODEL, "messages": pdf_messages(path), "stream": True}
        async with session.post(url, json=body) as response:
            await response.read()


class Lines(Floor):
    """aiohttp line by line with `json`, as most people write it by hand."""

    can = _CHAT | {"tools"}  # a picture is a longer line than aiohttp reads

    async def read(self, client: Any) -> int:
        session, url = client
        count = 0
        body = {"model": MODEL, "messages": MESSAGES, "stream": True}
        async with session.post(url, json=body) as response:
            async for line in response.content:
                if not line.startswith(b"data: ") or line.startswith(b"data: [DONE]"):
                    continue
                delta = json.loads(line[6:])["choices"][0]["delta"]
                count += bool(
                    delta.get("content") or delta.get("images") or delta.get("tool_calls")
                )
        return count


class Bytes(Floor):
    """Bare copying of bytes: the floor of a relay."""

    can = frozenset({"relay"})

    async def read(self, client: Any) -> int:
        session, url = client
        size = 0
        body = {"model": MODEL, "messages": MESSAGES, "stream": True}
        async with session.post(url, json=body) as response:
            async for data in response.content.iter_any():
                size += len(data)
        return size


class Ours(Client):
    """`async for chunk in client.stream(...)`, with everything on."""

    can = _CHAT | {"crowd", "image", "upload", "batch", "tools", "long", "import"}

    @asynccontextmanager
    async def opened(self, base_url: str) -> AsyncIterator[Any]:
        from openrouter_async import Limits, OpenRouter

        limits = Limits(max_connections=20_000)
        async with OpenRouter(KEY, base_url=base_url, limits=limits, model=MODEL) as client:
            yield client

    async def read(self, client: Any) -> int:
        count = 0
        async for chunk in client.stream("x"):
            count += bool(chunk.text or chunk.tool_calls or chunk.images)
        return count

    async def texts(self, client: Any) -> AsyncIterator[str]:
        async for chunk in client.stream("x"):
            if chunk.text:
                yield chunk.text

    async def many(self, client: Any, count: int, concurrency: int) -> int:
        done = 0
        async for result in client.map(("x" for _ in range(count)), concurrency=concurrency):
            done += bool(result.unwrap().text)
        return done

    async def upload(self, client: Any, path: str) -> None:
        from pathlib import Path

        async for _ in client.stream_pdf("x", [Path(path)]):
            pass


class OursText(Ours):
    """`client.stream(...).text()`."""

    can = _CHAT

    async def read(self, client: Any) -> int:
        count = 0
        async for text in client.stream("x").text():
            count += bool(text)
        return count


class OursCollect(Ours):
    """`await client.complete(...)`, which streams underneath; its words are counted."""

    can = _CHAT

    async def read(self, client: Any) -> int:
        completion = await client.complete("x")
        return int(completion.text.count(" "))


class OursRaw(Ours):
    """`client.stream(...).raw()`."""

    can = frozenset({"relay"})

    async def read(self, client: Any) -> int:
        size = 0
        async for data in client.stream("x").raw():
            size += len(data)
        return size


class OursPlain(Ours):
    """`client.stream(..., accumulate=False)`."""

    can = frozenset({"long"})

    async def texts(self, client: Any) -> AsyncIterator[str]:
        async for chunk in client.stream("x", accumulate=False):
            if chunk.text:
                yield chunk.text


class OursMessages(Ours):
    """`client.messages.stream(...)`, Anthropic's wire form."""

    can = _CHAT

    async def read(self, client: Any) -> int:
        count = 0
        async for event in client.messages.stream("x", model=MODEL, max_tokens=10):
            count += event.type == "content_block_delta"
        return count


class OpenAI(Client):
    """openai-python over httpx, its default."""

    can = _CHAT | {"crowd", "image", "upload", "batch", "tools", "import"}
    is_slow = True

    def transport(self) -> Any:
        """Give the HTTP client; None for the default."""
        return None

    @asynccontextmanager
    async def opened(self, base_url: str) -> AsyncIterator[Any]:
        import openai

        client = openai.AsyncOpenAI(
            api_key=KEY, base_url=base_url, http_client=self.transport(), timeout=600
        )
        async with client:
            yield client

    async def read(self, client: Any) -> int:
        count = 0
        stream = await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
        async for chunk in stream:
            delta = chunk.choices[0].delta
            count += bool(delta.content or delta.tool_calls or getattr(delta, "images", None))
        return count

    async def texts(self, client: Any) -> AsyncIterator[str]:
        stream = await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content

    async def upload(self, client: Any, path: str) -> None:
        messages: Any = pdf_messages(path)
        stream = await client.chat.completions.create(model=MODEL, messages=messages, stream=True)
        async for _ in stream:
            pass


class OpenAIOverAiohttp(OpenAI):
    """openai-python over aiohttp, its other transport."""

    def transport(self) -> Any:
        import openai

        return openai.DefaultAioHttpClient()


class Official(Client):
    """`openrouter`, OpenRouter's own SDK."""

    can = _CHAT | {"image", "tools", "import"}
    is_slow = True

    @asynccontextmanager
    async def opened(self, base_url: str) -> AsyncIterator[Any]:
        import openrouter

        async with openrouter.OpenRouter(api_key=KEY, server_url=base_url) as client:
            yield client

    async def read(self, client: Any) -> int:
        count = 0
        answer = await client.chat.send_async(model=MODEL, messages=MESSAGES, stream=True)
        async with answer as events:
            async for event in events:
                delta = event.choices[0].delta
                count += bool(delta.content or delta.tool_calls)
        return count


class LiteLLM(Client):
    """LiteLLM."""

    can = _CHAT | {"image", "tools", "import"}
    is_slow = True

    @asynccontextmanager
    async def opened(self, base_url: str) -> AsyncIterator[Any]:
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the internet
        import litellm

        litellm.suppress_debug_info = True
        yield litellm.acompletion, base_url
        await litellm.close_litellm_async_clients()

    async def read(self, client: Any) -> int:
        complete, base_url = client
        count = 0
        stream = await complete(
            model=f"openrouter/{MODEL}",
            messages=MESSAGES,
            stream=True,
            api_base=base_url,
            api_key=KEY,
        )
        async for chunk in stream:
            delta = chunk.choices[0].delta
            count += bool(delta.content or delta.tool_calls or getattr(delta, "images", None))
        return count


class PydanticAI(Client):
    """pydantic-ai."""

    can = _CHAT | {"import"}
    is_slow = True

    @asynccontextmanager
    async def opened(self, base_url: str) -> AsyncIterator[Any]:
        import openai
        from pydantic_ai import Agent
        from pydantic_ai.models.openrouter import OpenRouterModel
        from pydantic_ai.providers.openrouter import OpenRouterProvider

        async with openai.AsyncOpenAI(api_key=KEY, base_url=base_url) as client:
            yield Agent(OpenRouterModel(MODEL, provider=OpenRouterProvider(openai_client=client)))

    async def read(self, client: Any) -> int:
        count = 0
        async with client.run_stream("x") as answer:
            async for text in answer.stream_text(delta=True, debounce_by=None):
                count += bool(text)
        return count


class Anthropic(Client):
    """anthropic, on its own wire form."""

    can = _CHAT | {"import"}
    is_slow = True

    @asynccontextmanager
    async def opened(self, base_url: str) -> AsyncIterator[Any]:
        import anthropic

        async with anthropic.AsyncAnthropic(api_key=KEY, base_url=base_url) as client:
            yield client

    async def read(self, client: Any) -> int:
        count = 0
        stream = await client.messages.create(
            model=MODEL, max_tokens=10, messages=MESSAGES, stream=True
        )
        async for event in stream:
            count += event.type == "content_block_delta"
        return count


def pdf_messages(path: str) -> list[dict[str, Any]]:
    """Messages that carry a PDF, written by hand."""
    import base64
    from pathlib import Path

    data = base64.b64encode(Path(path).read_bytes()).decode()
    file = {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{data}"}
    content = [{"type": "text", "text": "x"}, {"type": "file", "file": file}]
    return [{"role": "user", "content": content}]


CLIENTS: dict[str, type[Client]] = {
    "floor": Floor,
    "typed": Ours,
    "text": OursText,
    "complete": OursCollect,
    "messages": OursMessages,
    "raw": OursRaw,
    "bytes": Bytes,
    "unkept": OursPlain,
    "aiohttp + json": Lines,
    "openai (httpx)": OpenAI,
    "openai (aiohttp)": OpenAIOverAiohttp,
    "openrouter": Official,
    "litellm": LiteLLM,
    "pydantic-ai": PydanticAI,
    "anthropic": Anthropic,
}
