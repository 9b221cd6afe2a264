"""The organization: guardrails, workspaces, provider keys, destinations, directory, over a socket."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from openrouter_async import OpenRouter
from openrouter_async.errors import (
    BadRequestError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
)
from openrouter_async.testing import Emulator

KEY = "sk-provider-key-that-nobody-sees"
WORKSPACE = "0df9e665-d932-5740-b2c7-b52af166bc11"


async def test_a_guardrail_holds_keys_and_members(client: OpenRouter) -> None:
    """Who was put under it is listed there and among all, until taken from it."""
    rails = client.guardrails
    made = await rails.create(
        name="interns",
        limit_usd=5,
        reset_interval="daily",
        content_filters=[{"pattern": "secret", "action": "redact"}],
        content_filter_builtins=[{"slug": "email", "action": "flag"}],
    )
    assert made.limit_usd == 5
    assert [one.pattern for one in made.content_filters or []] == ["secret"]
    assert [one.slug for one in made.content_filter_builtins or []] == ["email"]
    assert (await rails.update(made.id, limit_usd=None)).limit_usd is None
    assert (await rails.assign_keys(made.id, key_hashes=["a", "b", "c"])).assigned_count == 3
    assert [one.key_hash async for one in rails.keys(made.id, limit=2)] == ["a", "b", "c"]
    assert (await rails.unassign_keys(made.id, key_hashes=["b", "x"])).unassigned_count == 1
    assert [one.key_hash for one in await rails.all_keys()] == ["a", "c"]
    await rails.assign_members(made.id, member_user_ids=["user-ada"])
    assert [one.user_id for one in await rails.members(made.id)] == ["user-ada"]
    assert [one.guardrail_id for one in await rails.all_members()] == [made.id]
    assert (await rails.unassign_members(made.id, member_user_ids=["user-ada"])).unassigned_count
    assert await rails.members(made.id) == []
    assert [one.id for one in await rails.list(workspace_id=WORKSPACE)] == [made.id]
    assert (await rails.delete(made.id)).deleted
    with pytest.raises(NotFoundError):
        await rails.get(made.id)
    with pytest.raises(NotFoundError):
        await rails.keys(made.id)


async def test_a_workspace_has_budgets_and_members(client: OpenRouter) -> None:
    """A budget counts from when it is set until it is deleted, and people come and go."""
    spaces = client.workspaces
    made = await spaces.create(name="Search", slug="search", io_logging_sampling_rate=0.5)
    assert [one.slug async for one in spaces.list(limit=1)] == ["default", "search"]
    assert (await spaces.update(made.id, description="x")).description == "x"
    assert (await spaces.get(made.id)).io_logging_sampling_rate == 0.5
    put = await spaces.set_budget(made.id, "monthly", limit_usd=100, include_byok_in_budgets=True)
    assert put.data is not None
    assert (put.data.limit_usd, put.include_byok_in_budgets) == (100, True)
    await spaces.set_budget(made.id, "lifetime", limit_usd=1000)
    budgets = (await spaces.budgets(made.id)).data or []
    assert [(one.reset_interval, one.limit_usd) for one in budgets] == [
        ("monthly", 100),
        (None, 1000),
    ]
    assert (await spaces.budget(made.id, "monthly")).data == put.data
    assert (await spaces.delete_budget(made.id, "monthly")).deleted
    with pytest.raises(NotFoundError):
        await spaces.budget(made.id, "monthly")
    with pytest.raises(BadRequestError, match="interval"):
        await spaces.set_budget(made.id, "hourly", limit_usd=1)
    added = await spaces.add_members(made.id, user_ids=["user-ada", "user-grace"])
    assert added.added_count == 2
    assert (await spaces.add_members(made.id, user_ids=["user-ada"])).added_count == 0
    assert [one.user_id for one in added.data or []] == ["user-ada", "user-grace"]
    assert (await spaces.remove_members(made.id, user_ids=["user-ada"])).removed_count == 1
    assert [one.user_id for one in await spaces.members(made.id)] == ["user-grace"]
    assert (await spaces.delete(made.id)).deleted
    with pytest.raises(BadRequestError, match="confirm_default"):
        await spaces.delete(WORKSPACE)
    assert (await spaces.delete(WORKSPACE, confirm_default_workspace_deletion=True)).deleted


async def test_a_workspace_goes_by_its_slug_too(client: OpenRouter) -> None:
    """Whatever is asked of it can be asked by its slug, which is there once."""
    spaces = client.workspaces
    made = await spaces.create(name="Search", slug="search")
    assert await spaces.get("search") == made
    with pytest.raises(BadRequestError, match="slug"):
        await spaces.create(name="Other", slug="search")
    with pytest.raises(BadRequestError, match="slug"):
        await spaces.update("default", slug="search")
    assert (await spaces.update("search", slug="find")).slug == "find"
    put = await spaces.set_budget("find", "daily", limit_usd=1)
    assert put.data is not None
    assert put.data.workspace_id == made.id
    assert (await spaces.budgets(made.id)).data == [put.data]
    await spaces.add_members("find", user_ids=["user-ada"])
    assert [one.role for one in await spaces.members(made.id)] == ["admin"]
    assert (await spaces.delete("find")).deleted
    with pytest.raises(NotFoundError):
        await spaces.members(made.id)


async def test_everybody_is_in_the_default_workspace(client: OpenRouter) -> None:
    """Nobody has to be let into it."""
    people = await client.organization.members()
    members = await client.workspaces.members("default")
    assert [one.user_id for one in members] == [one.id for one in people]


async def test_a_shorter_interval_has_a_smaller_budget(client: OpenRouter) -> None:
    """A limit that is not below those of longer intervals is refused, and the old one stays."""
    spaces = client.workspaces
    monthly = await spaces.set_budget(WORKSPACE, "monthly", limit_usd=100)
    for interval, limit_usd in (("daily", 100), ("lifetime", 50)):
        with pytest.raises(BadRequestError, match="limits must decrease"):
            await spaces.set_budget(WORKSPACE, interval, limit_usd=limit_usd)
    daily = await spaces.set_budget(WORKSPACE, "daily", limit_usd=5)
    changed = await spaces.set_budget(WORKSPACE, "daily", limit_usd=6)
    assert daily.data is not None
    assert changed.data is not None
    assert changed.data.id == daily.data.id
    assert (await spaces.budgets("default")).data == [monthly.data, changed.data]


async def test_the_budget_of_a_workspace_counts(client: OpenRouter) -> None:
    """Once its keys have spent it, they are refused until it is raised or taken away."""
    await client.workspaces.set_budget(WORKSPACE, "daily", limit_usd=1e-9)
    await client.complete("Hi", model="openai/gpt-4o-mini")
    with pytest.raises(PermissionDeniedError, match=r"^Workspace daily budget of \$0\.00 exceeded"):
        await client.complete("Hi", model="openai/gpt-4o-mini")
    with pytest.raises(PermissionDeniedError, match=r"^Workspace daily budget"):
        await client.messages.create("Hi", model="openai/gpt-4o-mini", max_tokens=5)
    await client.workspaces.set_budget(WORKSPACE, "daily", limit_usd=100)
    await client.complete("Hi", model="openai/gpt-4o-mini")


async def test_a_key_is_told_its_budgets(emulator: Emulator, client: OpenRouter) -> None:
    """Those of its workspace and of its guardrails, with what is left, and the nearest to its end."""
    assert (await client.keys.current()).budgets == []
    home = await client.workspaces.get("default")
    assert home.default_guardrail_id is not None
    made = await client.keys.create(name="ci")
    assert made.data is not None
    await client.workspaces.set_budget("default", "monthly", limit_usd=3)
    rail = await client.guardrails.create(name="ci", limit_usd=1, reset_interval="weekly")
    await client.guardrails.assign_keys(rail.id, key_hashes=[made.data.hash])
    await client.guardrails.update(home.default_guardrail_id, limit_usd=2)
    await client.complete("Hi", model="openai/gpt-4o-mini")
    async with OpenRouter(made.key, base_url=emulator.base_url) as own:
        answer = await own.complete("Hi there", model="openai/gpt-4o-mini")
        current = await own.keys.current()
        budgets = current.budgets or []
        assert [(one.scope, one.limit_usd, one.reset_interval) for one in budgets] == [
            ("workspace", 3, "monthly"),
            ("workspace_default_key", 2, None),
            ("api_key", 1, "weekly"),
        ]
        assert [one.resets_at is None for one in budgets] == [False, True, False]
        assert (budgets[0].spend_usd or 0) > (budgets[1].spend_usd or 0)
        assert budgets[2].spend_usd == answer.cost
        assert budgets[2].guardrail_id == rail.id
        assert current.effective_budget == budgets[2]
        await client.guardrails.update(rail.id, limit_usd=1e-9)
        with pytest.raises(PermissionDeniedError, match=r"^Guardrail weekly budget"):
            await own.complete("Hi", model="openai/gpt-4o-mini")
        await client.guardrails.delete(rail.id)
        await own.complete("Hi", model="openai/gpt-4o-mini")


async def test_a_default_guardrail_is_there_once_it_says_something(client: OpenRouter) -> None:
    """Until it is changed there is none, and its name is not for changing."""
    id = (await client.workspaces.get("default")).default_guardrail_id
    assert id is not None
    with pytest.raises(NotFoundError):
        await client.guardrails.get(id)
    with pytest.raises(BadRequestError, match="name"):
        await client.guardrails.update(id, name="mine")
    await client.guardrails.update(id, enforce_zdr=True)
    assert (await client.guardrails.get(id)).enforce_zdr


async def test_a_key_is_under_one_guardrail(client: OpenRouter) -> None:
    """Another takes the first one's place, and a deleted one leaves nobody behind."""
    rails = client.guardrails
    first, second = await rails.create(name="a"), await rails.create(name="b")
    for rail in (first, second):
        await rails.assign_keys(rail.id, key_hashes=["k"])
        await rails.assign_members(rail.id, member_user_ids=["user-ada"])
    assert await rails.keys(first.id) == []
    assert [one.guardrail_id for one in await rails.all_keys()] == [second.id]
    await rails.delete(second.id)
    assert await rails.all_keys() == []
    assert [one.guardrail_id for one in await rails.all_members()] == [first.id]


