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

import msgspec
from msgspec import field

from ._sniff import dimensions, image_type
from ._struct import KeptStruct, WireStruct

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
_UNKNOWN: Final = "application/octet-stream"
_HEAD: Final = 2**15
"""Base64 characters in which a header is looked for before the whole image is decoded."""

_STEP: Final = 4 * 2**18
"""Base64 characters decoded at a time: a large image is never held as one more string."""


class ImageURL(KeptStruct):
    """Where an image is: a ``data:`` URL that holds it, or an http(s) URL."""

    url: str = ""
    detail: str | None = None


class Image(KeptStruct):  # noqa: PLW1641 - no struct that can change has a hash
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
            return image_type(self.bytes) or _UNKNOWN
        return _UNKNOWN

    @property
    def width(self) -> int | None:
        """Width in pixels, from the file's header; None where that is not known."""
        size = self._dimensions()
        return size[0] if size is not None else None

    @property
    def height(self) -> int | None:
        """Height in pixels, from the file's header; None where that is not known."""
        size = self._dimensions()
        return size[1] if size is not None else None

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the image to a file, choosing the suffix where `path` has none.

        Args:
            path: Where to write.
            overwrite: Replace a file that is there.

        Returns:
            The path that was written.

        Raises:
            FileExistsError: There is such a file already.
            ValueError: The image's bytes are not in the answer; see `bytes`.
            OSError: The file cannot be written.
        """
        target = Path(path)
        data = self.bytes
        if not target.suffix:
            target = target.with_name(target.name + self.suffix)
        with target.open("wb" if overwrite else "xb") as file:
            file.write(data)
        return target

    async def save_async(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the image to a file as `save` does, without holding up the event loop.

        >>> async def example(image: Image) -> None:
        ...     print(await image.save_async("fox"))
        """
        from .._threads import in_thread

        return await in_thread(self.save, path, overwrite=overwrite)

    @property
    def suffix(self) -> str:
        """What a file of this kind is called at its end, such as ``.png``."""
        # What it is rather than what it says of itself.
        return _SUFFIXES.get(image_type(self.bytes) or self.media_type, ".bin")

    def _dimensions(self) -> tuple[int, int] | None:
        if self._decoded is None and self.url.startswith("data:"):
            head = _decode_head(self.url)
            size = dimensions(head) if head is not None else None
            if size is not None:
                return size
        return dimensions(self.bytes) if self.url.startswith("data:") else None

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Show the image in a notebook."""
        if not self.url.startswith("data:"):
            return {"text/plain": f"Image(url={self.url!r})"}
        if self.media_type == "image/svg+xml":
            return {"image/svg+xml": self.bytes.decode("utf-8", "replace")}
        return {self.media_type: self.bytes}

    def __eq__(self, other: object) -> bool:
        # Having been looked at makes no image another one.
        if not isinstance(other, Image):
            return NotImplemented
        said = (self.type, self.image_url, self.index, self.extra)
        return said == (other.type, other.image_url, other.index, other.extra)

    def __repr__(self) -> str:
        # Megabytes of base64 help nobody who prints a chunk.
        shown = self.url if len(self.url) <= 80 else f"{self.url[:60]}... ({len(self.url):,})"
        return f"Image(url={shown!r})"


class AudioDelta(WireStruct):
    """A piece of spoken answer: base64 in the format that was asked for, and its words.

    `expires_at` is when the audio's id stops being valid, in seconds since the epoch.
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
        # Strict, as nothing that is no base64 may be skipped, and five times as fast as binascii.
        for start in range(comma + 1, len(url), _STEP):
            output.write(msgspec.convert(url[start : start + _STEP], bytes))
    except msgspec.ValidationError as error:
        try:
            return _decode_untidy(url[comma + 1 :])
        except ValueError:
            raise ValueError(f"the image's data URL is broken: {error}") from None
    return output.getvalue()


def _decode_head(url: str) -> bytes | None:
    """Decode the first bytes of a data URL that is tidy base64; None for another."""
    comma = url.find(",")
    if comma < 0 or not url[:comma].lower().endswith(";base64"):
        return None
    text = url[comma + 1 : comma + 1 + _HEAD]
    try:
        return binascii.a2b_base64(text[: len(text) // 4 * 4], strict_mode=True)
    except ValueError:
        return None


def _decode_untidy(text: str) -> bytes:
    """Decode base64 with white space, percent signs, the URL alphabet or without padding."""
    text = "".join(unquote(text).split()).translate(_PLAIN_ALPHABET).rstrip("=")
    return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
