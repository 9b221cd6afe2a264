"""The chat app of the examples without a browser: one command serves a page and its endpoints."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from openrouter_async.testing import Emulator, http_error
from tests.chat_app import running
from tests.serving import Answer, get

QUESTION = {"messages": [{"role": "user", "parts": [{"type": "text", "text": "Why is rain wet?"}]}]}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of the app, which has no key."""
    with running(None) as address:
        yield urlsplit(address).port or 0


async def test_the_page_and_all_that_it_names_are_served(port: int) -> None:
    """Nothing comes from elsewhere, and a policy forbids it."""
    page = await get(port)
    text = page.body.decode()
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    named = [name for name in re.findall(r'(?:href|src)="([^"#]+)"', text) if name != "data:,"]
    assert len(named) == 2
    script = (await get(port, "/page/chat.js")).body.decode()
    named += [f"/page/{name}" for name in re.findall(r'from "\./([\w.]+)"', script)]
    assert [(await get(port, name)).status for name in named] == [200] * len(named)
    assert "http://" not in text
    assert "https://" not in text


async def test_it_answers_from_the_emulator(port: int) -> None:
    """Without a key the answer is made up, and the page is told so."""
    assert (await get(port, "/about")).json()["emulated"] is True
    for think in (True, False):
        answer = await get(port, "/chat", body={**QUESTION, "think": think})
        assert answer.body.endswith(b"data: [DONE]\n\n")
        assert (b'"reasoning-delta"' in answer.body) == think
    drawn = {**QUESTION, "model": "google/gemini-2.5-flash-image"}
    assert b'"mediaType":"image/png"' in (await get(port, "/chat", body=drawn)).body


async def test_wrong_questions_are_refused(port: int) -> None:
    """What is no conversation, and what is no generation, is the client's error."""
    assert (await get(port, "/chat", body={"messages": "Hi"})).status == 422
    assert (await get(port, "/cost/not-one")).status == 422


async def test_with_a_key_it_asks_the_api() -> None:
    """The environment says where; a refusal keeps its status and comes in words."""
    with Emulator.in_thread() as emulator, running(emulator.base_url) as address:
        emulator.always(http_error(403, "Not for you"))
        answer: Answer = await get(urlsplit(address).port or 0, "/chat", body=QUESTION)
    assert (answer.status, answer.body) == (403, b"Not for you")