async def test_a_workspace_takes_what_is_its_own_along(client: OpenRouter) -> None:
    """It cannot be deleted while keys work in it; then its guardrails go with it."""
    made = await client.workspaces.create(name="Search", slug="search")
    rail = await client.guardrails.create(name="a", workspace_id=made.id)
    assert await client.guardrails.list() == []
    assert [one.id for one in await client.guardrails.list(workspace_id=made.id)] == [rail.id]
    key = await client.keys.create(name="ci", workspace_id=made.id)
    assert key.data is not None
    with pytest.raises(BadRequestError, match="active API keys"):
        await client.workspaces.delete(made.id)
    await client.keys.delete(key.data.hash)
    await client.workspaces.delete(made.id)
    with pytest.raises(NotFoundError):
        await client.guardrails.get(rail.id)


async def test_a_provider_key_is_kept_and_not_shown(emulator: Emulator, client: OpenRouter) -> None:
    """It is sent once, and what comes back shows its ends alone."""
    made = await client.byok.create(provider="openai", key=KEY, is_fallback=True)
    assert emulator.requests[-1].json == {"provider": "openai", "key": KEY, "is_fallback": True}
    assert KEY not in repr(made)
    assert made.label == "sk-p...es"
    changed = await client.byok.update(made.id, allowed_models=["a/b"], key="another")
    assert changed.label == "anot...er"
    assert (changed.allowed_models, changed.is_fallback) == (["a/b"], True)
    assert await client.byok.list(provider="openai") == [changed]
    assert await client.byok.list(provider="azure") == []
    assert await client.byok.get(made.id) == changed
    assert (await client.byok.delete(made.id)).deleted
    assert await client.byok.list() == []


