"""A budget holds: what is reserved, what is settled, and what is refused, however a request ends."""

from __future__ import annotations

import asyncio
import copy
import gc
import math
import pickle
import threading
import traceback
from collections.abc import AsyncIterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from openrouter_async import (
    Budget,
    BudgetExceededError,
    BudgetUnpriceableError,
    Limits,
    OpenRouter,
    OpenRouterError,
    RetryPolicy,
    Timeouts,
    _price_list,
)
from openrouter_async.budget import Reservation
from openrouter_async.errors import IdleTimeout
from openrouter_async.testing import (
    Cut,
    Emulator,
    Reply,
    chat,
    completion,
    error_chunk,
    http_error,
    replay,
)
from tests.quiet import KEY

MODEL = "openai/gpt-4o-mini"
COST = 0.00015
"""What `chat` says that an answer has cost, in USD."""
HELD = 0.25


@pytest.fixture
def budget() -> Budget:
    """A budget that reserves the same for every request."""
    return Budget(1, per_request=HELD)


@pytest.fixture
async def once(emulator: Emulator) -> AsyncIterator[OpenRouter]:
    """A client that asks once."""
    retry = RetryPolicy(max_attempts=1)
    async with OpenRouter(KEY, base_url=emulator.base_url, retry=retry) as client:
        yield client


def sums(budget: Budget) -> tuple[float, float, float]:
    """What a budget counts: spent, reserved, uncertain."""
    return budget.spent, budget.reserved, budget.uncertain


# The reckoning.


def test_a_reservation_is_held_and_then_replaced_by_the_cost() -> None:
    """What a request may cost is held; what it did cost is spent."""
    budget = Budget(1)
    held = Reservation([budget])
    held.reserve(Decimal("0.4"))
    assert (budget.spent, budget.reserved, budget.remaining) == (0, 0.4, 0.6)
    held.settle(0.1)
    assert (budget.spent, budget.reserved, budget.remaining) == (0.1, 0, 0.9)
    held.settle(None)
    assert budget.spent == 0.1


def test_an_unknown_cost_counts_in_full_until_it_is_known() -> None:
    """What nobody knows is spent and uncertain; what becomes known later replaces it, once."""
    budget = Budget(1)
    held = Reservation([budget])
    held.reserve(Decimal("0.4"))
    held.settle(None)
    assert sums(budget) == (0.4, 0, 0.4)
    for _ in range(2):
        held.settle(0.1)
        assert sums(budget) == (0.1, 0, 0)


@pytest.mark.parametrize("cost", [math.nan, math.inf, -1.0])
def test_a_cost_that_is_none_is_unknown(cost: float) -> None:
    """A server that says nonsense has said nothing."""
    budget = Budget(1)
    held = Reservation([budget])
    held.reserve(Decimal("0.4"))
    held.settle(cost)
    assert sums(budget) == (0.4, 0, 0.4)


def test_what_exceeds_the_rest_is_refused_with_the_numbers() -> None:
    """The error tells the limit, what is spent, what is reserved and what was needed."""
    budget = Budget(1, name="nightly")
    spent, held = Reservation([budget]), Reservation([budget])
    spent.reserve(Decimal("0.2"))
    spent.settle(0.2)
    held.reserve(Decimal("0.5"))
    with pytest.raises(
        BudgetExceededError, match=r"'nightly'.*\$1\b.*\$0\.2\b.*\$0\.5\b"
    ) as caught:
        Reservation([budget]).reserve(Decimal("0.4"))
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.limit, error.spent, error.reserved, error.needed) == (1, 0.2, 0.5, 0.4)
    assert (error.billed, error.retryable) == ("no", False)
    Reservation([budget]).reserve(Decimal("0.3"))
    assert budget.remaining == 0


