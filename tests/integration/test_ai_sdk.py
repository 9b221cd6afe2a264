"""The Vercel AI SDK itself (npm package ``ai``) reads our UI message stream, and we its requests."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from fastapi import FastAPI, Response
from pydantic import BaseModel

from openrouter_async import OpenRouter, OpenRouterError, RetryPolicy, SharedStream
from openrouter_async.integrations.fastapi import (
    Client,
    RelayResponse,
    UIMessages,
    error_response,
    lifespan,
    relay,
)
from openrouter_async.testing import Emulator, chat, error_chunk, http_error
from tests.integration.tools import program
from tests.quiet import KEY, PNG
from tests.serving import LEAVES_WITHIN, served, time_to_leave

FOLDER: Final = Path(__file__).parent / "node"
NODE: Final = program("node")
NPM: Final = program("npm")
FIVE: Final = ("one ", "two ", "three ", "four ", "five ")


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    """The package in the version of the lock file, installed once, whoever else runs these tests."""
    wanted = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    stamp = FOLDER / ".installed"
    with (FOLDER / ".installed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text("ascii") == wanted:
            return
        command = [NPM, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        stamp.write_text(wanted, "ascii")


class Sent(BaseModel):
    """What the SDK's transport sends."""

    id: str
    messages: UIMessages
    trigger: str


async def weather(city: str) -> dict[str, Any]:
    """Tell the weather."""
    return {"city": city, "degrees": 21}


def application(emulator: Emulator) -> FastAPI:
    """A backend of one endpoint for each way to answer."""
    make = lambda: OpenRouter(  # noqa: E731
        KEY, base_url=emulator.base_url, model="m", retry=RetryPolicy(max_attempts=1)
    )
    app = FastAPI(lifespan=lifespan(make), exception_handlers={OpenRouterError: error_response})

    @app.post("/chat")
    async def answer(sent: Sent, client: Client) -> RelayResponse:
        return relay(client.stream(sent.messages), protocol="ai-sdk", heartbeat=0.05)

    @app.post("/tools")
    async def tools(sent: Sent, client: Client) -> RelayResponse:
        run = client.run_tools(sent.messages, tools=[weather])
        return relay(run, protocol="ai-sdk")

    answers: dict[str, SharedStream] = {}

    @app.post("/shared")
    async def shared(sent: Sent, client: Client) -> RelayResponse:
        stream = client.stream(sent.messages)
        stream.on_end(lambda _: answers.pop(sent.id, None))
        answers[sent.id] = stream.share(when_last_leaves=30.0)
        return relay(answers[sent.id], protocol="ai-sdk")

    @app.get("/shared/{id}/stream")
    async def again(id: str) -> Response:
        if id not in answers:
            return Response(status_code=204)
        return relay(answers[id], protocol="ai-sdk")

    return app