async def test_a_destination_of_traces(client: OpenRouter) -> None:
    """It is kept with its rules, and its repr shows no credentials."""
    group = client.observability
    rule = {"field": "total_cost", "operator": "gt", "value": 0.1}
    made = await group.create(
        type="webhook",
        name="ours",
        config={"url": "https://example.com", "headers": {"X": KEY}},
        filter_rules={"groups": [{"rules": [rule], "logic": "or"}]},
        sampling_rate=0.5,
    )
    assert KEY not in repr(made)
    assert made.filter_rules == {"groups": [{"rules": [rule], "logic": "or"}]}
    assert (await group.update(made.id, enabled=False)).enabled is False
    assert [one.id for one in await group.list()] == [made.id]
    assert (await group.get(made.id)).sampling_rate == 0.5
    assert (await group.delete(made.id)).deleted
    with pytest.raises(NotFoundError):
        await group.get(made.id)


async def test_who_belongs_to_the_organization(client: OpenRouter) -> None:
    """Its people are listed page by page, and its settings can be changed."""
    people = [one async for one in client.organization.members(limit=2)]
    assert [one.role for one in people] == ["org:admin", "org:member", "org:member"]
    changed = await client.organization.update(is_filtered_model_catalog_enabled=True)
    assert await client.organization.settings() == changed


