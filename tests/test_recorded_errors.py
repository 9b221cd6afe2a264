"""Real error bodies, and the forms that the API's documentation shows: class, sentence, facts.

What is made up stands in `test_errors`; here is what servers have really sent, read by an
independent few lines, plus each documented form as a literal.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import pytest

from openrouter_async import OpenRouter, RetryPolicy, StreamAPIError
from openrouter_async._error_bodies import error_from_response
from openrouter_async.errors import (
    APIStatusError,
    AuthenticationError,
    BadGatewayError,
    BadRequestError,
    ModerationError,
    NotFoundError,
    OverloadedError,
    PaymentRequiredError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    ServiceUnavailableError,
)
from openrouter_async.testing import Emulator, Reply, replay
from tests.conftest import shared_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

Plain = dict[str, Any]
NOW = 1_700_000_000.0
KEY = "sk-or-v1-test-key"
GENERIC = "Provider returned error"

CLASSES: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: PaymentRequiredError,
    403: PermissionDeniedError,
    404: NotFoundError,
    429: RateLimitError,
    500: ServerError,
    502: BadGatewayError,
    503: ServiceUnavailableError,
    529: OverloadedError,
}


def recorded(folder: str, pattern: str) -> list[Any]:
    """The recorded bodies of a folder, or one parameter that is skipped."""
    shared = shared_folder()
    if shared is None:
        reason = "recorded traffic is not part of the project: set OPENROUTER_ASYNC_SHARED"
        return [pytest.param(Path(), marks=pytest.mark.skip(reason=reason), id="none")]
    files = sorted((shared / "recordings" / folder).glob(pattern))
    bodies = [file for file in files if not file.name.endswith(".meta.json")]
    assert bodies
    return [pytest.param(file, id=file.stem[:60]) for file in bodies]


def messages_in(value: object) -> Iterator[str]:
    """Every text called "message" within a value, the innermost first; JSON in texts is opened."""
    if isinstance(value, str) and "{" in value:
        try:
            value = json.loads(value[value.index("{") :])
        except ValueError:
            return
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        for key in ("raw", "message", "error", "metadata"):
            yield from messages_in(fields.get(key))
        for key in ("message", "raw"):
            if isinstance(fields.get(key), str):
                yield fields[key]


def provider_sentence(body: Plain) -> str:
    """What the provider itself said in a body."""
    return next(said for said in messages_in(body) if said != GENERIC).strip()


@pytest.mark.parametrize("path", recorded("openrouter_error", "*.json"))
def test_a_recorded_error_says_what_was_said(path: Path) -> None:
    """A recorded body becomes the class of its code, and leads with the innermost sentence."""
    body = path.read_bytes()
    error: Plain = json.loads(body)["error"]
    status = json.loads(path.with_name(f"{path.stem}.meta.json").read_text("utf-8"))["status"]
    found = error_from_response(error["code"] if status == 200 else status, {}, body, now=NOW)
    assert type(found) is CLASSES[error["code"]]
    assert str(found).startswith(provider_sentence(error)[:290])
    assert not str(found).startswith(GENERIC)
    assert found.metadata == error.get("metadata")
    metadata: Plain = error.get("metadata") or {}
    assert found.provider_name == metadata.get("provider_name")


@pytest.mark.parametrize("transport", ["stream", "json"])
async def test_the_recorded_errors_through_the_client(
    transport: Literal["stream", "json"], shared: Path, emulator: Emulator
) -> None:
    """Over a socket, with the status they were recorded with, they are the same errors.

    Some were recorded with status 200: the error is then one of a stream, of the same class.
    """
    client = one_try(emulator)
    for path in (shared / "recordings" / "openrouter_error").glob("*.meta.json"):
        body = path.with_name(path.name.replace(".meta", "")).read_bytes()
        status = json.loads(path.read_text("utf-8"))["status"]
        error = json.loads(body)["error"]
        emulator.always(answer(status, body))
        with pytest.raises(APIStatusError) as caught:
            await client.complete("Hi", model="m", transport=transport)
        assert isinstance(caught.value, CLASSES[error["code"]]), path.name
        assert isinstance(caught.value, StreamAPIError) == (status == 200)
        assert str(caught.value).startswith(provider_sentence(error)[:290])
        assert (caught.value.billed, caught.value.attempts) == ("no", 1)
    await client.aclose()


@pytest.mark.parametrize("path", recorded("openrouter_stream", "*error*.sse"))
async def test_a_recorded_error_amid_a_stream(path: Path, emulator: Emulator) -> None:
    """An error chunk raises with what had come, though a finish reason stood before it."""
    emulator.always(replay(path.read_bytes()))
    async with one_try(emulator) as client:
        with pytest.raises(StreamAPIError) as caught:
            await client.complete("Hi", model="m")
    assert isinstance(caught.value, BadRequestError)
    assert str(caught.value).startswith("Token limit reached")
    assert caught.value.partial is not None
    assert caught.value.partial.reasoning
    assert caught.value.partial.usage is not None


@pytest.mark.parametrize("path", recorded("openrouter_json", "*hermes_4_405b__token_limit.json"))
async def test_a_recorded_choice_with_an_error(path: Path, emulator: Emulator) -> None:
    """An error inside a choice raises, and keeps the choice."""
    body = path.read_bytes()
    choice = json.loads(body)["choices"][0]
    emulator.always(answer(200, body))
    async with one_try(emulator) as client:
        with pytest.raises(StreamAPIError) as caught:
            await client.complete("Hi", model="m", transport="json")
    assert isinstance(caught.value, CLASSES[choice["error"]["code"]])
    assert str(caught.value).startswith(choice["error"]["message"].strip())
    assert caught.value.partial is not None
    assert caught.value.partial.text == (choice["message"]["content"] or "")


def answer(status: int, body: bytes) -> Reply:
    """Give an answer that is plain JSON."""
    return replay(body, status=status, content_type="application/json")


def one_try(emulator: Emulator) -> OpenRouter:
    """Give a client that never tries again."""
    return OpenRouter(KEY, base_url=emulator.base_url, retry=RetryPolicy(max_attempts=1))


# The forms of the documentation.


class Form:
    """One documented body: its status, the class and the beginning of the message it must give."""

    def __init__(
        self, status: int, body: Plain, kind: type[APIStatusError], said: str, **facts: object
    ) -> None:
        self.status, self.body, self.kind, self.said, self.facts = status, body, kind, said, facts


UPSTREAM = "m is temporarily rate-limited upstream. Please retry shortly"
AVAILABILITY = {
    "code": "capacity_exhausted",
    "retryable": True,
    "retry_after": 40,
    "requested_models": ["a/b"],
    "fallback_models": ["a/c"],
    "docs_url": "https://example.com",
}
PREVIOUS = [{"provider": "anthropic", "code": "capacity_exhausted", "status": 429}]
FORMS = {
    "envelope": Form(
        429,
        {
            "error": {
                "code": 429,
                "message": GENERIC,
                "metadata": {"provider_name": "Google", "raw": UPSTREAM},
                "error_type": "rate_limit_exceeded",
                "http_status": 429,
                "type": None,
                "param": None,
            },
            "user_id": "user_x",
            "openrouter_metadata": {},
        },
        RateLimitError,
        UPSTREAM,
        provider_name="Google",
        error_type="rate_limit_exceeded",
        raw=UPSTREAM,
    ),
    "shared pool": Form(
        429,
        {
            "error": {
                "message": GENERIC,
                "code": 429,
                "metadata": {
                    "raw": UPSTREAM,
                    "provider_name": "BaseTen",
                    "limit_source": "upstream_provider_shared_pool",
                    "remedy_hint": "Retry shortly",
                },
            }
        },
        RateLimitError,
        UPSTREAM,
        provider_name="BaseTen",
    ),
    "raw is JSON text over several lines": Form(
        400,
        {
            "error": {
                "message": GENERIC,
                "code": 400,
                "metadata": {
                    "raw": json.dumps({"error": {"message": "needs the word 'json'"}}, indent=2),
                    "provider_name": "OpenAI",
                },
            }
        },
        BadRequestError,
        "needs the word 'json'",
        raw={"error": {"message": "needs the word 'json'"}},
    ),
    "raw is an object": Form(
        500,
        {
            "error": {
                "code": 500,
                "message": GENERIC,
                "metadata": {"raw": {"error": {"message": "no such model", "param": None}}},
            }
        },
        ServerError,
        "no such model",
    ),
    "raw is a list of errors": Form(
        502,
        {"error": {"code": 502, "message": GENERIC, "metadata": {"raw": '{"errors":[{"message":"down"}]}'}}},
        BadGatewayError,
        "down",
    ),
    "flat, with metadata": Form(
        400,
        {"code": 400, "message": GENERIC, "metadata": {"raw": "image too wide", "provider_name": "P"}},
        BadRequestError,
        "image too wide",
        provider_name="P",
    ),
    "a body within the message": Form(
        502,
        {"error": {"code": 502, "message": 'Upstream 400: {"error":{"message":"must have content"}}'}},
        BadGatewayError,
        "must have content",
    ),
    "a message with braces that are no body": Form(
        400,
        {"error": {"code": 400, "message": 'schema {"a": 1} is not allowed: {"b": 2}'}},
        BadRequestError,
        'schema {"a": 1} is not allowed: {"b": 2}',
    ),
    "raw says no more": Form(
        502,
        {"error": {"code": 502, "message": GENERIC, "metadata": {"raw": "ERROR"}}},
        BadGatewayError,
        GENERIC,
    ),
    "only the attempts before know": Form(
        502,
        {"error": {"code": 502, "message": GENERIC, "metadata": {"previous_errors": [{"code": 502, "message": "socket hang up"}]}}},
        BadGatewayError,
        "socket hang up",
    ),
    "availability": Form(
        429,
        {
            "error": {
                "message": "All providers are busy.",
                "error_type": "rate_limit_exceeded",
                "http_status": 429,
                "availability": AVAILABILITY,
                "metadata": {"previous_errors": PREVIOUS},
            }
        },
        RateLimitError,
        "All providers are busy.",
        retry_after=40.0,
        retryable=True,
        error_type="rate_limit_exceeded",
        code=None,
    ),
    "availability of the other kind": Form(
        404,
        {"error": {"message": "Gone.", "availability": {"code": "no_endpoints", "retryable": False}}},
        NotFoundError,
        "Gone.",
        retryable=False,
    ),
    "moderation": Form(
        403,
        {
            "error": {
                "code": 403,
                "message": "Your input was flagged",
                "metadata": {
                    "reasons": ["violence"],
                    "flagged_input": "how to ... a",
                    "provider_name": "OpenAI",
                    "model_slug": "openai/gpt-4o",
                },
            }
        },
        ModerationError,
        "Your input was flagged",
        reasons=("violence",),
        flagged_input="how to ... a",
    ),
    "guardrail": Form(
        403,
        {"error": {"code": 403, "message": "Blocked by a guardrail", "metadata": {"patterns": ["x"]}}},
        PermissionDeniedError,
        "Blocked by a guardrail",
        metadata={"patterns": ["x"]},
    ),
    "payment": Form(
        402,
        {"error": {"code": 402, "message": "Insufficient credits"}, "user_id": "org_x"},
        PaymentRequiredError,
        "Insufficient credits",
    ),
    "masked": Form(
        500,
        {"error": {"code": 500, "message": "Internal Server Error"}},
        ServerError,
        "Internal Server Error",
    ),
    "code is a text": Form(
        503,
        {"error": {"code": "server_error", "message": "Try later"}, "metadata": None},
        ServiceUnavailableError,
        "Try later",
        code="server_error",
    ),
    "the Messages API": Form(
        529,
        {
            "type": "error",
            "error": {"type": "overloaded_error", "message": "Overloaded"},
            "request_id": "gen-1",
        },
        OverloadedError,
        "Overloaded",
        request_id="gen-1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_documented_form(form: Form) -> None:
    """Each documented body gives its class, its sentence first and its facts as attributes."""
    error = error_from_response(form.status, {}, json.dumps(form.body).encode(), now=NOW)
    assert type(error) is form.kind
    assert str(error).startswith(f"{form.said} [{form.status}")
    assert error.status == form.status
    for name, value in form.facts.items():
        assert getattr(error, name) == value
