"""What a usage costs by a list of prices.

The rule of this file: pure and exact. Each token is charged once, at the price that it has of its
own where the list names one, else at the price of a token of its side.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any, Final

from .models import PriceOverride, Pricing, TokenPrices
from .usage import CompletionTokensDetails, PromptTokensDetails, Usage

# The precision of the context that a program has set must not round money.
_EXACTLY: Final = Context(prec=60)
_NOTHING: Final = Decimal(0)
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def price_of(pricing: Pricing, usage: Usage, at: datetime | None = None) -> Decimal | None:
    """Give the price in USD; None where the list says "it depends".

    Args:
        pricing: The list.
        usage: What is charged.
        at: When it was asked for; None is now.

    Raises:
        ValueError: `at` has no time zone.
    """
    moment = datetime.now(UTC) if at is None else at
    if moment.tzinfo is None:
        raise ValueError("at must be a moment with its time zone, such as datetime.now(UTC)")
    prices = prices_at(pricing, usage.prompt_tokens, moment.astimezone(UTC))
    if prices.prompt is None or prices.completion is None:
        return None
    parts = [*_prompt(prices, usage), *_answer(prices, usage), (prices.request, 1)]
    parts.append((prices.web_search, _searches(usage)))
    total = _NOTHING
    for price, count in parts:
        if price is None or not count:
            continue
        if not price.is_finite() or price < 0:
            return None
        total = _EXACTLY.add(total, _EXACTLY.multiply(price, Decimal(count)))
    return total


def prices_at(pricing: Pricing, prompt_tokens: int, moment: datetime) -> Pricing:
    """Give the prices that hold for a prompt of this size at this moment, which is in UTC."""
    named = {name: getattr(pricing, name) for name in pricing.__struct_fields__}
    for entry in pricing.overrides or ():
        if _holds(entry, prompt_tokens, moment):
            own = {name: getattr(entry, name) for name in TokenPrices.__struct_fields__}
            named |= {name: price for name, price in own.items() if price is not None}
    return Pricing(**named)


def _holds(entry: PriceOverride, prompt_tokens: int, moment: datetime) -> bool:
    """Tell whether every condition of an override holds."""
    if entry.min_prompt_tokens is not None and prompt_tokens <= entry.min_prompt_tokens:
        return False
    if entry.utc_days is not None and _DAYS[moment.weekday()] not in entry.utc_days:
        return False
    if entry.utc_start is None and entry.utc_end is None:
        return True
    now, start, end = moment.hour * 100 + moment.minute, entry.utc_start or 0, entry.utc_end
    if end is None:
        return now >= start
    # A window may go past midnight.
    return start <= now < end if start <= end else now >= start or now < end


def _prompt(prices: Pricing, usage: Usage) -> list[tuple[Decimal | None, int]]:
    details = usage.prompt_tokens_details or PromptTokensDetails()
    cached, written = details.cached_tokens or 0, details.cache_write_tokens or 0
    sound = details.audio_tokens or 0
    return [
        (prices.prompt, max(0, usage.prompt_tokens - cached - written - sound)),
        (_own(prices.input_cache_read, prices.prompt), cached),
        (_own(prices.input_cache_write, prices.prompt), written),
        (_own(prices.audio, prices.prompt), sound),
    ]


def _answer(prices: Pricing, usage: Usage) -> list[tuple[Decimal | None, int]]:
    details = usage.completion_tokens_details or CompletionTokensDetails()
    # Reasoning has been seen to be more than all of the answer, which it is a part of.
    reasoning = min(details.reasoning_tokens or 0, usage.completion_tokens)
    drawn, spoken = details.image_tokens or 0, details.audio_tokens or 0
    # Zero is how the list says that reasoning has no price of its own.
    of_reasoning = prices.internal_reasoning or prices.completion
    return [
        (prices.completion, max(0, usage.completion_tokens - reasoning - drawn - spoken)),
        (of_reasoning, reasoning),
        (prices.image_output or prices.completion, drawn),
        (prices.audio_output or prices.completion, spoken),
    ]


def _own(price: Decimal | None, otherwise: Decimal | None) -> Decimal | None:
    return otherwise if price is None else price


def _searches(usage: Usage) -> int:
    for used in (usage.server_tool_use, usage.server_tool_use_details):
        count: Any = (used or {}).get("web_search_requests")
        if isinstance(count, int):
            return count
    return 0
