"""Sound in a chat's answer: as it comes, whole, as a file, and what is no sound."""

from __future__ import annotations

import base64
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from openrouter_async import OpenRouter, ProtocolError, StreamTruncatedError
from openrouter_async.testing import Emulator, Reply, chat
from openrouter_async.types.audio import Speech

if TYPE_CHECKING:
    from collections.abc import Mapping

SOUND = bytes(range(256)) * 4
BASE64 = base64.b64encode(SOUND).decode()
VOICE: Mapping[str, Any] = {
    "modalities": ["text", "audio"],
    "audio": {"voice": "alloy", "format": "pcm16"},
    "model": "openai/gpt-audio",
}


def spoken(*pieces: str, transcript: str = "") -> Reply:
    """Sound in these pieces of base64, with words before it."""
    deltas = [{"audio": {"id": "audio_1", "data": piece}} for piece in pieces]
    words = [{"audio": {"id": "audio_1", "transcript": word}} for word in transcript.split()]
    return chat(*words, *deltas)


def cut(size: int) -> list[str]:
    """The sound's base64, cut every `size` characters."""
    return [BASE64[start : start + size] for start in range(0, len(BASE64), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 100, 4000])
async def test_base64_may_be_cut_anywhere(
    size: int, emulator: Emulator, client: OpenRouter
) -> None:
    """The bytes are right wherever the pieces of base64 end, in the loop and in the answer."""
    emulator.play(spoken(*cut(size)))
    stream = client.stream("Speak", **VOICE)
    assert b"".join([data async for data in stream.audio()]) == SOUND
    assert stream.partial is not None
    assert stream.partial.audio is not None
    assert stream.partial.audio.bytes == SOUND


async def test_pieces_that_are_whole_by_themselves(emulator: Emulator, client: OpenRouter) -> None:
    """Pieces that were encoded one by one have padding of their own."""
    pieces = [base64.b64encode(SOUND[at : at + 25]).decode() for at in range(0, 1024, 25)]
    emulator.play(spoken(*pieces))
    stream = client.stream("Speak", **VOICE)
    assert b"".join([data async for data in stream.audio()]) == SOUND
    assert stream.partial is not None
    assert stream.partial.audio is not None
    assert stream.partial.audio.bytes == SOUND


async def test_bytes_come_before_the_end(emulator: Emulator, client: OpenRouter) -> None:
    """What has come of the sound is handed out while the rest is still being spoken."""
    emulator.play(spoken(*cut(100)).hold_after(2))
    cursor = client.stream("Speak", **VOICE).audio()
    assert await anext(cursor) == SOUND[:75]
    assert emulator.requests[0].finished.is_set() is False
    emulator.release()
    assert b"".join([data async for data in cursor]) == SOUND[75:]


async def test_the_words_beside_the_sound(emulator: Emulator, client: OpenRouter) -> None:
    """The transcript grows with the loop, and is whole in the answer."""
    emulator.play(spoken(BASE64, transcript="How nice"))
    sound = client.stream("Speak", **VOICE).audio()
    async for _ in sound:
        assert sound.transcript == "Hownice"
    emulator.play(spoken(BASE64, transcript="How nice"))
    completion = await client.complete("Speak", **VOICE)
    assert completion.audio is not None
    assert completion.audio.transcript == "Hownice"
    assert completion.audio.generation_id == completion.id
    assert completion.text == ""


async def test_leaving_the_loop_closes_the_connection(
    emulator: Emulator, client: OpenRouter
) -> None:
    """A loop that is left early stops the server at once."""
    emulator.play(spoken(*cut(100)).hold_after(3))
    stream = client.stream("Speak", **VOICE)
    async for _ in stream.audio():
        break
    await emulator.requests[0].disconnected.wait()
    assert stream.ending == "left"


