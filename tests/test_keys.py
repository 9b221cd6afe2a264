"""API keys: made, listed, changed and deleted over a real socket, and refused to the wrong key."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from openrouter_async import OpenRouter, RetryPolicy
from openrouter_async.errors import (
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
)
from openrouter_async.testing import Emulator, http_error
from openrouter_async.types.keys import CreatedKey, Key

WORKSPACE = "0df9e665-d932-5740-b2c7-b52af166bc11"


async def test_a_key_lives_from_its_making_to_its_deletion(client: OpenRouter) -> None:
    """What was made is listed and can be changed; what was deleted is not there any more."""
    made = await client.keys.create(name="ci", limit=5.0, limit_reset="monthly")
    assert made.key is not None
    assert made.data is not None
    hash = made.data.hash
    assert hash == hashlib.sha256(made.key.encode()).hexdigest()
    assert [key.name for key in await client.keys.list()] == ["ci"]
    changed = await client.keys.update(hash, disabled=True, limit=None)
    assert (changed.disabled, changed.limit, changed.limit_reset) == (True, None, "monthly")
    assert await client.keys.list() == []
    assert await client.keys.list(include_disabled=True) == [changed]
    assert await client.keys.get(hash) == changed
    assert (await client.keys.delete(hash)).deleted
    with pytest.raises(NotFoundError):
        await client.keys.get(hash)


async def test_what_is_asked_for_is_sent(emulator: Emulator, client: OpenRouter) -> None:
    """Moments and ids take the form of the wire, None is sent as null, and the order is fixed."""
    await client.keys.create(
        expires_at=datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC),
        name="ci",
        limit=None,
        include_byok_in_limit=True,
        workspace_id=UUID(WORKSPACE),
        creator_user_id="user_1",
        extra_body={"newer": 1},
    )
    assert list(emulator.requests[-1].json.items()) == [
        ("name", "ci"),
        ("limit", None),
        ("include_byok_in_limit", True),
        ("expires_at", "2027-12-31T23:59:59Z"),
        ("workspace_id", WORKSPACE),
        ("creator_user_id", "user_1"),
        ("newer", 1),
    ]
    asked = client.keys.list(include_disabled=True, include_expired=False, workspace_id=WORKSPACE)
    await asked.page()
    assert emulator.requests[-1].query == {
        "include_disabled": "true",
        "include_expired": "false",
        "workspace_id": WORKSPACE,
    }


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2028, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=2))),
        "2028-01-01T01:00:00+02:00",
        "2027-12-31T23:00:00Z",
    ],
)
async def test_moments_are_sent_in_utc(
    moment: datetime | str, emulator: Emulator, client: OpenRouter
) -> None:
    """The API refuses other time zones, so a moment of one is sent as the same moment of UTC."""
    await client.keys.create(name="ci", expires_at=moment)
    assert emulator.requests[-1].json["expires_at"] == "2027-12-31T23:00:00Z"


async def test_keys_are_listed_by_one_request(emulator: Emulator, client: OpenRouter) -> None:
    """A list that is plainly over is not asked for its end, although no count says so."""
    await client.keys.create(name="ci")
    before = len(emulator.requests)
    assert len(await client.keys.list()) == 1
    assert len(emulator.requests) == before + 1


async def test_the_key_in_use(client: OpenRouter) -> None:
    """A key is told what it spent, and shown without its middle."""
    await client.complete("Hi", model="openai/gpt-4o-mini")
    current = await client.keys.current()
    assert current.label == "sk-or-v1...key"
    assert current.usage
    assert current.is_management_key is False


@pytest.mark.parametrize("status", [401, 403])
async def test_a_normal_key_learns_which_is_needed(
    emulator: Emulator, client: OpenRouter, status: int
) -> None:
    """A refused management call says which kind of key it needs; other calls do not."""
    emulator.always(http_error(status, "No."), path="/keys")
    emulator.always(http_error(status, "No."), path="/key")
    with pytest.raises((AuthenticationError, PermissionDeniedError), match="a management key"):
        await client.keys.list()
    with pytest.raises((AuthenticationError, PermissionDeniedError)) as refused:
        await client.keys.current()
    assert "management" not in str(refused.value)


async def test_the_emulator_tells_the_kinds_of_key_apart() -> None:
    """With a management key of its own, it refuses management calls to any other."""
    async with Emulator(api_key="sk-normal", management_key="sk-manager") as emulator:
        async with OpenRouter("sk-normal", base_url=emulator.base_url) as client:
            await client.complete("Hi", model="openai/gpt-4o-mini")
            with pytest.raises(PermissionDeniedError, match="needs a management key"):
                await client.keys.create(name="ci")
        async with OpenRouter("sk-manager", base_url=emulator.base_url) as manager:
            assert (await manager.keys.create(name="ci")).key


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({}, ValueError, "^name is missing$"),
        ({"name": ""}, ValueError, "^name must have at least 1 character"),
        ({"name": "ci", "limit": "5"}, TypeError, "^limit must be a number or None, got str$"),
        ({"name": "ci", "limit": -1}, ValueError, "^limit must be at least 0, got -1$"),
        ({"name": "ci", "expires_at": "soon"}, ValueError, "^expires_at must be a moment such as"),
        (
            {"name": "ci", "expires_at": datetime(2027, 1, 1)},  # noqa: DTZ001
            ValueError,
            "^expires_at must be a moment with its time zone",
        ),
        ({"name": "ci", "workspace_id": "mine"}, ValueError, "^workspace_id must be a UUID such"),
        ({"name": "ci", "limits": 5}, TypeError, "^unknown keyword 'limits'; did you mean 'limit'"),
        ({"name": "ci", "other": 5}, TypeError, "newer fields go into extra_body"),
    ],
)
async def test_wrong_arguments_are_refused_at_the_call(
    client: OpenRouter, fields: dict[str, Any], error: type[Exception], message: str
) -> None:
    """They are named, and nothing is awaited for it."""
    with pytest.raises(error, match=message):
        client.keys.create(**fields)  # type: ignore[unused-coroutine]


@pytest.mark.parametrize("hash", ["", " ", "..", "."])
async def test_an_id_that_leads_elsewhere_is_refused(client: OpenRouter, hash: str) -> None:
    """An empty one would ask for the list, and dots for what lies above."""
    with pytest.raises(ValueError, match=r"^hash must not be empty"):
        client.keys.get(hash)  # type: ignore[unused-coroutine]
    with pytest.raises(TypeError, match=r"^hash must be"):
        client.keys.get(7)  # type: ignore[arg-type, unused-coroutine]


async def test_an_id_is_quoted(emulator: Emulator, client: OpenRouter) -> None:
    """Whatever stands in it, it stays one part of the path."""
    with pytest.raises(NotFoundError):
        await client.keys.get("a/b?c")
    assert emulator.requests[-1].path.endswith(("/keys/a%2Fb%3Fc", "/keys/a/b?c"))


async def test_what_creates_is_never_sent_twice_blindly(emulator: Emulator) -> None:
    """Reading is tried again when nobody knows what became of it, creating is not."""
    retry = RetryPolicy(max_attempts=2, first_delay=0.001, max_delay=0.001)
    async with OpenRouter("sk-test", base_url=emulator.base_url, retry=retry) as client:
        emulator.play(http_error(500, "?"), path="/keys")
        assert await client.keys.list() == []
        emulator.play(http_error(500, "?"), path="/keys")
        with pytest.raises(ServerError):
            await client.keys.create(name="ci")
        assert await client.keys.list() == []


def test_a_made_key_is_not_shown() -> None:
    """Neither its repr nor that of what holds it shows the key."""
    made = CreatedKey(key="sk-or-v1-secret", data=Key(hash="abc"))
    assert "secret" not in f"{made!r} {made} {[made]}"


async def test_the_limit_of_a_key_counts(emulator: Emulator, client: OpenRouter) -> None:
    """What its answers cost is told of it, and when the limit is reached the next is refused."""
    made = await client.keys.create(name="ci", limit=1e-9)
    assert made.data is not None
    async with OpenRouter(made.key, base_url=emulator.base_url) as own:
        answer = await own.complete("Hi", model="openai/gpt-4o-mini")
        current = await own.keys.current()
        assert current.usage == answer.cost
        assert (current.limit, current.limit_remaining) == (1e-9, 0)
        with pytest.raises(PermissionDeniedError, match="Key limit exceeded"):
            await own.complete("Hi", model="openai/gpt-4o-mini")
        await client.keys.update(made.data.hash, limit=None)
        await own.complete("Hi", model="openai/gpt-4o-mini")
        await client.keys.update(made.data.hash, disabled=True)
        with pytest.raises(AuthenticationError, match="disabled"):
            await own.responses.create("Hi", model="openai/gpt-4o-mini")
    listed = await client.keys.list(include_disabled=True)
    assert (listed[0].usage or 0) > (answer.cost or 0) > 0
