"""``GET /models``: what the API offers, with prices.

The rule of this file: a question in, rows out, decoded leniently: one odd row hides no other.
"""

from __future__ import annotations

import builtins
import difflib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias, Unpack, cast
from urllib.parse import quote

from ..errors import ProtocolError
from ..types._lenient import NotAnObjectError, decode_leniently
from ..types.models import Model, ModelAnswer, ModelList, ModelQuery

__all__ = ["Models"]

Fetch: TypeAlias = Callable[[str, Mapping[str, str]], Awaitable[bytes]]
"""Sends a GET to a path with a query and gives the body of a good answer."""

_PATH: Final = "/models"
_NAMES: Final = frozenset(ModelQuery.__annotations__)
_SUGGESTED: Final = 2


class Models:
    """The models that the API offers; reached as `OpenRouter.models`."""

    __slots__ = ("_fetch",)

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    async def list(self, **query: Unpack[ModelQuery]) -> builtins.list[Model]:
        """List the models, all that fit at once unless ``limit`` and ``offset`` ask for a page.

        Args:
            **query: Any keyword of `ModelQuery`. Without ``output_modalities`` those that write
                text are listed, with ``"all"`` all of them.

        Raises:
            TypeError: A keyword is unknown, or its value has the wrong type.
            OpenRouterError: The request failed.

        >>> async def example(client: OpenRouter) -> None:
        ...     for model in await client.models.list(output_modalities=["image"]):
        ...         print(model.id, model.context_length)
        """
        body = await self._fetch(_PATH, _query_of(query))
        try:
            rows = decode_leniently(body, ModelList).data
        except NotAnObjectError as error:
            raise ProtocolError(f"the list of models is {error}") from None
        if not rows and all(value == "all" for value in query.values()):
            raise ProtocolError("the answer holds no models")  # and none were left out
        return rows

    async def get(self, model: str) -> Model:
        """Get what the API says of one model.

        Args:
            model: Its slug, with a variant or without, or an alias.

        Raises:
            NotFoundError: There is no such model.
            OpenRouterError: The request failed.
            ValueError: `model` is no slug with an author.
        """
        author, slash, name = model.partition("/")
        if not (author and slash and name):
            raise ValueError(f"model must be a slug such as 'author/name', got {model!r}")
        path = f"/model/{quote(author, safe='~')}/{quote(name, safe=':')}"
        try:
            found = decode_leniently(await self._fetch(path, {}), ModelAnswer).data
        except NotAnObjectError as error:
            raise ProtocolError(f"what is said of the model is {error}") from None
        if found is None:
            raise ProtocolError("the answer holds no model")
        return found

    async def check(
        self, model: str, *, inputs: Sequence[str] = (), outputs: Sequence[str] = ()
    ) -> Model:
        """Make sure, before anything is paid for, that a model takes and makes what is wanted.

        Args:
            model: Its slug.
            inputs: What it is to take: ``text``, ``image``, ``file``, ``audio``, ``video``.
            outputs: What it is to make: ``text``, ``image``, ``audio``, ``video``, ``speech``,
                ``transcription``, ``embeddings``, ``rerank``.

        Returns:
            What the API says of the model. Where it does not say what a model takes or makes,
            nothing is refused.

        Raises:
            ValueError: It cannot; the message names what it can do, and models that can.
            NotFoundError: There is no such model.
            OpenRouterError: Asking failed.

        >>> async def example(client: OpenRouter) -> None:
        ...     await client.models.check("openai/gpt-4o-mini", outputs=["image"])
        """
        wanted = (_words("inputs", inputs), _words("outputs", outputs))
        found = await self.get(model)
        if _can(found, *wanted):
            return found
        both = f"takes {_taken(found)} and makes {_made(found)}"
        raise ValueError(
            f"{model} {both}, and you want {_wish(*wanted)}{await self._hint(*wanted)}"
        )

    async def _hint(self, inputs: Sequence[str], outputs: Sequence[str]) -> str:
        """Name models that can, where there are any."""
        rows = await self.list(output_modalities="all")
        able = [row.id for row in rows if _can(row, inputs, outputs, is_sure=True)]
        return f"; {' or '.join(able[:_SUGGESTED])} can" if able else ""


def _can(
    model: Model, inputs: Sequence[str], outputs: Sequence[str], *, is_sure: bool = False
) -> bool:
    kind = model.architecture
    takes = kind.input_modalities if kind is not None else None
    makes = kind.output_modalities if kind is not None else None
    if is_sure and (takes is None or makes is None):
        return False
    return (takes is None or set(inputs) <= set(takes)) and (
        makes is None or set(outputs) <= set(makes)
    )


def _taken(model: Model) -> str:
    kind = model.architecture
    return _and(kind.input_modalities if kind is not None else None)


def _made(model: Model) -> str:
    kind = model.architecture
    return _and(kind.output_modalities if kind is not None else None)


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


def _query_of(query: ModelQuery) -> dict[str, str]:
    return {
        name: _value_of(name, value)
        for name, value in cast("dict[str, Any]", query).items()
        if value is not None
    }


def _value_of(name: str, value: object) -> str:
    if name not in _NAMES:
        close = difflib.get_close_matches(name, _NAMES, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(_NAMES))}"
        raise TypeError(f"unknown keyword {name!r}; {hint}")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return ",".join(map(str, cast("Sequence[object]", value)))
    raise TypeError(
        f"{name} must be a str, a number, a bool or a sequence of str, got {type(value).__name__}"
    )
