"""`client.stream_images` and `generate_images`: images over chat, each as it comes, each once."""

from __future__ import annotations

import asyncio
import base64
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from openrouter_async import Image, ImageResult, OpenRouter, content
from openrouter_async.errors import (
    ContentFilterError,
    LengthError,
    OutputError,
    RateLimitError,
    RefusalError,
    StreamBrokenError,
    StreamTruncatedError,
)
from openrouter_async.testing import Emulator, Hold, chat, error_chunk, http_error
from openrouter_async.types import ImageConfig, pixel_size
from tests.quiet import PNG, assert_nothing_leased, assert_serves, settled

ONE = b"\x89PNG\r\n\x1a\n" + b"one" * 50
TWO = b"\x89PNG\r\n\x1a\n" + b"two" * 50


def shown(data: bytes) -> dict[str, Any]:
    """Give an image as a delta carries it."""
    url = "data:image/png;base64," + base64.b64encode(data).decode()
    return {"type": "image_url", "image_url": {"url": url}}


def with_images(*images: dict[str, Any], text: str = "") -> dict[str, Any]:
    """Give a delta with several images."""
    return {"role": "assistant", "content": text, "images": list(images)}


async def test_the_four_spellings(emulator: Emulator, client: OpenRouter) -> None:
    """A loop, a block, an awaited stream and steps by hand give the same images."""
    emulator.always(chat("Here: ", images=[ONE, TWO]))
    assert [image.bytes async for image in client.stream_images("A fox")] == [ONE, TWO]
    async with client.stream_images("A fox") as stream:
        assert stream.status == 200
        assert [image.bytes async for image in stream] == [ONE, TWO]
    result = await client.stream_images("A fox")
    assert [image.bytes for image in result.images] == [ONE, TWO]
    stream = await client.stream_images("A fox").start()
    assert (await anext(stream)).bytes == ONE
    assert (await anext(stream)).bytes == TWO
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert stream.ending == "complete"
    assert_nothing_leased(client)


async def test_an_image_comes_when_its_event_is_complete(
    emulator: Emulator, client: OpenRouter
) -> None:
    """The first image is in the user's hands while the server still draws the second."""
    emulator.always(chat("Here: ", images=[ONE, TWO]).after(2, Hold()))
    stream = client.stream_images("Two foxes")
    loop = aiter(stream)
    assert (await anext(loop)).bytes == ONE
    assert stream.text == "Here: "
    assert stream.ending is None
    await emulator.wait_for(lambda: emulator.holding)
    emulator.release()
    assert (await anext(loop)).bytes == TWO


@pytest.mark.parametrize(
    ("deltas", "expected"),
    [
        pytest.param([with_images(shown(ONE), shown(TWO))], [ONE, TWO], id="two in one event"),
        pytest.param([with_images(shown(ONE))] * 2, [ONE], id="one, said twice"),
        pytest.param(
            [with_images(shown(ONE)), with_images(shown(ONE), shown(TWO))],
            [ONE, TWO],
            id="all so far, said anew",
        ),
        pytest.param(
            [with_images({**shown(ONE), "index": 0}), with_images({**shown(TWO), "index": 0})],
            [ONE, TWO],
            id="two with the same index",
        ),
        pytest.param(
            [with_images({**shown(ONE), "id": "x", "new": [1]}, text="new")],
            [ONE],
            id="keys that nobody knows",
        ),
        pytest.param(
            [with_images({"image_url": shown(ONE)["image_url"]})], [ONE], id="without a type"
        ),
    ],
)
async def test_images_over_chunks(
    deltas: list[dict[str, Any]], expected: list[bytes], emulator: Emulator, client: OpenRouter
) -> None:
    """However images are spread over events, each is given once, in order, by every way."""
    emulator.always(chat(*deltas))
    assert [image.bytes async for image in client.stream_images("A fox")] == expected
    result = await client.generate_images("A fox")
    assert [image.bytes for image in result.images] == expected
    items = [item async for item in client.stream_images("A fox").items()]
    assert [item.bytes for item in items if isinstance(item, Image)] == expected


