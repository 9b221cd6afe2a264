"""Draws a small landscape as a PNG file, with nothing but the standard library.

The rule of this file: the same words, width and height give the same bytes. It knows nothing
of models or messages.

The picture is a vertical gradient with discs upon it: a sun with a halo, clouds or stars, and
hills, which are the tops of very large discs. On one row of pixels each disc is one span of
one colour, so a row is put together from a few runs instead of pixel by pixel.
"""

from __future__ import annotations

import colorsys
import hashlib
import random
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import sqrt
from typing import Final, TypeAlias

__all__ = ["draw_png"]

Colour: TypeAlias = tuple[int, int, int]

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_EIGHT_BIT_RGB: Final = b"\x08\x02\x00\x00\x00"
_WHITE: Final = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class _Disc:
    x: float
    y: float
    radius: float
    colour: Colour
    opacity: float = 1.0


@lru_cache(maxsize=64)
def draw_png(words: str, width: int = 512, height: int = 512) -> bytes:
    """Draw the picture that belongs to some words.

    Args:
        words: What decides on colours and shapes.
        width: Pixels.
        height: Pixels.

    Returns:
        A PNG file, 8-bit RGB.
    """
    # A picture, not a secret: all that matters is that the same words draw the same.
    chance = random.Random(hashlib.sha256(words.encode()).digest())
    hue = chance.uniform(0.5, 1.08)  # from blue over violet and pink to orange; no green skies
    night = chance.random() < 0.3
    top, bottom = _sky(hue, night=night)
    discs = [disc for shape in _scene(chance, hue, width, height, night) for disc in _soft(shape)]
    rows = bytearray()
    for y in range(height):
        sky = _blend(top, bottom, y / height)
        rows += b"\0"
        rows += _row(y + 0.5, width, sky, discs)
    header = struct.pack(">II", width, height) + _EIGHT_BIT_RGB
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", zlib.compress(rows, 6)),
            _chunk(b"IEND", b""),
        )
    )


def _scene(
    chance: random.Random, hue: float, width: int, height: int, night: bool
) -> Iterator[_Disc]:
    """Give the discs from the back to the front."""
    unit = min(width, height)
    if night:
        for _ in range(40):
            x, y = chance.uniform(0, width), chance.uniform(0, height * 0.6)
            yield _Disc(x, y, chance.uniform(0.6, 1.8), _WHITE, chance.uniform(0.4, 0.9))
    x, y = width * chance.uniform(0.2, 0.8), height * chance.uniform(0.2, 0.45)
    radius = unit * chance.uniform(0.08, 0.14)
    sun = _colour(0.13, 0.93, 0.6) if night else _colour(0.12, 0.8, 1.0)
    for halo in (2.4, 1.8, 1.35):
        yield _Disc(x, y, radius * halo, sun, 0.14)
    yield _Disc(x, y, radius, sun)
    if not night:
        for _ in range(chance.randint(1, 3)):
            yield from _cloud(chance, width, height, unit)
    layers, land = chance.randint(3, 5), chance.random()
    for layer in range(layers):
        depth = (layer + 1) / layers
        hill = _colour(land + 0.04 * layer, (0.42 if night else 0.62) - 0.38 * depth, 0.4)
        for _ in range(2):
            radius = unit * chance.uniform(0.8, 1.5)
            crest = height * (0.52 + 0.36 * depth + chance.uniform(-0.05, 0.05))
            yield _Disc(width * chance.uniform(-0.1, 1.1), crest + radius, radius, hill)


def _cloud(chance: random.Random, width: int, height: int, unit: int) -> Iterator[_Disc]:
    x, y = width * chance.uniform(0.1, 0.9), height * chance.uniform(0.1, 0.4)
    for puff in (-1.0, -0.4, 0.3, 1.0):
        size = unit * (0.065 - 0.02 * abs(puff))
        yield _Disc(x + puff * unit * 0.08, y - size * 0.3, size, _WHITE, 0.85)


def _soft(disc: _Disc) -> Iterator[_Disc]:
    """Give a disc with a half-covered rim of one pixel, so that its edge looks smooth."""
    yield _Disc(disc.x, disc.y, disc.radius + 0.5, disc.colour, disc.opacity * 0.5)
    inner = disc.opacity if disc.opacity == 1 else disc.opacity * 0.5 / (1 - disc.opacity * 0.5)
    yield _Disc(disc.x, disc.y, disc.radius - 0.5, disc.colour, inner)


def _row(y: float, width: int, sky: Colour, discs: Sequence[_Disc]) -> bytes:
    spans: list[tuple[int, int, Colour, float]] = []
    edges = {0, width}
    for disc in discs:
        rise = disc.radius**2 - (y - disc.y) ** 2
        if rise <= 0:
            continue
        half = sqrt(rise)
        start, end = max(0, round(disc.x - half)), min(width, round(disc.x + half))
        if start >= end:
            continue
        spans.append((start, end, disc.colour, disc.opacity))
        edges.update((start, end))
    runs: list[bytes] = []
    for start, end in pairwise(sorted(edges)):
        colour = sky
        for first, last, over, opacity in spans:
            if first <= start < last:
                colour = over if opacity == 1 else _blend(colour, over, opacity)
        runs.append(bytes(colour) * (end - start))
    return b"".join(runs)


def _sky(hue: float, *, night: bool) -> tuple[Colour, Colour]:
    if night:
        return _colour(hue, 0.08, 0.6), _colour(hue + 0.08, 0.35, 0.5)
    return _colour(hue, 0.55, 0.6), _colour(hue + 0.1, 0.88, 0.8)


def _colour(hue: float, lightness: float, saturation: float) -> Colour:
    red, green, blue = colorsys.hls_to_rgb(hue % 1.0, lightness, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def _blend(under: Colour, over: Colour, opacity: float) -> Colour:
    return (
        round(under[0] + (over[0] - under[0]) * opacity),
        round(under[1] + (over[1] - under[1]) * opacity),
        round(under[2] + (over[2] - under[2]) * opacity),
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
