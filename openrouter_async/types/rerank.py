"""``POST /rerank``: what is asked, and documents in the order of their relevance."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, field

from ._arrived import Arrived
from ._request import CallKeywords, Id, Maybe, OrAnyMapping, OrMapping, RequestStruct
from ._struct import KeptStruct, WireStruct
from .options import Trace
from .routing import ProviderRouting


class RerankDocument(RequestStruct, kw_only=True):
    """A document to be ranked; `image` is a URL or a data URL."""

    text: Maybe[str] = UNSET
    image: Maybe[str] = UNSET

    def __post_init__(self) -> None:
        if self.text is UNSET and self.image is UNSET:
            raise ValueError("text or image must be given")


class RerankParams(CallKeywords, total=False):
    """Every documented field of a ``/rerank`` request besides query, documents and model.

    What is not given is not sent. ``top_n`` is how many results to give at most.
    """

    top_n: Annotated[int, Meta(ge=1)]
    provider: OrMapping[ProviderRouting] | None
    user: str
    session_id: Id
    trace: OrAnyMapping[Trace]


class RerankedDocument(KeptStruct):
    """A document as it was sent."""

    text: str | None = None
    image: str | None = None


class RerankResult(WireStruct):
    """One document with its relevance; `index` counts the documents of the request."""

    index: int = 0
    relevance_score: float = 0.0
    document: RerankedDocument | None = None


class RerankUsage(WireStruct):
    """What was counted; `cost` is USD, None where the server does not say."""

    search_units: int | None = None
    total_tokens: int | None = None
    cost: float | None = None


class RerankResponse(Arrived):
    """The most relevant documents, in order."""

    id: str | None = None
    model: str | None = None
    provider: str | None = None
    results: list[RerankResult] = field(default_factory=list[RerankResult])
    usage: RerankUsage | None = None