@pytest.mark.parametrize("split", [1, 7, 100])
async def test_one_image_in_many_pieces_of_the_wire(
    split: int, emulator: Emulator, client: OpenRouter
) -> None:
    """An image whose event is torn into reads is one image, with the right bytes."""
    emulator.always(chat(images=[ONE, TWO]).split(split))
    assert [image.bytes async for image in client.stream_images("A fox")] == [ONE, TWO]


async def test_text_and_images_in_order(emulator: Emulator, client: OpenRouter) -> None:
    """`items` gives what a picture book is made of in the order in which it comes."""
    emulator.always(chat("Once ", with_images(shown(ONE), text="upon"), " a time", images=[TWO]))
    items = [item async for item in client.stream_images("A book").items()]
    assert [item if isinstance(item, str) else item.bytes for item in items] == [
        "Once ", "upon", ONE, " a time", TWO,
    ]  # fmt: skip


@pytest.mark.parametrize("with_text", [False, True])
async def test_leaving_closes_at_once(
    with_text: bool, emulator: Emulator, client: OpenRouter
) -> None:
    """A loop that is left by break closes the connection, though the stream is in a variable."""
    emulator.always(chat("Here: ", images=[ONE, TWO]).after(2, Hold()))
    stream = client.stream_images("Two foxes")
    async for item in stream.items() if with_text else aiter(stream):
        if isinstance(item, Image):
            break
    assert stream.ending == "left"
    await emulator.wait_for(lambda: emulator.disconnects)
    assert stream.partial is not None
    assert [image.bytes for image in stream.partial.images] == [ONE]
    with pytest.raises(RuntimeError, match="left"):
        await stream
    with pytest.raises(RuntimeError, match="looped over once"):
        aiter(stream)
    assert_nothing_leased(client)
    await assert_serves(client, emulator)


async def test_cancelling_closes_at_once(emulator: Emulator, client: OpenRouter) -> None:
    """A cancelled `generate_images` leaves no connection behind."""
    emulator.always(chat("Here: ", images=[ONE]).after(1, Hold()))
    task = asyncio.create_task(client.generate_images("A fox"))
    await emulator.wait_for(lambda: emulator.holding)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await emulator.wait_for(lambda: emulator.disconnects == 1)
    assert_nothing_leased(client)


async def test_a_second_loop_is_misuse(emulator: Emulator, client: OpenRouter) -> None:
    """A stream is looped over once."""
    emulator.always(chat(images=[ONE]))
    stream = client.stream_images("A fox")
    _ = [image async for image in stream]
    with pytest.raises(RuntimeError, match="looped over once"):
        stream.items()
    assert (await stream).image.bytes == ONE  # but what came can still be collected


async def test_what_is_known_of_the_answer(emulator: Emulator, client: OpenRouter) -> None:
    """Usage, cost, provider and the like are plain attributes, on the stream and the result."""
    emulator.always(chat("Here.", images=[ONE], model="g/draws", provider="G", cost=0.04))
    stream = client.stream_images("A fox")
    result = await stream
    assert (stream.cost, stream.model, stream.provider) == (0.04, "g/draws", "G")
    assert (result.cost, result.text) == (0.04, "Here.")
    assert stream.usage == result.usage == result.completion.usage
    assert result.completion == stream.partial
    assert stream.generation_id == result.completion.generation_id
    assert stream.headers["content-type"] == "text/event-stream"
    assert stream.timing.end is not None
    assert repr(result) == "ImageResult(1 images, 5 characters of text, cost=0.04)"
    assert pickle.loads(pickle.dumps(result)).image.bytes == ONE


