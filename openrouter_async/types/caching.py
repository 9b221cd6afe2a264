"""Marks that say up to where a provider may cache a prompt: of messages, tools and requests.

OpenRouter's own cache of whole answers is a matter of headers.
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET

from ._request import Maybe, Open, RequestStruct


class CacheControl(RequestStruct, kw_only=True):
    """Cache up to here, in Anthropic's form; `ttl` is how long."""

    type: Open[Literal["ephemeral"]] = "ephemeral"
    ttl: Maybe[Open[Literal["5m", "1h"]]] = UNSET


class PromptCacheBreakpoint(RequestStruct, kw_only=True):
    """Cache up to here, in OpenAI's form."""

    mode: Open[Literal["explicit"]] = "explicit"


class PromptCacheOptions(RequestStruct, kw_only=True):
    """Turns OpenAI's explicit prompt caching on for a request."""

    mode: Open[Literal["explicit"]] = "explicit"
    ttl: Maybe[str | None] = UNSET
