"""The emulator knows every operation that a method of the client does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from openrouter_async import OpenRouter
from openrouter_async.errors import APIStatusError, NotFoundError
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
