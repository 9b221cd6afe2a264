"""Speech: a stream of bytes in four spellings, its endings, and the file it becomes."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from openrouter_async import (
    Limits,
    OpenRouter,
    OpenRouterError,
    ProtocolError,
    RetryPolicy,
    StreamAPIError,
    StreamBrokenError,
    StreamTruncatedError,
    Timeouts,
    content,
)
from openrouter_async.errors import IdleTimeout, NotFoundError
from openrouter_async.testing import Cut, Emulator, Hold, Reply, Send, Stall, http_error, replay
from tests.quiet import KEY, assert_nothing_leased

if TYPE_CHECKING:
    from openrouter_async._byte_stream import ByteStream
    from openrouter_async.types.audio import Speech


MODEL = "openai/gpt-4o-mini-tts"
SOUND = bytes(range(256)) * 100
PCM = "audio/pcm;rate=16000;channels=2"


def sound(*steps: Any, content_type: str = PCM, framing: Any = "chunked") -> Reply:
    """An answer with sound, of these steps."""
    headers = (("Content-Type", content_type), ("X-Generation-Id", "gen-tts-1"))
    return Reply(headers=headers, steps=steps or (Send(SOUND),), framing=framing)


async def read_loop(stream: ByteStream[Speech]) -> bytes:
    """Read with the plain loop."""
    return b"".join([data async for data in stream])


async def read_block(stream: ByteStream[Speech]) -> bytes:
    """Read inside `async with`."""
    async with stream as entered:
        assert entered is stream
        assert stream.status == 200
        return b"".join([data async for data in entered])


async def read_await(stream: ByteStream[Speech]) -> bytes:
    """Await the stream."""
    return (await stream).bytes


async def read_by_hand(stream: ByteStream[Speech]) -> bytes:
    """Start, then step with `anext`."""
    assert await stream.start() is stream
    found = b""
    with contextlib.suppress(StopAsyncIteration):
        while True:
            found += await anext(stream)
    return found


@pytest.mark.parametrize("read", [read_loop, read_block, read_await, read_by_hand])
@pytest.mark.parametrize("size", [1_000, 25_600])
async def test_every_spelling_gives_every_byte(
    read: Any, size: int, emulator: Emulator, client: OpenRouter
) -> None:
    """The bytes are right however they come and however they are read."""
    emulator.play(sound(Send(SOUND, size)))
    stream = client.audio.speech("Hello", model=MODEL)
    assert await read(stream) == SOUND
    assert (stream.ending, stream.generation_id) == ("complete", "gen-tts-1")
    assert stream.received == len(SOUND)
    assert stream.timing.end is not None
    assert_nothing_leased(client)


async def test_what_is_asked_for_is_sent(emulator: Emulator, client: OpenRouter) -> None:
    """Every argument reaches the wire, in a fixed order, and what is not given does not."""
    voice = content.audio(b"RIFF\0\0\0\0WAVEfmt ", format="wav")
    await client.audio.speech(
        "Hello",
        model=MODEL,
        voice="alloy",
        response_format="mp3",
        speed=1.5,
        input_references=[voice, content.text("what is said")],
        provider={"options": {"openai": {"instructions": "Whisper."}}},
        extra_body={"newer": 1},
    )
    await client.audio.speech("Hi", model=MODEL)
    first, second = emulator.requests
    assert first.path == "/api/v1/audio/speech"
    assert list(first.json) == [
        *("model", "input", "voice", "response_format", "speed", "provider"),
        *("input_references", "newer"),
    ]
    assert first.json["input_references"] == [
        {
            "type": "input_audio",
            "input_audio": {"data": "UklGRgAAAABXQVZFZm10IA==", "format": "wav"},
        },
        {"type": "text", "text": "what is said"},
    ]
    assert second.body == b'{"model":"openai/gpt-4o-mini-tts","input":"Hi"}'
    assert "audio/*" in second.headers["Accept"]


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"input": ""}, ValueError, "input must have at least 1 character"),
        ({"input": 5}, TypeError, "input must be a str"),
        ({"model": ""}, ValueError, "model"),
        ({"speed": 0}, ValueError, "speed must be above 0"),
        ({"speed": "fast"}, TypeError, "speed must be a number"),
        ({"input_references": [object()]}, TypeError, "input_references cannot be sent"),
        ({"timeouts": 5}, TypeError, "timeouts"),
    ],
)
async def test_wrong_arguments_are_refused_at_the_call(
    arguments: dict[str, Any], kind: type[Exception], message: str, client: OpenRouter
) -> None:
    """A wrong argument raises before there is a stream, by its name."""
    given: dict[str, Any] = {"input": "Hello", "model": MODEL, **arguments}
    with pytest.raises(kind, match=message):
        _ = client.audio.speech(**given)


async def test_the_default_is_raw_and_is_saved_with_a_header(
    client: OpenRouter, tmp_path: Path
) -> None:
    """Without a format the API sends raw samples, which are saved as a WAV file."""
    speech = await client.audio.speech("Hello there", model=MODEL)
    assert (speech.format, speech.sample_rate, speech.channels) == ("pcm", 24_000, 1)
    assert (speech.generation_id or "").startswith("gen-tts-")
    with wave.open(str(await speech.save_async(tmp_path / "hello"))) as opened:
        assert opened.readframes(10**6) == speech.bytes


async def test_the_content_type_tells_how_fast_it_plays(
    emulator: Emulator, client: OpenRouter, tmp_path: Path
) -> None:
    """Rate and channels of raw samples are taken from the content type."""
    emulator.play(sound())
    speech = await client.audio.speech("Hello", model=MODEL)
    with wave.open(str(speech.save(tmp_path / "a.wav"))) as opened:
        assert (opened.getframerate(), opened.getnchannels()) == (16_000, 2)


@pytest.mark.parametrize(
    ("content_type", "asked_for", "name"),
    [
        ("audio/mpeg", None, "mp3"),
        ("audio/x-wav", "pcm", "wav"),
        ("application/octet-stream", "mp3", "mp3"),
        ("application/octet-stream", None, "pcm"),
        ("audio/pcm;rate=fast", None, "pcm"),
    ],
)
async def test_the_format_is_what_came(
    content_type: str, asked_for: str | None, name: str, emulator: Emulator, client: OpenRouter
) -> None:
    """The content type outweighs what was asked for, and where it says nothing that holds."""
    emulator.play(sound(content_type=content_type))
    speech = await client.audio.speech("Hello", model=MODEL, response_format=asked_for)
    assert speech.format == name
    assert speech.sample_rate == 24_000


async def test_bytes_come_while_it_is_spoken(emulator: Emulator, client: OpenRouter) -> None:
    """The first bytes are handed out before the last are there."""
    emulator.play(sound(Send(b"one"), Hold(), Send(b"two")))
    stream = client.audio.speech("Hello", model=MODEL)
    assert await anext(stream) == b"one"
    emulator.release()
    assert await anext(stream) == b"two"


@pytest.mark.parametrize("framing", ["chunked", "length"])
async def test_a_cut_in_the_middle(framing: Any, emulator: Emulator, client: OpenRouter) -> None:
    """A broken connection is a typed error; who awaited the whole finds what came on it."""
    cut = sound(Send(SOUND[:1000]), Cut(), Send(SOUND[1000:]), framing=framing)
    emulator.play(cut, cut)
    with pytest.raises(StreamBrokenError) as caught:
        await client.audio.speech("Hello", model=MODEL)
    error = caught.value
    assert error.partial_bytes == SOUND[:1000]
    assert (error.phase, error.billed, error.retryable) == ("body", "unknown", False)
    assert error.generation_id == "gen-tts-1"
    assert pickle.loads(pickle.dumps(error)).partial_bytes == SOUND[:1000]
    stream = client.audio.speech("Hello", model=MODEL)
    found = b""
    with pytest.raises(StreamBrokenError):
        async for data in stream:
            found += data
    assert found == SOUND[:1000]
    assert stream.ending == "broken"
    assert emulator.accepted == 2
    assert_nothing_leased(client)


async def test_an_empty_body_is_no_speech(emulator: Emulator, client: OpenRouter) -> None:
    """A success without a byte is an error."""
    emulator.play(replay(b"", content_type="audio/mpeg"))
    with pytest.raises(StreamTruncatedError, match="no file"):
        await client.audio.speech("Hello", model=MODEL)


async def test_leaving_early_closes_the_connection(emulator: Emulator, client: OpenRouter) -> None:
    """A loop that is left, a block that is left and a cancelled read all stop the server."""
    emulator.always(sound(Send(b"one"), Stall()))
    async for _ in client.audio.speech("Hello", model=MODEL):
        break
    async with client.audio.speech("Hello", model=MODEL) as stream:
        pass
    assert stream.ending == "left"
    task = asyncio.ensure_future(client.audio.speech("Hello", model=MODEL).collect())
    await emulator.wait_for(lambda: emulator.accepted == 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await emulator.wait_for(lambda: emulator.disconnects == 3)
    assert_nothing_leased(client)


async def test_silence_has_a_deadline(emulator: Emulator, client: OpenRouter) -> None:
    """Sound that stops coming runs into the same deadlines as an answer in text."""
    emulator.play(sound(Send(b"one"), Stall()))
    with pytest.raises(IdleTimeout) as caught:
        await client.audio.speech("Hello", model=MODEL, timeouts=Timeouts(idle=0.3))
    assert caught.value.partial_bytes == b"one"


@pytest.mark.parametrize(
    ("reply", "kind", "message"),
    [
        (http_error(404, "No such voice"), NotFoundError, "No such voice"),
        (replay(b'{"error":{"code":502,"message":"No voice"}}', content_type="application/json"),
         StreamAPIError, "No voice"),
        (replay(b'{"ok":true}', content_type="application/json"), ProtocolError, "expected a file"),
        (replay(b"<html>", content_type="text/html"), ProtocolError, "expected a file"),
        (replay(b"data: 1\n\n"), ProtocolError, "expected a file"),
    ],
)  # fmt: skip
async def test_what_is_no_speech_raises(
    reply: Reply, kind: type[OpenRouterError], message: str, emulator: Emulator
) -> None:
    """Errors with an error status, errors with 200, and bodies that are no file."""
    emulator.always(reply)
    no_retry = RetryPolicy(max_attempts=1)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=no_retry) as client:
        with pytest.raises(kind, match=message):
            await client.audio.speech("Hello", model=MODEL)
        assert_nothing_leased(client)


async def test_a_refusal_is_tried_again(emulator: Emulator) -> None:
    """What was refused before the first byte is sent again, as any request is."""
    emulator.play(http_error(503, "Busy"), sound())
    policy = RetryPolicy(first_delay=0.001)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=policy) as client:
        assert (await client.audio.speech("Hello", model=MODEL)).bytes == SOUND


async def test_what_is_gathered_is_bounded(emulator: Emulator) -> None:
    """Who awaits the whole is held to the limit of bodies that are read whole."""
    emulator.play(sound())
    limits = Limits(max_body_size=1000)
    async with OpenRouter(KEY, base_url=emulator.base_url, limits=limits) as client:
        with pytest.raises(ProtocolError, match="max_body_size"):
            await client.audio.speech("Hello", model=MODEL)
        assert_nothing_leased(client)


async def test_misuse(emulator: Emulator, client: OpenRouter) -> None:
    """A stream is read once, has no raw form of its own, and needs an open client."""
    emulator.always(sound())
    stream = client.audio.speech("Hello", model=MODEL)
    await stream
    with pytest.raises(RuntimeError, match="looped over once"):
        await stream
    with pytest.raises(TypeError, match="raw as it is"):
        stream.raw()
    stream = client.audio.speech("Hello", model=MODEL)
    assert await stream.start() is stream
    stream.close()
    with pytest.raises(RuntimeError, match="closed"):
        await stream
    await client.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        _ = client.audio.speech("Hello", model=MODEL)
