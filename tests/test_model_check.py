"""`client.models`: which there are, and whether one can do what is wanted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openrouter_async import OpenRouter
from openrouter_async.errors import NotFoundError, ProtocolError
from openrouter_async.testing import Emulator, replay


def found(value: object) -> Any:
    """Give an answer."""
    return replay(json.dumps(value).encode(), content_type="application/json")


async def test_models_by_what_they_make(emulator: Emulator, client: OpenRouter) -> None:
    """The filter goes to the API as it wants it, from a text or from a sequence."""
    models = await client.models.list(output_modalities=["text", "image"])
    assert [model.id for model in models] == ["google/gemini-2.5-flash-image"]
    assert emulator.requests[-1].query == {"output_modalities": "text,image"}
    assert models == await client.models.list(output_modalities="text,image")
    assert len(await client.models.list(output_modalities="all")) > 3
    assert await client.models.list(output_modalities=["video"]) == []


async def test_every_kind_of_filter(emulator: Emulator, client: OpenRouter) -> None:
    """Numbers, words and booleans, in the forms of the query."""
    await client.models.list(
        context=100_000, max_price=0.5, zdr=True, sort="newest", supported_parameters=["tools"]
    )
    assert emulator.requests[-1].query == {
        "context": "100000",
        "max_price": "0.5",
        "zdr": "true",
        "sort": "newest",
        "supported_parameters": "tools",
    }
    await client.models.list()
    assert emulator.requests[-1].query == {}
    wrong: Any = client.models.list
    with pytest.raises(TypeError, match="did you mean 'context'"):
        await wrong(contxt=3)
    with pytest.raises(TypeError, match="sort must be a str, got int"):
        await wrong(sort=3)
    emulator.play(found({"error": None}), path="/models")
    with pytest.raises(ProtocolError, match="no data"):
        await client.models.list()


async def test_a_model_that_can(emulator: Emulator, client: OpenRouter) -> None:
    """What can be done costs one small question."""
    model = await client.models.check(
        "google/gemini-2.5-flash-image", inputs=["text", "image"], outputs=["image"]
    )
    assert model.name == "Google: Gemini 2.5 Flash Image"
    assert [request.path for request in emulator.requests] == [
        "/api/v1/model/google/gemini-2.5-flash-image"
    ]
    assert await client.models.get("google/gemini-2.5-flash-image") == model


async def test_a_model_that_cannot(client: OpenRouter) -> None:
    """The error names what it can do, what was wanted, and models that can."""
    with pytest.raises(ValueError, match=r".") as info:
        await client.models.check("openai/gpt-4o-mini", outputs=["image"])
    assert str(info.value) == (
        "openai/gpt-4o-mini takes text, image and file and makes text, and you want image made; "
        "google/gemini-2.5-flash-image can"
    )
    with pytest.raises(ValueError, match=r"audio and video taken; google/gemini-2.5-flash can$"):
        await client.models.check("openai/gpt-4o-mini", inputs=["audio", "video"])
    with pytest.raises(ValueError, match=r"and you want text taken and rerank made$"):
        await client.models.check("openai/gpt-4o-mini", inputs=["text"], outputs=["rerank"])


async def test_a_model_of_which_nothing_is_said(emulator: Emulator, client: OpenRouter) -> None:
    """Nothing is refused on a guess, and an unknown slug is an error of the API."""
    emulator.play(found({"data": {"id": "a/b"}}), path="/model/a/b")
    assert (await client.models.check("a/b", outputs=["image"])).id == "a/b"
    emulator.play(found({}), path="/model/a/b")
    with pytest.raises(ProtocolError, match="no data"):
        await client.models.check("a/b", outputs=["image"])
    with pytest.raises(NotFoundError):
        await client.models.check("openai/no-such-model", outputs=["image"])
    with pytest.raises(ValueError, match="slug such as"):
        await client.models.get("gpt-4o")
    wrong: Any = client.models.check
    with pytest.raises(TypeError, match="outputs must be a sequence of words"):
        await wrong("a/b", outputs="image")
