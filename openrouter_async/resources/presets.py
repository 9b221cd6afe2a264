"""``/presets``: settings of requests, kept under a name.

The rule of this file: operations are declared, and each method is one of them. What is saved is
checked as the request would be that it is made of.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final, Unpack, cast

from .._sealed import SealedBytes
from ..types import ChatParams, MessageParam
from ..types.anthropic import MessagesParams
from ..types.pages import PageQuery
from ..types.presets import Preset, PresetVersion
from ..types.responses import ResponseParams
from ._body import encode_body
from ._call import Group, Operation
from ._fit import fit
from ._list import Listing, ListOperation
from ._messages import plain
from ._params import checked_params
from .chat import NOT_IN_BODY, chat_body, chat_headers
from .messages import Turns, checked_turns
from .responses import Input, checked_input

__all__ = ["Presets"]

_ONE: Final = "/presets/{slug}"
_VERSIONS: Final = f"{_ONE}/versions"
_LIST: Final = ListOperation("GET /presets", Preset, query=PageQuery)
_GET: Final = Operation(f"GET {_ONE}", Preset)
_LIST_VERSIONS: Final = ListOperation(f"GET {_VERSIONS}", PresetVersion, query=PageQuery)
_GET_VERSION: Final = Operation(f"GET {_VERSIONS}/{{version}}", PresetVersion)
_SAVE: Final = Operation(f"POST {_ONE}/chat/completions", Preset, body=ChatParams)
_SAVE_RESPONSES: Final = Operation(f"POST {_ONE}/responses", Preset, body=ResponseParams)
_SAVE_MESSAGES: Final = Operation(f"POST {_ONE}/messages", Preset, body=MessagesParams)


class Presets(Group):
    """Presets and their versions; reached as `OpenRouter.presets`.

    A preset is named by its slug. Saving runs no model: what of a request a preset can hold is
    kept as its newest version, and made the one that requests get.
    """

    __slots__ = ()

    @_LIST
    def list(self, **query: Unpack[PageQuery]) -> Listing[Preset]:
        """List the presets. Any key.

        Args:
            **query: Any keyword of `PageQuery`.
        """
        return _LIST.walk(self._sender, fields=query)

    @_GET
    def get(self, slug: str) -> Coroutine[Any, Any, Preset]:
        """Get a preset with the settings that requests get. Any key.

        Raises:
            NotFoundError: There is none of this slug.
        """
        return _GET.send(self._sender, slug)

    @_LIST_VERSIONS
    def versions(self, slug: str, **query: Unpack[PageQuery]) -> Listing[PresetVersion]:
        """List the versions of a preset, the oldest first. Any key.

        Args:
            slug: The preset.
            **query: Any keyword of `PageQuery`.
        """
        return _LIST_VERSIONS.walk(self._sender, slug, fields=query)

    @_GET_VERSION
    def version(self, slug: str, version: int) -> Coroutine[Any, Any, PresetVersion]:
        """Get one version of a preset. Any key.

        Args:
            slug: The preset.
            version: The number of the version, from 1.

        Raises:
            NotFoundError: There is no such preset or version.
            TypeError: `version` is no int.
        """
        return _GET_VERSION.send(self._sender, slug, str(fit(version, int, "version")))

    @_SAVE
    def save(
        self,
        slug: str,
        messages: str | Sequence[MessageParam],
        *,
        model: str | None = None,
        **params: Unpack[ChatParams],
    ) -> Coroutine[Any, Any, Preset]:
        """Save the settings of a chat. Any key.

        Args:
            slug: The preset; a new one is made where there is none.
            messages: Messages as of a chat; of these only a system message is kept.
            model: The model.
            **params: Any keyword of a chat.

        >>> async def example(client: OpenRouter) -> None:
        ...     rule = [{"role": "system", "content": "Answer in one word."}]
        ...     await client.presets.save("terse", rule, model="openai/gpt-4o", temperature=0)
        ...     print(await client.complete("Capital of Peru?", model="@preset/terse"))
        """
        body = chat_body(messages, model=model, stream=False, params=params)
        return self._save(_SAVE, slug, body, params)

    @_SAVE_RESPONSES
    def save_responses(
        self,
        slug: str,
        input: Input,
        *,
        model: str | None = None,
        **params: Unpack[ResponseParams],
    ) -> Coroutine[Any, Any, Preset]:
        """Save the settings of a request to ``/responses``. Any key.

        Args:
            slug: The preset; a new one is made where there is none.
            input: Input as of a request, which is not kept.
            model: The model.
            **params: Any keyword of `ResponseParams`.
        """
        body = _body(ResponseParams, {"model": model, "input": checked_input(input)}, params)
        return self._save(_SAVE_RESPONSES, slug, body, params)

    @_SAVE_MESSAGES
    def save_messages(
        self,
        slug: str,
        messages: Turns,
        *,
        model: str | None = None,
        **params: Unpack[MessagesParams],
    ) -> Coroutine[Any, Any, Preset]:
        """Save the settings of a request to ``/messages``. Any key.

        Args:
            slug: The preset; a new one is made where there is none.
            messages: Messages as of a request, which are not kept.
            model: The model.
            **params: Any keyword of `MessagesParams`.
        """
        body = _body(MessagesParams, {"model": model, "messages": checked_turns(messages)}, params)
        return self._save(_SAVE_MESSAGES, slug, body, params)

    def _save(
        self, operation: Operation[Preset], slug: str, body: bytes, params: Mapping[str, Any]
    ) -> Coroutine[Any, Any, Preset]:
        asked = operation.ask(slug, headers=chat_headers(params))
        return operation.send_asked(self._sender, asked._replace(body=SealedBytes(body)))


def _body(shape: type, main: Mapping[str, Any], params: Mapping[str, Any]) -> bytes:
    given = checked_params(
        {name: plain(value) for name, value in params.items()}, cast("type[Any]", shape)
    )
    fields = {name: value for name, value in given.items() if name not in NOT_IN_BODY}
    said = {name: value for name, value in main.items() if value is not None}
    return encode_body({**said, **fields, **given.get("extra_body", {})})
