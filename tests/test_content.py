"""`content`: every source of a part reaches the form that the API asks for, or says what is wrong."""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openrouter_async import OpenRouter, content
from openrouter_async._upload import BodyWithFiles, encode_with_files
from openrouter_async.content import Attachment

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
JPEG = b"\xff\xd8\xff\xe0" + bytes(40)
PDF = b"%PDF-1.7\n" + bytes(40)
WAV = b"RIFF\x00\x00\x00\x00WAVEfmt " + bytes(20)
MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(30)
EPHEMERAL = {"type": "ephemeral"}


def b64(data: bytes) -> str:
    """Give plain base64."""
    return base64.b64encode(data).decode()


async def wire(part: object) -> Any:
    """Give a part as the server gets it."""
    body = encode_with_files({"part": _plain(part)})
    if not isinstance(body, BodyWithFiles):
        return json.loads(body)["part"]
    opened = await body.opened()
    sent = b"".join([piece async for piece in opened])
    assert len(sent) == opened.length
    return json.loads(sent)["part"]


def _plain(part: object) -> object:
    from openrouter_async.resources._messages import checked_messages

    if isinstance(part, Attachment):
        return part
    (message,) = checked_messages([{"role": "user", "content": [part]}])
    return message["content"][0]


# The forms.


@pytest.mark.parametrize("source", ["path", "str", "bytes", "file", "pipe"])
@pytest.mark.parametrize(
    ("make", "name", "data", "expected"),
    [
        pytest.param(
            content.image,
            "cat.dat",
            PNG,
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{b64(PNG)}"}},
            id="image",
        ),
        pytest.param(
            content.pdf,
            "report.dat",
            PDF,
            {
                "type": "file",
                "file": {
                    "filename": "report.dat",
                    "file_data": f"data:application/pdf;base64,{b64(PDF)}",
                },
            },
            id="pdf",
        ),
        pytest.param(
            content.audio,
            "voice.dat",
            WAV,
            {"type": "input_audio", "input_audio": {"data": b64(WAV), "format": "wav"}},
            id="audio",
        ),
        pytest.param(
            content.video,
            "film.dat",
            MP4,
            {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{b64(MP4)}"}},
            id="video",
        ),
    ],
)
async def test_a_file_of_any_source_takes_its_form(
    tmp_path: Path,
    make: Callable[[Any], object],
    name: str,
    data: bytes,
    expected: dict[str, Any],
    source: str,
) -> None:
    """The media type comes from the content, whatever the file is called."""
    path = tmp_path / name
    path.write_bytes(data)
    match source:
        case "path":
            part = make(path)
        case "str":
            part = make(str(path))
        case "bytes":
            part = make(data)
        case "file":
            opened = io.BytesIO(b"before" + data)
            opened.seek(6)
            part = make(opened)
        case _:
            part = make(_Pipe(data))
    if source not in ("path", "str") and "file" in expected:
        inner = {**expected["file"], "filename": "document.pdf"}
        expected = {**expected, "file": inner}
    assert await wire(part) == expected
    assert await wire(part) == expected  # a second attempt reads again


class _Pipe(io.RawIOBase):
    """Bytes that can be read once."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        data, self._data = self._data, b""
        return data


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (content.text("Hi"), {"type": "text", "text": "Hi"}),
        (
            content.text("Hi", cache_control=EPHEMERAL),
            {"type": "text", "text": "Hi", "cache_control": EPHEMERAL},
        ),
        (
            content.image("https://a.b/c.png", detail="low"),
            {"type": "image_url", "image_url": {"url": "https://a.b/c.png", "detail": "low"}},
        ),
        (
            content.image(f"data:image/png;base64,{b64(PNG)}"),
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{b64(PNG)}"}},
        ),
        (
            content.pdf("https://a.b/c/paper.pdf?x=1"),
            {
                "type": "file",
                "file": {"filename": "paper.pdf", "file_data": "https://a.b/c/paper.pdf?x=1"},
            },
        ),
        (
            content.audio(f"data:audio/mpeg;base64,{b64(WAV)}"),
            {"type": "input_audio", "input_audio": {"data": b64(WAV), "format": "mp3"}},
        ),
        (
            content.audio(b"\x00\x01", format="pcm16"),
            {"type": "input_audio", "input_audio": {"data": "AAE=", "format": "pcm16"}},
        ),
        (
            content.video("https://youtu.be/x"),
            {"type": "video_url", "video_url": {"url": "https://youtu.be/x"}},
        ),
        (
            content.image(JPEG, detail="high", cache_control=EPHEMERAL),
            {
                "type": "image_url",
                "image_url": {"url": f"data:image/jpeg;base64,{b64(JPEG)}", "detail": "high"},
                "cache_control": EPHEMERAL,
            },
        ),
        (
            content.pdf(PDF, filename="a.pdf"),
            {
                "type": "file",
                "file": {
                    "filename": "a.pdf",
                    "file_data": f"data:application/pdf;base64,{b64(PDF)}",
                },
            },
        ),
    ],
)
async def test_a_part_takes_the_form_of_its_source(part: object, expected: dict[str, Any]) -> None:
    """URLs go as they are, data URLs too, except that audio is plain base64."""
    assert await wire(part) == expected


@pytest.mark.parametrize(
    ("make", "data", "kind"),
    [
        (content.image, PNG, "image/png"),
        (content.image, JPEG, "image/jpeg"),
        (content.image, b"GIF89a" + bytes(9), "image/gif"),
        (content.image, b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (content.video, MP4, "video/mp4"),
        (content.video, b"\x00\x00\x00\x14ftypqt  " + bytes(9), "video/mov"),
        (content.video, b"\x1a\x45\xdf\xa3" + bytes(9), "video/webm"),
        (content.video, b"\x00\x00\x01\xba" + bytes(9), "video/mpeg"),
        (content.audio, WAV, "wav"),
        (content.audio, b"ID3\x04" + bytes(9), "mp3"),
        (content.audio, b"\xff\xfb\x90\x00" + bytes(9), "mp3"),
        (content.audio, b"\xff\xf1\x50\x80" + bytes(9), "aac"),
        (content.audio, b"fLaC" + bytes(9), "flac"),
        (content.audio, b"OggS" + bytes(9), "ogg"),
        (content.audio, b"\x00\x00\x00\x18ftypM4A " + bytes(9), "m4a"),
        (content.audio, b"FORM\x00\x00\x00\x00AIFFCOMM", "aiff"),
    ],
)
async def test_the_kind_comes_from_the_first_bytes(
    make: Callable[[Any], object], data: bytes, kind: str
) -> None:
    """Each known kind of file is told by its content."""
    sent = json.dumps(await wire(make(data)))
    assert f"data:{kind};base64," in sent or f'"format": "{kind}"' in sent


async def test_large_files_are_read_in_pieces(tmp_path: Path) -> None:
    """The base64 of the pieces is that of the whole, and no piece is large."""
    data = PNG + zlib.compress(bytes(range(256)) * 20_000, 0)[: 5 * 2**18 + 1]
    path = tmp_path / "large.png"
    path.write_bytes(data)
    body = encode_with_files({"part": content.image(path)})
    assert isinstance(body, BodyWithFiles)
    opened = await body.opened()
    pieces = [piece async for piece in opened]
    assert max(map(len, pieces)) <= 2**19
    url = json.loads(b"".join(pieces))["part"]["image_url"]["url"]
    assert base64.b64decode(url.partition(",")[2]) == data


async def test_several_files_keep_their_places() -> None:
    """Each file stands where its part stood, the same one twice too."""
    first, second = content.image(PNG), content.audio(WAV)
    body = encode_with_files({"a": [first, second, first], "b": "x"})
    assert isinstance(body, BodyWithFiles)
    sent = json.loads(b"".join([piece async for piece in await body.opened()]))
    kinds = [part["type"] for part in sent["a"]]
    assert kinds == ["image_url", "input_audio", "image_url"]
    assert sent["a"][0] == sent["a"][2]
    assert sent["b"] == "x"


# What is wrong is said.


@pytest.mark.parametrize(
    ("make", "data", "message"),
    [
        (content.image, b"x", "is not a known kind of image.*media_type="),
        (content.pdf, b"just some text", r"notes\.pdf is not a PDF"),
        (content.audio, b"x" * 40, "is not a known kind of audio.*format="),
        (content.audio, "Text".encode("utf-16"), "is not a known kind of audio"),
        (content.audio, b"\xff" * 40, "is not a known kind of audio"),
        (content.video, b"x" * 40, "is not a known kind of video"),
        (content.pdf, b"", r"notes\.pdf is empty"),
    ],
)
async def test_a_file_that_is_something_else_is_refused(
    tmp_path: Path, make: Callable[[Any], object], data: bytes, message: str
) -> None:
    """One byte, nothing, or text under a PDF's name: said with the file's name."""
    path = tmp_path / "notes.pdf"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        await wire(make(path))


async def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    """The system's own errors name the path."""
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        await wire(content.image(tmp_path / "gone.png"))
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        await wire(content.image(tmp_path))


async def test_a_file_that_shrinks_meanwhile_is_noticed(tmp_path: Path) -> None:
    """A body shorter than was promised would hang the request, so the sending fails."""
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    body = encode_with_files({"part": content.image(path)})
    assert isinstance(body, BodyWithFiles)
    opened = await body.opened()
    path.write_bytes(PNG[:20])
    with pytest.raises(ValueError, match=r"a\.png became shorter"):
        _ = [piece async for piece in opened]
    assert isinstance(opened.failure, ValueError)


@pytest.mark.parametrize(
    ("make", "source", "kind", "message"),
    [
        (content.image, b"", ValueError, "is empty"),
        (content.image, "", ValueError, "empty path"),
        (content.image, "ftp://a/b.png", ValueError, "http, https or data URL"),
        (content.image, 7, TypeError, "got int"),
        (content.image, io.StringIO("x"), TypeError, "mode 'rb'"),
        (content.audio, "https://a/b.mp3", ValueError, "takes no URL"),
        (content.audio, "data:audio/wav", ValueError, "no comma"),
        (content.audio, "data:audio/wav;base64,!!", ValueError, "broken"),
        (content.audio, "data:;base64,AAAA", ValueError, "format="),
        (content.text, 5, TypeError, "must be a str"),
    ],
)
def test_a_wrong_source_is_refused_at_the_call(
    make: Callable[[Any], object], source: object, kind: type[Exception], message: str
) -> None:
    """What can be seen without reading a file is said at once."""
    with pytest.raises(kind, match=message):
        make(source)


def test_an_attachment_shows_no_bytes() -> None:
    """Neither the part nor the body shows what is in the file."""
    part = content.image(PNG)
    body = encode_with_files({"text": "very private", "part": part})
    assert repr(part) == f"<image: {len(PNG)} bytes>"
    assert "PNG" not in repr(body)
    assert "private" not in repr(body)


@pytest.mark.parametrize(
    "picture",
    [
        content.image(PNG),
        content.image("https://a.b/c.png"),
        {"type": "image_url", "image_url": {}},
    ],
)
def test_images_before_the_text_are_warned_of(picture: Any) -> None:
    """The API advises the other order; the warning points at the line of the user's call."""
    client = OpenRouter("sk-or-v1-test-key", model="m")
    told = content.text("What is it?")
    with pytest.warns(UserWarning, match="put the text before the images") as caught:
        client.stream([{"role": "user", "content": [picture, told]}]).close()
    assert caught[0].filename == __file__
    client.stream([{"role": "user", "content": [told, picture, told]}]).close()
    client.stream([{"role": "user", "content": [picture]}]).close()
