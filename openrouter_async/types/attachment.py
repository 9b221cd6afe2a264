"""A file on its way into a request, before it is read.

What may live here: where a file's bytes are and what the user said of it. It is looked at when
the request is sent; nothing here opens, reads or waits for anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, TypeAlias

Source: TypeAlias = str | Path | bytes | BinaryIO
"""A path, the bytes themselves, or a file object that was opened for reading bytes."""

AttachmentKind: TypeAlias = Literal["image", "pdf", "audio", "video", "file"]

_WIRE_TYPES: Final = {
    "image": "image_url",
    "pdf": "file",
    "audio": "input_audio",
    "video": "video_url",
    "file": "file",
}


class Attachment:
    """A part of a message whose bytes are read, and encoded, while the request is sent.

    Made by the functions of `openrouter_async.content`. It can be used in several requests, and
    in each attempt of one: the file is read anew each time.

    Attributes:
        kind: What the file has to be.
        source: Where its bytes are: a path, the bytes, or an open file.
        name: The file's name, as the model is told it.
        media_type: What the user says that it is; None lets its first bytes tell.
        start: Where in an open file its bytes begin; None for one that cannot be read twice.
        options: Further fields of the wire form.
    """

    __slots__ = ("kind", "media_type", "name", "options", "source", "start")

    def __init__(
        self,
        kind: AttachmentKind,
        source: Path | bytes | BinaryIO,
        *,
        name: str | None = None,
        media_type: str | None = None,
        start: int | None = 0,
        **options: Any,
    ) -> None:
        self.kind: AttachmentKind = kind
        self.source: Path | bytes | BinaryIO = source
        self.name = name
        self.media_type = media_type
        self.start = start
        self.options = {key: value for key, value in options.items() if value is not None}

    def wire(self, url: str, data: str, data_format: str) -> dict[str, Any]:
        """Give the wire form around three texts, of which the kind of file takes what it needs.

        Args:
            url: The ``data:`` URL of the file.
            data: Its plain base64.
            data_format: What the API calls its format.
        """
        inner: dict[str, Any]
        match self.kind:
            case "image" | "video":
                inner = {"url": url}
            case "pdf" | "file":
                inner = {"filename": self.name or "document.pdf", "file_data": url}
            case "audio":
                inner = {"data": data, "format": data_format}
        detail = self.options.get("detail")
        if detail is not None:
            inner["detail"] = detail
        wire_type = _WIRE_TYPES[self.kind]
        outer = {key: value for key, value in self.options.items() if key != "detail"}
        return {"type": wire_type, wire_type: inner, **outer}

    def renamed(self, name: str) -> Attachment:
        """Give the same file under another name."""
        return Attachment(
            self.kind,
            self.source,
            name=name,
            media_type=self.media_type,
            start=self.start,
            **self.options,
        )

    def __repr__(self) -> str:
        # The bytes are the user's business.
        shown = f"{len(self.source):,} bytes" if isinstance(self.source, bytes) else self.name
        return f"<{self.kind}: {shown or 'a file'}>"