def test_a_dearer_answer_than_was_held_is_counted_as_it_is() -> None:
    """The real cost is the truth; nothing remains then, and what is free still goes."""
    budget = Budget(1)
    held = Reservation([budget])
    held.reserve(Decimal(1))
    held.settle(1.5)
    assert (budget.spent, budget.remaining) == (1.5, 0)
    Reservation([budget]).reserve(Decimal(0))
    with pytest.raises(BudgetExceededError):
        Reservation([budget]).reserve(Decimal("0.01"))


def test_several_budgets_hold_or_none_does() -> None:
    """Where one of two refuses, the other gives back what it held; one given twice counts once."""
    wide, narrow = Budget(1), Budget(0.1)
    with pytest.raises(BudgetExceededError):
        Reservation([wide, None, narrow]).reserve(Decimal("0.5"))
    assert sums(wide) == sums(narrow) == (0, 0, 0)
    Reservation([wide, wide]).reserve(Decimal("0.5"))
    assert wide.reserved == 0.5


def test_ten_thousand_additions_do_not_drift() -> None:
    """Sums are exact, also of amounts that no float holds."""
    budget = Budget(1)
    for _ in range(10_000):
        held = Reservation([budget])
        held.reserve(Decimal("0.0001"))
        held.settle(0.0001)
    assert (budget.spent, budget.reserved, budget.remaining) == (1, 0, 0)


def test_threads_never_exceed_it_together() -> None:
    """Of many threads that take at once, exactly as many are served as the budget covers."""
    budget, start = Budget(1), threading.Barrier(8)
    taken: list[int] = []

    def take() -> None:
        start.wait()
        for _ in range(50):
            held = Reservation([budget])
            with suppress(BudgetExceededError):
                held.reserve(Decimal("0.01"))
                taken.append(1)
                held.settle(0.01)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(taken), budget.spent, budget.reserved) == (100, 1, 0)


def test_the_garbage_collector_may_settle_while_the_budget_is_locked() -> None:
    """A finalizer runs in any thread at any moment; it must not wait for a lock of its own thread."""
    budget = Budget(1)
    held = Reservation([budget])
    held.reserve(Decimal("0.4"))
    with budget._lock:
        held.settle(0.1)
    assert budget.spent == 0.1


@pytest.mark.parametrize("amount", [0, -1, math.nan, math.inf, Decimal("NaN"), Decimal(0)])
@pytest.mark.parametrize("name", ["usd", "per_request"])
def test_an_impossible_amount_is_refused(name: str, amount: Any) -> None:
    """A budget is a finite sum above zero."""
    with pytest.raises(ValueError, match=rf"^{name} must be greater than 0"):
        Budget(amount) if name == "usd" else Budget(1, per_request=amount)


@pytest.mark.parametrize("amount", ["1", True, object()])
def test_an_amount_that_is_no_number_is_refused(amount: Any) -> None:
    """The error names the argument."""
    with pytest.raises(TypeError, match=r"^usd must be a number"):
        Budget(amount)


def test_it_shows_its_numbers() -> None:
    """The repr tells where the money is."""
    held = Reservation([budget := Budget(Decimal("2.5"), name="a")])
    held.reserve(Decimal("0.25"))
    assert repr(budget) == "Budget(2.5, spent=0, reserved=0.25, uncertain=0, name='a')"
    assert repr(Budget(1)) == "Budget(1, spent=0, reserved=0, uncertain=0)"


def test_it_cannot_be_pickled_and_a_copy_is_the_same() -> None:
    """Two processes would each spend all of it; two clients in one share it."""
    budget = Budget(1)
    with pytest.raises(TypeError, match="two processes cannot share"):
        pickle.dumps(budget)
    client = OpenRouter(KEY, budget=budget)
    with pytest.raises(TypeError, match="two processes cannot share"):
        pickle.dumps(client)
    assert copy.copy(budget) is copy.deepcopy(budget) is copy.copy(client)._chats._budget is budget
    assert pickle.loads(pickle.dumps(OpenRouter("")))._chats._budget is None


# Around requests.


