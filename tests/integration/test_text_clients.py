"""The emulator's text endpoints serve the clients that people use today."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

import pytest

from openrouter_async.testing import Emulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MODEL = "openai/gpt-4o-mini"
VECTORS = "openai/text-embedding-3-small"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {"type": "function", "name": "weather", "parameters": CITY}


def library(name: str) -> Any:
    """Import a client; skip where it is not installed, unless it has to be."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        if os.environ.get("OPENROUTER_ASYNC_INTEGRATION"):
            raise
        pytest.skip(f"{name} is not installed")


@pytest.fixture
async def server() -> AsyncIterator[Emulator]:
    """An emulator."""
    async with Emulator() as emulator:
        yield emulator


async def test_openai_reads_responses_and_vectors(server: Emulator) -> None:
    """openai-python streams a response with a call, and reads texts and vectors."""
    openai = library("openai")
    async with openai.AsyncOpenAI(api_key="sk-test", base_url=server.base_url) as client:
        whole = await client.responses.create(input="Tell me about Ruby", model=MODEL)
        assert "Ruby" in whole.output_text
        asked = {"input": "Weather in Oslo?", "model": MODEL, "tools": [TOOL]}
        async with client.responses.stream(**asked) as stream:
            kinds = [event.type async for event in stream]
            final = await stream.get_final_response()
        assert kinds[0] == "response.created"
        assert kinds[-1] == "response.completed"
        assert final.output[0].arguments == '{"city":"Oslo"}'
        vectors = await client.embeddings.create(input=["a fox", "a hare"], model=VECTORS)
        assert [len(row.embedding) for row in vectors.data] == [256, 256]
        text = await client.completions.create(prompt="Once", model=MODEL)
        chunks = await client.completions.create(prompt="Once", model=MODEL, stream=True)
        pieces = [choice.text async for chunk in chunks for choice in chunk.choices]
        assert "".join(pieces) == text.choices[0].text


async def test_the_official_sdk_reads_responses_vectors_and_ranks(server: Emulator) -> None:
    """OpenRouter's own SDK finds every field that it demands."""
    openrouter = library("openrouter")
    async with openrouter.OpenRouter(api_key="sk-test", server_url=server.base_url) as client:
        whole = await client.beta.responses.send_async(input="Tell me about Ruby", model=MODEL)
        assert whole.status == "completed"
        stream = await client.beta.responses.send_async(
            input="Tell me about Ruby", model=MODEL, stream=True
        )
        kinds = [event.type async for event in stream]
        assert kinds[-1] == "response.completed"
        vectors = await client.embeddings.generate_async(input="a fox", model=VECTORS)
        assert len(vectors.data[0].embedding) == 256
        ranking = await client.rerank.rerank_async(
            query="a fox", documents=["a hare", "a fox"], model="cohere/rerank-v3.5"
        )
        assert ranking.results[0].index == 1
