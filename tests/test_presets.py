"""Presets: settings of requests, saved in three dialects and kept version by version."""

from __future__ import annotations

import pytest

from openrouter_async import OpenRouter
from openrouter_async.errors import NotFoundError
from openrouter_async.testing import Emulator

MODEL = "openai/gpt-4o-mini"


async def test_what_a_chat_says_is_kept(emulator: Emulator, client: OpenRouter) -> None:
    """The settings and the system message become the version that requests get."""
    rule = [{"role": "system", "content": "Be terse."}, {"role": "user", "content": "x"}]
    saved = await client.presets.save("terse", rule, model=MODEL, temperature=0)
    assert emulator.requests[-1].path.endswith("/presets/terse/chat/completions")
    version = saved.designated_version
    assert version is not None
    assert (version.version, version.system_prompt) == (1, "Be terse.")
    assert version.config == {"model": MODEL, "temperature": 0}
    assert saved.designated_version_id == version.id
    got = await client.presets.get("terse")
    assert (got.status, got.designated_version) == ("active", version)


async def test_each_saving_is_a_version(client: OpenRouter) -> None:
    """The other dialects save into the same preset, and old versions can still be read."""
    await client.presets.save("p", "x", model=MODEL, max_tokens=5)
    await client.presets.save_responses("p", "x", model=MODEL, instructions="Be kind.")
    await client.presets.save_messages("p", "x", model=MODEL, max_tokens=9, system="Be brief.")
    versions = [one async for one in client.presets.versions("p", limit=2)]
    assert [one.system_prompt for one in versions] == [None, "Be kind.", "Be brief."]
    first = await client.presets.version("p", 1)
    assert first.config == {"model": MODEL, "max_tokens": 5}
    await client.presets.save("q", "x", model=MODEL)
    assert [one.slug for one in await client.presets.list()] == ["q", "p"]
    await client.presets.save("p", "x", model=MODEL)
    assert [one.slug for one in await client.presets.list()] == ["p", "q"]
    with pytest.raises(NotFoundError):
        await client.presets.version("p", 5)
    with pytest.raises(NotFoundError):
        await client.presets.get("other")


async def test_a_header_of_a_keyword_is_a_header(emulator: Emulator, client: OpenRouter) -> None:
    """Keywords that become headers of a request become headers here as well."""
    await client.presets.save("p", "x", session_header="s", extra_body={"newer": 1})
    assert emulator.requests[-1].headers["x-session-id"] == "s"
    assert emulator.requests[-1].json["newer"] == 1


async def test_wrong_settings_are_refused_at_the_call(client: OpenRouter) -> None:
    """They are checked as the request would be."""
    with pytest.raises(TypeError, match=r"^temperature must be"):
        client.presets.save("p", "x", temperature="hot")  # type: ignore[arg-type, unused-coroutine]
    with pytest.raises(ValueError, match=r"^input must not be empty"):
        client.presets.save_responses("p", [])  # type: ignore[unused-coroutine]
    with pytest.raises(ValueError, match=r"^messages must not be empty"):
        client.presets.save_messages("p", [])  # type: ignore[unused-coroutine]
    with pytest.raises(ValueError, match=r"^slug must not be empty"):
        client.presets.save("", "x")  # type: ignore[unused-coroutine]
    with pytest.raises(TypeError, match=r"^version must be an int, got str$"):
        client.presets.version("p", "latest")  # type: ignore[arg-type, unused-coroutine]
