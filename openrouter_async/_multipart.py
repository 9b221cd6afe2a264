"""A form with one file in it: `multipart/form-data`, read while it is sent.

The rule of this file: the form around a file, and nothing else. The file itself is looked at and
read as those in JSON bodies are, piece by piece and off the loop; its length is known before.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import PurePath
from typing import Self

from ._sealed import SealedBytes
from ._upload import BodyWithFiles, FileSlot, look_at
from .types._sniff import audio_type
from .types.attachment import Attachment

__all__ = ["FormWithFile"]


class FormWithFile(BodyWithFiles):
    """The fields of a form, with a file behind them once it is opened."""

    max_size: int

    @classmethod
    def of(cls, fields: Iterable[tuple[str, str]], file: Attachment, max_size: int) -> Self:
        """Make a form.

        Args:
            fields: Names and values, in order; a name may come more than once.
            file: What goes into the field ``file``.
            max_size: Bytes that it may have.
        """
        mark = f"form-{secrets.token_hex(16)}"
        parts = [_part(mark, f'name="{name}"', value.encode()) for name, value in fields]
        form = cls.around(b"".join(parts), mark, [file])
        form.max_size = max_size
        return form

    @property
    def content_type(self) -> str:
        """The content type, which says where the fields end."""
        return f"multipart/form-data; boundary={self.mark}"

    def _pieces(self) -> list[bytes | FileSlot]:
        file = self.files[0]
        slot, kind = look_at(file)
        name = file.name or ("recording" if file.kind == "audio" else "file")
        if slot.size > self.max_size:
            hint = "; form='json' takes larger files" if file.kind == "audio" else ""
            raise ValueError(
                f"{name} has {slot.size:,} bytes, and a form takes {self.max_size:,} at most{hint}"
            )
        if not PurePath(name).suffix and "/" not in kind:
            name = f"{name}.{kind}"
        head = f'name="file"; filename="{_quoted(name)}"\r\nContent-Type: {audio_type(kind)}'
        start = SealedBytes(self + _part(self.mark, head, b"")[:-2])
        return [start, slot._replace(as_base64=False), f"\r\n--{self.mark}--\r\n".encode()]


def _part(mark: str, head: str, value: bytes) -> bytes:
    return f"--{mark}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + value + b"\r\n"


def _quoted(name: str) -> str:
    """Write a file's name as browsers do; a line break in it would begin another header."""
    for character, escape in (('"', "%22"), ("\r", "%0D"), ("\n", "%0A")):
        name = name.replace(character, escape)
    return name
