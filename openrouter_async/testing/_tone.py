"""Sounds: a tone as long as a text takes to say, and silence for those who want an MP3.

The rule of this file: plain functions from plain values to the bytes of small, valid files.
"""

from __future__ import annotations

import math
from array import array
from struct import pack
from sys import byteorder
from typing import Final

__all__ = ["SAMPLE_RATE", "in_format", "silent_mp3", "tone", "wav"]

SAMPLE_RATE: Final = 24_000

_SECONDS_OF_A_CHARACTER: Final = 0.04
_PERIOD: Final = 60
"""Samples of one swing, which makes 400 Hz."""

# MPEG-1 layer III, 128 kbit/s, 44.1 kHz, one channel, no checksum: a frame has 417 bytes and
# 1,152 samples. Where all of its side information is zero it says nothing, which is silence.
_MP3_HEADER: Final = b"\xff\xfb\x90\xc0"
_MP3_FRAME: Final = _MP3_HEADER + bytes(417 - len(_MP3_HEADER))
_MP3_SECONDS: Final = 1_152 / 44_100


def tone(text: str) -> bytes:
    """Give raw samples, 16 bit little endian, one channel, of the length that a text has."""
    swing = [round(6_000 * math.sin(2 * math.pi * step / _PERIOD)) for step in range(_PERIOD)]
    samples = array("h", swing)
    if byteorder == "big":
        samples.byteswap()
    swings = max(1, round(len(text) * _SECONDS_OF_A_CHARACTER * SAMPLE_RATE / _PERIOD))
    return samples.tobytes() * swings


def wav(samples: bytes) -> bytes:
    """Give a WAV file of raw samples."""
    form = pack("<HHIIHH", 1, 1, SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16)
    content = b"WAVE" + _chunk(b"fmt ", form) + _chunk(b"data", samples)
    return _chunk(b"RIFF", content)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return kind + pack("<I", len(data)) + data


def silent_mp3(text: str) -> bytes:
    """Give an MP3 file of silence of the length that a text has."""
    frames = math.ceil(len(text) * _SECONDS_OF_A_CHARACTER / _MP3_SECONDS)
    return _MP3_FRAME * max(1, frames)


def in_format(text: str, name: str) -> bytes | None:
    """Give the sound of a text in one of the API's formats; None for one that is not made here."""
    if name in ("pcm", "pcm16"):
        return tone(text)
    if name == "wav":
        return wav(tone(text))
    return silent_mp3(text) if name == "mp3" else None
