"""What ordinary users write runs as it is; type checkers look at the same file."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

import pytest

from openrouter_async import ChatCompletion, OpenRouter
from tests import user_code

FUNCTIONS: dict[str, Callable[[OpenRouter], Awaitable[ChatCompletion]]] = {
    name: function
    for name, function in inspect.getmembers(user_code, inspect.iscoroutinefunction)
    if name.startswith("ask_")
}


@pytest.mark.parametrize("name", FUNCTIONS)
async def test_user_code_runs(client: OpenRouter, name: str) -> None:
    """Each function gets an answer from the emulator's pretend model."""
    completion = await FUNCTIONS[name](client)
    assert completion.finish_reason is not None
