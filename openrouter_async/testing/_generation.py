"""Builds the record of a generation, for clients that look up what an answer cost.

The rule of this file: a plain function from plain values to a `Reply`, in the form of the API.
"""

from __future__ import annotations

from typing import Any

import msgspec

from openrouter_async.testing._build import json_reply
from openrouter_async.testing._script import Reply

__all__ = ["generation"]


def generation(
    id: str = "gen-1762064096-emulated",
    *,
    cost: float | None = 0.00015,
    tokens: tuple[int, int] = (10, 5),
    **fields: Any,
) -> Reply:
    """Build the answer of ``GET /generation`` for an answer that was scripted.

    Before the record is written the API says 404, which `http_error` does; the pretend model's
    answers have records of their own.

    Args:
        id: The generation id.
        cost: What it cost, in USD.
        tokens: Prompt and completion tokens.
        fields: More fields of the record, or other values of those that it has.

    >>> from openrouter_async.testing import Emulator, http_error
    >>> emulator = Emulator()
    >>> emulator.play(http_error(404), http_error(404), generation(cost=0.02), path="/generation")
    """
    record = {
        "id": id,
        "model": "openai/gpt-4o-mini",
        "provider_name": "OpenAI",
        "api_type": "completions",
        "created_at": "2025-11-02T06:14:56.000000+00:00",
        "streamed": True,
        "cancelled": True,
        "finish_reason": None,
        "native_finish_reason": None,
        "tokens_prompt": tokens[0],
        "tokens_completion": tokens[1],
        "native_tokens_prompt": tokens[0],
        "native_tokens_completion": tokens[1],
        "native_tokens_reasoning": 0,
        "native_tokens_cached": 0,
        "usage": cost,
        "total_cost": cost,
        "is_byok": False,
        **fields,
    }
    return json_reply(msgspec.json.encode({"data": record}))
