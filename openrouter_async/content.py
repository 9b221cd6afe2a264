"""Parts of messages from files, bytes and URLs.

The rule of this file: pure. It says which form a part has on the wire; a file is looked at when
the request is sent, off the loop, and read piece by piece while it is sent.

>>> message = {
...     "role": "user",
...     "content": [text("What is on this picture?"), image("cat.png")],
... }
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from io import TextIOBase
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, TypeAlias, cast
from urllib.parse import unquote_to_bytes

from msgspec import UNSET

from .types import (
    AudioPart,
    CacheControl,
    FileData,
    FilePart,
    ImagePart,
    ImageURL,
    InputAudio,
    TextPart,
    VideoPart,
    VideoURL,
)
from .types.attachment import Attachment, AttachmentKind, Source

__all__ = ["Attachment", "audio", "image", "pdf", "text", "video"]

Caching: TypeAlias = CacheControl | Mapping[str, Any] | None

_FORMATS: Final = {
    "mpeg": "mp3",
    "x-wav": "wav",
    "wave": "wav",
    "vorbis": "ogg",
    "mp4": "m4a",
    "x-m4a": "m4a",
    "x-aiff": "aiff",
    "x-flac": "flac",
}
"""What media types call what the API's formats call otherwise."""


def text(content: str, *, cache_control: Caching = None) -> TextPart:
    """Text; put it before images.

    Args:
        content: The text.
        cache_control: Where a provider's prompt cache may end a prefix.
    """
    if not isinstance(cast("object", content), str):
        raise TypeError(f"content must be a str, got {type(content).__name__}")
    return TextPart(text=content, cache_control=_given(cache_control))


def image(
    source: Source,
    *,
    detail: Literal["auto", "low", "high", "original"] | None = None,
    media_type: str | None = None,
    cache_control: Caching = None,
) -> ImagePart | Attachment:
    """Make the part of an image, PNG, JPEG, WebP or GIF as a rule.

    Args:
        source: A path, bytes, an open file, a ``data:`` URL or an http(s) URL.
        detail: How closely the model looks; what it does not know it takes for ``high``.
        media_type: Such as ``image/png``, where the file's first bytes do not tell.
        cache_control: Where a provider's prompt cache may end a prefix.

    Raises:
        TypeError: The source is of none of these kinds.
        ValueError: The source is empty, or a URL of another kind.
    """
    url = _url_in(source)
    if url is not None:
        shown = ImageURL(url=url, detail=detail)
        return ImagePart(image_url=shown, cache_control=_given(cache_control))
    return attachment_of(
        "image", source, media_type=media_type, detail=detail, cache_control=cache_control
    )


def pdf(
    source: Source, *, filename: str | None = None, cache_control: Caching = None
) -> FilePart | Attachment:
    """Make the part of a PDF, which works with every model: OpenRouter parses it where one cannot.

    Args:
        source: A path, bytes, an open file, a ``data:`` URL or an http(s) URL.
        filename: What the model is told of its name; by default the file's own.
        cache_control: Where a provider's prompt cache may end a prefix.

    Raises:
        TypeError: The source is of none of these kinds.
        ValueError: The source is empty, or a URL of another kind.
    """
    url = _url_in(source)
    if url is not None:
        is_data = url.startswith("data:")
        name = filename or ("document.pdf" if is_data else url.partition("?")[0].rpartition("/")[2])
        data = FileData(filename=name or "document.pdf", file_data=url)
        return FilePart(file=data, cache_control=_given(cache_control))
    return attachment_of("pdf", source, name=filename, cache_control=cache_control)


