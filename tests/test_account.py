"""Money, activity, figures and generations of an account, as they follow from what was answered."""

from __future__ import annotations

from typing import Any

import pytest

from openrouter_async import OpenRouter
from openrouter_async.errors import BadRequestError, GoneError, NotFoundError
from openrouter_async.testing import Emulator
from openrouter_async.types.account import ChainID

MODEL = "openai/gpt-4o-mini"


async def test_money_is_what_was_spent(client: OpenRouter) -> None:
    """The credits tell what the answers cost, and what is left."""
    before = await client.credits.get()
    answer = await client.complete("Hi", model=MODEL)
    after = await client.credits.get()
    assert before.total_usage == 0
    assert after.total_usage == pytest.approx(answer.cost)
    assert after.total_credits is not None
    assert after.remaining == pytest.approx(after.total_credits - (answer.cost or 0))


async def test_the_older_charge_is_gone(emulator: Emulator, client: OpenRouter) -> None:
    """The API answers 410, which has a class of its own and says where credits are bought now."""
    with pytest.raises(GoneError, match="Use the web credits purchase flow") as gone:
        await client.credits.charge_coinbase(amount=10, sender="0xabc", chain_id=ChainID.BASE)
    assert gone.value.status == 410
    assert emulator.requests[-1].json == {"amount": 10, "sender": "0xabc", "chain_id": 8453}
    assert len(emulator.requests) == 1
    wrong: Any = client.credits.charge_coinbase
    with pytest.raises(ValueError, match="chain_id"):
        wrong(amount=10, sender="0xabc", chain_id=2)


async def test_activity_is_by_day_model_and_endpoint(
    emulator: Emulator, client: OpenRouter
) -> None:
    """Each row adds up what was answered; a day without any has no row."""
    for _ in range(2):
        await client.complete("Hi", model=MODEL)
    await client.complete("Hi", model="google/gemini-2.5-flash")
    rows = {row.model: row async for row in client.activity.list()}
    assert {model: row.requests for model, row in rows.items()} == {
        MODEL: 2,
        "google/gemini-2.5-flash": 1,
    }
    assert rows[MODEL].usage
    assert await client.activity.list(date="2020-01-31", group_by="workspace") == []
    assert emulator.requests[-1].query == {"date": "2020-01-31", "group_by": "workspace"}
    with pytest.raises(ValueError, match=r"^date must be a day such as"):
        client.activity.list(date="31.1.2020")  # type: ignore[unused-awaitable]


async def test_figures_are_grouped_as_asked(emulator: Emulator, client: OpenRouter) -> None:
    """What can be asked for is listed, a wrong name is refused, and sums come by dimension."""
    await client.complete("Hi", model=MODEL)
    meta = await client.analytics.meta()
    assert meta.metrics
    assert "total_usage" in [metric.name for metric in meta.metrics]
    found = await client.analytics.query(
        metrics=["request_count"],
        dimensions=["model"],
        filters=[{"field": "provider", "operator": "in", "value": ["OpenAI", "Azure"]}],
        time_range={"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"},
        order_by={"field": "request_count"},
    )
    assert found.data == [{"model": MODEL, "request_count": 1}]
    assert found.metadata is not None
    assert found.metadata.truncated is False
    assert emulator.requests[-1].json["order_by"] == {
        "field": "request_count",
        "direction": "desc",
    }
    with pytest.raises(BadRequestError, match="Unknown metric: luck"):
        await client.analytics.query(metrics=["luck"])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"metrics": []}, r"^metrics must have at least 1 item, got 0$"),
        ({}, r"^metrics is missing$"),
        ({"metrics": ["a"], "dimensions": ["a", "b", "c"]}, r"^dimensions must have at most 2"),
        (
            {"metrics": ["a"], "time_range": {"start": "yesterday", "end": "now"}},
            r"^time_range\.start must be a moment such as",
        ),
    ],
)
async def test_a_wrong_query_is_refused_at_the_call(
    client: OpenRouter, fields: dict[str, Any], message: str
) -> None:
    """By the name of what is wrong with it."""
    with pytest.raises(ValueError, match=message):
        client.analytics.query(**fields)  # type: ignore[unused-coroutine]


async def test_what_was_said_and_thought_of_it(client: OpenRouter) -> None:
    """A generation's content and record are found by its id, and feedback is taken for it alone."""
    answer = await client.complete("Say hello", model=MODEL)
    assert answer.id is not None
    content = await client.generations.content(answer.id)
    assert content.input["messages"][0]["content"] == "Say hello"
    assert content.output is not None
    assert content.output.completion == answer.text
    assert content.error is None
    told = await client.generations.feedback(
        generation_id=answer.id, category="formatting", comment="Too short."
    )
    assert told.success
    with pytest.raises(NotFoundError):
        await client.generations.feedback(generation_id="gen-0", category="other")
    with pytest.raises(NotFoundError):
        await client.generations.content("gen-0")
    with pytest.raises(ValueError, match="generation_id must not be empty"):
        client.generations.content("")  # type: ignore[unused-coroutine]
    with pytest.raises(ValueError, match="comment must have at most 1000 characters"):
        client.generations.feedback(  # type: ignore[unused-coroutine]
            generation_id=answer.id, category="other", comment="x" * 1001
        )
