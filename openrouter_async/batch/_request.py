"""What a request of a batch is: a prompt, a mapping, or a `ChatRequest`.

The rule of this file: pure. Whatever was given becomes the keywords of `OpenRouter.complete`,
which checks them; here only what is no request at all is refused, and a word that no request has.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any, Final, TypeAlias, TypeVar, Unpack, cast

from .._calling import CallParams
from .._config import Timeouts
from ..resources._params import refuse_unknown
from ..types import MessageParam

__all__ = [
    "ChatRequest",
    "Request",
    "RequestT",
    "Requests",
    "keywords_of",
    "refuse_one_request",
    "refuse_unknown_keywords",
]

_OF_COMPLETE: Final = frozenset(
    {
        *CallParams.__annotations__,
        *("messages", "model", "response_type", "strict", "timeouts", "transport"),
    }
)


class ChatRequest:
    """The arguments of one `OpenRouter.complete`, to be sent later.

    Args:
        messages: A prompt, or messages as mappings and message structs, mixed.
        model: The model; by default the one of the batch, else the client's.
        timeouts: Deadlines of this request, in place of the client's.
        response_type: The type that the answer's text is to be.
        **params: Any keyword of `CallParams`.

    Raises:
        TypeError: A keyword is unknown.

    >>> ChatRequest("Say hello", model="openai/gpt-4o-mini", temperature=0)
    ChatRequest(model='openai/gpt-4o-mini')
    """

    __slots__ = ("keywords",)

    def __init__(
        self,
        messages: str | Iterable[MessageParam],
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        response_type: Any = None,
        **params: Unpack[CallParams],
    ) -> None:
        refuse_unknown_keywords(params)
        given = {"model": model, "timeouts": timeouts, "response_type": response_type}
        self.keywords: dict[str, Any] = {
            "messages": messages if isinstance(messages, str) else list(messages),
            **{name: value for name, value in given.items() if value is not None},
            **params,
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ChatRequest) and self.keywords == other.keywords

    __hash__ = None  # type: ignore[assignment]  # what it holds can be changed

    def __repr__(self) -> str:
        # A prompt is nobody else's business.
        model = self.keywords.get("model")
        return "ChatRequest()" if model is None else f"ChatRequest(model={model!r})"


Request: TypeAlias = str | Mapping[str, Any] | ChatRequest
"""A prompt, a mapping of the keywords of `OpenRouter.complete`, or a `ChatRequest`."""

RequestT = TypeVar("RequestT", bound=Request)

Requests: TypeAlias = Iterable[RequestT] | AsyncIterable[RequestT]
"""Many of them, which are asked for one by one."""


def keywords_of(request: object, common: Mapping[str, Any]) -> dict[str, Any]:
    """Give the keywords of `OpenRouter.complete` for a request.

    Args:
        request: What was given.
        common: What holds for every request that does not say otherwise.

    Raises:
        TypeError: It is no request.
    """
    if isinstance(request, str):
        return {**common, "messages": request}
    if isinstance(request, ChatRequest):
        return {**common, **request.keywords}
    if not isinstance(request, Mapping):
        raise TypeError(
            "a request must be a str, a mapping of the keywords of complete() or a ChatRequest, "
            f"got {type(request).__name__}"
        )
    given = cast("Mapping[str, Any]", request)
    if "messages" not in given:
        raise TypeError("a request that is a mapping must have 'messages'")
    return {**common, **given}


def refuse_unknown_keywords(names: Iterable[str]) -> None:
    """Refuse what `OpenRouter.complete` does not take, before anything is sent.

    Raises:
        TypeError: One of the names is unknown.
    """
    refuse_unknown(name for name in names if name not in _OF_COMPLETE)


def refuse_one_request(requests: object) -> None:
    """Refuse a single request where many are expected.

    Raises:
        TypeError: It is one request, or nothing that can be iterated.
    """
    if isinstance(requests, str | bytes | Mapping | ChatRequest):
        kind = type(cast("object", requests)).__name__
        raise TypeError(f"requests must be an iterable of requests, got one {kind}")
    if not isinstance(requests, Iterable | AsyncIterable):
        raise TypeError(f"requests must be an iterable of requests, got {type(requests).__name__}")
