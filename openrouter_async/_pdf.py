"""The documents of one call: looked up before each attempt, learned from what came back.

The rule of this file: what is known of a document is decided anew for every attempt, so that a
retry carries what the failure before it has taught. Nothing here waits for the network.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Final, Self, TypeAlias, cast

import msgspec

from . import content
from ._sealed import SealedBytes, SealedFields
from ._threads import in_thread
from ._upload import BodyWithFiles, OpenBody, digest_of, encode_with_files
from ._weaving import (
    Plain,
    annotations_in,
    documents_in,
    engine_of,
    is_paid,
    matched,
    weave,
)
from .documents import DocumentStore
from .errors import APIStatusError, OpenRouterError
from .types import Annotation, FilePart
from .types.arrival import SentDocument
from .types.attachment import Attachment, Source

__all__ = ["BodyWithDocuments", "CallDocuments", "DocumentLike", "about"]

DocumentLike: TypeAlias = Source | Attachment | FilePart | Mapping[str, Any]
"""A document: whatever `content.pdf` takes, or a part of a message that holds one."""

_PATIENCE: Final = 30.0
"""Seconds to wait for a call that has the same document parsed. Its reader may have stopped
reading, or may be this very task, so there has to be an end."""

_STEP: Final = 2**19
"""Characters of base64 that are decoded at a time; a multiple of four."""


def about(prompt: str, documents: DocumentLike | Sequence[DocumentLike]) -> list[dict[str, object]]:
    """Give the message that asks about documents: the question, then what it is about.

    Raises:
        TypeError: The prompt is no text, or a document is of no known kind.
        ValueError: The prompt is empty, or there is no document.
    """
    if not isinstance(cast("object", prompt), str):
        raise TypeError(f"prompt must be a str, got {type(prompt).__name__}")
    if not prompt:
        raise ValueError("prompt must not be empty")
    several = isinstance(documents, Sequence) and not isinstance(documents, str | bytes | bytearray)
    listed: list[Any] = [*cast("Sequence[Any]", documents)] if several else [documents]
    if not listed:
        raise ValueError("documents must not be empty")
    parts = [_part_of(document, f"documents[{n}]") for n, document in enumerate(listed)]
    return [{"role": "user", "content": [content.text(prompt), *parts]}]


def _part_of(document: object, place: str) -> object:
    if isinstance(document, Attachment) and document.kind != "pdf":
        raise ValueError(f"{place} must be a PDF, got {document!r}")
    if isinstance(document, Attachment | FilePart):
        return document
    if isinstance(document, Mapping):
        kind: object = cast("Mapping[str, object]", document).get("type")
        if kind != "file":
            raise ValueError(f"{place}.type must be 'file', got {kind!r}")
        return cast("Mapping[str, object]", document)
    try:
        return content.pdf(cast("bytes | BinaryIO", document))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{place}: {error}") from None


class CallDocuments:
    """What one call knows of its documents.

    Attributes:
        sent: What became of each of them in the last attempt.
    """

    __slots__ = ("_store", "_unknown", "sent")

    def __init__(self, store: DocumentStore) -> None:
        self._store = store
        self._unknown: dict[str, str] = {}
        self.sent: tuple[SentDocument, ...] = ()

    async def put_in(self, fields: SealedFields) -> SealedFields:
        """Give a request's fields with what is known of its documents in its messages.

        Raises:
            OSError: A document is not there or cannot be read.
        """
        engine = engine_of(fields.get("plugins"))
        if engine is None or not documents_in(fields["messages"]):
            return fields
        keys = await in_thread(_keys_of, fields, engine)
        woven = weave(fields["messages"], keys, await self._known(keys), engine)
        if woven.unknown and is_paid(engine):
            await self._store.take_turns(woven.unknown.values(), self, _PATIENCE)
            woven = weave(fields["messages"], keys, await self._known(keys), engine)
        self._keep(woven.learned)
        self._unknown |= woven.unknown
        self.sent = woven.sent
        return SealedFields({**fields, "messages": woven.messages})

    def learn(self, annotations: Sequence[Annotation]) -> None:
        """Remember what an answer says of the documents that had to be parsed."""
        if annotations and self._unknown:
            listed = [annotation.to_dict() for annotation in annotations]
            self._take(annotations_in({"annotations": listed}))

    def learn_from(self, error: OpenRouterError) -> None:
        """Remember what a failure brought: documents may be parsed before all else fails."""
        if not self._unknown:
            return
        if isinstance(error, APIStatusError):
            self._take(annotations_in(error.metadata or {}))
        if error.partial is not None:
            self.learn(error.partial.annotations)

    def over(self) -> None:
        """End the call: others that wait for its documents may go on."""
        self._store.give_up_turns(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.over()

    def _take(self, annotations: list[Plain]) -> None:
        self._keep(matched(annotations, self._unknown))

    def _keep(self, learned: Mapping[str, Plain]) -> None:
        for key, annotation in learned.items():
            self._store.remember(key, msgspec.json.encode(annotation))

    async def _known(self, keys: Sequence[str]) -> dict[str, Plain]:
        recalled = await self._store.recall(keys)
        known = {key: _annotation_from(value) for key, value in recalled.items()}
        return {key: annotation for key, annotation in known.items() if annotation is not None}


class BodyWithDocuments(BodyWithFiles):
    """A chat request with documents in it, which may go out with what is known of them."""

    fields: SealedFields
    documents: CallDocuments

    @classmethod
    def of(cls, body: bytes, fields: Plain, documents: CallDocuments) -> Self:
        """Take a request's fields; `body` is what they are without any knowledge."""
        made = cls(body)
        made.fields = SealedFields(fields)
        made.documents = documents
        return made

    async def opened(self) -> OpenBody:
        """Look the documents up and give what can be sent.

        Raises:
            OSError: A file is not there or cannot be read.
            ValueError: A file is empty, or not what it should be.
        """
        body = encode_with_files(await self.documents.put_in(self.fields))
        if isinstance(body, BodyWithFiles):
            return await body.opened()
        return OpenBody([SealedBytes(body)])


def _keys_of(fields: SealedFields, engine: str) -> list[str]:
    """Give what the parse of each document is known by; files are read for it."""
    return [_key_of(part, engine) for _, _, part in documents_in(fields["messages"])]


def _key_of(part: Attachment | Plain, engine: str) -> str:
    if isinstance(part, Attachment):
        identity = f"sha256:{digest_of(part)}"
    else:
        identity = _identity(part["file"])
    # Hashed once more: a URL may hold a secret, and an engine what no file's name may.
    import hashlib

    return hashlib.sha256(f"{engine} {identity}".encode()).hexdigest()


def _identity(file: Plain) -> str:
    data: object = file.get("file_data")
    if not isinstance(data, str):
        return f"id:{file.get('file_id')}"
    head, comma, encoded = data.partition(",") if data.startswith("data:") else ("", "", "")
    if comma and head.endswith(";base64"):
        import hashlib

        digest = hashlib.sha256()
        try:
            for at in range(0, len(encoded), _STEP):
                digest.update(base64.b64decode(encoded[at : at + _STEP], validate=True))
        except binascii.Error:
            return f"url:{data}"
        return f"sha256:{digest.hexdigest()}"
    return f"url:{data}"


def _annotation_from(value: bytes) -> Plain | None:
    """Read what a store gave back, which others may have written."""
    try:
        annotation: object = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return next(iter(annotations_in({"annotations": [annotation]})), None)