@pytest.mark.parametrize("transport", ["stream", "json"])
async def test_a_request_is_held_at_the_price_list_and_settled_at_its_cost(
    transport: Any, emulator: Emulator, client: OpenRouter
) -> None:
    """While the answer comes its price is held, and then its cost is spent; prices come once."""
    budget = Budget(1)
    reply = chat("a") if transport == "stream" else completion("a")
    emulator.always(reply.hold_after(0) if transport == "stream" else reply)
    for number in (1, 2):
        emulator.release()
        asked = client.complete(
            "Hi", model=MODEL, max_tokens=10, budget=budget, transport=transport
        )
        assert (await asked).cost == COST
        assert sums(budget) == (number * COST, 0, 0)
    assert [request.path for request in emulator.requests].count("/api/v1/models") == 1


async def test_the_price_is_held_from_before_the_send(
    emulator: Emulator, client: OpenRouter
) -> None:
    """When the server sees the request, its price is reserved: bytes and allowed tokens."""
    budget = Budget(1)
    emulator.play(chat("a").hold_after(0))
    task = asyncio.create_task(
        client.stream("Hi", model=MODEL, max_tokens=10, budget=budget).collect()
    )
    await emulator.wait_for(lambda: emulator.holding)
    size = len(emulator.requests[-1].body)
    assert budget.reserved == pytest.approx((size + 1_000) * 15e-8 + 10 * 6e-7)
    emulator.release()
    await task
    assert sums(budget) == (COST, 0, 0)


async def test_a_request_beyond_the_budget_is_never_sent(
    emulator: Emulator, client: OpenRouter
) -> None:
    """It raises at the start and the server sees nothing of it."""
    stream = client.stream("Hi", model=MODEL, budget=Budget(0.001))
    with pytest.raises(BudgetExceededError) as caught:
        await stream.collect()
    assert caught.value.needed == pytest.approx(0.0769, rel=0.01)
    assert emulator.accepted == 0
    assert (await client.complete("Hi", model="meta-llama/llama-3.3-70b-instruct:free")).text


async def test_two_hundred_at_once_spend_no_more_than_there_is(emulator: Emulator) -> None:
    """Of 200 requests at once against a budget for 50, the server sees 50; prices are asked once."""
    budget = Budget(50 * HELD)
    prices = {"prompt": "0", "completion": "0", "request": str(HELD)}
    listed = {"id": "a/model", "context_length": 9, "pricing": prices}
    emulator.play(
        replay(msgspec.json.encode({"data": [listed]}), content_type="application/json"),
        path="/models",
    )
    emulator.always(chat("a", cost=HELD).hold_after(0))
    async with OpenRouter(KEY, base_url=emulator.base_url, budget=budget) as client:
        asked = [asyncio.create_task(_text(client)) for _ in range(200)]
        await emulator.wait_for(lambda: emulator.holding == 50)
        await emulator.wait_for(lambda: sum(task.done() for task in asked) == 150)
        assert (budget.spent, budget.reserved, budget.remaining) == (0, 50 * HELD, 0)
        emulator.release(50)
        answers = await asyncio.gather(*asked)
    assert (answers.count("a"), answers.count("refused")) == (50, 150)
    assert sums(budget) == (50 * HELD, 0, 0)
    assert len(emulator.requests) == 51


async def _text(client: OpenRouter) -> str:
    try:
        return (await client.complete("Hi", model="a/model")).text
    except BudgetExceededError:
        return "refused"


