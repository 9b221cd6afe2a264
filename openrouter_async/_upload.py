"""Bodies with files in them: each is looked at before anything is sent, and read while it is.

The rule of this file: never a whole file in memory. A file's bytes are read a piece at a time, in
a worker thread, encoded there and handed on; no file stays open between two pieces, so that a
request that ends anywhere leaves none behind, and one that is tried again reads from the start.
"""

from __future__ import annotations

import base64
import errno
import os
import re
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, Final, NamedTuple, Self

import msgspec

from ._sealed import SealedBytes
from .types._sniff import HEAD, audio_format, audio_type, image_type, is_pdf, video_type
from .types.attachment import Attachment

__all__ = [
    "BodyWithFiles",
    "FileSlot",
    "OpenBody",
    "digest_of",
    "embedded",
    "encode_with_files",
    "look_at",
]

_STEP: Final = 3 * 2**17
"""Bytes read at a time; a multiple of three, so that the base64 of the pieces fits end to end."""

_ONE_AT_A_TIME: Final = Lock()
"""Several requests, in several threads, may read the same open file, which has one position."""

_SNIFFED: Final = {"image": image_type, "audio": audio_format, "video": video_type}


class BodyWithFiles(SealedBytes):
    """A JSON body with a mark in each place where something of a file goes."""

    mark: str
    files: tuple[Attachment, ...]

    @classmethod
    def around(cls, body: bytes, mark: str, files: Sequence[Attachment]) -> Self:
        """Take a body in which `mark` stands, with a number, where each file goes."""
        made = cls(body)
        made.mark = mark
        made.files = tuple(files)
        return made

    async def opened(self) -> OpenBody:
        """Look at the files, off the loop, and give what can be sent.

        Raises:
            OSError: A file is not there or cannot be read.
            ValueError: A file is empty, or not what it should be.
        """
        from anyio import to_thread

        return OpenBody(await to_thread.run_sync(self._pieces))

    def _pieces(self) -> list[bytes | FileSlot]:
        looked_at = [look_at(file) for file in self.files]
        pieces: list[bytes | FileSlot] = []
        marked = re.compile(rf'"(?:data:)?{self.mark}:(\d+):(\w+)"'.encode())
        end = 0
        for match in marked.finditer(self):
            pieces.append(SealedBytes(self[end : match.start()]))
            end = match.end()
            slot, kind = looked_at[int(match[1])]
            if match[2] == b"format":
                pieces.append(msgspec.json.encode(kind))
                continue
            if match[2] == b"url":
                media_type = audio_type(kind) if slot.file.kind == "audio" else kind
                pieces += [f'"data:{media_type};base64,'.encode(), slot, b'"']
            else:
                pieces += [b'"', slot, b'"']
        return [*pieces, SealedBytes(self[end:])]