class Chat:
    """The SDK's chat in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.news: list[dict[str, Any]] = []

    def send(self, text: str, *files: dict[str, Any]) -> None:
        """Say something, with files."""
        message: dict[str, Any] = {"text": text}
        if files:
            message["files"] = [{"type": "file", **file} for file in files]
        self._order({"send": message})

    def stop(self) -> None:
        """Stop the answer, as the page's button does."""
        self._order({"stop": True})

    def resume(self) -> None:
        """Ask for the answer that is under way, as a page does that was loaded anew."""
        self._order({"resume": True})

    def leave(self) -> None:
        """End the page without a word."""
        self._process.kill()

    def _order(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")

    async def next(self) -> dict[str, Any]:
        """Wait for the next thing that happens."""
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            line = await self._process.stdout.readline()
        if not line:
            assert self._process.stderr is not None
            pytest.fail((await self._process.stderr.read()).decode())
        told: dict[str, Any] = msgspec.json.decode(line)
        self.news.append(told)
        return told

    async def text(self, wanted: str) -> None:
        """Wait until the answer holds a text."""
        while True:
            told = await self.next()
            if told["kind"] == "message" and wanted in text_of(told["value"]):
                return

    async def settled(self) -> dict[str, Any]:
        """Wait for the end of an answer; give what the chat has become."""
        while True:
            told = await self.next()
            if told["kind"] == "settled":
                value: dict[str, Any] = told["value"]
                return value


@asynccontextmanager
async def page_of(port: int, path: str) -> AsyncGenerator[Chat]:
    """Start a chat with a backend."""
    process = await asyncio.create_subprocess_exec(
        NODE,
        "chat.mjs",
        f"http://127.0.0.1:{port}{path}",
        "the-chat",
        cwd=FOLDER,
        env={"PATH": os.environ["PATH"]},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    try:
        yield Chat(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(60):
            await process.communicate()


@asynccontextmanager
async def talking(emulator: Emulator, path: str = "/chat") -> AsyncGenerator[Chat]:
    """Serve the backend and start a chat with it."""
    async with served(application(emulator)) as port, page_of(port, path) as page:
        yield page


def text_of(message: dict[str, Any]) -> str:
    """The text of a message of the SDK's."""
    return "".join(part["text"] for part in message["parts"] if part["type"] == "text")


def kinds_of(message: dict[str, Any]) -> list[str]:
    """The kinds of its parts."""
    return [part["type"] for part in message["parts"]]


async def test_an_answer_with_everything(emulator: Emulator) -> None:
    """Reasoning, text, a picture and a source become the parts of one message, as they come."""
    note = {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A"}}
    emulator.play(
        chat(
            *FIVE,
            reasoning=("Let me ", "see"),
            images=[PNG],
            annotations=[note],
            cost=0.25,
            delay=0.02,
        )
    )
    async with talking(emulator) as page:
        page.send("Hi")
        done = await page.settled()
    assert (done["status"], done["error"]) == ("ready", None)
    message = done["messages"][-1]
    assert message["role"] == "assistant"
    assert text_of(message) == "".join(FIVE)
    assert sorted(kinds_of(message)) == ["file", "reasoning", "source-url", "step-start", "text"]
    assert all(part.get("state", "done") == "done" for part in message["parts"])
    assert message["metadata"]["cost"] == 0.25
    texts = {text_of(told["value"]) for told in page.news if told["kind"] == "message"}
    assert {"one ", "one two ", "one two three "} <= texts


async def test_a_conversation_goes_both_ways(emulator: Emulator) -> None:
    """The second request brings the first answer, its reasoning's signature and a file along."""
    detail = {
        "type": "reasoning.text",
        "text": "t",
        "signature": "s",
        "format": "anthropic-claude-v1",
        "index": 0,
    }
    emulator.play(chat("First.", reasoning="t", reasoning_details=[detail]), chat("Second."))
    async with talking(emulator) as page:
        page.send("Hi")
        await page.settled()
        page.send("And this?", {"mediaType": "image/png", "url": "data:image/png;base64,AA=="})
        done = await page.settled()
    assert text_of(done["messages"][-1]) == "Second."
    sent = msgspec.json.decode(emulator.requests[-1].body)["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert sent[1]["content"] == "First."
    assert sent[1]["reasoning_details"][0]["signature"] == "s"
    assert [part["type"] for part in sent[2]["content"]] == ["text", "image_url"]


async def test_a_tool_run(emulator: Emulator) -> None:
    """Each turn is a step, and a call has grown from its arguments to its output."""
    call = {"id": "a", "name": "weather", "arguments": {"city": "Oslo"}}
    emulator.play(chat("Looking. ", tool_calls=[call]), chat("Mild."), chat("Bye."))
    async with talking(emulator, "/tools") as page:
        page.send("Hi")
        done = await page.settled()
        page.send("Thanks")
        await page.settled()
    message = done["messages"][-1]
    assert (done["status"], done["error"]) == ("ready", None)
    assert kinds_of(message) == ["step-start", "text", "tool-weather", "step-start", "text"]
    part = message["parts"][2]
    assert part["state"] == "output-available"
    assert part["input"] == {"city": "Oslo"}
    assert part["output"] == {"city": "Oslo", "degrees": 21}
    sent = msgspec.json.decode(emulator.requests[-1].body)["messages"]
    assert [one["role"] for one in sent] == ["user", "assistant", "tool", "assistant", "user"]


async def test_a_refusal(emulator: Emulator) -> None:
    """A 429 before the first token is the chat's error, in words."""
    emulator.play(http_error(429, "Slow down, please"))
    async with talking(emulator) as page:
        page.send("Hi")
        done = await page.settled()
    assert (done["status"], done["error"]) == ("error", "Slow down, please")


@pytest.mark.parametrize("how", ["an error event", "a broken connection"])
async def test_a_failure_after_five_tokens(emulator: Emulator, how: str) -> None:
    """The five tokens stay in the message, and the chat has an error."""
    whole = chat(*FIVE, "six")
    failed = whole.error_after(5, error_chunk(502, "It fell over"))
    emulator.play(failed if how == "an error event" else whole.reset_after(5))
    async with talking(emulator) as page:
        page.send("Hi")
        done = await page.settled()
    assert done["status"] == "error"
    expected = {"an error event": "It fell over", "a broken connection": "broke off"}[how]
    assert expected in done["error"]
    assert text_of(done["messages"][-1]) == "".join(FIVE)


async def test_stopping(emulator: Emulator) -> None:
    """The SDK's own stop closes the request at the API; comments have kept it open till then."""
    emulator.always(chat(*FIVE).stall_after(3))
    async with talking(emulator) as page:

        async def begin() -> Callable[[], None]:
            if page.news:
                await page.settled()
            page.send("Hi")
            await page.text("three ")
            return page.stop

        assert await time_to_leave(emulator, begin) < LEAVES_WITHIN
        assert (await page.settled())["status"] == "ready"


async def test_a_page_that_was_loaded_anew_goes_on(emulator: Emulator) -> None:
    """The SDK's own resumption finds the shared answer, reads it from its start, and 204 at its end."""
    emulator.play(chat(*FIVE).hold_after(3))
    async with served(application(emulator)) as port:
        async with page_of(port, "/shared") as first:
            first.send("Hi")
            await first.text("three ")
            first.leave()
        async with page_of(port, "/shared") as second:
            second.resume()
            await second.text("three ")
            emulator.release()
            done = await second.settled()
            assert text_of(done["messages"][-1]) == "".join(FIVE)
            second.resume()
            assert (await second.settled())["status"] == "ready"
    assert emulator.accepted == 1
