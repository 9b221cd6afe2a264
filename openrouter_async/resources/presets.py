"""``/presets``: settings of requests, kept under a name.

The rule of this file: declarations. What is saved is checked as the request that it is made of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Unpack

from ..types import ChatParams, MessageParam
from ..types.anthropic import MessagesParams
from ..types.pages import PageQuery
from ..types.presets import Preset, PresetVersion
from ..types.responses import ResponseParams
from ._call import Call, Group, Operation, operation
from ._list import Listing, listing
from .chat import body_of, chat_body, chat_headers
from .messages import Turns, checked_turns
from .responses import Input, checked_input

__all__ = ["Presets"]

_ONE: Final = "/presets/{slug}"
_SAVE: Final = Operation(f"POST {_ONE}/chat/completions", Preset, body=ChatParams)
_SAVE_RESPONSES: Final = Operation(f"POST {_ONE}/responses", Preset, body=ResponseParams)
_SAVE_MESSAGES: Final = Operation(f"POST {_ONE}/messages", Preset, body=MessagesParams)


class Presets(Group):
    """Presets and their versions; reached as `OpenRouter.presets`.

    A preset is named by its slug; `NotFoundError` says that there is none of it. Saving runs no
    model: what of a request a preset can hold is kept as its newest version, and made the one that
    requests get. Where there is no preset of a slug, one is made.
    """

    @listing("GET /presets")
    def list(self, **query: Unpack[PageQuery]) -> Listing[Preset]:
        """List the presets. Any key."""

    @operation(f"GET {_ONE}")
    def get(self, slug: str) -> Call[Preset]:
        """Get a preset with the settings that requests get. Any key."""

    @listing(f"GET {_ONE}/versions")
    def versions(self, slug: str, **query: Unpack[PageQuery]) -> Listing[PresetVersion]:
        """List the versions of a preset, the oldest first. Any key."""

    @operation(f"GET {_ONE}/versions/{{version}}")
    def version(self, slug: str, version: int) -> Call[PresetVersion]:
        """Get one version of a preset, by its number from 1. Any key."""

    @_SAVE
    def save(
        self,
        slug: str,
        messages: str | Sequence[MessageParam],
        *,
        model: str | None = None,
        **params: Unpack[ChatParams],
    ) -> Call[Preset]:
        """Save the settings of a chat, whose system message alone is kept. Any key.

        >>> async def example(client: OpenRouter) -> None:
        ...     rule = [{"role": "system", "content": "Answer in one word."}]
        ...     await client.presets.save("terse", rule, model="openai/gpt-4o", temperature=0)
        ...     print(await client.complete("Capital of Peru?", model="@preset/terse"))
        """
        body = chat_body(messages, model=model, stream=False, params=params)
        return self._save(_SAVE, slug, body, params)

    @_SAVE_RESPONSES
    def save_responses(
        self, slug: str, input: Input, *, model: str | None = None, **params: Unpack[ResponseParams]
    ) -> Call[Preset]:
        """Save the settings of a request to ``/responses``, without its input. Any key."""
        said = {"model": model, "input": checked_input(input)}
        return self._save(_SAVE_RESPONSES, slug, body_of(ResponseParams, said, params), params)

    @_SAVE_MESSAGES
    def save_messages(
        self,
        slug: str,
        messages: Turns,
        *,
        model: str | None = None,
        **params: Unpack[MessagesParams],
    ) -> Call[Preset]:
        """Save the settings of a request to ``/messages``, without its messages. Any key."""
        said = {"model": model, "messages": checked_turns(messages)}
        return self._save(_SAVE_MESSAGES, slug, body_of(MessagesParams, said, params), params)

    def _save(
        self, one: Operation[Preset], slug: str, body: bytes, params: Mapping[str, Any]
    ) -> Call[Preset]:
        headers = chat_headers(params)
        return one.send(self._sender, slug, headers=headers, body=body)
