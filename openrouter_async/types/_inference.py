"""What the requests of several inference endpoints have in common.

What may live here: keywords and bounds that more than one of them takes, never a whole request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeAlias

from msgspec import Meta

from ._request import BodyKeywords

Id: TypeAlias = Annotated[str, Meta(max_length=256)]
Penalty: TypeAlias = Annotated[float, Meta(ge=-2, le=2)]
PositiveShare: TypeAlias = Annotated[float, Meta(gt=0, le=1)]
Temperature: TypeAlias = Annotated[float, Meta(ge=0, le=2)]


class CallKeywords(BodyKeywords, total=False):
    """The keywords that become headers; see `ChatParams`."""

    extra_headers: Mapping[str, str]
    response_cache: bool
    response_cache_ttl: Annotated[int, Meta(ge=1, le=86_400)]
    response_cache_clear: bool
    router_metadata: bool
    session_header: Id
    anthropic_beta: Sequence[str]