ENDINGS: dict[str, tuple[Reply, tuple[float, float, float]]] = {
    "complete": (chat("a"), (COST, 0, 0)),
    "refused": (http_error(402, "No credit"), (0, 0, 0)),
    "an error before the answer": (replay(error_chunk(502, "Down")), (0, 0, 0)),
    "an error amid the answer": (
        replay(
            chat("a", done=False, usage=None, finish_reason=None).body + error_chunk(502, "Down")
        ),
        (HELD, 0, HELD),
    ),
    "an error with its cost": (
        replay(error_chunk(502, "Down", usage={"cost": 0.125})),
        (0.125, 0, 0),
    ),
    "cut": (chat("a").cut_after(1), (HELD, 0, HELD)),
    "cut before anything": (chat("a").cut_after(0), (HELD, 0, HELD)),
    "no answer at all": (chat("a").before_head(Cut()), (HELD, 0, HELD)),
    "no usage": (chat("a", usage=None), (HELD, 0, HELD)),
}


@pytest.mark.parametrize(("reply", "expected"), ENDINGS.values(), ids=ENDINGS)
async def test_however_a_stream_ends_it_is_settled_once(
    reply: Reply,
    expected: tuple[float, float, float],
    emulator: Emulator,
    once: OpenRouter,
    budget: Budget,
) -> None:
    """A known cost is spent, an error that is not billed costs nothing, the rest is uncertain."""
    emulator.play(reply)
    stream = once.stream("Hi", budget=budget)
    with suppress(OpenRouterError):
        async for _ in stream:
            pass
    assert sums(budget) == expected
    stream.close()
    del stream
    gc.collect()
    assert sums(budget) == expected


@pytest.mark.parametrize("way", ["break", "close", "drop", "cancel"])
async def test_a_stream_that_is_left_counts_in_full_until_its_record_is_there(
    way: str, emulator: Emulator, client: OpenRouter, budget: Budget
) -> None:
    """Nobody knows what a left stream costs before OpenRouter has written it down."""
    emulator.play(chat("a", "b").stall_after(1))
    stream: Any = client.stream("Hi", budget=budget)
    await stream.start()
    assert sums(budget) == (0, HELD, 0)
    if way == "break":
        async for _ in stream:
            break
    elif way == "close":
        stream.close()
    elif way == "drop":
        stream = None
    else:
        task = asyncio.create_task(stream.collect())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    assert sums(budget) == (HELD, 0, HELD)
    if stream is not None:
        record = {"data": {"id": stream.generation_id, "total_cost": 0.01, "usage": 0.01}}
        emulator.play(
            replay(msgspec.json.encode(record), content_type="application/json"), path="/generation"
        )
        assert await stream.settle_cost() == 0.01
        assert sums(budget) == (0.01, 0, 0)


async def test_a_stream_that_is_never_started_holds_nothing(
    client: OpenRouter, budget: Budget
) -> None:
    """Making a stream is not sending it."""
    stream = client.stream("Hi", budget=budget)
    assert sums(budget) == (0, 0, 0)
    stream.close()
    assert sums(budget) == (0, 0, 0)


async def test_what_is_cancelled_in_line_costs_nothing(emulator: Emulator, budget: Budget) -> None:
    """A request that never left its place in line is not counted."""
    emulator.play(chat("a").hold_after(0))
    limits = Limits(max_connections=1)
    async with OpenRouter(KEY, base_url=emulator.base_url, budget=budget, limits=limits) as client:
        first = asyncio.create_task(client.stream("Hi").collect())
        await emulator.wait_for(lambda: emulator.holding)
        second = asyncio.create_task(client.stream("Hi").collect())
        await emulator.wait_for(lambda: client.stats().waiting)
        assert sums(budget) == (0, 2 * HELD, 0)
        second.cancel()
        await asyncio.wait([second])
        assert sums(budget) == (0, HELD, 0)
        emulator.release()
        await first
    assert sums(budget) == (COST, 0, 0)


async def test_a_request_that_is_tried_again_is_held_once(
    emulator: Emulator, budget: Budget
) -> None:
    """What was refused was not billed, so the next try needs no more money."""
    emulator.play(http_error(503, "Busy"), http_error(429, "Slow down"), chat("a"))
    retry = RetryPolicy(first_delay=0.001)
    async with OpenRouter(KEY, base_url=emulator.base_url, budget=budget, retry=retry) as client:
        assert (await client.complete("Hi")).text == "a"
    assert sums(budget) == (COST, 0, 0)


