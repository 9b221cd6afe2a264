"""The emulator knows every operation that a method of the client does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from openrouter_async import OpenRouter
from openrouter_async.errors import (
    APIStatusError,
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
)
from openrouter_async.resources._call import Asked
from openrouter_async.testing import http_error
from openrouter_async.types.batches import Batch
from tests.surface_written import written_operations

if TYPE_CHECKING:
    from openrouter_async.testing import Emulator

WRITTEN = written_operations()


@pytest.mark.parametrize("endpoint", sorted(WRITTEN))
async def test_no_operation_is_unknown_to_it(
    endpoint: str, emulator: Emulator, client: OpenRouter
) -> None:
    """It answers, or refuses for a reason of its own, such as a body that lacks something."""
    operation = WRITTEN[endpoint].operations[0]
    path = operation.path.format(**dict.fromkeys(operation.names, "a"))
    if path.startswith("/api/"):  # beside the version
        path = f"/..{path.removeprefix('/api')}"
    body: dict[str, str] | None = None if operation.method in ("GET", "DELETE") else {}
    try:
        await client.request(operation.method, path, json=body, type=bytes)
    except NotFoundError as missing:
        assert not str(missing).startswith("Not Found ")
    except APIStatusError as refused:
        assert refused.status is not None
        assert refused.status < 500
    assert emulator.requests[-1].method == operation.method


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    "endpoint",
    sorted(name for name, one in WRITTEN.items() if one.operations[0].key == "management"),
)
async def test_every_management_call_says_which_key_it_needs(
    endpoint: str, status: int, emulator: Emulator, client: OpenRouter
) -> None:
    """Whoever calls with a normal key is told so, whatever the API says."""
    operation = WRITTEN[endpoint].operations[0]
    at = dict.fromkeys(operation.names, "a")
    emulator.always(http_error(status, "No."), path=operation.path.format(**at))
    sender = client._sender
    asked = Asked(operation.path.format(**at), {}, None, {})
    with pytest.raises((AuthenticationError, PermissionDeniedError), match="a management key"):
        await operation.answer_to(sender, asked, sender.timeouts)


async def test_what_is_in_no_description_any_more_can_be_asked(
    emulator: Emulator, client: OpenRouter
) -> None:
    """A model's parameters and the first place of batches are reached by their paths."""
    told = await client.request("GET", "/parameters/openai/gpt-4o-mini")
    assert told["data"]["model"] == "openai/gpt-4o-mini"
    assert "temperature" in told["data"]["supported_parameters"]
    body = {
        "endpoint": "/v1/chat/completions",
        "model": "openai/gpt-4o-mini",
        "requests": [{"custom_id": "a", "body": {"messages": [{"role": "user", "content": "Hi"}]}}],
    }
    made = await client.request("POST", "/api/beta/batches", json=body, type=Batch)
    assert list(emulator.requests[-1].json) == ["endpoint", "model", "requests"]
    looked = await client.request("GET", f"/api/beta/batches/{made.id}", type=Batch)
    assert (looked.id, emulator.requests[-1].path) == (made.id, f"/api/beta/batches/{made.id}")
