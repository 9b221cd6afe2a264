"""What a request for text or vectors can cost at most, by the rows of ``GET /models``.

The rule of this file: pure, and never too little by its own doing. Where a price or a count
cannot be bounded, it says so instead of guessing.

| part | bound |
|---|---|
| text of the prompt | one token for each byte of the body: no tokenizer makes more of it |
| an image of the prompt | `_IMAGE_TOKENS`, and the price of an image |
| sound, video, documents and whatever is not known | what the model's context holds |
| the answer | `max_completion_tokens` or its like, else what the model can give |
| several answers | as many as that: `n` or `best_of`, for each prompt |
| one token | the dearest of what the model lists for that side, overrides included |
| one request | the price of a request and of one search, where the model lists them |

Of several models, the dearest counts. Routers, presets, stored prompts, service tiers, fast
answers, and what OpenRouter runs besides the model (its own tools, most plugins) have no bound.
The body tells its dialect by itself: chat, ``/responses``, ``/messages``, ``/completions`` or
``/embeddings``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Context, Decimal
from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from ._sealed import SealedBytes
from .errors import BudgetUnpriceableError
from .types.models import Model, PriceOverride, Pricing

__all__ = ["dearest", "models_by_name"]

_IMAGE_TOKENS: Final = 50_000  # the most that a current model is known to make of one image
_HIDDEN_TOKENS: Final = 1_000  # what a provider adds: the form of the chat, the manual of tools
_SAME_PRICE: Final = frozenset({"exacto", "floor", "free"})  # variants that choose no dearer tier
_FREE_PLUGINS: Final = frozenset({"context-compression", "moderation", "response-healing"})
_FREE_PDF_ENGINES: Final = frozenset({"cloudflare-ai", "native", "pdf-text"})
_USUAL_TIERS: Final = frozenset({None, "auto", "default", "flex", "standard"})
_OWN_TOOLS: Final = frozenset({"custom", "function"})
_PLAIN_KINDS: Final = frozenset(
    {
        *("text", "input_text", "output_text", "refusal", "message"),
        *("function_call", "function_call_output", "tool_use", "tool_result"),
        *("reasoning", "reasoning_text", "summary_text", "thinking", "redacted_thinking"),
    }
)
_DOCUMENT_KINDS: Final = frozenset({"document", "file", "input_file"})
_NOTHING: Final = Decimal(0)
_FREE_MODEL: Final = Model(context_length=1, pricing=Pricing(prompt=_NOTHING, completion=_NOTHING))
# The precision of the context that a program has set must not round money.
_EXACTLY: Final = Context(prec=60)


class _Part(Struct):
    type: str = "text"
    image_url: msgspec.Raw = msgspec.Raw()
    content: object = None


class _Message(Struct):
    content: msgspec.Raw = msgspec.Raw()
    images: list[_Part] | None = None


class _Plugin(Struct):
    id: str = ""
    enabled: bool = True
    pdf: dict[str, Any] | None = None


class _Tool(Struct):
    type: str = "function"


class _Fallback(Struct):
    model: str = ""


class _Asked(Struct):
    """What of a request's body has to do with its price."""

    model: str | None = None
    models: list[str] | None = None
    fallbacks: list[_Fallback] | None = None
    preset: str | None = None
    messages: list[_Message] = []
    input: object = None
    prompt: object = None
    system: object = None
    n: int | None = None
    best_of: int | None = None
    max_output_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    plugins: list[_Plugin] | None = None
    tools: list[_Tool] | None = None
    service_tier: str | None = None
    speed: str | None = None


class _Size(Struct):
    """How much a request asks for, before a model is looked at."""

    text: int
    images: int
    has_media: bool
    has_documents: bool

    def note(self, kind: str) -> None:
        """Take note of a part of the prompt whose bytes may stand for more."""
        if kind not in _PLAIN_KINDS:
            self.has_media = True
            self.has_documents = self.has_documents or kind in _DOCUMENT_KINDS


_read: Final = msgspec.json.Decoder(_Asked).decode
_read_parts: Final = msgspec.json.Decoder(list[_Part]).decode


