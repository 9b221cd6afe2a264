"""Transcriptions: a recording as JSON and as a form, its answer, and what is wrong with a file."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openrouter_async import OpenRouter, ProtocolError, RetryPolicy, StreamAPIError
from openrouter_async.testing import Emulator, http_error, replay
from openrouter_async.testing._tone import tone, wav
from tests.quiet import KEY, assert_nothing_leased

MODEL = "openai/whisper-1"
RECORDING = wav(tone("Hello there"))


def form_of(body: bytes, content_type: str) -> list[tuple[str, bytes]]:
    """The parts of a form, each with its head."""
    boundary = content_type.partition("boundary=")[2].encode()
    assert body.endswith(b"\r\n--" + boundary + b"--\r\n")
    parts = body.split(b"--" + boundary)[1:-1]
    heads = [part[2:-2].partition(b"\r\n\r\n") for part in parts]
    return [(head.decode(), value) for head, _, value in heads]


def a_path(folder: Path) -> Any:
    """A recording as a path."""
    path = folder / "talk.mp3"
    path.write_bytes(RECORDING)
    return path


SOURCES: dict[str, Callable[[Path], Any]] = {
    "path": a_path,
    "text of a path": lambda folder: str(a_path(folder)),
    "bytes": lambda _: RECORDING,
    "file": lambda _: io.BytesIO(RECORDING),
    "data URL": lambda _: "data:audio/x-wav;base64," + base64.b64encode(RECORDING).decode(),
}


@pytest.mark.parametrize("source", SOURCES)
async def test_a_recording_goes_as_json(
    source: str, emulator: Emulator, client: OpenRouter, tmp_path: Path
) -> None:
    """From every source it is plain base64, with the format that its first bytes tell."""
    heard = await client.audio.transcribe(SOURCES[source](tmp_path), model=MODEL)
    assert heard.text == f"A recording of {len(RECORDING)} bytes in wav."
    body = emulator.requests[0].json
    assert list(body) == ["model", "input_audio"]
    assert body["input_audio"] == {
        "data": base64.b64encode(RECORDING).decode(),
        "format": "wav",
    }


@pytest.mark.parametrize("source", SOURCES)
async def test_a_recording_goes_as_a_form(
    source: str, emulator: Emulator, client: OpenRouter, tmp_path: Path
) -> None:
    """From every source the very bytes are in the form, and its length is said before."""
    await client.audio.transcribe(SOURCES[source](tmp_path), model=MODEL, form="multipart")
    request = emulator.requests[0]
    assert request.headers["Content-Length"] == str(len(request.body))
    (head, value), (file_head, file) = form_of(request.body, request.headers["Content-Type"])
    assert (head, value) == ('Content-Disposition: form-data; name="model"', MODEL.encode())
    assert file == RECORDING
    name = "talk.mp3" if "path" in source else "recording.wav"
    assert f'name="file"; filename="{name}"\r\nContent-Type: audio/wav' in file_head


async def test_every_field_reaches_both_forms(emulator: Emulator, client: OpenRouter) -> None:
    """Every argument is sent, in a fixed order, and lists are repeated fields of a form."""
    asked: dict[str, Any] = {
        "model": MODEL,
        "language": "en",
        "temperature": 0.5,
        "response_format": "verbose_json",
        "timestamp_granularities": ["word", "segment"],
        "extra_body": {"newer": "x"},
    }
    await client.audio.transcribe(RECORDING, provider={"options": {}}, **asked)
    await client.audio.transcribe(RECORDING, form="multipart", **asked)
    as_json, as_form = emulator.requests
    assert list(as_json.json) == [
        *("model", "input_audio", "language", "temperature", "response_format"),
        *("timestamp_granularities", "provider", "newer"),
    ]
    parts = form_of(as_form.body, as_form.headers["Content-Type"])
    fields = [(re.findall('name="(.*?)"', head)[0], value.decode()) for head, value in parts[:-1]]
    assert fields == [
        ("model", MODEL),
        ("language", "en"),
        ("temperature", "0.5"),
        ("response_format", "verbose_json"),
        ("timestamp_granularities[]", "word"),
        ("timestamp_granularities[]", "segment"),
        ("newer", "x"),
    ]


async def test_a_file_name_cannot_write_headers(
    emulator: Emulator, client: OpenRouter, tmp_path: Path
) -> None:
    """Quotes and line breaks in a file's name are escaped, letters of any language are not."""
    path = tmp_path / 'ä"\r\nX-Evil: 1.wav'
    path.write_bytes(RECORDING)
    await client.audio.transcribe(path, model=MODEL, form="multipart")
    request = emulator.requests[0]
    head, file = form_of(request.body, request.headers["Content-Type"])[-1]
    assert 'filename="ä%22%0D%0AX-Evil: 1.wav"' in head
    assert file == RECORDING


async def test_the_answer_is_typed(client: OpenRouter) -> None:
    """Segments, words, usage and the id of the generation are there."""
    heard = await client.audio.transcribe(
        RECORDING,
        model=MODEL,
        language="de",
        response_format="verbose_json",
        timestamp_granularities=["word"],
    )
    assert (heard.task, heard.language) == ("transcribe", "de")
    assert heard.segments is not None
    assert heard.words is not None
    assert heard.segments[0].text == heard.text
    assert heard.words[-1].end == heard.duration
    assert heard.usage is not None
    assert heard.usage.seconds == heard.duration
    assert heard.cost == heard.usage.cost
    assert (heard.generation_id or "").startswith("gen-stt-")
    assert "generation_id" not in heard.to_dict()


