"""Images and sound inside an answer.

What may live here: the wire structs of media and what one can read off them. Nothing here
fetches a URL.
"""

from __future__ import annotations

import binascii
from io import BytesIO
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import unquote, unquote_to_bytes

from msgspec import field

from ._struct import KeptStruct, WireStruct

__all__ = ["AudioDelta", "Image", "ImageURL"]

_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"<svg", "image/svg+xml"),
    (b"<?xml", "image/svg+xml"),
)
_SUFFIXES: Final = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/jpg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/bmp": ".bmp",
    "image/avif": ".avif",
    "image/svg+xml": ".svg",
}
_Bytes: TypeAlias = bytes
"""`Image.bytes` hides the built-in name where the annotations of `Image` are read."""

_PLAIN_ALPHABET: Final = str.maketrans("-_", "+/")
_STEP: Final = 4 * 2**18
"""Base64 characters decoded at a time: a large image is never held as one more string."""


class ImageURL(KeptStruct):
    """Where an image is: a ``data:`` URL that holds it, or an http(s) URL."""

    url: str = ""
    detail: str | None = None


class Image(KeptStruct):
    """One image of an answer.

    ``image_url.url`` is nearly always a ``data:`` URL, so the bytes are already here; they are
    decoded when they are first asked for. Source: facts of recorded streams, where the API's
    published description has no such field.

    >>> pixel = Image(image_url=ImageURL(url="data:image/gif;base64,R0lGODlhAQABAAAAACw="))
    >>> pixel.media_type, len(pixel.bytes)
    ('image/gif', 14)
    """

    type: str = "image_url"
    image_url: ImageURL = field(default_factory=ImageURL)
    index: int | None = None
    _decoded: _Bytes | None = field(default=None, name="(decoded)")

    @property
    def url(self) -> str:
        """The image's URL as it came."""
        return self.image_url.url

    @property
    def bytes(self) -> _Bytes:
        """The image file's bytes.

        Raises:
            ValueError: The URL is not a ``data:`` URL (fetch `.url` yourself), or is broken.
        """
        if self._decoded is None:
            self._decoded = _decode_data_url(self.url)
        return self._decoded

    @property
    def media_type(self) -> str:
        """The media type, from the data URL or else from the first bytes."""
        if self.url.startswith("data:"):
            declared = self.url[5:200].partition(",")[0].partition(";")[0].strip().lower()
            if "/" in declared:
                return declared
            return _sniff(self.bytes)
        return "application/octet-stream"

    def save(self, path: str | Path) -> Path:
        """Write the image to a file, choosing the suffix where `path` has none.

        Args:
            path: Where to write; an existing file is replaced.

        Returns:
            The path that was written.

        Raises:
            ValueError: The image's bytes are not in the answer; see `bytes`.
            OSError: The file cannot be written.
        """
        target = Path(path)
        if not target.suffix:
            suffix = _SUFFIXES.get(self.media_type) or _SUFFIXES.get(_sniff(self.bytes), ".bin")
            target = target.with_name(target.name + suffix)
        target.write_bytes(self.bytes)
        return target

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Show the image in a notebook."""
        if not self.url.startswith("data:"):
            return {"text/plain": f"Image(url={self.url!r})"}
        if self.media_type == "image/svg+xml":
            return {"image/svg+xml": self.bytes.decode("utf-8", "replace")}
        return {self.media_type: self.bytes}

    def __repr__(self) -> str:
        # Megabytes of base64 help nobody who prints a chunk.
        shown = self.url if len(self.url) <= 80 else f"{self.url[:60]}... ({len(self.url):,})"
        return f"Image(url={shown!r})"


class AudioDelta(WireStruct):
    """A piece of spoken answer.

    Attributes:
        data: Base64 of the audio, in the format that was asked for.
        transcript: The words of this piece.
        expires_at: When the audio's id stops being valid, in seconds since the epoch.
    """

    id: str | None = None
    data: str | None = None
    transcript: str | None = None
    expires_at: int | None = None
    format: str | None = None


def _decode_data_url(url: str) -> bytes:
    if not url.startswith("data:"):
        raise ValueError(
            "the image's bytes are not in the answer, only its URL is; fetch image.url yourself"
        )
    comma = url.find(",")
    if comma < 0:
        raise ValueError("the image's data URL has no comma, so it holds no data")
    if not url[:comma].lower().endswith(";base64"):
        return unquote_to_bytes(url[comma + 1 :])
    output = BytesIO()
    try:
        # Strictly: else characters that are no base64 are skipped, and the bytes are wrong.
        for start in range(comma + 1, len(url), _STEP):
            output.write(binascii.a2b_base64(url[start : start + _STEP], strict_mode=True))
    except ValueError as error:
        try:
            return _decode_untidy(url[comma + 1 :])
        except ValueError:
            raise ValueError(f"the image's data URL is broken: {error}") from None
    return output.getvalue()


def _decode_untidy(text: str) -> bytes:
    """Decode base64 with white space, percent signs, the URL alphabet or without padding."""
    text = "".join(unquote(text).split()).translate(_PLAIN_ALPHABET).rstrip("=")
    return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)


def _sniff(data: bytes) -> str:
    for magic, media_type in _MAGIC:
        if data.startswith(magic):
            return media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        return "image/avif"
    return "application/octet-stream"
