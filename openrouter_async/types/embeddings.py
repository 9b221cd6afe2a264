"""``POST /embeddings``: what is asked, and the vectors that come.

What may live here: wire structs of the endpoint, and how a vector is read. A vector is an array of
32-bit floats, which offers the buffer protocol: ``numpy.asarray(vector)`` copies nothing.
"""

from __future__ import annotations

import binascii
import sys
from array import array
from contextlib import suppress
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, field

from ._arrived import Arrived
from ._request import CallKeywords, Id, Open, OrAnyMapping, OrMapping
from ._struct import WireStruct
from .options import Trace
from .routing import ProviderRouting


class EmbeddingParams(CallKeywords, total=False):
    """Every documented field of an ``/embeddings`` request besides ``input`` and ``model``.

    What is not given is not sent. ``encoding_format="base64"`` has the vectors sent as bytes,
    which is smaller, and read without a Python float for each number; what comes is the same.
    """

    encoding_format: Open[Literal["float", "base64"]]
    dimensions: Annotated[int, Meta(ge=1)]
    input_type: Open[Literal["search_query", "search_document"]]
    provider: OrMapping[ProviderRouting] | None
    user: str
    session_id: Id
    trace: OrAnyMapping[Trace]


class Embedding(WireStruct):
    """One vector, as numbers or base64 of 32-bit floats; `index` is of which input, where said."""

    object: str = "embedding"
    index: int | None = None
    embedding: list[float] | str = field(default_factory=list[float])

    @property
    def vector(self) -> array[float]:
        """The vector as 32-bit floats, made anew at each look.

        Raises:
            ValueError: What came is no base64 of whole floats.

        >>> Embedding(embedding="AACAPwAAAEA=").vector
        array('f', [1.0, 2.0])
        """
        if not isinstance(self.embedding, str):
            return array("f", self.embedding)
        vector = array("f")
        vector.frombytes(binascii.a2b_base64(self.embedding, strict_mode=True))
        if sys.byteorder == "big":
            vector.byteswap()  # on the wire the low byte is first
        return vector


class EmbeddingTokensDetails(WireStruct):
    """Where the tokens of the input went."""

    text_tokens: int | None = None
    image_tokens: int | None = None
    audio_tokens: int | None = None
    video_tokens: int | None = None
    file_tokens: int | None = None


class EmbeddingUsage(WireStruct):
    """Tokens and money; `cost` is USD, None where the server does not say."""

    prompt_tokens: int = 0
    total_tokens: int = 0
    cost: float | None = None
    is_byok: bool | None = None
    cost_details: dict[str, Any] | None = None
    prompt_tokens_details: EmbeddingTokensDetails | None = None


class EmbeddingsResponse(Arrived):
    """The vectors of an ``/embeddings`` request, in the order of the inputs.

    `text` is what came in place of vectors, where the answer was a plain string, which the API's
    description allows.
    """

    id: str | None = None
    object: str = "list"
    model: str | None = None
    provider: str | None = None
    data: list[Embedding] = field(default_factory=list[Embedding])
    usage: EmbeddingUsage | None = None
    text: str | None = field(default=None, name="(text)")

    @classmethod
    def from_text(cls, text: str) -> EmbeddingsResponse:
        """Take an answer that is a plain string, as JSON or as one event."""
        bare = text.strip().removeprefix("data:").strip()
        with suppress(msgspec.DecodeError):
            bare = msgspec.json.decode(bare, type=str)
        return cls(text=bare)

    @property
    def vectors(self) -> list[array[float]]:
        """All vectors, in the order of the inputs.

        >>> list(map(list, EmbeddingsResponse(data=[Embedding(embedding=[1, 2])]).vectors))
        [[1.0, 2.0]]
        """
        return [row.vector for row in self.data]