async def test_what_is_sent(emulator: Emulator, client: OpenRouter) -> None:
    """The prompt stands before the references, and drawing keywords go into `image_config`."""
    emulator.always(chat(images=[ONE]))
    result = await client.generate_images("A fox", model="g/draws", seed=7)
    assert emulator.requests[-1].json == {
        "model": "g/draws",
        "messages": [{"role": "user", "content": "A fox"}],
        "stream": True,
        "seed": 7,
        "modalities": ["image", "text"],
    }
    await client.generate_images(
        "The same, by night",
        model="g/draws",
        images=[PNG, "https://a.b/c.png", result.image, content.image(PNG, detail="high")],
        aspect_ratio="16:9",
        image_size="2K",
        image_config=ImageConfig(style="ink", aspect_ratio="16:9"),
        modalities=["image"],
    )
    sent = emulator.requests[-1].json
    coded = {"url": shown(PNG)["image_url"]["url"]}
    assert sent["messages"][0]["content"] == [
        {"type": "text", "text": "The same, by night"},
        {"type": "image_url", "image_url": coded},
        {"type": "image_url", "image_url": {"url": "https://a.b/c.png"}},
        {"type": "image_url", "image_url": {"url": result.image.url}},
        {"type": "image_url", "image_url": {**coded, "detail": "high"}},
    ]
    assert sent["image_config"] == {"aspect_ratio": "16:9", "image_size": "2K", "style": "ink"}
    assert sent["modalities"] == ["image"]


async def test_a_file_as_reference(emulator: Emulator, client: OpenRouter, tmp_path: Path) -> None:
    """A path is read when the request is sent; one that is not there is said before that."""
    emulator.always(chat(images=[ONE]))
    path = tmp_path / "sketch.png"
    stream = client.stream_images("A fox", images=[path, str(path)])
    path.write_bytes(PNG)
    await stream
    sent = emulator.requests[-1].json["messages"][0]["content"]
    assert [part.get("image_url") for part in sent[1:]] == [shown(PNG)["image_url"]] * 2
    with pytest.raises(FileNotFoundError):
        await client.generate_images("A fox", images=[tmp_path / "none.png"])
    assert emulator.accepted == 1


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"prompt": ""}, ValueError, "prompt must not be empty"),
        ({"prompt": ["A fox"]}, TypeError, "prompt must be a str, got list"),
        ({"images": b"PNG"}, TypeError, "images must be a sequence of images, got bytes"),
        ({"images": "fox.png"}, TypeError, "images must be a sequence of images, got str"),
        ({"images": [3]}, TypeError, r"images\[0\]: source must be a path"),
        ({"images": [PNG, b""]}, ValueError, r"images\[1\]: source must hold the bytes"),
        ({"aspect_ratio": 1.5}, TypeError, "aspect_ratio must be a str, got float"),
        (
            {"aspect_ratio": "1:1", "image_config": {"aspect_ratio": "3:2"}},
            ValueError,
            "aspect_ratio and image_config.aspect_ratio contradict: '1:1' and '3:2'",
        ),
        ({"image_size": "1K", "image_config": 3}, TypeError, "image_config must be a mapping"),
        ({"modality": ["image"]}, TypeError, "did you mean 'modalities'"),
    ],
)
async def test_wrong_arguments_are_told_at_the_call(
    arguments: dict[str, Any], kind: type[Exception], words: str, client: OpenRouter
) -> None:
    """Before anything is sent or awaited, with the argument's name, by both methods alike."""
    for method in (client.stream_images, client.generate_images):
        call: Any = method
        with pytest.raises(kind, match=words):
            call(**{"prompt": "A fox", **arguments})