async def test_odd_and_empty_answers(emulator: Emulator, client: OpenRouter) -> None:
    """Silence is an empty text; a field that does not fit spoils no other."""
    emulator.play(
        replay(b'{"text":""}', content_type="application/json"),
        replay(b'{"text":"Hi","usage":{"cost":"0.5"},"words":[7]}', content_type="application/json"),
    )  # fmt: skip
    assert (await client.audio.transcribe(RECORDING, model=MODEL)).text == ""
    heard = await client.audio.transcribe(RECORDING, model=MODEL)
    assert (heard.text, heard.cost, heard.words) == ("Hi", 0.5, [])


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b'{"error":{"code":402,"message":"No credit"}}', StreamAPIError, "No credit"),
        (b"<html>", ProtocolError, "no JSON"),
        (b"{}", ProtocolError, "has no text"),
    ],
)
async def test_a_success_that_is_none(
    body: bytes, kind: type[Exception], message: str, emulator: Emulator, client: OpenRouter
) -> None:
    """An error or nonsense with status 200 is a typed error."""
    emulator.play(replay(body, content_type="application/json"))
    with pytest.raises(kind, match=message):
        await client.audio.transcribe(RECORDING, model=MODEL)
    assert_nothing_leased(client)


@pytest.mark.parametrize("form", ["json", "multipart"])
async def test_a_retry_sends_the_whole_again(form: Any, emulator: Emulator) -> None:
    """A refused request is sent again with the same bytes, from the first one on."""
    emulator.play(http_error(503))
    policy = RetryPolicy(first_delay=0.001)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=policy) as client:
        heard = await client.audio.transcribe(io.BytesIO(RECORDING), model=MODEL, form=form)
    assert str(len(RECORDING)) in heard.text
    assert len({request.body for request in emulator.requests}) == 1
    assert emulator.accepted == 2


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"model": 5}, TypeError, "model must be a str"),
        ({"temperature": 2}, ValueError, "temperature must be between 0 and 1"),
        ({"response_format": "srt"}, ValueError, "'json' or 'verbose_json'"),
        ({"timestamp_granularities": ["word"]}, ValueError, "needs response_format"),
        ({"form": "xml"}, ValueError, "form must be"),
        ({"form": "multipart", "provider": {}}, ValueError, "no place in a form"),
        ({"file": "https://example.com/talk.mp3"}, ValueError, "takes no URL"),
        ({"file": b""}, ValueError, "empty"),
        ({"file": 5}, TypeError, "source must be a path"),
    ],
)
async def test_wrong_arguments_are_refused_at_the_call(
    arguments: dict[str, Any], kind: type[Exception], message: str, client: OpenRouter
) -> None:
    """A wrong argument raises before there is anything to await, by its name."""
    given: dict[str, Any] = {"file": RECORDING, "model": MODEL, **arguments}
    with pytest.raises(kind, match=message):
        _ = client.audio.transcribe(**given)


@pytest.mark.parametrize("form", ["json", "multipart"])
async def test_a_file_that_is_none_is_never_sent(
    form: Any, emulator: Emulator, client: OpenRouter, tmp_path: Path
) -> None:
    """A missing, empty or unknown file, and a folder, are told before anything is sent."""
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no sound")
    for name, kind in (
        ("missing.wav", FileNotFoundError),
        ("empty.wav", ValueError),
        ("text.wav", ValueError),
        ("", IsADirectoryError),
    ):
        with pytest.raises(kind):
            await client.audio.transcribe(tmp_path / name, model=MODEL, form=form)
    heard = await client.audio.transcribe(
        tmp_path / "text.wav", model=MODEL, form=form, format="webm"
    )
    assert "8 bytes" in heard.text
    assert emulator.accepted == 1


async def test_a_form_has_its_limit(emulator: Emulator, client: OpenRouter, tmp_path: Path) -> None:
    """More than 25 MB do not go as a form, which is said before anything is sent."""
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.write(RECORDING[:100])
        file.truncate(25_000_001)
    with pytest.raises(ValueError, match=r"25,000,001 bytes.*form='json'"):
        await client.audio.transcribe(path, model=MODEL, form="multipart")
    assert emulator.accepted == 0


SIZE = 10 * 2**20
SENDER = """
import asyncio, resource, sys
from openrouter_async import OpenRouter

async def main(base_url, small, large, form):
    async with OpenRouter("sk-or-v1-test-key", base_url=base_url) as client:
        await client.audio.transcribe(small, model="m", form=form)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await client.audio.transcribe(large, model="m", form=form)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("form", ["json", "multipart"])
def test_a_large_recording_takes_no_memory(form: str, tmp_path: Path) -> None:
    """Ten megabytes arrive byte for byte while the client's memory stays where it was."""
    small, large = tmp_path / "small.wav", tmp_path / "large.wav"
    block = hashlib.sha256(b"sound").digest() * 2**10
    small.write_bytes(RECORDING[:44] + block)
    large.write_bytes(RECORDING[:44] + block * (SIZE // len(block)))
    with Emulator.in_thread() as emulator:
        done = subprocess.run(
            [sys.executable, "-c", SENDER, emulator.base_url, str(small), str(large), form],
            cwd=Path(__file__).resolve().parent.parent,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        sent = emulator.requests[1]
    if form == "json":
        data = base64.b64decode(sent.json["input_audio"]["data"])
    else:
        data = form_of(sent.body, sent.headers["Content-Type"])[-1][1]
    assert data == large.read_bytes()
    assert int(done.stdout) < 8 * 1024, f"{int(done.stdout):,} KiB more"
