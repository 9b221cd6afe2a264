"""External users and private endpoints: kept, changed and refused over a real socket."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from openrouter_async import OpenRouter
from openrouter_async.errors import ConflictError, NotFoundError
from openrouter_async.testing import Emulator

WORKSPACE = "0df9e665-d932-5740-b2c7-b52af166bc11"
NEW: Any = {
    "model_permaslug": "own/model-20260101",
    "provider_slug": "azure",
    "upstream_model_id": "model-1",
}


async def test_an_external_user_comes_and_goes(client: OpenRouter) -> None:
    """Who is kept out is not listed unless asked for, and who is deleted is not there."""
    made = await client.external_users.create(user="jane")
    assert (made.user, made.is_active) == ("jane", True)
    with pytest.raises(ConflictError):
        await client.external_users.create(user="jane")
    await client.external_users.create(user="joe")
    assert [one.user async for one in client.external_users.list(limit=1)] == ["jane", "joe"]
    assert [one.user for one in await client.external_users.list(user="joe")] == ["joe"]
    assert not (await client.external_users.update("jane", is_active=False)).is_active
    assert [one.user for one in await client.external_users.list()] == ["joe"]
    everybody = await client.external_users.list(include_inactive=True)
    assert [one.user for one in everybody] == ["jane", "joe"]
    assert (await client.external_users.get("jane")).is_active is False
    assert (await client.external_users.delete("jane")).deleted
    with pytest.raises(NotFoundError):
        await client.external_users.get("jane")


async def test_an_endpoint_lives_from_draft_to_deletion(client: OpenRouter) -> None:
    """It is validated before it serves, can be switched off and on, and then not deleted as a draft."""
    group = client.private_endpoints
    made = await group.create(**NEW, pricing={"prompt": "0.000001", "completion": Decimal("2e-6")})
    assert made.status == "draft"
    with pytest.raises(ConflictError, match="not validated"):
        await group.activate(made.id)
    tried = await group.validate(made.id, workspace_id=WORKSPACE)
    assert tried.passed
    assert [check.name for check in tried.checks or []] == ["reachable"]
    assert (await group.activate(made.id)).status == "active"
    assert (await group.disable(made.id)).status == "disabled"
    assert (await group.enable(made.id)).status == "active"
    whole = await group.get(made.id)
    assert whole.pricing is not None
    assert (whole.pricing.prompt, whole.pricing.completion) == (Decimal("1e-6"), Decimal("2e-6"))
    changed = await group.update(made.id, upstream_model_id="model-2", declared_region="europe")
    assert (changed.upstream_model_id, changed.declared_region) == ("model-2", "europe")
    priced = await group.set_pricing(made.id, pricing={"prompt": "1", "completion": "2"})
    assert priced.pricing is not None
    assert priced.pricing.completion == 2
    assert [one.id for one in await group.list()] == [made.id]
    with pytest.raises(ConflictError, match="not a draft"):
        await group.delete(made.id, draft_only=True)
    assert (await group.delete(made.id)).id == made.id
    with pytest.raises(NotFoundError):
        await group.get(made.id)


async def test_saying_it_twice_makes_one(emulator: Emulator, client: OpenRouter) -> None:
    """An idempotency key is a header, and the second request gives what the first has made."""
    first = await client.private_endpoints.create(
        idempotency_key="once", activate={"workspace_id": WORKSPACE}, **NEW
    )
    assert first.status == "active"
    second = await client.private_endpoints.create(idempotency_key="once", **NEW)
    assert second.id == first.id
    assert emulator.requests[-1].headers["Idempotency-Key"] == "once"


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"upstream_model_id": ""}, ValueError, "^upstream_model_id must have at least 1"),
        ({"activate": {"workspace_id": "mine"}}, ValueError, r"^activate\.workspace_id must be a"),
        ({"pricing": {"prompt": "1"}}, ValueError, "completion"),
        ({"pricing": {"prompt": "x", "completion": "1"}}, ValueError, r"^pricing\.prompt"),
        ({"base_urls": "x"}, TypeError, "did you mean 'base_url'"),
    ],
)
async def test_wrong_endpoints_are_refused_at_the_call(
    client: OpenRouter, fields: dict[str, Any], error: type[Exception], message: str
) -> None:
    """They are named, and nothing is sent."""
    with pytest.raises(error, match=message):
        client.private_endpoints.create(**{**NEW, **fields})  # type: ignore[unused-coroutine]