async def test_what_may_have_been_billed_counts_beside_the_next_try(
    emulator: Emulator, budget: Budget
) -> None:
    """With `retry_unknown` each try holds its own, and the budget ends the tries."""
    retry = RetryPolicy(max_attempts=9, first_delay=0.001, retry_unknown=True)
    emulator.play(chat("a").cut_after(0), chat("a"))
    async with OpenRouter(KEY, base_url=emulator.base_url, budget=budget, retry=retry) as client:
        assert (await client.complete("Hi")).text == "a"
        assert sums(budget) == (HELD + COST, 0, HELD)
        emulator.always(chat("a").cut_after(0))
        with pytest.raises(BudgetExceededError):
            await client.complete("Hi")
    assert emulator.accepted == 2 + 2
    assert sums(budget) == (3 * HELD + COST, 0, 3 * HELD)


async def test_the_clients_and_the_calls_budget_both_hold(emulator: Emulator) -> None:
    """A call is charged to both, and the narrower one refuses; two clients share one."""
    shared, own = Budget(1, per_request=HELD), Budget(0.3, per_request=HELD)
    emulator.always(chat("a", cost=0.125))
    async with (
        OpenRouter(KEY, base_url=emulator.base_url, budget=shared) as one,
        OpenRouter(KEY, base_url=emulator.base_url, budget=shared) as other,
    ):
        await one.complete("Hi", budget=own)
        await other.complete("Hi", budget=shared)
        with pytest.raises(BudgetExceededError):
            await one.complete("Hi", budget=own)
    assert (shared.spent, shared.reserved, own.spent) == (0.25, 0, 0.125)


async def test_a_conversation_spends_the_budget_that_it_is_given(
    emulator: Emulator, client: OpenRouter, budget: Budget
) -> None:
    """Each of its turns is charged."""
    emulator.always(chat("a"))
    talk = client.conversation(model=MODEL, budget=budget)
    await talk.complete("Hi")
    await talk.complete("Hi again")
    assert sums(budget) == (2 * COST, 0, 0)
    assert "budget" not in emulator.requests[-1].json


async def test_a_model_without_a_price_is_never_sent_to(
    emulator: Emulator, client: OpenRouter
) -> None:
    """An unknown price is an error and not zero, unless a sum of one's own is reserved."""
    with pytest.raises(BudgetUnpriceableError):
        await client.complete("Hi", model="openrouter/auto", budget=Budget(100))
    assert emulator.accepted == 0
    assert (
        await client.complete("Hi", model="openrouter/auto", budget=Budget(1, per_request=1))
    ).text


async def test_no_prompt_shows_in_a_traceback_with_locals(client: OpenRouter) -> None:
    """What reads the request to price it shows nothing of it."""
    said = [{"role": "user", "content": [{"type": "text", "text": "sentinel"}, {"type": "file"}]}]
    for budget in (Budget(100), Budget(1e-9)):
        with pytest.raises(OpenRouterError) as caught:
            await client.stream(
                said, model=MODEL, models=["a/unknown"] if budget.limit > 1 else [], budget=budget
            ).collect()
        shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        ours = [
            frame
            for frame in shown.stack
            if "openrouter_async" in frame.filename and "tests" not in frame.filename
        ]
        assert len(ours) > 3
        assert "sentinel" not in str([frame.locals for frame in ours])


@pytest.mark.parametrize(
    "reply",
    [
        http_error(500, "Down"),
        replay(b"[]", content_type="application/json"),
        replay(b'{"data":[]}'),
    ],
    ids=["an error", "no list", "an empty list"],
)
async def test_without_a_price_list_no_budget_can_be_held(
    reply: Reply, emulator: Emulator, once: OpenRouter
) -> None:
    """A failure to fetch is never a silent pass; all who wait for it fail with it, and later ones ask anew."""
    emulator.play(reply, path="/models")
    asked = [once.complete("Hi", model=MODEL, budget=Budget(1)) for _ in range(5)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(result, BudgetUnpriceableError) for result in results)
    assert "price list could not be fetched" in str(results[-1])
    assert (emulator.accepted, len(emulator.requests)) == (0, 1)
    assert (await once.complete("Hi", model=MODEL, budget=Budget(1))).text


