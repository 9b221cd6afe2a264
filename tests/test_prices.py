"""The most that a request can cost, by the price list: never too little, and refused where unknown."""

from __future__ import annotations

import json
from decimal import Decimal, localcontext
from typing import Any

import msgspec
import pytest

from openrouter_async._prices import dearest, models_by_name
from openrouter_async.errors import BudgetUnpriceableError
from openrouter_async.testing._catalog import model_rows
from openrouter_async.types import Model
from openrouter_async.types._lenient import decode_leniently
from openrouter_async.types.models import ModelList

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 400_000}}
HIDDEN = 1_000


def row(**fields: Any) -> dict[str, Any]:
    """One row of the price list: $1 a million tokens of prompt, $2 of answer."""
    given: dict[str, Any] = {
        "id": "a/model",
        "context_length": 1_000_000,
        "pricing": {"prompt": "0.000001", "completion": "0.000002"},
        "top_provider": {"max_completion_tokens": 8_000},
    }
    return given | fields


def priced(prices: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The same with further prices."""
    return row(pricing={"prompt": "0.000001", "completion": "0.000002", **prices}, **fields)


def cost(*rows: dict[str, Any], content: Any = "Hi", **fields: Any) -> Decimal:
    """What a request costs at most beside the bytes of its prompt, which cost $1 a million."""
    listed = decode_leniently(json.dumps({"data": rows}).encode(), ModelList).data
    asked = {"model": "a/model", "max_tokens": 100, **fields}
    body = {"messages": [{"role": "user", "content": content}], **asked}
    data = json.dumps({key: value for key, value in body.items() if value is not None}).encode()
    has_image = isinstance(content, list) and IMAGE in content
    images = len(json.dumps(IMAGE["image_url"])) if has_image else 0
    return dearest(data, models_by_name(listed)) - (len(data) - images + HIDDEN) * Decimal("1e-6")


def test_text_is_a_token_a_byte_and_the_answer_as_long_as_allowed() -> None:
    """A byte of the body is at most a token; the answer has the tokens that the request allows."""
    assert cost(row()) == 100 * Decimal("0.000002")
    assert cost(row(), max_completion_tokens=300) == 300 * Decimal("0.000002")


@pytest.mark.parametrize(
    ("top", "tokens"),
    [({"max_completion_tokens": 8_000}, 8_000), ({}, 1_000_000), (None, 1_000_000)],
    ids=["the model's most", "its context", "no top provider"],
)
def test_an_answer_without_a_limit_is_as_long_as_the_model_can_make_it(
    top: Any, tokens: int
) -> None:
    """Where the request allows everything, everything is reserved."""
    assert cost(row(top_provider=top), max_tokens=None) == tokens * Decimal("0.000002")


def test_prompt_and_answer_are_no_longer_than_the_context() -> None:
    """A prompt larger than the context would be refused, so it cannot cost more than that."""
    listed = {"a/model": msgspec.convert(row(context_length=2_000), Model, strict=False)}
    body = json.dumps(
        {"model": "a/model", "messages": [{"content": "x" * 9_999}], "max_tokens": 5_000}
    )
    assert dearest(body.encode(), listed) == 2_000 * Decimal("0.000003")


def test_an_image_is_not_counted_by_its_bytes() -> None:
    """An image counts as many tokens as a model is known to make of one, and its own price."""
    content = [{"type": "text", "text": "What?"}, IMAGE]
    tokens = 50_000 * Decimal("0.000001")
    assert cost(row(), content=content) == tokens + Decimal("0.0002")
    listed = priced({"image": "0.25"})
    assert cost(listed, content=content) == tokens + Decimal("0.2502")


@pytest.mark.parametrize(
    ("prices", "more"),
    [
        ({"request": "0.5"}, Decimal("0.5")),
        ({"web_search": "0.01"}, Decimal("0.01")),
        ({"internal_reasoning": "0.000003"}, 100 * Decimal("0.000001")),
        ({"image_output": "0.000005"}, 100 * Decimal("0.000003")),
        ({"discount": 0.5}, Decimal(0)),
    ],
    ids=["request", "search", "reasoning", "images", "discount"],
)
def test_every_price_counts(prices: dict[str, Any], more: Decimal) -> None:
    """A request has a price, a search too, and a token of the answer the dearest of its prices."""
    assert cost(priced(prices)) == Decimal("0.0002") + more


@pytest.mark.parametrize(
    ("override", "dearer"),
    [
        ({"min_prompt_tokens": 100, "completion": "0.00001"}, True),
        ({"min_prompt_tokens": 100_000, "completion": "0.00001"}, False),
        ({"utc_start": 100, "utc_end": 200, "completion": "0.00001"}, True),
        ({"utc_start": 100, "utc_end": 200, "completion": "0.0000001"}, False),
    ],
    ids=["long prompts", "longer prompts", "some hours", "cheap hours"],
)
def test_an_override_that_may_hold_counts_where_it_is_dearer(
    override: dict[str, Any], dearer: bool
) -> None:
    """The dearest price that can apply is the one that is held."""
    expected = 100 * Decimal("0.00001" if dearer else "0.000002")
    assert cost(priced({"overrides": [override]})) == expected


def test_a_cache_write_can_be_dearer_than_the_prompt() -> None:
    """A token of the prompt costs the dearest of what it may be charged as."""
    assert cost(priced({"input_cache_write": "0.00000125"})) > cost(priced({}))


def test_of_several_models_the_dearest_counts() -> None:
    """OpenRouter may use any of ``models``."""
    dear = priced({"completion": "0.0001"}, id="b/dear")
    assert cost(row(), dear, models=["b/dear"]) == 100 * Decimal("0.0001")
    assert cost(row(), dear, model=None, models=["a/model", "b/dear"]) == 100 * Decimal("0.0001")


@pytest.mark.parametrize(
    "name", ["a/model:floor", "a/model:exacto", "a/model:exacto:floor", "a/new"]
)
def test_variants_and_canonical_slugs_have_the_models_price(name: str) -> None:
    """A variant that only chooses among providers costs what the model costs."""
    assert cost(row(canonical_slug="a/new"), model=name) == Decimal("0.0002")


def test_an_alias_costs_what_its_target_costs() -> None:
    """A row without prices of its own stands for another one."""
    alias = row(id="~a/latest", pricing=None, alias_target={"slug": "a/model"})
    assert cost(row(), alias, model="~a/latest") == Decimal("0.0002")


def test_a_free_variant_costs_nothing() -> None:
    """``:free`` is free, whether the list has it or not."""
    body = b'{"model":"a/model:free","messages":[{"content":"Hi"}]}'
    assert dearest(body, {}) == 0
    free = row(id="a/model:free", pricing={"prompt": "0", "completion": "0"})
    assert dearest(body, models_by_name([msgspec.convert(free, Model, strict=False)])) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "b/unknown"},
        {"model": "a/model:nitro"},
        {"model": "a/model:online"},
        {"model": "@preset/mine"},
        {"model": None},
        {"models": ["b/unknown"]},
        {"preset": "mine"},
        {"service_tier": "priority"},
        {"tools": [{"type": "openrouter:web_search"}]},
        {"plugins": [{"id": "web"}]},
        {
            "plugins": [{"id": "file-parser", "pdf": {"engine": "mistral-ocr"}}],
            "content": [{"type": "file"}],
        },
        {"content": [{"type": "file", "file": {"file_data": "https://x.test/a.pdf"}}]},
        {"model": 5},
        {"messages": "Hi"},
    ],
    ids=str,
)
def test_what_has_no_bound_is_refused(fields: dict[str, Any]) -> None:
    """Nothing is guessed: the error says that a sum of one's own can be given instead."""
    with pytest.raises(BudgetUnpriceableError, match="per_request") as caught:
        cost(row(), **fields)
    assert caught.value.billed == "no"


@pytest.mark.parametrize(
    "listed",
    [
        row(pricing=None),
        row(pricing={"completion": "0.1"}),
        row(pricing={"prompt": "-1", "completion": "-1"}),
        row(pricing={"prompt": "NaN", "completion": "1"}),
        row(pricing={"prompt": "much", "completion": "1"}),
        row(
            pricing={"prompt": "0", "completion": "0"},
            architecture={"output_modalities": ["image"]},
        ),
    ],
    ids=["no prices", "half a price", "a router", "no number", "a word", "images at no price"],
)
def test_a_model_without_a_price_is_refused(listed: dict[str, Any]) -> None:
    """A missing price is not a price of zero."""
    with pytest.raises(BudgetUnpriceableError):
        cost(listed)


def test_an_answer_without_any_bound_is_refused() -> None:
    """Where neither the request nor the list limits the answer, the error asks for a limit."""
    endless = row(context_length=None, top_provider=None)
    with pytest.raises(BudgetUnpriceableError, match="max_completion_tokens"):
        cost(endless, max_tokens=None)
    assert cost(endless) == Decimal("0.0002")


@pytest.mark.parametrize(
    "fields",
    [
        {"plugins": [{"id": "web", "enabled": False}]},
        {"plugins": [{"id": "response-healing"}]},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"service_tier": "auto"},
    ],
    ids=str,
)
def test_what_costs_nothing_besides_is_taken(fields: dict[str, Any]) -> None:
    """Functions of the user's, free plugins and ones that are switched off change nothing."""
    assert cost(row(), **fields) == Decimal("0.0002")


