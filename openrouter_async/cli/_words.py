"""Numbers and texts as a terminal shows them.

The rule of this file: pure functions from values to text.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from openrouter_async import ChatCompletion, ChatStream, Image

__all__ = ["image_in_words", "million_price", "money", "printable", "remark", "span", "summary"]

_MILLION: Final = 1_000_000
# What a terminal takes for orders: an answer could move the cursor or rename the window.
_CONTROL: Final = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)])
for _kept in "\n\t":
    del _CONTROL[ord(_kept)]


def printable(text: str) -> str:
    """Take out the characters that would steer a terminal."""
    return text.translate(_CONTROL)


def money(usd: float | None) -> str:
    """Give an amount with as many digits as it needs."""
    if usd is None:
        return "cost unknown"
    if usd == 0:
        return "free"
    if abs(usd) >= 1:
        return f"${usd:.2f}"
    digits = f"{usd:.6f}".rstrip("0").rstrip(".")
    return f"${digits}" if float(digits) else "less than $0.000001"


def span(seconds: float) -> str:
    """Give a time as people say it: 12 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if whole else f"{seconds:.1f} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if minutes else f"{hours:,} h"


def million_price(usd_each: Decimal | None) -> float | None:
    """Give the price of a million tokens from that of one; None where it depends."""
    return None if usd_each is None or usd_each < 0 else float(usd_each * _MILLION)


def image_in_words(image: Image) -> str:
    """Give an image's pixels and size."""
    pixels = f"{image.width} x {image.height}, " if image.width and image.height else ""
    size = len(image.bytes)
    return pixels + (f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, size // 1000)} kB")


def remark(completion: ChatCompletion) -> str | None:
    """Say what is odd about an answer that ended well; None where nothing is."""
    if completion.message.refusal:
        return printable(f"The model refused: {completion.message.refusal}")
    if completion.is_empty and completion.finish_reason == "length":
        return "The token limit was reached before the answer began; --max-tokens allows more."
    if completion.is_empty:
        return printable(f"The answer is empty: {completion.empty_reason}")
    if completion.finish_reason == "length":
        return "The token limit cut the answer; --max-tokens allows more."
    return None


def summary(stream: ChatStream) -> str:
    """Say in one line what answered, how fast and for how much."""
    facts: list[str] = []
    if stream.ending == "left":
        facts.append("stopped")
    if stream.model is not None:
        facts.append(stream.model + (f" by {stream.provider}" if stream.provider else ""))
    if stream.usage is not None:
        facts.append(f"{stream.usage.total_tokens} tokens")
    timing = stream.timing
    if timing.first_delta is not None:
        facts.append(f"first after {_duration(timing.first_delta)}")
    if timing.tokens_per_second is not None and not stream.image_tokens:
        facts.append(f"{timing.tokens_per_second:.0f} tokens/s")
    facts.append(money(stream.cost))
    saved = sum(document.saved or 0.0 for document in stream.documents)
    if saved:
        facts.append(f"{money(saved)} saved, as the document was known")
    if stream.cost is None and stream.generation_id is not None:
        facts.append(f"ask with: openrouter-async cost {stream.generation_id}")
    return printable(", ".join(facts))


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
