"""Which models there are, who serves them, what is published of them, and what a usage costs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from openrouter_async import OpenRouter
from openrouter_async.errors import NotFoundError
from openrouter_async.testing import Emulator
from openrouter_async.types import Usage
from openrouter_async.types.models import Model, PriceOverride, Pricing
from openrouter_async.types.usage import CompletionTokensDetails, PromptTokensDetails

NOON = datetime(2026, 1, 30, 12, 0, tzinfo=UTC)  # a Friday
DEPENDS = Decimal(-1)


async def test_models_are_walked_by_the_page(emulator: Emulator, client: OpenRouter) -> None:
    """With a limit they come in pages, which links lead through; without one, all at once."""
    every = await client.models.list()
    assert len(emulator.requests) == 1
    paged = [model.id async for model in client.models.list(limit=5, region="eu")]
    assert paged == [model.id for model in every]
    asked = [request.query for request in emulator.requests[1:]]
    assert len(asked) == -(-len(every) // 5)
    assert all(query["region"] == "eu" and query["limit"] == "5" for query in asked)
    page = await client.models.list(limit=5).page()
    assert (len(page.items), page.total_count) == (5, len(every))
    with pytest.raises(ValueError, match="limit must be between 1 and 1000"):
        client.models.list(limit=0)  # type: ignore[unused-awaitable]


async def test_models_are_counted_and_listed_otherwise(client: OpenRouter) -> None:
    """Counted, of the account, for embeddings, and as a feed."""
    assert await client.models.count() == len(await client.models.list())
    assert await client.models.count(output_modalities=["image"]) == 1
    assert await client.models.user(limit=3) == await client.models.list()
    (embedding,) = await client.models.embeddings()
    assert embedding.id == "openai/text-embedding-3-small"
    feed = await client.models.rss(q="mini")
    assert feed.startswith("<?xml")
    assert "https://openrouter.ai/openai/gpt-4o-mini" in feed
    assert "/chat?models=" in await client.models.rss(chat_links=True)


async def test_who_serves_a_model(emulator: Emulator, client: OpenRouter) -> None:
    """Endpoints of one model, those that keep no data, and the companies behind them."""
    served = await client.models.endpoints("openai/gpt-4o-mini")
    assert served.endpoints
    assert served.endpoints[0].model_id == served.id == "openai/gpt-4o-mini"
    assert served.endpoints[0].throughput_last_30m is not None
    assert "openai/gpt-4o-mini" in [one.model_id async for one in client.models.zdr_endpoints()]
    assert "openai" in [provider.slug for provider in await client.providers.list()]
    with pytest.raises(NotFoundError):
        await client.models.endpoints("openai/none:free")
    assert emulator.requests[-1].path == "/api/v1/models/openai/none:free/endpoints"
    for wrong in ("gpt-4o", "openai/", "/gpt"):
        with pytest.raises(ValueError, match="model must be a slug such as"):
            client.models.endpoints(wrong)  # type: ignore[unused-coroutine]


async def test_no_key_is_needed_to_look_around(emulator: Emulator) -> None:
    """A client without a key finds models and providers."""
    async with OpenRouter(base_url=emulator.base_url) as keyless:
        assert await keyless.models.list()
        assert await keyless.providers.list()
    assert not any("Authorization" in request.headers for request in emulator.requests)


async def test_what_is_published(emulator: Emulator, client: OpenRouter) -> None:
    """Rankings, apps, sessions, benchmarks and tasks, with when they are of."""
    page = await client.datasets.rankings(
        start_date="2026-01-25", period="day", modality="text"
    ).page()
    assert page.items[0].total_tokens == 10**9
    assert page.body.meta is not None
    assert page.body.meta.end_date == "2026-01-31"
    assert emulator.requests[-1].query == {
        "start_date": "2026-01-25",
        "period": "day",
        "modality": "text",
    }
    assert [app.app_name async for app in client.datasets.apps(sort="trending")] == ["Tests"]
    (cost,) = await client.datasets.session_costs(turn_range="2-9-turns")
    assert cost.median_session_cost_usd == 0.02
    (score,) = await client.datasets.benchmarks(source="artificial-analysis", max_results=5)
    assert score.pricing is not None
    assert (score.coding_index, score.pricing.prompt) == (40.0, Decimal("0.000001"))
    tasks = await client.datasets.tasks()
    assert tasks.classifications
    assert tasks.classifications[0].tag == "code-review"
    with pytest.raises(ValueError, match="start_date must be a day such as"):
        client.datasets.rankings(start_date="January")  # type: ignore[unused-awaitable]


def model(**prices: Any) -> Model:
    """A model with these prices, in USD a token."""
    overrides = prices.pop("overrides", None)
    listed: dict[str, Any] = {name: Decimal(str(price)) for name, price in prices.items()}
    return Model(pricing=Pricing(**listed, overrides=overrides))


def usage(prompt: int = 0, completion: int = 0, **details: int) -> Usage:
    """A usage of so many tokens, of which some are of a kind of their own."""
    of_prompt = {"cached_tokens", "cache_write_tokens", "audio_tokens"} & details.keys()
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        prompt_tokens_details=PromptTokensDetails(**{name: details[name] for name in of_prompt}),
        completion_tokens_details=CompletionTokensDetails(
            **{name: details[name] for name in details.keys() - of_prompt}
        ),
    )


@pytest.mark.parametrize(
    ("prices", "used", "cost"),
    [
        ({"prompt": 1, "completion": 2}, usage(3, 5), 13),
        ({"prompt": 1, "completion": 2, "request": 7}, usage(3, 5), 20),
        ({"prompt": 10, "completion": 0, "input_cache_read": 1}, usage(5, cached_tokens=4), 14),
        ({"prompt": 10, "completion": 0}, usage(5, cached_tokens=4), 50),
        (
            {"prompt": 4, "completion": 0, "input_cache_write": 5},
            usage(3, cache_write_tokens=2),
            14,
        ),
        ({"prompt": 1, "completion": 0, "audio": 9}, usage(3, audio_tokens=1), 11),
        (
            {"prompt": 0, "completion": 2, "internal_reasoning": 3},
            usage(0, 5, reasoning_tokens=4),
            14,
        ),
        (
            {"prompt": 0, "completion": 2, "internal_reasoning": 0},
            usage(0, 5, reasoning_tokens=4),
            10,
        ),
        ({"prompt": 0, "completion": 2}, usage(0, 5, reasoning_tokens=9), 10),
        ({"prompt": 0, "completion": 2, "image_output": 8}, usage(0, 5, image_tokens=4), 34),
    ],
)
def test_each_token_is_charged_once(prices: dict[str, Any], used: Usage, cost: int) -> None:
    """At its own price where there is one, else at that of its side."""
    assert model(**prices).price(used) == cost


def test_money_is_not_rounded() -> None:
    """Millionths add up exactly."""
    price = model(prompt="0.00000015", completion="0.0000006")
    assert price.price(usage(1_000_001, 7)) == Decimal("0.15000435")


def test_searches_are_charged() -> None:
    """By the number that the usage tells."""
    used = Usage(server_tool_use={"web_search_requests": 3})
    assert model(prompt=0, completion=0, web_search="0.01").price(used) == Decimal("0.03")


@pytest.mark.parametrize("pricing", [None, Pricing(), Pricing(prompt=DEPENDS, completion=DEPENDS)])
def test_without_a_price_there_is_none(pricing: Pricing | None) -> None:
    """A router says -1, for "it depends"."""
    assert Model(pricing=pricing).price(usage(1, 1)) is None


@pytest.mark.parametrize(
    ("condition", "tokens", "at", "holds"),
    [
        ({"min_prompt_tokens": 100}, 100, NOON, False),
        ({"min_prompt_tokens": 100}, 101, NOON, True),
        ({"utc_start": 1200, "utc_end": 1300}, 1, NOON, True),
        ({"utc_start": 1100, "utc_end": 1200}, 1, NOON, False),
        ({"utc_start": 2300, "utc_end": 1230}, 1, NOON, True),
        ({"utc_start": 2300, "utc_end": 1130}, 1, NOON, False),
        ({"utc_start": 1200}, 1, NOON, True),
        ({"utc_end": 1200}, 1, NOON, False),
        ({"utc_days": ["friday"]}, 1, NOON, True),
        ({"utc_days": ["saturday", "sunday"]}, 1, NOON, False),
        ({"utc_start": 1200, "utc_end": 1300, "min_prompt_tokens": 5}, 1, NOON, False),
        (
            {"utc_start": 1200, "utc_end": 1201},
            1,
            NOON.astimezone(timezone(timedelta(hours=5))),
            True,
        ),
    ],
)
def test_overrides_hold_where_all_conditions_do(
    condition: dict[str, Any], tokens: int, at: datetime, holds: bool
) -> None:
    """The size is strictly greater, the hours are of UTC, half-open and may pass midnight."""
    dearer = PriceOverride(prompt=Decimal(3), **condition)
    price = model(prompt=1, completion=0, overrides=[dearer]).price(usage(tokens), at=at)
    assert price == tokens * (3 if holds else 1)


def test_later_overrides_win_price_by_price() -> None:
    """What an entry does not name stays as it was."""
    entries = [
        PriceOverride(prompt=Decimal(2), completion=Decimal(2)),
        PriceOverride(prompt=Decimal(5)),
    ]
    assert model(prompt=1, completion=1, overrides=entries).price(usage(1, 1)) == 7


def test_a_moment_needs_its_zone() -> None:
    """Nobody could tell the hour."""
    with pytest.raises(ValueError, match="at must be a moment with its time zone"):
        model(prompt=1, completion=1).price(usage(1), at=datetime(2026, 1, 1))  # noqa: DTZ001
