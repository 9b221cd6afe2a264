"""Pixels out of a PNG file, with the standard library alone.

The rule of this file: pure, and only what is common: 8 bits a channel, not interlaced, of a size
that Python can take apart in a moment. Everything else is None, and no reason to fail.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import accumulate
from typing import Final, NamedTuple

__all__ = ["Pixels", "decode_png"]

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_MOST_PIXELS: Final = 3_000_000
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Bytes of a pixel: grey, RGB, palette, grey with alpha, RGB with alpha."""


class Pixels(NamedTuple):
    """A picture.

    Attributes:
        width: Pixels of a row.
        rows: From above; three bytes a pixel, red, green and blue.
    """

    width: int
    rows: list[bytes]


def decode_png(data: bytes) -> Pixels | None:
    """Decode a PNG; what is transparent turns to black. None for what is not of the common kind."""
    try:
        return _decode(data)
    except (IndexError, ValueError, zlib.error):
        return None  # cut off or broken


def _decode(data: bytes) -> Pixels | None:
    if not data.startswith(_SIGNATURE):
        return None
    chunks = list(_chunks(data))
    _, header = chunks[0]
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    depth, colour, interlaced = header[8], header[9], header[12]
    if depth != 8 or interlaced or colour not in _CHANNELS or not width or not height:
        return None
    if width * height > _MOST_PIXELS:
        return None
    step = _CHANNELS[colour]
    stride = width * step
    size = height * (stride + 1)
    packed = b"".join(body for kind, body in chunks if kind == b"IDAT")
    raw = zlib.decompressobj().decompress(packed, size)
    if len(raw) != size:
        return None
    palette = next((body for kind, body in chunks if kind == b"PLTE"), b"")
    rows: list[bytes] = []
    above = bytes(stride)
    for at in range(0, size, stride + 1):
        above = _unfiltered(raw[at], raw[at + 1 : at + 1 + stride], above, step)
        rows.append(_as_rgb(above, colour, palette))
    return Pixels(width, rows)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        at += size + 12


def _unfiltered(kind: int, row: bytes, above: bytes, step: int) -> bytes:
    """Undo what a row's filter did, which made it the difference to what is beside or above."""
    match kind:
        case 0:
            return row
        case 1:
            line = bytearray(len(row))
            for channel in range(step):
                sums = accumulate(row[channel::step])
                line[channel::step] = bytes(total & 0xFF for total in sums)
            return bytes(line)
        case 2:
            return bytes((a + b) & 0xFF for a, b in zip(row, above, strict=True))
        case 3:
            line = bytearray(step) + row
            for at, up in enumerate(above):
                line[at + step] = (line[at + step] + ((line[at] + up) >> 1)) & 0xFF
            return bytes(line[step:])
        case 4:
            return _unfiltered_paeth(row, above, step)
        case _:
            raise ValueError(f"there is no filter {kind}")


def _unfiltered_paeth(row: bytes, above: bytes, step: int) -> bytes:
    line = bytearray(step) + row
    corners = bytes(step) + above
    for at, up in enumerate(above):
        left, corner = line[at], corners[at]
        to_left, to_up, to_corner = (
            abs(up - corner),
            abs(left - corner),
            abs(left + up - 2 * corner),
        )
        if to_left <= to_up and to_left <= to_corner:
            nearest = left
        else:
            nearest = up if to_up <= to_corner else corner
        line[at + step] = (line[at + step] + nearest) & 0xFF
    return bytes(line[step:])


def _as_rgb(row: bytes, colour: int, palette: bytes) -> bytes:
    match colour:
        case 2:
            return row
        case 3:
            return b"".join(palette[3 * index : 3 * index + 3] for index in row)
        case 0:
            channels, alpha = (row, row, row), None
        case 4:
            channels, alpha = (row[::2], row[::2], row[::2]), row[1::2]
        case _:
            channels, alpha = (row[::4], row[1::4], row[2::4]), row[3::4]
    rgb = bytearray(3 * len(channels[0]))
    for position, channel in enumerate(channels):
        if alpha is not None:
            channel = bytes(c * a // 255 for c, a in zip(channel, alpha, strict=True))
        rgb[position::3] = channel
    return bytes(rgb)