async def test_groups_of_the_directory_lead_into_workspaces(client: OpenRouter) -> None:
    """A group is let in, given another role, and kept out again."""
    groups = await client.scim.groups(display_name="engineers")
    assert [group.external_id for group in groups] == ["ext-engineers"]
    made = await client.scim.create(
        scim_group_id=groups[0].id, workspace_id=WORKSPACE, role="member"
    )
    with pytest.raises(ConflictError):
        await client.scim.create(scim_group_id=groups[0].id, workspace_id=WORKSPACE, role="admin")
    with pytest.raises(NotFoundError):
        await client.scim.create(scim_group_id=UUID, workspace_id=WORKSPACE, role="admin")
    assert (await client.scim.update(made.id, role="admin")).role == "admin"
    assert [one.role for one in await client.scim.list()] == ["admin"]
    assert (await client.scim.get(made.id)).workspace_id == WORKSPACE
    assert (await client.scim.delete(made.id, keep_members=True)).deleted
    with pytest.raises(NotFoundError):
        await client.scim.get(made.id)


async def test_a_comparison_with_the_directory_is_waited_for(client: OpenRouter) -> None:
    """It is looked at until it is over."""
    job = await client.scim.sync()
    assert (job.status, job.is_over) == ("queued", False)
    assert (await client.scim.sync_job(job.id)).status == "running"
    done = await client.scim.wait(job, poll=0.001)
    assert (done.status, done.synced_groups) == ("succeeded", 2)
    with pytest.raises(ValueError, match=r"^id must not be empty"):
        await client.scim.wait("")


async def test_all_of_it_needs_a_management_key() -> None:
    """A normal key is told which is needed, in each of the groups."""
    async with Emulator(api_key="sk-normal", management_key="sk-manager") as emulator:
        async with OpenRouter("sk-normal", base_url=emulator.base_url) as client:
            for listing in (
                client.byok.list(),
                client.guardrails.list(),
                client.observability.list(),
                client.organization.members(),
                client.scim.groups(),
                client.workspaces.list(),
            ):
                with pytest.raises(PermissionDeniedError, match="needs a management key"):
                    await listing


