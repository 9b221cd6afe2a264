"""``/models`` and what belongs to them: what the API offers, from whom and at which price.

The rule of this file: a question in, rows out, decoded leniently: one odd row hides no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias, TypedDict, Unpack

from ..types.endpoints import Endpoint, ModelEndpoints
from ..types.models import Model, ModelCount, ModelQuery, ModelsPage, UserModelQuery
from ._call import Call, Group, Operation, model_at
from ._list import Listing, listing

__all__ = ["Models"]


class _CountQuery(TypedDict, total=False):
    output_modalities: str | Sequence[str]


class _FeedQuery(ModelQuery, total=False):
    use_rss: bool
    use_rss_chat_links: bool


_FEED: Final = Operation("GET /models", bytes, query=_FeedQuery)
_GET: Final = Operation("GET /model/{author}/{slug}", Model)
_COUNT: Final = Operation("GET /models/count", ModelCount, query=_CountQuery)
_ENDPOINTS: Final = Operation("GET /models/{author}/{slug}/endpoints", ModelEndpoints)
_SUGGESTED: Final = 2
_Wanted: TypeAlias = tuple[Sequence[str], Sequence[str]]
"""What is to go in and what is to come out."""


class Models(Group, key="none"):
    """The models that the API offers; reached as `OpenRouter.models`.

    A model is named by its slug, such as ``author/name``, with a variant or without, or an alias.
    `NotFoundError` says that there is none of it.
    """

    @listing("GET /models", is_whole=True)
    def list(self, **query: Unpack[ModelQuery]) -> Listing[Model]:
        """List the models. No key is needed.

        Args:
            **query: Without ``output_modalities`` those that write text are listed, with
                ``"all"`` all of them. Without ``limit`` all come at once.

        >>> async def example(client: OpenRouter) -> None:
        ...     for model in await client.models.list(output_modalities=["image"]):
        ...         print(model.id, model.context_length)
        """

    @_GET
    def get(self, model: str) -> Call[Model]:
        """Get what the API says of one model. No key is needed."""
        return _GET.send(self._sender, *model_at(model))

    @_COUNT
    async def count(self, *, output_modalities: str | Sequence[str] | None = None) -> int:
        """Count the models that make something; see `list`. No key is needed."""
        fields = {"output_modalities": output_modalities}
        return (await _COUNT.send(self._sender, fields=fields)).count or 0

    @listing("GET /models/user", is_whole=True, key="normal")
    def user(self, **query: Unpack[UserModelQuery]) -> Listing[Model]:
        """List the models that the account's own settings allow. Normal key."""

    @listing("GET /embeddings/models", is_whole=True)
    def embeddings(self, **query: Unpack[ModelsPage]) -> Listing[Model]:
        """List the models that make embeddings. No key is needed.

        Those that draw are listed by `OpenRouter.images`, those that film by `OpenRouter.videos`.
        """

    @_ENDPOINTS
    def endpoints(self, model: str) -> Call[ModelEndpoints]:
        """Get all who serve a model, with prices, limits and how well they do. No key is needed.

        >>> async def example(client: OpenRouter) -> None:
        ...     served = await client.models.endpoints("openai/gpt-4o-mini")
        ...     for endpoint in served.endpoints or []:
        ...         print(endpoint.tag, endpoint.uptime_last_1d)
        """
        return _ENDPOINTS.send(self._sender, *model_at(model))

    @listing("GET /endpoints/zdr")
    def zdr_endpoints(self) -> Listing[Endpoint]:
        """List the endpoints that keep no data (zero data retention). No key is needed."""

    @_FEED
    async def rss(self, *, chat_links: bool = False, **query: Unpack[ModelQuery]) -> str:
        """Get the list of models as an RSS feed. No key is needed.

        Args:
            chat_links: Let each entry lead to a chat with the model, not to its page.
        """
        fields: dict[str, object] = {**query, "use_rss": True}
        if chat_links:
            fields["use_rss_chat_links"] = True
        headers = {"Accept": "application/rss+xml, application/json"}
        feed = await _FEED.send(self._sender, fields=fields, headers=headers)
        return feed.decode("utf-8", "replace")

    async def check(
        self, model: str, *, inputs: Sequence[str] = (), outputs: Sequence[str] = ()
    ) -> Model:
        """Make sure, before anything is paid for, that a model takes and makes what is wanted.

        No key is needed.

        Args:
            inputs: What it is to take: ``text``, ``image``, ``file``, ``audio``, ``video``.
            outputs: What it is to make: ``text``, ``image``, ``audio``, ``video``, ``speech``,
                ``transcription``, ``embeddings``, ``rerank``.

        Returns:
            What the API says of the model. What it does not say is not refused.

        Raises:
            ValueError: It cannot; the message names what it can do, and models that can.

        >>> async def example(client: OpenRouter) -> None:
        ...     await client.models.check("openai/gpt-4o-mini", outputs=["image"])
        """
        wanted = _words("inputs", inputs), _words("outputs", outputs)
        found = await self.get(model)
        if _can(found, wanted):
            return found
        takes, makes = map(_and, _modalities(found))
        both = f"takes {takes} and makes {makes}"
        raise ValueError(f"{model} {both}, and you want {_wish(*wanted)}{await self._hint(wanted)}")

    async def _hint(self, wanted: _Wanted) -> str:
        """Name models that can, where there are any."""
        rows = await self.list(output_modalities="all")
        able = [row.id for row in rows if _can(row, wanted, is_sure=True)]
        return f"; {' or '.join(able[:_SUGGESTED])} can" if able else ""


def _modalities(model: Model) -> tuple[Sequence[str] | None, Sequence[str] | None]:
    kind = model.architecture
    return (None, None) if kind is None else (kind.input_modalities, kind.output_modalities)


def _can(model: Model, wanted: _Wanted, *, is_sure: bool = False) -> bool:
    """Whether a model can do what is wanted; what it does not say, it can, unless one is sure."""
    both = zip(_modalities(model), wanted, strict=True)
    return all(not is_sure if says is None else {*asked} <= {*says} for says, asked in both)


def _and(words: Sequence[str] | None) -> str:
    if words is None:
        return "nobody knows what"
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]])) or "nothing"


def _wish(inputs: Sequence[str], outputs: Sequence[str]) -> str:
    wishes = [f"{_and(inputs)} taken"] * bool(inputs) + [f"{_and(outputs)} made"] * bool(outputs)
    return " and ".join(wishes)


def _words(name: str, given: Sequence[str]) -> Sequence[str]:
    if isinstance(given, str):
        raise TypeError(f"{name} must be a sequence of words, such as ['image'], got a str")
    return given
