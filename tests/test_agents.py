"""What agents work with: secrets, files of containers, server tools and decisions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from openrouter_async import OpenRouter
from openrouter_async.errors import BadRequestError, NotFoundError, PermissionDeniedError
from openrouter_async.testing import Emulator

VALUE = "a-value-that-nobody-sees-again"


async def test_a_secret_is_stored_and_never_shown(emulator: Emulator, client: OpenRouter) -> None:
    """It is known by its name, hosts and fingerprint, until it is deleted."""
    stored = await client.vault.store("TOKEN", value=VALUE, hosts=["api.example.com"])
    assert emulator.requests[-1].json == {"value": VALUE, "hosts": ["api.example.com"]}
    assert await client.vault.list() == [stored]
    assert VALUE not in repr(stored)
    again = await client.vault.store("TOKEN", value="another", hosts=["api.example.com"])
    assert again.fingerprint != stored.fingerprint
    assert (await client.vault.delete("TOKEN")).deleted
    with pytest.raises(NotFoundError):
        await client.vault.delete("TOKEN")


async def test_an_intern_has_secrets_of_its_own_and_those_of_all(client: OpenRouter) -> None:
    """What an intern can use is told with whose it is; copies are its own."""
    await client.vault.store("SHARED", value=VALUE, hosts=["a.example.com"])
    await client.vault.store_for("in-1", "OWN", value=VALUE, hosts=["b.example.com"])
    effective = {one.name: one.scope for one in await client.vault.effective("in-1")}
    assert effective == {"SHARED": "workspace", "OWN": "intern"}
    copied = await client.vault.copy_to("in-1", names=["SHARED"])
    assert [one.name for one in copied] == ["SHARED"]
    assert [one.name async for one in client.vault.list_for("in-1", limit=1)] == ["OWN", "SHARED"]
    assert (await client.vault.delete_for("in-1", "OWN")).deleted
    assert await client.vault.list_for("in-2") == []
    assert [one.key for one in await client.vault.connections("in-1")] == ["mail"]
    with pytest.raises(NotFoundError):
        await client.vault.copy_to("in-1", names=["OTHER"])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"value": "", "hosts": ["a"]}, "^value must have at least 1 character"),
        ({"value": VALUE, "hosts": []}, "^hosts must have at least 1 item"),
        ({"value": VALUE}, "^hosts is missing"),
    ],
)
async def test_a_secret_that_is_refused_is_not_shown(
    client: OpenRouter, fields: dict[str, Any], message: str
) -> None:
    """What is wrong is named, without what was to be kept secret."""
    with pytest.raises(ValueError, match=message) as refused:
        client.vault.store("TOKEN", **fields)  # type: ignore[unused-coroutine]
    assert VALUE not in str(refused.value)


async def test_the_vault_needs_a_management_key() -> None:
    """A normal key is told which is needed."""
    async with Emulator(api_key="sk-normal", management_key="sk-manager") as emulator:
        async with OpenRouter("sk-normal", base_url=emulator.base_url) as client:
            with pytest.raises(PermissionDeniedError, match="needs a management key"):
                await client.vault.list()


async def test_a_file_of_a_container_is_read_and_kept(client: OpenRouter) -> None:
    """It is listed, fetched as bytes, and promoted to a file that stays."""
    [file] = await client.containers.files("cntr-1")
    assert await client.containers.file("cntr-1", file.id) == file
    data = await client.containers.content("cntr-1", file.id)
    assert len(data) == file.bytes
    kept = await client.containers.promote("cntr-1", file.id)
    assert (kept.filename, kept.size_bytes) == ("visitors.csv", file.bytes)
    with pytest.raises(NotFoundError):
        await client.containers.content("cntr-2", file.id)


async def test_the_catalogue_of_server_tools(emulator: Emulator, client: OpenRouter) -> None:
    """Tools are listed with engines and exact prices; one by itself tells its models."""
    tools = [tool async for tool in client.server_tools.list(limit=1, api_format="responses")]
    assert [tool.id for tool in tools] == ["openrouter:web_search", "openrouter:fetch"]
    assert emulator.requests[0].query == {"limit": "1", "api_format": "responses"}
    [engine] = tools[0].engines or []
    assert [price.price for price in engine.pricing or []] == [Decimal("0.005")]
    tool = await client.server_tools.get("web_search")
    assert tool.native_support is not None
    assert [one.slug for one in tool.native_support.models or []] == ["openai/gpt-4o-mini"]
    with pytest.raises(NotFoundError):
        await client.server_tools.get("nothing")


@pytest.mark.parametrize("call", ["create", "systemone"])
async def test_questions_are_decided(emulator: Emulator, client: OpenRouter, call: str) -> None:
    """Each question has an answer of its kind, by its name."""
    decide = getattr(client.decisions, call)
    found = await decide(
        model="a/b",
        state={"mail": "Pay 12 USD"},
        questions={
            "kind": {"type": "choice", "instructions": "?", "criteria": {"bill": None, "ad": None}},
            "haste": {"type": "score", "instructions": "?", "criteria": ["none", "some", "much"]},
            "true": {"type": "noul", "instructions": "?"},
            "where": {"type": "box", "instructions": "?"},
        },
        trace={"trace_id": "t"},
    )
    answers = found.answers
    assert answers["kind"].choice == "bill"
    assert answers["haste"].score == 1
    assert answers["true"].noul == 1
    assert answers["where"].box.right == 1
    path = "/api/v1/systemone" if call == "systemone" else "/api/alpha/decisions"
    assert emulator.requests[-1].path == path
    with pytest.raises(BadRequestError, match="no type"):
        await decide(model="a/b", state="", questions={"a": {"type": "dream"}})


async def test_no_question_is_no_request(client: OpenRouter) -> None:
    """Nothing to decide is refused at the call."""
    with pytest.raises(ValueError, match=r"^questions must have at least 1 pair"):
        client.decisions.create(model="a/b", state="x", questions={})  # type: ignore[unused-coroutine]