class FileSlot(NamedTuple):
    """A file's place in a body.

    Attributes:
        file: The file.
        size: Its bytes.
        as_base64: Whether it is encoded, which makes four bytes of three.
    """

    file: Attachment
    size: int
    as_base64: bool = True

    @property
    def length(self) -> int:
        """Bytes that it takes in the body."""
        return -(-self.size // 3) * 4 if self.as_base64 else self.size


class OpenBody:
    """A body that can be sent: an asynchronous iterable of its bytes, each time from the start.

    Attributes:
        length: How many bytes it has.
        failure: What went wrong while it was being read.
    """

    __slots__ = ("_pieces", "failure", "length")

    def __init__(self, pieces: Sequence[bytes | FileSlot]) -> None:
        self._pieces = pieces
        self.length = sum(
            piece.length if isinstance(piece, FileSlot) else len(piece) for piece in pieces
        )
        self.failure: Exception | None = None

    def __aiter__(self) -> _Reading:
        return _Reading(self, self._pieces)


class _Reading:
    """One reading of a body, from its start to its end."""

    __slots__ = ("_at", "_body", "_pieces", "_turn")

    def __init__(self, body: OpenBody, pieces: Sequence[bytes | FileSlot]) -> None:
        self._body = body
        self._pieces = pieces
        self._turn = 0  # which piece
        self._at = 0  # how far into a file

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._turn >= len(self._pieces):
            raise StopAsyncIteration
        piece = self._pieces[self._turn]
        if isinstance(piece, bytes):
            self._turn += 1
            return piece
        from anyio import to_thread

        size = min(_STEP, piece.size - self._at)
        try:
            data = await to_thread.run_sync(_read_encoded, piece, self._at, size)
        except Exception as error:
            self._body.failure = error  # whoever sends wraps it into an error of its own
            raise
        self._at += size
        if self._at >= piece.size:
            self._turn += 1
            self._at = 0
        return data


def encode_with_files(body: dict[str, Any]) -> bytes:
    """Encode a body as JSON; a `BodyWithFiles` where `Attachment`s are in it.

    Raises:
        TypeError: Something in it cannot be JSON.
    """
    files: list[Attachment] = []
    marks: list[str] = []

    def place(value: object) -> object:
        if not isinstance(value, Attachment):
            raise TypeError(f"{type(value).__name__} has no form in JSON")
        if not marks:
            import secrets

            marks.append(f"file-{secrets.token_hex(16)}")
        here = f"{marks[0]}:{len(files)}"
        files.append(value)
        # A limiter or a budget that looks at the body sees a data URL in its place.
        return value.wire(f"data:{here}:url", f"data:{here}:data", f"{here}:format")

    encoded = msgspec.json.encode(body, enc_hook=place)
    return BodyWithFiles.around(encoded, marks[0], files) if files else encoded


def digest_of(file: Attachment) -> str:
    """Give the SHA-256 of a file's bytes, in hexadecimal; it is read in this thread.

    Raises:
        OSError: The file is not there or cannot be read.
    """
    import hashlib

    digest = hashlib.sha256()
    size = _size_of(file)
    for at in range(0, size, _STEP):
        digest.update(_read(file, at, min(_STEP, size - at)))
    return digest.hexdigest()


def embedded(value: object) -> dict[str, Any]:
    """Give the wire form of an `Attachment` with the file in it, read at once and as a whole.

    Raises:
        OSError: The file is not there or cannot be read.
        TypeError: The value is no `Attachment`, and has no form in JSON.
        ValueError: The file is empty, or not what it should be.
    """
    if not isinstance(value, Attachment):
        raise TypeError(f"{type(value).__name__} has no form in JSON")
    slot, kind = look_at(value)
    data = base64.b64encode(_read(value, 0, slot.size)).decode()
    return value.wire(f"data:{kind};base64,{data}", data, kind)


def look_at(file: Attachment) -> tuple[FileSlot, str]:
    """Give a file's size and its media type, or the format of a recording."""
    size = _size_of(file)
    name = file.name or f"the {file.kind}"
    if not size:
        raise ValueError(f"{name} is empty")
    if file.media_type is not None:
        return FileSlot(file, size), file.media_type
    head = _read(file, 0, min(HEAD, size))
    if file.kind == "pdf":
        kind = "application/pdf" if is_pdf(head) else None
    else:
        kind = _SNIFFED[file.kind](head)
    if kind is None:
        what = "a PDF" if file.kind == "pdf" else f"a known kind of {file.kind}"
        given = {"audio": "format=", "pdf": ""}.get(file.kind, "media_type=")
        hint = f"; if it is one, say which with {given}" if given else ""
        raise ValueError(f"{name} is not {what}, by its first bytes{hint}")
    return FileSlot(file, size), kind


def _size_of(file: Attachment) -> int:
    source = file.source
    if isinstance(source, Path):
        if source.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(source))
        return source.stat().st_size
    if isinstance(source, bytes):
        return len(source)
    if file.start is None:
        # It can be read once only, and a second attempt needs it again.
        file.source = source.read()
        return len(file.source)
    with _ONE_AT_A_TIME:
        return source.seek(0, os.SEEK_END) - file.start


def _read(file: Attachment, at: int, size: int) -> bytes:
    source = file.source
    if isinstance(source, bytes):
        return source[at : at + size]
    if isinstance(source, Path):
        with source.open("rb") as opened:
            opened.seek(at)
            return opened.read(size)
    return _read_at(source, (file.start or 0) + at, size)


def _read_at(opened: BinaryIO, at: int, size: int) -> bytes:
    parts: list[bytes] = []
    with _ONE_AT_A_TIME:
        opened.seek(at)
        while size > 0 and (part := opened.read(size)):  # an unbuffered file may give less
            parts.append(part)
            size -= len(part)
    return b"".join(parts)


def _read_encoded(slot: FileSlot, at: int, size: int) -> bytes:
    data = _read(slot.file, at, size)
    if len(data) != size:
        raise ValueError(f"{slot.file.name or 'the file'} became shorter while it was being sent")
    return base64.b64encode(data) if slot.as_base64 else data
