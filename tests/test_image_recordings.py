"""Recorded images come out byte for byte, however the wire was cut."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
from pathlib import Path

import pytest

from openrouter_async import OpenRouter
from openrouter_async.testing import Emulator, replay

STREAM = (
    "openrouter_stream/pydantic-ai__test_openrouter__test_openrouter_image_generation_streaming.sse"
)
ANSWERS = "openrouter_json/ruby_llm__image_*.json"
CODED = re.compile(rb'(?:"b64_json": ?"|"url": ?"data:image/\w+;base64,)([A-Za-z0-9+/=]{100,})"')


def images_in(body: bytes) -> list[bytes]:
    """Find the images of a body without any of our code: by their base64."""
    return [base64.b64decode(coded, validate=True) for coded in CODED.findall(body)]


@pytest.mark.parametrize("split", [None, 997, "random"])
async def test_a_recorded_image_stream(
    split: int | str | None, shared: Path, emulator: Emulator, client: OpenRouter
) -> None:
    """The image of the stream, its text and its cost, whole and torn into pieces."""
    body = (shared / "recordings" / STREAM).read_bytes()
    [expected] = images_in(body)
    cuts = random.Random(4) if split == "random" else split
    emulator.always(replay(body, split=cuts))  # type: ignore[arg-type]
    stream = client.stream_images("A recorded prompt", model="google/gemini-2.5-flash-image")
    [image] = [image async for image in stream]
    assert hashlib.sha256(image.bytes).digest() == hashlib.sha256(expected).digest()
    assert (image.media_type, image.width, image.height) == ("image/png", 1024, 1024)
    assert stream.text == "Here you go: "
    assert (stream.cost, stream.ending) == (0.0387131, "complete")
    result = await client.generate_images("A recorded prompt")
    assert [image.bytes for image in result.images] == [expected]
    assert result.usage is not None
    assert result.usage.completion_tokens == 1295


async def test_recorded_answers_of_the_images_endpoint(
    shared: Path, emulator: Emulator, client: OpenRouter
) -> None:
    """Answers in one piece, asked for as such or where a stream was wanted."""
    found = 0
    for path in sorted((shared / "recordings").glob(ANSWERS)):
        body = path.read_bytes()
        answer = json.loads(body)
        if path.name.endswith(".meta.json") or "data" not in answer:
            continue
        found += 1
        expected = images_in(body)
        emulator.always(replay(body, content_type="application/json"))
        result = await client.images.generate("A recorded prompt", model="g/draws")
        assert [image.bytes for image in result.images] == expected
        assert [image.media_type for image in result.images] == [
            row["media_type"] for row in answer["data"]
        ]
        assert result.cost == answer["usage"]["cost"]
        assert result.image.width
        stream = client.images.stream("A recorded prompt", model="g/draws")
        assert [image.bytes async for image in stream.images()] == expected
    assert found