def models_by_name(models: Iterable[Model]) -> dict[str, Model]:
    """Give the models by every slug that names them; an alias stands for its target."""
    rows = list(models)
    named = {row.canonical_slug: row for row in rows if row.canonical_slug}
    named |= {row.id: row for row in rows}
    for row in rows:
        target = row.alias_target.slug if row.alias_target is not None else None
        if row.pricing is None and target in named:
            named[row.id] = named[target]
    return named


def dearest(body: bytes, models: Mapping[str, Model]) -> Decimal:
    """Give the most that a request can cost, in USD.

    Args:
        body: The request as it is sent.
        models: The price list, by slug.

    Raises:
        BudgetUnpriceableError: It has no bound.
    """
    try:
        asked = _read(body)
        size = _size_of(asked, len(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _unpriceable("the request has a form that is not known") from None
    _refuse_unbounded(asked, size)
    names = [*([asked.model] if asked.model else []), *(asked.models or ())]
    names += [other.model for other in asked.fallbacks or ()]
    if not names:
        raise _unpriceable("the request names no model, so the account's default answers")
    return max(_cost(asked, size, *_priced(name, models)) for name in names)


def _size_of(asked: _Asked, length: int) -> _Size:
    size = _Size(text=length, images=0, has_media=False, has_documents=False)
    for message in asked.messages:
        content = SealedBytes(message.content)
        parts = _read_parts(content) if content.startswith(b"[") else []
        for part in (*parts, *(message.images or ())):
            if part.type == "image_url":
                size.images += 1
                size.text -= len(bytes(part.image_url))
            else:
                for kind in (part.type, *_kinds_in(part.content)):
                    size.note(kind)
    for kind in (*_kinds_in(asked.input), *_kinds_in(asked.system)):
        size.note(kind)
    return size


def _kinds_in(value: object) -> Iterator[str]:
    """Give the kinds of all items and parts of a prompt, nested ones too."""
    if isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _kinds_in(item)
    elif isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        if isinstance(kind := fields.get("type"), str):
            yield kind
        for name in ("content", "output"):
            yield from _kinds_in(fields.get(name))


def _refuse_unbounded(asked: _Asked, size: _Size) -> None:
    if asked.preset:
        raise _unpriceable("a preset may choose the model and its tools")
    if asked.service_tier not in _USUAL_TIERS:
        raise _unpriceable(f"service_tier {asked.service_tier!r} has prices of its own")
    if asked.speed not in (None, "standard"):
        raise _unpriceable(f"speed {asked.speed!r} has prices of its own")
    if isinstance(asked.prompt, dict):
        raise _unpriceable("a stored prompt may hold anything")
    for tool in asked.tools or ():
        if tool.type not in _OWN_TOOLS:
            raise _unpriceable(f"what OpenRouter's tool {tool.type!r} does has no bound")
    for plugin in asked.plugins or ():
        reads_documents = plugin.id == "file-parser" and (
            not size.has_documents or _pdf_engine(plugin) in _FREE_PDF_ENGINES
        )
        if plugin.enabled and plugin.id not in _FREE_PLUGINS and not reads_documents:
            raise _unpriceable(f"what the plugin {plugin.id!r} does has no bound")


def _pdf_engine(plugin: _Plugin) -> object:
    return plugin.pdf.get("engine") if plugin.pdf is not None else None


def _cost(asked: _Asked, size: _Size, model: Model, prices: Pricing) -> Decimal:
    if size.has_documents:
        _refuse_paid_parsing(asked, model)
    prompt_tokens = _prompt_tokens(size, model)
    prompt, completion = _token_prices(model, prices, prompt_tokens)
    parts = [
        (prompt, prompt_tokens),
        (completion, _completion_tokens(asked, model) * _answers(asked)),
        (_listed(model, prices.request), 1),
        (_listed(model, prices.web_search), 1),
        (_listed(model, prices.image), size.images),
    ]
    total = _NOTHING
    for price, count in parts:
        total = _EXACTLY.add(total, _EXACTLY.multiply(price, Decimal(count)))
    return total


def _priced(name: str, models: Mapping[str, Model]) -> tuple[Model, Pricing]:
    """Find the model that a slug with its variants is charged as."""
    model = models.get(name)
    if model is None:
        slug, *variants = name.split(":")
        if not _SAME_PRICE.issuperset(variants):
            raise _unpriceable(f"the price list has no model {name!r}")
        model = _FREE_MODEL if "free" in variants else models.get(slug)
    if model is None or model.pricing is None:
        raise _unpriceable(f"the price list has no model {name!r}")
    return model, model.pricing


def _prompt_tokens(size: _Size, model: Model) -> int:
    context = model.context_length
    if context is None and size.has_media:
        raise _unpriceable(f"the price list does not say how much {model.id!r} can read")
    tokens = size.text + size.images * _IMAGE_TOKENS + _HIDDEN_TOKENS
    return tokens if context is None else context if size.has_media else min(tokens, context)


def _answers(asked: _Asked) -> int:
    """Give how many answers are made: those of each prompt that is a text or a list of tokens."""
    prompts = cast("list[object]", asked.prompt or []) if not isinstance(asked.prompt, str) else []
    several = any(isinstance(one, str | list) for one in prompts)
    return max(1, asked.n or 1, asked.best_of or 1) * (len(prompts) if several else 1)


def _completion_tokens(asked: _Asked, model: Model) -> int:
    context = model.context_length
    given = (asked.max_completion_tokens, asked.max_output_tokens, asked.max_tokens)
    limits = [limit for limit in given if limit]
    if limits:
        return max(limits) if context is None else min(max(limits), context)
    allowed = model.top_provider.max_completion_tokens if model.top_provider is not None else None
    if not allowed and not context:
        raise _unpriceable(f"give max_completion_tokens: {model.id!r} lists no bound")
    return allowed or context or 0


def _refuse_paid_parsing(asked: _Asked, model: Model) -> None:
    """A document that neither the model nor a free engine reads is paid for by the page."""
    inputs = (model.architecture.input_modalities if model.architecture else None) or ()
    engines = {_pdf_engine(plugin) for plugin in asked.plugins or () if plugin.id == "file-parser"}
    if "file" not in inputs and not engines & _FREE_PDF_ENGINES:
        raise _unpriceable(f"{model.id!r} reads no documents, and parsing one costs by the page")


def _token_prices(model: Model, prices: Pricing, prompt_tokens: int) -> tuple[Decimal, Decimal]:
    """Give the dearest price of a token of the prompt and of a token of the answer."""
    # Overrides count whatever the hour: it may be another one when the request is served.
    rows: list[Pricing | PriceOverride] = [prices]
    rows += (row for row in prices.overrides or () if prompt_tokens > (row.min_prompt_tokens or 0))
    if prices.prompt is None or prices.completion is None:
        raise _unpriceable(f"the price list has no price for {model.id!r}")
    prompt = [
        price
        for row in rows
        for price in (row.prompt, row.input_cache_write, row.input_cache_write_1h, row.audio)
    ]
    answer = [row.completion for row in rows]
    answer += [prices.internal_reasoning, prices.image_output, prices.audio_output]
    outputs = (model.architecture.output_modalities if model.architecture else None) or ()
    if "image" in outputs and not any(answer) and not model.id.endswith(":free"):
        raise _unpriceable(f"the price list has no price for the images of {model.id!r}")
    return (
        max(_listed(model, price) for price in (*prompt, prices.image_token)),
        max(_listed(model, price) for price in answer),
    )


def _listed(model: Model, price: Decimal | None) -> Decimal:
    if price is None:
        return _NOTHING
    if not price.is_finite() or price < 0:
        raise _unpriceable(f"{model.id!r} has no price of its own: it depends on who answers")
    return price


def _unpriceable(reason: str) -> BudgetUnpriceableError:
    return BudgetUnpriceableError(
        f"no budget can hold this request: {reason}; Budget(..., per_request=...) reserves a sum "
        "of your own instead"
    )
