"""Budgets hold /responses, /messages, /completions and /embeddings as they hold chats."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from openrouter_async import Budget, BudgetExceededError, BudgetUnpriceableError, OpenRouter
from openrouter_async._prices import dearest
from openrouter_async.types import Model, Pricing
from tests.text_dialects import DIALECTS, MODEL, Dialect

if TYPE_CHECKING:
    from openrouter_async.testing import Emulator

every_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=str)

LIMITS = {"responses": "max_output_tokens", "messages": "max_tokens", "completions": "max_tokens"}
CONTEXT = 1_000
NAMED = {
    "a/b": Model(
        id="a/b",
        context_length=CONTEXT,
        pricing=Pricing(prompt=Decimal(1), completion=Decimal(10)),
    ),
    "c/d": Model(
        id="c/d",
        context_length=CONTEXT,
        pricing=Pricing(prompt=Decimal(2), completion=Decimal(20)),
    ),
}


def body_of(**fields: Any) -> bytes:
    """Write a request for the cheaper model."""
    return json.dumps({"model": "a/b"} | fields).encode()


@every_dialect
async def test_a_budget_is_reserved_and_settled(dialect: Dialect, emulator: Emulator) -> None:
    """The most that a request can cost is held before it is sent, then what it did cost is."""
    budget, mine = Budget(1), Budget(1)
    limit = {LIMITS[dialect.name]: 100}
    emulator.play(dialect.reply("Hel", "lo", cost=0.25).hold_after(dialect.before_text + 1))
    async with OpenRouter("sk-test", base_url=emulator.base_url, budget=budget) as client:
        stream = await dialect.stream(client, budget=mine, **limit).start()
        assert 0.0015 < budget.reserved == mine.reserved < 0.01  # 100 tokens cost 0.0015
        emulator.release()
        await stream
        assert (budget.spent, budget.reserved) == (mine.spent, mine.reserved) == (0.25, 0)
        emulator.play(dialect.reply("Hello", cost=0.125, whole=True))
        await dialect.group(client).create("Hi", model=MODEL, transport="json", **limit)
    assert budget.spent == 0.375


@every_dialect
async def test_a_request_beyond_the_budget_is_not_sent(
    dialect: Dialect, emulator: Emulator
) -> None:
    """What a budget has no room for raises, and the API hears nothing of it."""
    async with OpenRouter("sk-test", base_url=emulator.base_url, budget=Budget(0.0001)) as client:
        with pytest.raises(BudgetExceededError):
            await dialect.stream(client, **{LIMITS[dialect.name]: 100})
    assert emulator.accepted == 0


@every_dialect
async def test_a_left_stream_counts_until_its_cost_is_known(
    dialect: Dialect, emulator: Emulator
) -> None:
    """A stream that was left keeps what was reserved for it, as uncertain."""
    budget = Budget(1, per_request=0.5)
    emulator.play(dialect.reply("Hel", "lo").stall_after(1))
    async with OpenRouter("sk-test", base_url=emulator.base_url, budget=budget) as client:
        async for _ in dialect.stream(client):
            break
    assert (budget.spent, budget.uncertain) == (0.5, 0.5)


@every_dialect
async def test_a_failure_without_output_costs_nothing(dialect: Dialect, emulator: Emulator) -> None:
    """An error in place of the answer gives the reservation back."""
    budget = Budget(1, per_request=0.5)
    emulator.always(dialect.reply("never").error_after(0, dialect.error))
    async with OpenRouter("sk-test", base_url=emulator.base_url, budget=budget) as client:
        with pytest.raises(Exception, match="Slow down please"):
            await dialect.group(client).create("Hi", model=MODEL)
    assert (budget.spent, budget.reserved) == (0, 0)


async def test_vectors_are_held_to_budgets(emulator: Emulator) -> None:
    """Embeddings have prices in the list, so a budget holds them by these."""
    budget = Budget(1)
    async with OpenRouter("sk-test", base_url=emulator.base_url, budget=budget) as client:
        answer = await client.embeddings.create(
            ["a fox"] * 3, model="openai/text-embedding-3-small"
        )
        assert budget.spent == pytest.approx(answer.cost)
        with pytest.raises(BudgetExceededError):
            await client.embeddings.create(
                "x" * 10_000, model="openai/text-embedding-3-small", budget=Budget(0.000001)
            )
    assert budget.reserved == 0


# What is reckoned.

TEXT: list[dict[str, Any]] = [
    {"input": "Hi"},
    {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]},
    {"input": [{"type": "function_call_output", "call_id": "c", "output": "Hi"}]},
    {"messages": [{"role": "user", "content": "Hi"}], "system": [{"type": "text", "text": "Hi"}]},
    {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": "Hi"}]}]},
    {"prompt": "Hi"},
    {"prompt": [1, 2]},
    {"input": ["Hi", "Ho"]},
    {"input": [[1, 2]]},
]


@pytest.mark.parametrize("fields", TEXT, ids=str)
@pytest.mark.parametrize("limit", ["max_output_tokens", "max_tokens"])
def test_text_costs_its_bytes(fields: dict[str, Any], limit: str) -> None:
    """No tokenizer makes more of a text than its bytes, in whichever dialect it is said."""
    body = body_of(**fields, **{limit: 5})
    hidden = 1_000
    assert dearest(body, NAMED) == min(len(body) + hidden, CONTEXT) + 10 * 5


MEDIA: list[dict[str, Any]] = [
    {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://a"}]}]},
    {"input": [{"type": "function_call_output", "output": [{"type": "input_image"}]}]},
    {"input": [{"content": [{"type": "image_url", "image_url": {"url": "http://a"}}]}]},
    {"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]},
    {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "tool_result", "content": [{"type": "image"}]}],
            }
        ]
    },
    {"input": [{"type": "new_item"}]},
]


@pytest.mark.parametrize("fields", MEDIA, ids=str)
def test_what_is_no_text_costs_what_the_model_can_read(fields: dict[str, Any]) -> None:
    """An address of a few bytes can stand for an image: the whole context is counted."""
    large = {"a/b": Model(id="a/b", context_length=10**6, pricing=NAMED["a/b"].pricing)}
    assert dearest(body_of(**fields, max_tokens=5), large) == 10**6 + 10 * 5


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({"prompt": "Hi", "n": 3}, 3),
        ({"prompt": "Hi", "n": 2, "best_of": 5}, 5),
        ({"prompt": ["Hi", "Ho"], "n": 3}, 6),
        ({"prompt": [[1], [2], [3]]}, 3),
        ({"prompt": [1, 2, 3]}, 1),
    ],
)
def test_every_text_is_counted(fields: dict[str, Any], count: int) -> None:
    """Of several prompts, and of several texts for each, all answers cost."""
    assert dearest(body_of(**fields, max_tokens=5), NAMED) == CONTEXT + 10 * 5 * count


def test_the_dearest_fallback_counts() -> None:
    """A message may be answered by any of its fallbacks."""
    fields = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}
    assert dearest(body_of(**fields, fallbacks=[{"model": "c/d"}]), NAMED) == 2 * CONTEXT + 20 * 5


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"input": "Hi", "prompt": {"id": "p"}}, "stored prompt"),
        ({"messages": [], "speed": "fast"}, "speed 'fast'"),
        ({"input": "Hi", "service_tier": "priority"}, "service_tier"),
        ({"input": "Hi", "tools": [{"type": "web_search"}]}, "tool 'web_search'"),
        ({"messages": [], "tools": [{"type": "web_search_20250305"}]}, "tool 'web_search_2"),
        ({"input": [{"content": [{"type": "input_file"}]}]}, "documents"),
        ({"messages": [{"content": [{"type": "document"}]}]}, "documents"),
    ],
)
def test_what_has_no_bound_is_refused(fields: dict[str, Any], words: str) -> None:
    """Where nobody can say what it costs at most, no budget pretends to hold it."""
    with pytest.raises(BudgetUnpriceableError, match=words):
        dearest(body_of(**fields, max_tokens=5), NAMED)


def test_tools_of_the_users_own_cost_text() -> None:
    """Functions, in whichever dialect they are offered, run at the user's."""
    for tool in ({"type": "function", "name": "now"}, {"type": "custom"}, {"name": "now"}):
        assert dearest(body_of(input="Hi", tools=[tool], max_tokens=1), NAMED) == CONTEXT + 10