async def test_whoever_fetches_the_prices_may_be_cancelled(
    emulator: Emulator, client: OpenRouter
) -> None:
    """The next in line fetches them then."""
    emulator.play(replay(b"").hold_after(0), path="/models")
    first = asyncio.create_task(client.stream("Hi", model=MODEL, budget=Budget(1)).collect())
    await emulator.wait_for(lambda: emulator.holding)
    second = asyncio.create_task(client.stream("Hi", model=MODEL, budget=Budget(1)).collect())
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).text
    assert first.cancelled()


async def test_an_old_price_list_is_fetched_again(
    emulator: Emulator, client: OpenRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prices change, so a list is kept for a while only."""
    monkeypatch.setattr(_price_list, "_KEPT", 0.0)
    for _ in range(2):
        await client.complete("Hi", model=MODEL, budget=Budget(1))
    assert [request.path for request in emulator.requests].count("/api/v1/models") == 2
    assert emulator.requests[0].query == {"output_modalities": "all"}


def test_one_budget_serves_several_loops(budget: Budget) -> None:
    """Loops in threads of their own draw on the same sum."""

    def ask(base_url: str) -> None:
        async def run() -> None:
            async with OpenRouter(KEY, base_url=base_url, budget=budget) as client:
                await client.complete("Hi", model=MODEL)

        asyncio.run(run())

    with Emulator.in_thread() as emulator:
        emulator.always(chat("a"))
        threads = [threading.Thread(target=ask, args=(emulator.base_url,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sums(budget) == (3 * 0.00015, 0, 0)


@pytest.mark.parametrize("call", ["client", "stream", "complete"])
def test_a_budget_of_another_type_is_refused(call: str) -> None:
    """The error names the argument."""
    wrong: Any = 5
    client = OpenRouter(KEY)
    with pytest.raises(TypeError, match=r"^budget must be a Budget"):
        if call == "client":
            OpenRouter(KEY, budget=wrong)
        else:
            getattr(client, call)("Hi", budget=wrong)


async def test_models_can_be_listed(emulator: Emulator, client: OpenRouter) -> None:
    """The list has typed rows, with prices that are exact."""
    models = {model.id: model for model in await client.models.list()}
    pricing = models[MODEL].pricing
    assert pricing is not None
    assert pricing.prompt == Decimal("0.00000015")
    assert models[MODEL].context_length == 128_000
    assert emulator.requests[-1].query == {}


@pytest.mark.parametrize("told", [True, False])
async def test_a_relay_is_settled_by_what_passes(
    emulator: Emulator, client: OpenRouter, budget: Budget, told: bool
) -> None:
    """`raw` sees the usage go by; where there is none, what it cost is uncertain."""
    emulator.play(chat("a", cost=0.0001) if told else chat("a", usage=None))
    async for _ in client.stream("Hi", budget=budget).raw():
        pass
    assert sums(budget) == ((0.0001, 0, 0) if told else (HELD, 0, HELD))


async def test_the_money_is_held_until_the_end_is_known(
    emulator: Emulator, once: OpenRouter, budget: Budget
) -> None:
    """The reservation stands while an answer is silent; a deadline settles it as any end does."""
    emulator.play(chat("a").stall_after(1))
    stream = once.stream("Hi", budget=budget, timeouts=Timeouts(idle=0.2))
    async with stream:
        assert budget.reserved == HELD
        with pytest.raises(IdleTimeout):
            await stream.collect()
    assert sums(budget) == (HELD, 0, HELD)
