"""The log of requests: one line for each, with ids and numbers, and no word of its content."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from openrouter_async import OpenRouter, OpenRouterError, RetryPolicy
from openrouter_async.integrations.logging import Logging
from openrouter_async.testing import Emulator, chat, http_error
from tests.quiet import KEY

MODEL = "openai/gpt-4o-mini"
PROMPT = "the SENTINELPROMPT of somebody"


def client_of(emulator: Emulator, hook: Logging) -> OpenRouter:
    """A client that logs."""
    retry = RetryPolicy(first_delay=0.001)
    return OpenRouter(KEY, base_url=emulator.base_url, hooks=[hook], retry=retry)


def facts(record: logging.LogRecord) -> dict[str, Any]:
    """What a record says in a form for machines."""
    found: dict[str, Any] = vars(record)["openrouter"]
    return found


async def test_one_line_a_request(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """A request that ends well is one record with its tokens, its price and its id."""
    caplog.set_level(logging.INFO)
    emulator.play(chat("a SENTINELANSWER", provider="Acme"))
    async with client_of(emulator, Logging()) as client:
        await client.models.list()
        answer = await client.complete(PROMPT, model=MODEL)
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("openrouter_async", "INFO")
    assert answer.usage is not None
    line = record.getMessage()
    assert line.startswith(f"chat/completions {MODEL}: complete after ")
    assert f"{answer.usage.prompt_tokens} + {answer.usage.completion_tokens} tokens, $0." in line
    assert line.endswith(f"Acme, {answer.generation_id}")
    told = facts(record)
    assert (told["event"], told["model"], told["ending"]) == ("RequestEnded", MODEL, "complete")
    assert (told["cost"], told["provider"]) == (answer.cost, "Acme")


async def test_a_failure_is_a_warning(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """Attempts that failed and the failure itself are warnings with what the API said."""
    caplog.set_level(logging.INFO)
    emulator.play(http_error(502, "no provider"), http_error(400, "no such thing"))
    async with client_of(emulator, Logging()) as client:
        with pytest.raises(OpenRouterError):
            await client.complete(PROMPT, model=MODEL)
    retried, failed = caplog.records
    assert retried.levelname == failed.levelname == "WARNING"
    assert "attempt 1 failed, trying again in 0.00 s: no provider" in retried.getMessage()
    assert "BadRequestError: no such thing" in failed.getMessage()
    assert "2 attempts" in failed.getMessage()
    assert (facts(failed)["status"], facts(failed)["error"]) == (400, "BadRequestError")


async def test_no_one_forges_a_record(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """What a provider says and what model is asked for can neither end a line nor colour it."""
    caplog.set_level(logging.INFO)
    emulator.play(http_error(400, "no\r\nINFO all is well\x1b[2K\u2028"))
    async with client_of(emulator, Logging()) as client:
        with pytest.raises(OpenRouterError):
            await client.complete(PROMPT, model="m\nWARNING of mine")
    (record,) = caplog.records
    line = record.getMessage()
    assert line.isprintable()
    assert line.startswith("chat/completions m WARNING of mine: error after ")
    assert "no  INFO all is well [2K" in line
    assert facts(record)["model"] == "m\nWARNING of mine"  # where a formatter escapes it


async def test_waiting_in_line(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """A wait behind a 429 is told, and that the next attempt is one of many."""
    caplog.set_level(logging.INFO)
    emulator.play(http_error(429, "slow down", headers={"Retry-After": "0.05"}), chat("Hello"))
    async with client_of(emulator, Logging()) as client:
        await client.complete(PROMPT, model=MODEL)
    retried, held, _ = (record.getMessage() for record in caplog.records)
    assert "in line with the others" in retried
    assert "waited 0." in held


async def test_everything_and_no_content(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """At the level of debugging there is more, and still neither prompt, answer nor key."""
    caplog.set_level(logging.DEBUG)
    logger = logging.getLogger("of.mine")
    emulator.play(chat("a SENTINELANSWER").end_after(1))
    async with client_of(emulator, Logging(logger, failure_level=logging.ERROR)) as client:
        with pytest.raises(OpenRouterError):
            await client.complete(PROMPT, model=MODEL, temperature=0.5)
        await client.models.list()
    mine = [record for record in caplog.records if record.name == "of.mine"]
    assert [facts(record)["event"] for record in mine] == [
        *("RequestStarted", "AnswerStarted", "RequestEnded"),
        *("RequestStarted", "AnswerStarted", "RequestEnded"),
    ]
    assert facts(mine[0])["temperature"] == 0.5
    assert (mine[2].levelname, mine[5].levelname) == ("ERROR", "DEBUG")
    for record in caplog.records:
        for secret in ("SENTINEL", KEY):
            assert secret not in record.getMessage() + repr(vars(record))


async def test_left_is_no_failure(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    """A stream that is left is told at the level of those that end well."""
    caplog.set_level(logging.INFO)
    emulator.play(chat("Hello", " there").hold_after(1))
    hook = Logging("of.others", level=logging.INFO)
    async with client_of(emulator, hook) as client:
        async for _ in client.stream(PROMPT, model=MODEL):
            break
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("of.others", "INFO")
    assert ": left after " in record.getMessage()
    assert not hook._started