UUID = "b2f5b8a0-5e0c-4b7e-9c1c-0f1d2e3a4b5c"
OPENAI = {"provider": "openai", "key": KEY}
WRONG: list[tuple[str, str, dict[str, Any], str]] = [
    ("guardrails", "create", {}, "^name is missing"),
    ("guardrails", "create", {"name": "x", "limit_usd": 0}, "^limit_usd must be above 0"),
    ("guardrails", "create", {"name": "x", "allowed_models": []}, "^allowed_models must have"),
    ("guardrails", "create", {"name": "x", "content_filters": [{"pattern": "x"}]}, "action"),
    ("workspaces", "create", {"name": "x"}, "^slug is missing"),
    ("byok", "create", {"provider": "openai", "key": ""}, "^key must have at least 1"),
    ("observability", "create", {"type": "s3", "name": "x"}, "^config is missing"),
    ("scim", "create", {"scim_group_id": UUID, "workspace_id": "w", "role": "r"}, "^workspace_id"),
    ("scim", "create", {"scim_group_id": "g", "workspace_id": UUID, "role": "r"}, "^scim_group_id"),
    (
        "workspaces",
        "create",
        {"name": "x", "slug": "Two words"},
        r"^slug must match \^\[a-z0-9\]\+",
    ),
    (
        "byok",
        "create",
        {**OPENAI, "allowed_api_key_hashes": []},
        "^allowed_api_key_hashes must have",
    ),
    ("byok", "create", {**OPENAI, "allowed_api_key_hashes": ["x"]}, "^allowed_api_key_hashes"),
]


@pytest.mark.parametrize(("group", "call", "fields", "message"), WRONG)
async def test_wrong_arguments_are_refused_at_the_call(
    client: OpenRouter, group: str, call: str, fields: dict[str, Any], message: str
) -> None:
    """They are named, and nothing is sent."""
    with pytest.raises(ValueError, match=message) as refused:
        getattr(getattr(client, group), call)(**fields)
    assert KEY not in str(refused.value)


async def test_nobody_is_not_put_anywhere(client: OpenRouter) -> None:
    """An empty list of keys, members or users is refused by its name."""
    with pytest.raises(ValueError, match=r"^key_hashes must have at least 1 item"):
        client.guardrails.assign_keys(UUID, key_hashes=[])  # type: ignore[unused-coroutine]
    with pytest.raises(ValueError, match=r"^member_user_ids must have at least 1 item"):
        client.guardrails.assign_members(UUID, member_user_ids=[])  # type: ignore[unused-coroutine]
    with pytest.raises(ValueError, match=r"^user_ids must have at least 1 item"):
        client.workspaces.add_members("w", user_ids=[])  # type: ignore[unused-coroutine]


@pytest.mark.parametrize("group", ["byok", "guardrails", "observability", "scim"])
async def test_an_id_of_another_form_is_refused_at_the_call(client: OpenRouter, group: str) -> None:
    """What must be a UUID is named where it is none, and nothing is sent."""
    calls = getattr(client, group)
    more: dict[str, Any] = {"keep_members": True} if group == "scim" else {}
    for call, fields in ((calls.get, {}), (calls.update, {}), (calls.delete, more)):
        with pytest.raises(ValueError, match=r"^id must be a UUID such as"):
            call("mine", **fields)
        with pytest.raises(TypeError, match=r"^id must be a UUID, got int$"):
            call(7, **fields)


@pytest.mark.parametrize(
    "call",
    [
        *("keys", "members", "assign_keys", "unassign_keys"),
        *("assign_members", "unassign_members"),
    ],
)
async def test_a_guardrail_of_another_form_has_no_assignments(
    client: OpenRouter, call: str
) -> None:
    """Its keys and members cannot be asked for or changed either."""
    with pytest.raises(ValueError, match=r"^id must be a UUID"):
        getattr(client.guardrails, call)("mine")


async def test_an_id_may_be_a_uuid_object(emulator: Emulator, client: OpenRouter) -> None:
    """It is sent as it is written."""
    with pytest.raises(NotFoundError):
        await client.guardrails.get(uuid.UUID(UUID))
    assert emulator.requests[-1].path.endswith(f"/guardrails/{UUID}")