def audio(
    source: Source, *, format: str | None = None, cache_control: Caching = None
) -> AudioPart | Attachment:
    """Make the part of a recording; the API takes its bytes only, no URL of it.

    Args:
        source: A path, bytes, an open file or a ``data:`` URL.
        format: ``wav``, ``mp3``, ``aiff``, ``aac``, ``ogg``, ``flac``, ``m4a``, or ``pcm16`` and
            ``pcm24``, which no first byte tells.
        cache_control: Where a provider's prompt cache may end a prefix.

    Raises:
        TypeError: The source is of none of these kinds.
        ValueError: The source is empty or an http(s) URL.
    """
    url = _url_in(source)
    if url is None:
        return attachment_of("audio", source, media_type=format, cache_control=cache_control)
    if not url.startswith("data:"):
        raise ValueError("audio takes no URL: the API wants the recording's bytes; fetch it first")
    declared, data = _read_data_url(url)
    subtype = declared.partition("/")[2]
    known = format or _FORMATS.get(subtype, subtype)
    if not known:
        raise ValueError("the data URL does not say which format the audio has; give format=")
    recording = InputAudio(data=base64.b64encode(data).decode(), format=known)
    return AudioPart(input_audio=recording, cache_control=_given(cache_control))


def video(
    source: Source, *, media_type: str | None = None, cache_control: Caching = None
) -> VideoPart | Attachment:
    """Make the part of a video: MP4, MPEG, MOV or WebM.

    Args:
        source: A path, bytes, an open file, a ``data:`` URL or an http(s) URL. Which URLs are
            taken depends on the provider; Google AI Studio takes those of YouTube alone.
        media_type: Such as ``video/mp4``, where the file's first bytes do not tell.
        cache_control: Where a provider's prompt cache may end a prefix.

    Raises:
        TypeError: The source is of none of these kinds.
        ValueError: The source is empty, or a URL of another kind.
    """
    url = _url_in(source)
    if url is not None:
        return VideoPart(video_url=VideoURL(url=url), cache_control=_given(cache_control))
    return attachment_of("video", source, media_type=media_type, cache_control=cache_control)


def _given(cache_control: Caching) -> Any:
    return UNSET if cache_control is None else cache_control


def _url_in(source: object) -> str | None:
    """Give the URL that a source is; None for every other kind."""
    if not isinstance(source, str):
        return None
    start = source[:8].lower()
    if start.startswith(("http://", "https://", "data:")):
        return source
    if "://" in source[:32]:
        raise ValueError(f"source must be a path, or an http, https or data URL, got {source!r}")
    return None


def attachment_of(
    kind: AttachmentKind,
    source: object,
    *,
    name: str | None = None,
    **options: Any,
) -> Attachment:
    """Make the attachment of a source that is no URL; for the endpoint groups.

    Raises:
        TypeError: The source is of no kind that can be read.
        ValueError: The source is empty.
    """
    if isinstance(source, bytes | bytearray):
        if not source:
            raise ValueError(f"source must hold the bytes of the {kind}, and is empty")
        return Attachment(kind, bytes(source), name=name, **options)
    if isinstance(source, str | Path):
        if not str(source):
            raise ValueError("source must not be an empty path")
        path = Path(source)
        return Attachment(kind, path, name=name or path.name, **options)
    if isinstance(source, TextIOBase):
        raise TypeError("source is a file that was opened for text; open it with mode 'rb'")
    if not callable(getattr(source, "read", None)):
        raise TypeError(
            f"source must be a path, bytes, an open file or a URL, got {type(source).__name__}"
        )
    opened = cast("BinaryIO", source)
    given = getattr(opened, "name", None)
    own_name = Path(given).name if isinstance(given, str) else None
    start = opened.tell() if opened.seekable() else None
    return Attachment(kind, opened, name=name or own_name, start=start, **options)


def _read_data_url(url: str) -> tuple[str, bytes]:
    head, comma, data = url[5:].partition(",")
    if not comma:
        raise ValueError("the data URL has no comma, so it holds no data")
    declared, *parameters = head.lower().split(";")
    if "base64" not in parameters:
        return declared, unquote_to_bytes(data)
    try:
        return declared, base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ValueError(f"the data URL is broken: {error}") from None
