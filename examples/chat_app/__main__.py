"""A chat in the browser: FastAPI behind, one page in front, no build step.

Run it with ``python examples/chat_app`` and open the address that it prints. Without a key it
talks to the built-in emulator, which makes up its answers and costs nothing; with
OPENROUTER_API_KEY set it talks to OpenRouter. It needs ``pip install 'openrouter-async[fastapi]'
uvicorn``.

Closing the tab or pressing Stop closes the request to OpenRouter, which ends the bill.
"""

from __future__ import annotations

import argparse
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, StringConstraints

from openrouter_async import OpenRouter, OpenRouterError
from openrouter_async.integrations.fastapi import (
    Client,
    RelayResponse,
    UIMessages,
    error_response,
    lifespan,
    relay,
)
from openrouter_async.testing import Emulator

PAGE: Final = Path(__file__).parent / "page"
MODELS: Final = {
    "openai/gpt-4o-mini": "GPT-4o mini",
    "anthropic/claude-sonnet-4.5": "Claude Sonnet 4.5",
    "google/gemini-2.5-flash": "Gemini 2.5 Flash",
    "google/gemini-2.5-flash-image": "Gemini 2.5 Flash Image",
}
# The page loads nothing from elsewhere, and what a model writes could not make it.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

Generation = Annotated[str, StringConstraints(pattern=r"^gen-[\w-]{1,80}$")]


class Question(BaseModel):
    """What the page sends: its whole conversation, as the Vercel AI SDK writes one."""

    messages: UIMessages
    model: str = next(iter(MODELS))
    think: bool = False


@asynccontextmanager
async def running(app: FastAPI) -> AsyncGenerator[dict[str, Any], None]:
    """Own the client, and the emulator where there is no key."""
    async with AsyncExitStack() as stack:
        if os.environ.get("OPENROUTER_API_KEY"):
            yield await stack.enter_async_context(lifespan()(app))
            return
        emulator = await stack.enter_async_context(Emulator(pace=0.05))
        own = lifespan(lambda: OpenRouter("sk-emulated", base_url=emulator.base_url))
        yield await stack.enter_async_context(own(app))


app = FastAPI(lifespan=running, exception_handlers={OpenRouterError: error_response})


@app.post("/chat", response_class=RelayResponse)
async def chat(question: Question, client: Client) -> RelayResponse:
    """Answer, word by word."""
    if question.model not in MODELS:
        question.model = next(iter(MODELS))
    stream = client.stream(
        question.messages,
        model=question.model,
        modalities=["image", "text"] if question.model.endswith("-image") else ["text"],
        reasoning={"effort": "low"} if question.think else {"enabled": False},
    )
    return relay(stream, protocol="ai-sdk")


@app.get("/cost/{generation}")
async def cost(generation: Generation, client: Client) -> dict[str, float | None]:
    """Tell what an answer cost that was stopped, once OpenRouter has reckoned it up."""
    record = await client.generations.get(generation, wait=20)
    return {"cost": record.cost}


@app.get("/about")
def about() -> dict[str, Any]:
    """Tell the page which models it offers, and whether they are real."""
    return {"models": MODELS, "emulated": not os.environ.get("OPENROUTER_API_KEY")}


@app.get("/")
def page() -> Response:
    """Give the page."""
    return FileResponse(PAGE / "index.html", headers={"content-security-policy": POLICY})


app.mount("/page", StaticFiles(directory=PAGE))


def main() -> None:
    """Serve the page on this machine."""
    parser = argparse.ArgumentParser(prog="chat_app", description="A chat in the browser.")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    port: int = parser.parse_args().port
    with socket.create_server(("127.0.0.1", port)) as listening:
        print(f"Open http://127.0.0.1:{listening.getsockname()[1]}/", flush=True)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        server.run([listening])


if __name__ == "__main__":
    main()
