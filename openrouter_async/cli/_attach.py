"""Files on the command line become parts of a message.

The rule of this file: a file is what its first bytes say, and text where they say nothing. A
file is looked at here, so that a wrong one is told of before anything is sent.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import click

from openrouter_async import content
from openrouter_async.cli._setup import checked
from openrouter_async.content import Attachment
from openrouter_async.types import AudioPart, FilePart, ImagePart, TextPart, VideoPart
from openrouter_async.types._sniff import HEAD, audio_format, image_type, is_pdf, video_type

__all__ = ["Part", "image_from", "part_from", "piped"]

Part: TypeAlias = Attachment | TextPart | ImagePart | FilePart | AudioPart | VideoPart
Make: TypeAlias = Callable[[str | Path | bytes], Part]

_URLS: Final = ("http://", "https://", "data:")
_VIDEO_SUFFIXES: Final = (".mp4", ".mpeg", ".mpg", ".mov", ".webm")
_VIDEO_HOSTS: Final = ("youtube.com", "www.youtube.com", "youtu.be")
_AUDIO_SUFFIXES: Final = (".wav", ".mp3", ".ogg", ".flac", ".m4a", ".aac", ".aiff")
_DECLARED: Final[dict[str, Make]] = {
    "application": content.pdf,
    "audio": content.audio,
    "video": content.video,
}
_UNKNOWN: Final = "is neither text nor an image, PDF, sound or video"
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def part_from(source: str) -> Part:
    """Make the part of a file or of a URL.

    Raises:
        UsageError: There is no such file, it cannot be read, or nobody knows what it is.
    """
    if source.startswith(_URLS):
        return _part_at(source)
    path = Path(source)
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            kind = _kind_of(head)
            if kind is not None:
                return kind(path)
            text = _text_in(head + file.read())
    except OSError as error:
        raise click.UsageError(f"cannot read {source}: {error.strerror}") from error
    if text is None or not head:
        what = "is empty" if not head else _UNKNOWN
        raise click.UsageError(f"{source} {what}")
    return content.text(f"{path.name}:\n\n{text}")


def image_from(source: str) -> str | Path:
    """Give where an image to begin from is, once it is known to be one.

    Raises:
        UsageError: There is no such file, it cannot be read, or it is no image.
    """
    if source.startswith(_URLS):
        with checked():
            urlsplit(source)
        return source
    try:
        with Path(source).open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise click.UsageError(f"cannot read {source}: {error.strerror}") from error
    if image_type(head) is None:
        raise click.UsageError(f"{source} is not an image, by its first bytes")
    return Path(source)


def piped(data: bytes) -> Part | str:
    """Make of what came through a pipe a part, or plain text.

    Raises:
        UsageError: Nobody knows what it is. Single bytes that are no UTF-8 are no reason: a log
            can hold some.
    """
    kind = _kind_of(data[:HEAD])
    if kind is not None:
        return kind(data)
    text = _text_in(data)
    if text is None and b"\0" in data:
        raise click.UsageError(f"what is piped in {_UNKNOWN}")
    return data.decode("utf-8", "replace") if text is None else text


def _kind_of(head: bytes) -> Make | None:
    if head.startswith(_UTF_16):  # a mark that passes for the start of an MP3
        return None
    if image_type(head) is not None:
        return content.image
    if is_pdf(head):
        return content.pdf
    if audio_format(head) is not None:
        return content.audio
    return content.video if video_type(head) is not None else None


def _text_in(data: bytes) -> str | None:
    try:
        text = data.decode("utf-16" if data.startswith(_UTF_16) else "utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _part_at(url: str) -> Part:
    """Make the part of a URL, of which only the name tells what is there."""
    with checked():
        parts = urlsplit(url)
        name = parts.path.lower()
        if url.startswith("data:"):
            declared = url[5:].partition("/")[0]
            return _DECLARED.get(declared, content.image)(url)
        if name.endswith(".pdf"):
            return content.pdf(url)
        if name.endswith(_AUDIO_SUFFIXES):
            return content.audio(url)
        if name.endswith(_VIDEO_SUFFIXES) or parts.hostname in _VIDEO_HOSTS:
            return content.video(url)
        return content.image(url)
