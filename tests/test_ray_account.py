"""The money of a cluster, as the desk keeps it: no Ray is needed to reckon."""

from __future__ import annotations

from decimal import Decimal

import pytest

from openrouter_async import BudgetExceededError, OpenRouter
from openrouter_async.errors import BudgetUnpriceableError
from openrouter_async.integrations._ray_account import SAYS_IT_LIVES, Ledger, most_of
from openrouter_async.testing import Emulator
from tests.quiet import KEY

ONE = Decimal(1)


def sums(ledger: Ledger) -> tuple[float, float, float]:
    """The limit, what is spent and what is reserved."""
    account = ledger.account()
    return account.limit, account.spent, account.reserved


def tickets(given: list[int | BudgetExceededError]) -> list[int]:
    """What was granted."""
    return [ticket for ticket in given if isinstance(ticket, int)]


def test_two_processes_share_one_sum() -> None:
    """What one holds the other cannot have, and what it gives back it can."""
    ledger = Ledger(Decimal(5), 0.0, "nightly")
    mine = tickets(ledger.reserve("a", [ONE] * 3, now=0))
    theirs = ledger.reserve("b", [ONE] * 3, now=0)
    assert len(mine) == 3
    assert len(tickets(theirs)) == 2
    refusal = theirs[-1]
    assert isinstance(refusal, BudgetExceededError)
    assert "'nightly'" in str(refusal)
    assert (refusal.needed, refusal.limit, refusal.spent, refusal.reserved) == (1, 5, 0, 5)
    ledger.settle([(mine[0], 0.25)])
    assert sums(ledger) == (5, 0.25, 4)
    assert len(tickets(ledger.reserve("b", [Decimal("0.75"), ONE], now=0))) == 1
    assert sums(ledger) == (5, 0.25, 4.75)


def test_what_earlier_runs_have_cost_counts() -> None:
    """It is spent from the beginning; where nothing is left, only what is free goes on."""
    ledger = Ledger(Decimal(5), 4.5, "nightly")
    assert sums(ledger) == (5, 4.5, 0)
    assert not tickets(ledger.reserve("a", [ONE], now=0))
    over = Ledger(Decimal(5), 6.0, "nightly")
    assert not tickets(over.reserve("a", [Decimal("0.01")], now=0))
    assert tickets(over.reserve("a", [Decimal(0)], now=0))
    assert sums(over) == (5, 6, 0)


def test_a_ticket_is_settled_once() -> None:
    """What is told twice or of nobody counts for nothing."""
    ledger = Ledger(Decimal(5), 0.0, "nightly")
    [ticket] = tickets(ledger.reserve("a", [ONE], now=0))
    ledger.settle([(ticket, 0.5), (ticket, 0.7), (ticket + 1, 3.0)])
    assert sums(ledger) == (5, 0.5, 0)


def test_what_the_dead_held_counts_as_spent() -> None:
    """Nobody waits for ever for money that a process took along; who speaks now and then lives."""
    ledger = Ledger(Decimal(3), 0.0, "nightly")
    [lost] = tickets(ledger.reserve("dead", [ONE], now=0))
    [alive] = tickets(ledger.reserve("alive", [ONE], now=0))
    now = 0.0
    while now < 120:
        now += SAYS_IT_LIVES
        ledger.hear("alive", now)
        if now <= 50:
            ledger.reserve("other", [Decimal(9)], now=now)
            assert sums(ledger) == (3, 0, 2)
    ledger.reserve("other", [Decimal(9)], now=now)
    assert sums(ledger) == (3, 1, 1)
    ledger.settle([(alive, 0.5)])
    ledger.settle([(lost, 0.1)])  # it was only slow
    assert sums(ledger) == (3, 0.6, 0)


async def test_the_most_that_a_request_can_cost(emulator: Emulator) -> None:
    """The price list says it, or a sum for each request; a request without a price has no bound."""
    asked = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 10}
    async with OpenRouter(KEY, base_url=emulator.base_url, model="openai/gpt-4o-mini") as client:
        short = await most_of(client, asked, None)
        longer = await most_of(client, {**asked, "max_tokens": 20}, None)
        assert 0 < short < longer < Decimal("0.01")
        assert await most_of(client, asked, Decimal(2)) == 2
        with pytest.raises(BudgetUnpriceableError):
            await most_of(client, {**asked, "model": "no/such-model"}, None)
    assert emulator.accepted == 0