@pytest.mark.parametrize("part", [{"type": "input_audio"}, {"type": "file"}, {"type": "video_url"}])
def test_sound_video_and_documents_may_fill_the_context(part: dict[str, Any]) -> None:
    """Their tokens cannot be told from their bytes."""
    listed = row(architecture={"input_modalities": ["file"]}, context_length=50_000)
    body = json.dumps({"model": "a/model", "messages": [{"content": [part]}], "max_tokens": 100})
    models = {"a/model": msgspec.convert(listed, Model, strict=False)}
    assert dearest(body.encode(), models) == Decimal("0.05") + Decimal("0.0002")


def test_a_free_pdf_engine_makes_documents_possible() -> None:
    """A model that reads no documents can be given one that a free engine has parsed."""
    plugins = [{"id": "file-parser", "pdf": {"engine": "cloudflare-ai"}}]
    listed = {"a/model": msgspec.convert(row(), Model, strict=False)}
    fields = {"model": "a/model", "max_tokens": 1, "plugins": plugins}
    body = json.dumps({**fields, "messages": [{"content": [{"type": "file"}]}]})
    assert dearest(body.encode(), listed) == Decimal("1.000002")


def test_a_programs_own_decimal_precision_does_not_round_money() -> None:
    """The precision that a program sets for its own sums is not ours."""
    listed = {"a/model": msgspec.convert(priced({"request": "1.23456789"}), Model, strict=False)}
    body = b'{"model":"a/model","max_tokens":1}'
    with localcontext() as context:
        context.prec = 2
        held = dearest(body, listed)
    assert held == Decimal("1.23456789") + (len(body) + HIDDEN + 2) * Decimal("0.000001")


def test_the_emulators_list_has_prices() -> None:
    """The test kit's own catalog can be priced, but for its router."""
    listed = decode_leniently(json.dumps({"data": model_rows()}).encode(), ModelList).data
    models = models_by_name(listed)
    for name in models:
        body = json.dumps({"model": name, "messages": [{"content": "Hi"}]}).encode()
        if name == "openrouter/auto":
            with pytest.raises(BudgetUnpriceableError):
                dearest(body, models)
        else:
            assert (dearest(body, models) == 0) == name.endswith(":free")