async def test_saving_all(emulator: Emulator, client: OpenRouter, tmp_path: Path) -> None:
    """The images of a result are saved with numbers, and replace nothing unless asked."""
    emulator.always(chat(images=[ONE, TWO]))
    result = await client.generate_images("Two foxes")
    paths = result.save(tmp_path)
    assert [path.name for path in paths] == ["image-1.png", "image-2.png"]
    assert [path.read_bytes() for path in paths] == [ONE, TWO]
    with pytest.raises(FileExistsError):
        await result.save_async(tmp_path)
    assert await result.save_async(tmp_path, overwrite=True) == paths
    assert (await result.save_async(tmp_path, name="fox"))[0].name == "fox-1.png"


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (chat("I cannot draw that."), OutputError, "no image came; the model says: I cannot draw"),
        (chat(), OutputError, "no image came; and the model says nothing about it"),
        (chat({"refusal": "I won't."}), RefusalError, "the model refused; the model says: I won't"),
        (chat("W" * 300, finish_reason="length"), LengthError, r"token limit; .*W{200}\.\.\.$"),
        (chat("", finish_reason="content_filter"), ContentFilterError, "a content filter ended"),
    ],
)
async def test_no_image_came(
    reply: Any, kind: type[OutputError], words: str, emulator: Emulator, client: OpenRouter,
    tmp_path: Path,
) -> None:  # fmt: skip
    """The result is there to be read; asking it for the image says why there is none."""
    emulator.always(reply)
    assert [image async for image in client.stream_images("A fox")] == []
    result = await client.generate_images("A fox")
    assert result.images == []
    for ask in (lambda: result.image, lambda: result.save(tmp_path)):
        with pytest.raises(kind, match=words) as info:
            ask()
        assert type(info.value) is kind
        assert info.value.text == result.text
        assert info.value.billed == "yes"
        assert info.value.usage == result.usage


async def test_failures_keep_what_came(emulator: Emulator, client: OpenRouter) -> None:
    """A stream that breaks, is cut or reports an error raises, with the image before it."""
    reply = chat(images=[ONE, TWO])
    failures = {
        reply.cut_after(1, plus_bytes=40): (StreamBrokenError, "broken"),
        reply.end_after(1): (StreamTruncatedError, "truncated"),
        reply.error_after(1, error_chunk(429, "slow down")): (RateLimitError, "error"),
    }
    for failing, (kind, ending) in failures.items():
        emulator.play(failing)
        stream = client.stream_images("Two foxes")
        found: list[bytes] = []
        with pytest.raises(kind) as info:
            async for image in stream:
                found.append(image.bytes)  # noqa: PERF401  (kept when it raises)
        assert found == [ONE]
        assert stream.ending == ending
        assert info.value.partial is not None
        assert [image.bytes for image in info.value.partial.images] == [ONE]
    emulator.play(http_error(429, "slow down"), reply)
    assert len((await client.generate_images("Two foxes")).images) == 2  # sent again
    await settled(lambda: client.stats().leased == 0)


async def test_the_emulator_draws_as_asked(emulator: Emulator, client: OpenRouter) -> None:
    """Width and height of the picture have the aspect ratio that was asked for."""
    for ratio in ("1:1", "16:9", "9:16", "3:2"):
        result = await client.generate_images("A fox", aspect_ratio=ratio)
        width, height = pixel_size(ratio) or (0, 0)
        assert result.image.width is not None
        assert result.image.height is not None
        assert result.image.width / result.image.height == pytest.approx(width / height, rel=0.05)
        assert result.usage is not None
        assert result.usage.image_tokens


def test_pixel_sizes_are_promised_for_few() -> None:
    """What nobody promises is None and no guess."""
    assert pixel_size() == (1024, 1024)
    assert pixel_size("21:9") == (1536, 672)
    assert pixel_size("1:1", "4K") is None
    assert pixel_size("7:5") is None


async def test_a_result_is_frozen(emulator: Emulator, client: OpenRouter) -> None:
    """It is a value; its JSON is that of the whole answer."""
    emulator.always(chat("Here.", images=[ONE]))
    result = await client.generate_images("A fox")
    assert isinstance(result, ImageResult)
    with pytest.raises(AttributeError):
        result.completion = result.completion  # type: ignore[misc]
    assert json.loads(result.completion.to_json())["choices"][0]["message"]["content"] == "Here."
