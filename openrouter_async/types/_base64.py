"""Base64 that comes in pieces, which may be cut anywhere.

What may live here: base64 as text becomes bytes; nothing that knows what the bytes are.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

_RUN: Final = re.compile("[^=]+=*")


class Base64Pieces:
    """Decodes pieces as they come, keeping what does not fill three bytes yet.

    A piece that was encoded by itself ends with its own padding; what follows begins anew.

    >>> pieces = Base64Pieces()
    >>> pieces.feed("aGVs") + pieces.feed("b") + pieces.feed("G8=") + pieces.feed("IQ==")
    b'hello!'
    """

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = ""

    def feed(self, piece: str) -> bytes:
        """Give the bytes that a piece completes.

        Raises:
            ValueError: It is no base64.
        """
        text = self._rest + piece
        end = len(text) // 4 * 4
        self._rest = text[end:]
        # Strictly: else characters that are no base64 are skipped, and the bytes are wrong.
        runs = _RUN.findall(text[:end])
        return b"".join(binascii.a2b_base64(run, strict_mode=True) for run in runs)
