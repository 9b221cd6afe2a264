"""`client.images`: sketches, text and finished images, in a stream or in one piece."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from openrouter_async import ImageResult, OpenRouter
from openrouter_async.errors import (
    BadRequestError,
    NotFoundError,
    ProtocolError,
    RateLimitError,
    StreamAPIError,
    StreamTruncatedError,
)
from openrouter_async.testing import Emulator, Hold, Reply, Send, replay
from openrouter_async.types import ImageParams, ImageProviderRouting
from tests.quiet import KEY, PNG, assert_nothing_leased, assert_serves

ONE = b"\x89PNG\r\n\x1a\n" + b"one" * 50
TWO = b"\x89PNG\r\n\x1a\n" + b"two" * 50
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
USAGE = {"prompt_tokens": 16, "completion_tokens": 272, "total_tokens": 288, "cost": 0.011}
STREAMS = "openai/gpt-image-1"
DOES_NOT = "bytedance-seed/seedream-4.5"


def coded(data: bytes) -> str:
    """Give base64."""
    return base64.b64encode(data).decode()


def partial(data: bytes, index: int = 0) -> dict[str, Any]:
    """Give the event of a sketch."""
    kind = "image_generation.partial_image"
    return {"type": kind, "partial_image_index": index, "b64_json": coded(data)}


def completed(data: bytes, **fields: Any) -> dict[str, Any]:
    """Give the event of a finished image."""
    return {"type": "image_generation.completed", "b64_json": coded(data), **fields}


def piece(text: str, phase: str = "content") -> dict[str, Any]:
    """Give the event of a piece of text."""
    return {"type": "image_generation.text_chunk", "phase": phase, "text": text}


def events(*found: dict[str, Any] | bytes, done: bool = True) -> Reply:
    """Give the stream of some events."""
    data = [item if isinstance(item, bytes) else json.dumps(item).encode() for item in found]
    sent = [b"data: " + item + b"\n\n" for item in (*data, *([b"[DONE]"] if done else []))]
    return Reply(
        headers=(("Content-Type", "text/event-stream"), ("X-Generation-Id", "gen-img-1")),
        steps=tuple(map(Send, sent)),
    )


def in_one_piece(*images: bytes, **fields: Any) -> Reply:
    """Give the answer of a provider that does not stream."""
    data = [{"b64_json": coded(image)} for image in images]
    body = {"created": 1748372400, "data": data, "usage": USAGE, **fields}
    return replay(json.dumps(body, indent=1).encode(), content_type="application/json")


async def test_sketches_and_the_finished_image(emulator: Emulator, client: OpenRouter) -> None:
    """Each event comes as it is, and the result holds what is finished."""
    emulator.always(
        events(partial(ONE), partial(ONE, 1), completed(TWO, usage=USAGE, created=1748372400))
    )
    stream = client.images.stream("A fox", model=STREAMS)
    found = [(e.type.rpartition(".")[2], e.is_partial, e.images[0].bytes) async for e in stream]
    assert found == [
        ("partial_image", True, ONE),
        ("partial_image", True, ONE),
        ("completed", False, TWO),
    ]
    assert (stream.ending, stream.cost, stream.generation_id) == ("complete", 0.011, "gen-img-1")
    result = await client.images.stream("A fox", model=STREAMS)
    assert [image.bytes for image in result.images] == [TWO]
    assert (result.cost, result.completion.created) == (0.011, 1748372400)
    assert (result.completion.model, result.completion.id) == (STREAMS, "gen-img-1")
    images = client.images.stream("A fox", model=STREAMS).images()
    assert [image.bytes async for image in images] == [TWO]


async def test_several_images(emulator: Emulator, client: OpenRouter) -> None:
    """One event each; one that is said twice is one."""
    emulator.always(events(completed(ONE), completed(ONE), completed(TWO)))
    stream = client.images.stream("Two foxes", model=STREAMS, n=2)
    assert [image.bytes async for image in stream.images()] == [ONE, TWO]
    assert [image.bytes for image in (await stream).images] == [ONE, TWO]


async def test_a_drawing_comes_as_text_first(emulator: Emulator, client: OpenRouter) -> None:
    """The markup of an SVG is text; thoughts are no part of it."""
    reply = events(
        piece("a circle?", "reasoning"), piece("<svg "), piece("/>"), completed(SVG, usage=USAGE)
    )
    emulator.always(reply)
    found = [(e.text, e.phase) async for e in client.images.stream("A dot", model=STREAMS)]
    assert found[:3] == [("a circle?", "reasoning"), ("<svg ", "content"), ("/>", "content")]
    result = await client.images.stream("A dot", model=STREAMS, output_format="svg")
    assert (result.text, result.image.media_type) == ("<svg />", "image/svg+xml")
    assert result.image.bytes == SVG


@pytest.mark.parametrize("split", [None, 5])
async def test_a_provider_that_does_not_stream(
    split: int | None, emulator: Emulator, client: OpenRouter
) -> None:
    """Its answer in one piece is one event with all images, and a good end."""
    reply = in_one_piece(ONE, TWO)
    emulator.always(reply if split is None else reply.split(split))
    stream = client.images.stream("Two foxes", model=DOES_NOT)
    [event] = [event async for event in stream]
    assert [image.bytes for image in event.images] == [ONE, TWO]
    assert (stream.ending, stream.cost) == ("complete_no_sentinel", 0.011)
    result = await client.images.generate("Two foxes", model=DOES_NOT)
    assert [image.bytes for image in result.images] == [ONE, TWO]
    assert result.image.media_type == "image/png"
    assert_nothing_leased(client)


async def test_what_is_sent(emulator: Emulator, client: OpenRouter) -> None:
    """The fields as the API names them, in an order that stays, references among them."""
    emulator.always(in_one_piece(ONE))
    result = await client.images.generate(
        "A fox",
        model=DOES_NOT,
        input_references=[PNG, "https://a.b/c.png"],
        provider=ImageProviderRouting(only=["seed"], options={"seed": {"steps": 4}}),
        seed=7,
        n=2,
        resolution="2K",
        aspect_ratio="16:9",
        quality="high",
        background="opaque",
        output_format="webp",
        output_compression=80,
        extra_body={"newer": 1},
        extra_headers={"X-Mine": "1"},
    )
    request = emulator.requests[-1]
    assert request.path.endswith("/images")
    assert request.headers["X-Mine"] == "1"
    expected = {
        "model": DOES_NOT,
        "prompt": "A fox",
        "stream": False,
        "input_references": [
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{coded(PNG)}"}},
            {"type": "image_url", "image_url": {"url": "https://a.b/c.png"}},
        ],
        "n": 2,
        "resolution": "2K",
        "aspect_ratio": "16:9",
        "quality": "high",
        "output_format": "webp",
        "background": "opaque",
        "output_compression": 80,
        "seed": 7,
        "provider": {"only": ["seed"], "options": {"seed": {"steps": 4}}},
        "newer": 1,
    }
    assert request.json == expected
    assert list(request.json) == list(expected)
    await client.images.stream("A fox", model=DOES_NOT, input_references=result.images)
    assert emulator.requests[-1].json == {
        "model": DOES_NOT,
        "prompt": "A fox",
        "stream": True,
        "input_references": [{"type": "image_url", "image_url": {"url": result.image.url}}],
    }


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"prompt": " "}, ValueError, "prompt must not be empty"),
        ({"model": None}, ValueError, "model must be given"),
        ({"model": 3}, TypeError, "model must be"),
        ({"n": 11}, ValueError, "n must be between 1 and 10, got 11"),
        ({"n": "2"}, TypeError, "n must be an int"),
        ({"output_compression": 101}, ValueError, "output_compression must be between 0 and 100"),
        ({"input_references": PNG}, TypeError, "input_references must be a sequence of images"),
        ({"input_references": [PNG] * 17}, ValueError, "at most 16 images, got 17"),
        ({"provider": {"olny": ["a"]}}, TypeError, r"provider\.olny; did you mean 'only'"),
        ({"aspekt_ratio": "1:1"}, TypeError, "did you mean 'aspect_ratio'"),
        ({"prompt": "lone \ud800"}, ValueError, "prompt holds a lone surrogate"),
        ({"timeouts": 3}, TypeError, "timeouts must be"),
    ],
)
async def test_wrong_arguments_are_told_at_the_call(
    arguments: dict[str, Any], kind: type[Exception], words: str, client: OpenRouter
) -> None:
    """Before anything is sent or awaited, by both methods alike."""
    for method in (client.images.stream, client.images.generate):
        call: Any = method
        with pytest.raises(kind, match=words):
            call(**{"prompt": "A fox", "model": "a/b", **arguments})


async def test_the_clients_model_is_the_default(emulator: Emulator) -> None:
    """A model that the client was given need not be said again."""
    emulator.always(in_one_piece(ONE))
    async with OpenRouter(KEY, base_url=emulator.base_url, model="a/b") as client:
        await client.images.generate("A fox")
    assert emulator.requests[-1].json["model"] == "a/b"


async def test_an_error_inside_the_stream(emulator: Emulator, client: OpenRouter) -> None:
    """It raises as the class of its kind, with the finished images; before any it is tried again."""
    error = {"type": "error", "error": {"message": "slow down", "code": "rate_limit_exceeded"}}
    emulator.always(events(partial(ONE), completed(ONE, usage=USAGE), error))
    stream = client.images.stream("A fox", model=STREAMS)
    with pytest.raises(RateLimitError, match="slow down") as info:
        await stream
    assert isinstance(info.value, StreamAPIError)
    assert (stream.ending, info.value.billed, info.value.phase) == ("error", "yes", "body")
    assert info.value.partial is not None
    assert [image.bytes for image in info.value.partial.images] == [ONE]
    assert emulator.accepted == 1
    emulator.play(events(error), events(completed(TWO)))
    emulator.always(None)
    assert (await client.images.stream("A fox", model=STREAMS)).image.bytes == TWO
    assert_nothing_leased(client)


async def test_bodies_that_are_no_answer(emulator: Emulator, client: OpenRouter) -> None:
    """An error in a 200, JSON of another kind and nonsense each say what they are."""
    emulator.play(
        replay(
            b'{"error": {"code": 400, "message": "no such size"}}', content_type="application/json"
        ),
        replay(b'{"hello": 1}', content_type="application/json"),
        replay(b"<html>", content_type="text/html"),
        events(b"nonsense"),
        events(b'{"what": "ever"}'),
    )
    with pytest.raises(BadRequestError, match="no such size"):
        await client.images.generate("A fox", model=DOES_NOT)
    for words in ("hello", "<html>", "nonsense", "what"):
        with pytest.raises(ProtocolError, match=words):
            await client.images.stream("A fox", model=DOES_NOT)
    assert_nothing_leased(client)


async def test_events_that_nobody_knows_yet(emulator: Emulator, client: OpenRouter) -> None:
    """A new kind of event comes through with its name, and odd fields hide nothing."""
    odd = {**completed(ONE), "created": "soon", "partial_image_index": "1", "new": {"x": 1}}
    emulator.always(events({"type": "image_generation.upscaling", "step": 3}, b": alive", odd))
    found = [event async for event in client.images.stream("A fox", model=STREAMS)]
    assert [event.type.rpartition(".")[2] for event in found] == ["upscaling", "completed"]
    assert found[1].images[0].bytes == ONE


async def test_a_stream_that_is_cut(emulator: Emulator, client: OpenRouter) -> None:
    """Without a finished image and without the sentinel an end is no end."""
    emulator.play(
        events(partial(ONE), done=False), events(completed(ONE), done=False), events(partial(ONE))
    )
    with pytest.raises(StreamTruncatedError):
        await client.images.stream("A fox", model=STREAMS)
    stream = client.images.stream("A fox", model=STREAMS)
    assert (await stream).image.bytes == ONE
    assert stream.ending == "complete_no_sentinel"
    stream = client.images.stream("A fox", model=STREAMS)
    assert (await stream).images == []
    assert stream.ending == "complete_no_reason"


async def test_leaving_closes_at_once(emulator: Emulator, client: OpenRouter) -> None:
    """By break and by cancellation, and nothing is leased afterwards."""
    emulator.always(events(partial(ONE), completed(TWO)).after(1, Hold()))
    stream = client.images.stream("A fox", model=STREAMS)
    async for event in stream:
        assert event.is_partial
        break
    assert stream.ending == "left"
    await emulator.wait_for(lambda: emulator.disconnects == 1)
    with pytest.raises(RuntimeError, match="left"):
        await stream
    task = asyncio.create_task(client.images.stream("A fox", model=STREAMS).collect())
    await emulator.wait_for(lambda: emulator.holding)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await emulator.wait_for(lambda: emulator.disconnects == 2)
    assert_nothing_leased(client)
    await assert_serves(client, emulator)


async def test_the_emulator_draws(emulator: Emulator, client: OpenRouter) -> None:
    """A model that streams sends sketches; one that does not sends all at once; sizes are kept."""
    kinds = [event.type async for event in client.images.stream("A fox", model=STREAMS, n=2)]
    assert [kind.rpartition(".")[2] for kind in kinds] == ["partial_image", "completed"] * 2
    result = await client.images.generate("A fox", model=DOES_NOT, n=2, size="320x200")
    assert isinstance(result, ImageResult)
    assert [(image.width, image.height) for image in result.images] == [(320, 200)] * 2
    assert result.images[0].bytes != result.images[1].bytes
    assert result.cost == pytest.approx(0.08)
    again = await client.images.generate("A fox", model=DOES_NOT, n=2, size="320x200")
    assert [image.bytes for image in again.images] == [image.bytes for image in result.images]
    shown = await client.images.generate("A fox", model=DOES_NOT, input_references=[PNG])
    plain = await client.images.generate("A fox", model=DOES_NOT)
    assert shown.image.bytes != plain.image.bytes
    drawn = await client.images.stream("A dot", model=STREAMS, output_format="svg")
    assert drawn.image.bytes.decode() == drawn.text
    for wrong in ({"n": 9}, {"output_format": "jpeg"}, {"size": "1x1", "aspect_ratio": "16:9"}):
        options: dict[str, Any] = wrong
        with pytest.raises(BadRequestError):
            await client.images.generate("A fox", model=DOES_NOT, **options)
    with pytest.raises(BadRequestError, match="not an image model"):
        await client.images.generate("A fox", model="openai/gpt-4o-mini")


async def test_which_models_draw(client: OpenRouter) -> None:
    """Models and endpoints, with what they take and cost."""
    models = {model.id: model for model in await client.images.models()}
    assert models[STREAMS].supports_streaming
    assert not models[DOES_NOT].supports_streaming
    assert models[STREAMS].supported_parameters["n"].max == 10
    assert models[STREAMS].architecture.output_modalities == ["image"]
    [endpoint] = await client.images.endpoints(STREAMS)
    assert (endpoint.provider_slug, endpoint.pricing[0].cost_usd) == ("openai", 0.011)
    with pytest.raises(NotFoundError):
        await client.images.endpoints("nobody/knows")
    with pytest.raises(ValueError, match="slug such as"):
        await client.images.endpoints("seedream")


async def test_lists_that_are_none(emulator: Emulator, client: OpenRouter) -> None:
    """An answer without the list is no empty list."""
    for path, ask in (
        ("/images/models", client.images.models),
        ("/images/models/a/b/endpoints", lambda: client.images.endpoints("a/b")),
    ):
        for body in (b"{}", b"[]", b"<html>"):
            emulator.play(replay(body, content_type="application/json"), path=path)
            with pytest.raises(ProtocolError):
                await ask()


def test_the_keywords_are_those_of_the_description(shared: Path) -> None:
    """Every field that the API describes can be said, with every word that it lists."""
    description = json.loads((shared / "openrouter" / "openapi.json").read_bytes())
    schema = description["components"]["schemas"]["ImageGenerationRequest"]["properties"]
    named = {"model", "prompt", "stream", "input_references"}
    assert set(schema) <= {*ImageParams.__annotations__, *named}
    for name in ("aspect_ratio", "background", "output_format", "quality", "resolution"):
        written = str(ImageParams.__annotations__[name])
        assert [
            word
            for word in schema[name]["enum"]
            if f"{word!r}" not in written and f'"{word}"' not in written
        ] == []
