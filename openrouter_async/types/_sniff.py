"""What a file is, by its first bytes, and how large a picture is; a name may say anything.

What may live here: magic numbers of the kinds of files that the API takes and gives, and the few
fields of a picture's header that say width and height.
"""

from __future__ import annotations

from typing import Final

HEAD: Final = 1_024
"""How many first bytes tell what a file is."""

_IMAGES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"<svg", "image/svg+xml"),
    (b"<?xml", "image/svg+xml"),
)
_AUDIO: Final = (
    (b"ID3", "mp3"),
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"\xff\xf1", "aac"),
    (b"\xff\xf9", "aac"),
)
_IMAGE_BRANDS: Final = {b"avif": "image/avif", b"avis": "image/avif", b"heic": "image/heic"}
_AUDIO_BRANDS: Final = (b"M4A ", b"M4B ")
_AUDIO_TYPES: Final = {"mp3": "audio/mpeg", "m4a": "audio/mp4"}
_MPEG_LAYER: Final = 0x06
_THIRD_LAYER: Final = 0x02
"""MP3 is the third; the bits of the first are also those of UTF-16 text and of loud samples."""

_STANDALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
"""JPEG markers without a length."""

_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG markers of a frame's header, which holds the size; the three are tables."""


def image_type(data: bytes) -> str | None:
    """Give the media type of an image; None for what is none that is known."""
    for magic, media_type in _IMAGES:
        if data.startswith(magic):
            return media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return _IMAGE_BRANDS.get(_brand(data))


def is_pdf(data: bytes) -> bool:
    """Tell whether this is a PDF, whose mark may come a little late."""
    return b"%PDF-" in data[:HEAD]


def audio_format(data: bytes) -> str | None:
    """Give the API's name of an audio format; None for what is none that is known."""
    for magic, name in _AUDIO:
        if data.startswith(magic):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "wav"
    if data[:4] == b"FORM" and data[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    is_frame = len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0
    if is_frame and data[1] & _MPEG_LAYER == _THIRD_LAYER:
        return "mp3"  # without a tag before it
    return "m4a" if _brand(data) in _AUDIO_BRANDS else None


def audio_type(name: str) -> str:
    """Give the media type of what the API calls a format; a media type stays what it is."""
    return name if "/" in name else _AUDIO_TYPES.get(name, f"audio/{name}")


def video_type(data: bytes) -> str | None:
    """Give the media type of a video, as the API spells it; None for none that is known."""
    if data.startswith(b"\x1a\x45\xdf\xa3"):
        return "video/webm"
    if data.startswith((b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")):
        return "video/mpeg"
    brand = _brand(data)
    if not brand or brand in _IMAGE_BRANDS or brand in _AUDIO_BRANDS:
        return None
    return "video/mov" if brand == b"qt  " else "video/mp4"


def _brand(data: bytes) -> bytes:
    """Give the brand of a file of the MPEG-4 family; empty for others."""
    return data[8:12] if data[4:8] == b"ftyp" else b""


def dimensions(data: bytes) -> tuple[int, int] | None:
    """Give width and height in pixels; None where the bytes do not say so."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        return _big(data, 16, 4), _big(data, 20, 4)
    if data.startswith(b"GIF8") and len(data) >= 10:
        return _little(data, 6, 2), _little(data, 8, 2)
    if data.startswith(b"BM") and len(data) >= 26:
        height = int.from_bytes(data[22:26], "little", signed=True)
        return _little(data, 18, 4), abs(height)  # negative: the rows go downwards
    if data.startswith(b"\xff\xd8"):
        return _of_jpeg(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) >= 30:
        return _of_webp(data)
    return None


def _of_jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAMES:
            return _big(data, at + 7, 2), _big(data, at + 5, 2)
        if marker == 0xFF or marker in _STANDALONE:
            at += 1 if marker == 0xFF else 2
        else:
            at += 2 + _big(data, at + 2, 2)
    return None


def _of_webp(data: bytes) -> tuple[int, int] | None:
    match data[12:16]:
        case b"VP8 ":
            return _little(data, 26, 2) & 0x3FFF, _little(data, 28, 2) & 0x3FFF
        case b"VP8L":
            bits = _little(data, 21, 4)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            return _little(data, 24, 3) + 1, _little(data, 27, 3) + 1
        case _:
            return None


def _big(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _little(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")
