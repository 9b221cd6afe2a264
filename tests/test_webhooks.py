"""Webhooks: only what was signed with the secret, and a short while ago, is an event."""

from __future__ import annotations

import hmac
import json
from typing import Any

import pytest

from openrouter_async import ProtocolError
from openrouter_async.webhooks import SignatureError, verify

SECRET = "whsec_0123456789"
NOW = 1_800_000_000
EVENT = {
    "type": "video.generation.completed",
    "created_at": "2027-01-15T08:00:00Z",
    "data": {
        "id": "job-1",
        "status": "completed",
        "generation_id": None,
        "model": "google/veo-3.1",
        "usage": {"cost": 0.2},
        "newer": True,
    },
}
BODY = json.dumps(EVENT).encode()


def sign(body: bytes = BODY, at: int | str = NOW, secret: str = SECRET) -> str:
    """The signature of a body at a time."""
    return hmac.new(secret.encode(), f"{at},".encode() + body, "sha256").hexdigest()


def headers(signature: str | None = None, at: int | str = NOW) -> dict[str, str]:
    """The headers of a delivery."""
    return {
        "X-OpenRouter-Signature": f"t={at},v1={signature or sign(at=at)}",
        "X-OpenRouter-Idempotency-Key": "job-1-completed",
    }


def test_what_is_signed_is_an_event() -> None:
    """The event tells the job, its model and cost, and the key of its deliveries."""
    event = verify(BODY, headers(), SECRET, now=NOW + 10)
    assert event.type == "video.generation.completed"
    assert event.created_at == "2027-01-15T08:00:00Z"
    assert (event.job.id, event.job.is_completed, event.job.cost) == ("job-1", True, 0.2)
    assert event.job.model == "google/veo-3.1"
    assert event.idempotency_key == "job-1-completed"


def test_headers_in_any_case_and_form() -> None:
    """Headers may be written in any case, with blanks, and with the signature of a newer secret."""
    given = {name.lower(): value for name, value in headers().items()}
    assert verify(BODY, given, SECRET, now=NOW).job.id == "job-1"
    both = f"t={NOW}, v1={sign(secret='another')} , v1={sign().upper()}, v2=x"
    assert verify(BODY, {"X-OPENROUTER-SIGNATURE": both}, SECRET, now=NOW).idempotency_key is None


@pytest.mark.parametrize(
    ("body", "signature", "secret"),
    [
        (BODY + b" ", sign(), SECRET),
        (BODY, sign(), SECRET + "x"),
        (BODY, sign(at=NOW + 1), SECRET),
        (BODY, sign()[:-2] + "00", SECRET),
        (BODY, sign()[:32], SECRET),
    ],
)
def test_what_was_changed_is_refused(body: bytes, signature: str, secret: str) -> None:
    """Another body, secret or time, or a signature that is a little wrong or cut, does not fit."""
    with pytest.raises(SignatureError, match="does not fit") as caught:
        verify(body, headers(signature), secret, now=NOW)
    assert secret not in str(caught.value)
    assert sign() not in str(caught.value)


@pytest.mark.parametrize("header", ["", "t=1", "v1=ab", f"t={NOW}", "t=x,v1=ab", "t=1,t=2,v1=ab"])
def test_malformed_signatures(header: str) -> None:
    """A header of another form is told from a wrong signature."""
    with pytest.raises(SignatureError, match="not of the form"):
        verify(BODY, {"x-openrouter-signature": header}, SECRET, now=NOW)


@pytest.mark.parametrize("signature", ["not hex", "é", "abc"])
def test_signatures_that_are_no_hexadecimal(signature: str) -> None:
    """Whatever stands where the signature should be is an error of ours."""
    with pytest.raises(SignatureError, match="not of the form"):
        verify(BODY, headers(signature), SECRET, now=NOW)


def test_a_missing_signature() -> None:
    """A request without the header is told as that."""
    with pytest.raises(SignatureError, match="missing"):
        verify(BODY, {}, SECRET, now=NOW)


@pytest.mark.parametrize("age", [301, -301])
def test_what_is_too_old_or_too_new_is_refused(age: int) -> None:
    """A right signature of another time is a request played again."""
    with pytest.raises(SignatureError, match=f"{age} s old"):
        verify(BODY, headers(), SECRET, now=NOW + age)
    assert verify(BODY, headers(), SECRET, now=NOW + age, tolerance=400).job.id == "job-1"


def test_the_clock_is_asked() -> None:
    """Without `now` the clock decides."""
    with pytest.raises(SignatureError, match="allowed"):
        verify(BODY, headers(at=1), SECRET)


@pytest.mark.parametrize("body", [b"no JSON", b"[]"])
def test_a_body_that_is_no_event(body: bytes) -> None:
    """Right signature, wrong body: that is an error of the protocol."""
    with pytest.raises(ProtocolError, match="webhook"):
        verify(body, headers(sign(body)), SECRET, now=NOW)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"body": BODY.decode()}, TypeError, "body must be the bytes"),
        ({"secret": b"x"}, TypeError, "secret must be a str"),
        ({"secret": ""}, ValueError, "secret must not be empty"),
        ({"tolerance": -1}, ValueError, "tolerance"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], kind: type[Exception], message: str) -> None:
    """A wrong argument is told by its name."""
    given: dict[str, Any] = {"body": BODY, "headers": headers(), "secret": SECRET, **arguments}
    with pytest.raises(kind, match=message):
        verify(**given)