async def test_a_cut_answer_keeps_its_sound(emulator: Emulator, client: OpenRouter) -> None:
    """What had come of the sound is on the error, to the last whole group of base64."""
    emulator.play(spoken(*cut(101)).end_after(3))
    with pytest.raises(StreamTruncatedError) as caught:
        await client.complete("Speak", **VOICE)
    assert caught.value.partial is not None
    assert caught.value.partial.audio is not None
    assert caught.value.partial.audio.bytes == SOUND[: 300 * 3 // 4]


async def test_sound_that_is_no_base64(emulator: Emulator, client: OpenRouter) -> None:
    """Broken base64 is an error of the protocol in the loop, and of the value afterwards."""
    emulator.play(spoken("no base64!!!"), spoken("no base64!!!"))
    stream = client.stream("Speak", **VOICE)
    with pytest.raises(ProtocolError, match="no base64"):
        async for _ in stream.audio():
            pass
    completion = await client.complete("Speak", **VOICE)
    assert completion.audio is not None
    with pytest.raises(ValueError, match=r"base64|characters"):
        assert completion.audio.bytes


async def test_sound_needs_a_stream(client: OpenRouter, emulator: Emulator) -> None:
    """Asking for sound in one piece is refused at the call."""
    with pytest.raises(ValueError, match="transport='stream'"):
        _ = client.complete("Speak", transport="json", **VOICE)
    assert emulator.accepted == 0


async def test_an_answer_without_sound_has_none(client: OpenRouter) -> None:
    """An answer in text has no `audio`."""
    assert (await client.complete("Hi", model="openai/gpt-4o-mini")).audio is None


@pytest.mark.parametrize("name", ["pcm16", "wav", "mp3"])
async def test_the_pretend_model_speaks(name: str, client: OpenRouter, tmp_path: Path) -> None:
    """Without a script the emulator speaks, in the format that was asked for."""
    asked: dict[str, Any] = {**VOICE, "audio": {"voice": "alloy", "format": name}}
    completion = await client.complete("Hello there", **asked)
    assert completion.audio is not None
    assert completion.audio.format == name
    assert completion.audio.transcript
    saved = await completion.audio.save_async(tmp_path / "answer")
    assert saved.suffix == (".mp3" if name == "mp3" else ".wav")
    if name != "mp3":
        with wave.open(str(saved)) as opened:
            assert (opened.getframerate(), opened.getnchannels()) == (24_000, 1)
            assert opened.getnframes() > 0


def test_raw_samples_become_a_file(tmp_path: Path) -> None:
    """A `.wav` gets the header, another suffix keeps the samples raw, a half sample is left out."""
    speech = Speech(SOUND + b"\x01", "pcm16")
    assert speech.save(tmp_path / "a") == tmp_path / "a.wav"
    with wave.open(str(tmp_path / "a.wav")) as opened:
        assert opened.getparams()[:4] == (1, 2, 24_000, 512)
        assert opened.readframes(512) == SOUND
    assert (tmp_path / "a.wav").stat().st_size == 44 + len(SOUND)
    speech.save(tmp_path / "b.WAV", sample_rate=16_000)
    with wave.open(str(tmp_path / "b.WAV")) as opened:
        assert opened.getframerate() == 16_000
    assert speech.save(tmp_path / "c.pcm").read_bytes() == SOUND + b"\x01"


def test_saving_replaces_nothing_unasked(tmp_path: Path) -> None:
    """A file that is there stays unless it is to be overwritten."""
    speech = Speech(b"ID3 sound", "mp3")
    path = speech.save(tmp_path / "a")
    assert path.name == "a.mp3"
    with pytest.raises(FileExistsError):
        speech.save(tmp_path / "a")
    Speech(b"ID3 other", "mp3").save(tmp_path / "a", overwrite=True)
    assert path.read_bytes() == b"ID3 other"
    with pytest.raises(ValueError, match="mp3"):
        speech.wav()
    assert repr(speech) == "<Speech: mp3>"
