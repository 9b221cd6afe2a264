"""What requests have in common, and four words for their annotations.

The rule of this file: an annotation is read twice, by a type checker, which shall let users
write a struct or a plain mapping and complete the values of an enumeration, and by msgspec,
which checks the value at run time and needs one plain type. The words stand for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypedDict, TypeVar

from msgspec import Meta, Struct, UnsetType

T = TypeVar("T")

Maybe: TypeAlias = T | UnsetType
"""A field that is not sent unless it is given; None is sent, as null."""

if TYPE_CHECKING:
    Open: TypeAlias = T | str
    OrMapping: TypeAlias = T | Mapping[str, Any]
    OrAnyMapping: TypeAlias = T | Mapping[str, Any]
else:

    class Open:
        """A set of words that the API may extend: any `str` passes."""

        def __class_getitem__(cls, words: object) -> object:
            return str

    class OrMapping:
        """A struct, or a mapping that must have the struct's shape."""

        def __class_getitem__(cls, shape: object) -> object:
            return shape

    class OrAnyMapping:
        """A struct, or a mapping of which more may be unknown than known."""

        def __class_getitem__(cls, shape: object) -> object:
            return dict[str, Any]


Id: TypeAlias = Annotated[str, Meta(max_length=256)]
Penalty: TypeAlias = Annotated[float, Meta(ge=-2, le=2)]
PositiveShare: TypeAlias = Annotated[float, Meta(gt=0, le=1)]
Temperature: TypeAlias = Annotated[float, Meta(ge=0, le=2)]


class RequestStruct(Struct, forbid_unknown_fields=True, repr_omit_defaults=True):
    """A part of a request: what is not given is not sent, and the order of fields is fixed."""


class BodyKeywords(TypedDict, total=False):
    """Keywords that become a body; those that are newer than this client go into ``extra_body``."""

    extra_body: Mapping[str, Any]


class QueryKeywords(TypedDict, total=False):
    """Keywords that become a query; those that are newer than this client: ``extra_query``."""

    extra_query: Mapping[str, Any]


class CallKeywords(BodyKeywords, total=False):
    """The keywords that become headers; see `ChatParams`."""

    extra_headers: Mapping[str, str]
    response_cache: bool
    response_cache_ttl: Annotated[int, Meta(ge=1, le=86_400)]
    response_cache_clear: bool
    router_metadata: bool
    session_header: Id
    anthropic_beta: Sequence[str]
