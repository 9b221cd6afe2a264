"""OpenRouter's own batches: handed in, waited for, listed and deleted over a real socket."""

from __future__ import annotations

from typing import Any

import pytest

from openrouter_async import OpenRouter
from openrouter_async.errors import BadRequestError, NotFoundError, TotalTimeout
from openrouter_async.testing import Emulator, http_error
from openrouter_async.types import ChatCompletion
from openrouter_async.types.batches import Batch, BatchRequest

MODEL = "openai/gpt-4o-mini"
CHAT: Any = "/v1/chat/completions"


def asking(*texts: str) -> list[dict[str, Any]]:
    """Requests that ask one question each."""
    return [
        {"custom_id": f"q{n}", "body": {"messages": [{"role": "user", "content": text}]}}
        for n, text in enumerate(texts)
    ]


async def test_a_batch_is_answered(client: OpenRouter) -> None:
    """Each request has its result, by its id, and the failed one its reason."""
    wrong: dict[str, Any] = {"custom_id": "wrong", "body": {"messages": []}}
    made = await client.batches.create(
        endpoint=CHAT, model=MODEL, requests=[*asking("Say hello", "Say hello"), wrong]
    )
    assert (made.status, made.is_over, made.results) == ("validating", False, None)
    seen: list[str | None] = []
    batch = await client.batches.wait(
        made, poll=0.001, on_progress=lambda batch: seen.append(batch.status)
    )
    assert seen == ["in_progress", "completed"]
    assert batch.request_counts is not None
    assert (batch.request_counts.completed, batch.request_counts.failed) == (2, 1)
    assert batch.results is not None
    by_id = {result.custom_id: result for result in batch.results}
    answered, failed = by_id["q0"].response, by_id["wrong"].error
    assert answered is not None
    assert answered.body is not None
    assert ChatCompletion.from_dict(answered.body).text
    assert failed is not None
    assert "Input required" in (failed.message or "")
    assert batch.usage is not None
    assert batch.usage.total_tokens > 0
    assert batch.usage.cost


async def test_what_the_api_reads_first_comes_first(emulator: Emulator, client: OpenRouter) -> None:
    """Endpoint and model stand before the requests, however they were given."""
    await client.batches.create(
        requests=[BatchRequest(custom_id="a", body={"messages": []})],
        callback_url="https://example.com/done",
        model=MODEL,
        completion_window="24h",
        endpoint=CHAT,
        provider={"only": ["openai"]},
        extra_body={"newer": 1},
    )
    assert list(emulator.requests[-1].json) == [
        *("endpoint", "model", "completion_window", "provider", "callback_url", "requests"),
        "newer",
    ]


async def test_batches_are_listed_and_deleted(client: OpenRouter) -> None:
    """The newest comes first, page by page, and what was deleted is gone."""
    made = [
        await client.batches.create(endpoint=CHAT, model=MODEL, requests=asking(str(n)))
        for n in range(5)
    ]
    newest_first = [batch.id for batch in made[::-1]]
    assert [batch.id async for batch in client.batches.list(limit=2)] == newest_first
    assert await client.batches.list(status=["completed"]) == []
    deleted = await client.batches.delete(made[0].id)
    assert deleted.deletion is not None
    assert deleted.deletion.openrouter == "deleted"
    with pytest.raises(NotFoundError):
        await client.batches.get(made[0].id)


async def test_a_wait_has_an_end_and_can_be_taken_up_again(
    emulator: Emulator, client: OpenRouter
) -> None:
    """A deadline says how to go on, and trouble on the way ends nothing."""
    made = await client.batches.create(endpoint=CHAT, model=MODEL, requests=asking("Hi"))
    with pytest.raises(TotalTimeout, match=f"the batch {made.id} was not ready within 0 s"):
        await client.batches.wait(made.id, timeout=0)
    emulator.play(http_error(503, "Busy"), path=f"/batches/{made.id}")
    assert (await client.batches.wait(made.id, poll=0.001)).is_over


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"requests": []}, "^requests must have at least 1 item"),
    ({"requests": [*asking("a"), *asking("b")]}, r"^requests\[1\].custom_id is that of"),
    ({"requests": [{"custom_id": "", "body": {}}]}, r"^requests\[0\].custom_id must have"),
    ({"requests": asking("a"), "model": ""}, "^model must have at least 1 character"),
]


@pytest.mark.parametrize(("fields", "message"), WRONG)
async def test_wrong_batches_are_refused_at_the_call(
    client: OpenRouter, fields: dict[str, Any], message: str
) -> None:
    """They are named, and nothing is sent."""
    with pytest.raises(ValueError, match=message):
        client.batches.create(**{"endpoint": CHAT, "model": MODEL, **fields})  # type: ignore[unused-coroutine]


async def test_an_endpoint_that_cannot_be_batched(client: OpenRouter) -> None:
    """A newer endpoint passes here; whether it can be batched is the API's to say."""
    with pytest.raises(BadRequestError, match="cannot be batched"):
        await client.batches.create(endpoint="/v1/images", model=MODEL, requests=asking("a"))


async def test_waiting_for_nothing_is_refused(client: OpenRouter) -> None:
    """An empty id would ask for the list."""
    with pytest.raises(ValueError, match=r"^id must not be empty"):
        await client.batches.wait(Batch())
    with pytest.raises(ValueError, match=r"^poll must be a number"):
        await client.batches.wait("batch-1", poll=-1)
