"""``/batches``: many requests in one, answered within a day at about half the price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, Required

from msgspec import Meta

from ._forms import Moment, Text
from ._request import BodyKeywords, Open, OrMapping, QueryKeywords, RequestStruct
from ._struct import WireStruct
from .routing import ProviderRouting
from .usage import Usage

_OVER: Final = frozenset({"completed", "failed", "expired", "cancelled"})


class BatchCounts(WireStruct):
    """How many requests there are, and how many of them have ended how."""

    total: int = 0
    completed: int = 0
    failed: int = 0


class BatchError(WireStruct):
    """Why a batch or one of its requests failed."""

    message: str | None = None
    type: str | None = None
    param: str | None = None
    error_type: str | None = None


class BatchResponse(WireStruct):
    """The answer to one request as its endpoint gives it: ``ChatCompletion.from_dict(body)``."""

    status_code: int | None = None
    request_id: str | None = None
    body: dict[str, Any] | None = None


class BatchResult(WireStruct):
    """What became of one request, which `custom_id` names: a response, or an error."""

    id: str | None = None
    custom_id: str = ""
    response: BatchResponse | None = None
    error: BatchError | None = None


class Batch(WireStruct):
    """A batch; its results come with it when it is over, and are deleted after 30 days.

    `status` is ``validating``, ``in_progress``, ``finalizing``, ``completed``, ``failed``,
    ``expired``, ``cancelling`` or ``cancelled``; moments are seconds since the epoch.
    """

    id: str = ""
    status: str | None = None
    endpoint: str | None = None
    model: str | None = None
    provider: str | None = None
    completion_window: str | None = None
    created_at: int | None = None
    expires_at: int | None = None
    finalized_at: int | None = None
    request_counts: BatchCounts | None = None
    usage: Usage | None = None
    results: list[BatchResult] | None = None
    error: BatchError | None = None
    object: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in _OVER


class UpstreamDeletion(WireStruct):
    """Whether the provider has deleted it as well: deleted, unsupported or not_applicable."""

    provider: str | None = None
    status: str | None = None


class BatchDeletion(WireStruct):
    """Where a batch was deleted."""

    openrouter: str | None = None
    upstream: UpstreamDeletion | None = None


class DeletedBatch(WireStruct):
    """A batch that is no more."""

    id: str = ""
    deletion: BatchDeletion | None = None
    object: str | None = None


class BatchRequest(RequestStruct, kw_only=True):
    """One request: the name of its result, and its body without ``model`` and ``stream``."""

    custom_id: Text
    body: Mapping[str, Any]


class NewBatch(BodyKeywords, total=False):
    """Keywords of `Batches.create`.

    The API reads the body as it comes, so that `endpoint` and `model` stand before `requests`,
    and whatever is in ``extra_body`` behind them.
    """

    endpoint: Required[
        Open[Literal["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/embeddings"]]
    ]
    model: Required[Text]
    completion_window: Open[Literal["24h"]]
    provider: OrMapping[ProviderRouting] | None
    callback_url: Text
    requests: Required[Annotated[Sequence[OrMapping[BatchRequest]], Meta(min_length=1)]]


class BatchQuery(QueryKeywords, total=False):
    """Keywords of `Batches.list`."""

    status: Sequence[
        Open[Literal["validating", "in_progress", "completed", "failed", "expired", "cancelled"]]
    ]
    created_after: Moment
    created_before: Moment
    limit: Annotated[int, Meta(ge=1)]
    after: Text
