"""Which provider answers: the ``provider`` object of a request.

The API takes the same object for chat, responses, messages, embeddings and rerank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta

from ._request import Maybe, Open, OrMapping, RequestStruct

_Price: TypeAlias = Annotated[float, Meta(ge=0)] | str
_SortBy: TypeAlias = Open[Literal["price", "throughput", "latency", "exacto"]]


class MaxPrice(RequestStruct, kw_only=True):
    """The most to pay: USD a million tokens, a request, an image, a unit of audio."""

    prompt: Maybe[_Price] = UNSET
    completion: Maybe[_Price] = UNSET
    request: Maybe[_Price] = UNSET
    image: Maybe[_Price] = UNSET
    audio: Maybe[_Price] = UNSET


class Percentiles(RequestStruct, kw_only=True):
    """A bound for each percentile of a provider's recent requests."""

    p50: Maybe[float | None] = UNSET
    p75: Maybe[float | None] = UNSET
    p90: Maybe[float | None] = UNSET
    p99: Maybe[float | None] = UNSET


class ProviderSort(RequestStruct, kw_only=True):
    """What to sort providers by; `partition` "none" sorts across all of `models`."""

    by: Maybe[_SortBy | None] = UNSET
    partition: Maybe[Open[Literal["model", "none"]] | None] = UNSET


class ProviderRouting(RequestStruct, kw_only=True):
    """Which providers may answer, and which is tried first.

    Attributes:
        order: Slugs to try first, in this order.
        only: The only slugs to use.
        ignore: Slugs not to use.
        allow_fallbacks: False uses none besides `order`.
        require_parameters: True uses only providers that know every parameter sent.
        data_collection: "deny" leaves out providers that store prompts.
        zdr: True uses only endpoints with zero data retention.
        max_price: A hard limit; no endpoint below it is an error.
        preferred_min_throughput: Tokens a second, of the median or by percentile.
        preferred_max_latency: Seconds, of the median or by percentile.
        options: A provider's own options, by its slug.
    """

    order: Maybe[Sequence[str] | None] = UNSET
    only: Maybe[Sequence[str] | None] = UNSET
    ignore: Maybe[Sequence[str] | None] = UNSET
    allow_fallbacks: Maybe[bool | None] = UNSET
    require_parameters: Maybe[bool | None] = UNSET
    data_collection: Maybe[Open[Literal["allow", "deny"]] | None] = UNSET
    zdr: Maybe[bool | None] = UNSET
    enforce_distillable_text: Maybe[bool | None] = UNSET
    quantizations: Maybe[
        Sequence[
            Open[
                Literal["int4", "int8", "fp4", "mxfp4", "nvfp4", "fp6", "fp8", "mxfp8"]
                | Literal["fp16", "bf16", "fp32", "unknown"]
            ]
        ]
        | None
    ] = UNSET
    sort: Maybe[_SortBy | OrMapping[ProviderSort] | None] = UNSET
    max_price: Maybe[OrMapping[MaxPrice]] = UNSET
    preferred_min_throughput: Maybe[float | OrMapping[Percentiles] | None] = UNSET
    preferred_max_latency: Maybe[float | OrMapping[Percentiles] | None] = UNSET
    options: Maybe[Mapping[str, Any] | None] = UNSET
