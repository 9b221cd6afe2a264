"""Whether to try again, and after how long: pure decisions, no clock, no waiting."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrouter_async import RetryPolicy
from openrouter_async._error_bodies import error_from_response, error_in_stream
from openrouter_async._retry import (
    Failure,
    backoff,
    classify,
    delay_before_retry,
    holds_back,
    is_overload,
    why_too_long,
)
from openrouter_async.errors import (
    APIConnectionError,
    APIStatusError,
    BadRequestError,
    ConnectError,
    ConnectTimeout,
    FirstEventTimeout,
    GatewayTimeoutError,
    IdleTimeout,
    OpenRouterError,
    Phase,
    ProtocolError,
    ProxyError,
    QueueTimeout,
    StreamAPIError,
    StreamBrokenError,
    StreamTruncatedError,
    TLSError,
    TotalTimeout,
    WireIdleTimeout,
)
from openrouter_async.types import ErrorBody

POLICY = RetryPolicy()
BOLD = RetryPolicy(retry_unknown=True)


def at(error: OpenRouterError, phase: Phase | None) -> OpenRouterError:
    """Say how far the request had come."""
    error.phase = phase
    return error


def answered(status: int, phase: Phase | None = "headers") -> OpenRouterError:
    """Give the error of an HTTP status."""
    return at(error_from_response(status, {}, b'{"error":{"message":"x"}}', now=0.0), phase)


def streamed(code: int | str | None, phase: Phase | None = "first_event") -> OpenRouterError:
    """Give an error that came in the place of an event."""
    return at(error_in_stream(ErrorBody(code=code, message="x"), now=0.0), phase)


def always(part: float) -> Callable[[], float]:
    """Give the chance that always comes out the same."""
    return lambda: part


TABLE: dict[str, tuple[OpenRouterError, Failure, bool, bool]] = {
    # what failed: the error, its class, tried again by default, tried again when told to
    "no host": (at(ConnectError("x"), "connect"), "not_sent", True, True),
    "no connection in time": (at(ConnectTimeout("x"), "connect"), "not_sent", True, True),
    "bad certificate": (at(TLSError("x"), "connect"), "not_sent", False, False),
    "proxy refuses": (at(ProxyError("x"), "connect"), "not_sent", False, False),
    "no free connection": (at(QueueTimeout("x"), "queue"), "not_sent", False, False),
    "total time is up in the queue": (at(TotalTimeout("x"), "queue"), "not_sent", False, False),
    "400": (answered(400), "refused", False, False),
    "401": (answered(401), "refused", False, False),
    "402": (answered(402), "refused", False, False),
    "403": (answered(403), "refused", False, False),
    "404": (answered(404), "refused", False, False),
    "408": (answered(408), "unknown", False, True),
    "413": (answered(413), "refused", False, False),
    "422": (answered(422), "refused", False, False),
    "429": (answered(429), "refused", True, True),
    "500": (answered(500), "unknown", False, True),
    "502": (answered(502), "refused", True, True),
    "503": (answered(503), "refused", True, True),
    "504": (answered(504), "unknown", False, True),
    "524": (answered(524), "unknown", False, True),
    "529": (answered(529), "refused", True, True),
    "429 before any output": (streamed(429), "refused", True, True),
    "502 before any output": (streamed(502), "refused", True, True),
    "400 before any output": (streamed(400), "refused", False, False),
    "an error without a status": (streamed(None), "unknown", False, True),
    "429 amid the answer": (streamed(429, "body"), "started", False, False),
    "503 amid the answer": (streamed(503, "body"), "started", False, False),
    "connection lost while sending": (at(APIConnectionError("x"), "headers"), "unknown", False, True),
    "silence before the headers": (at(WireIdleTimeout("x"), "headers"), "unknown", False, True),
    "no first event": (at(FirstEventTimeout("x"), "first_event"), "unknown", False, True),
    "cut before the first event": (at(StreamTruncatedError("x"), "first_event"), "unknown", False, True),
    "broken before the first event": (at(StreamBrokenError("x"), "first_event"), "unknown", False, True),
    "broken amid the answer": (at(StreamBrokenError("x"), "body"), "started", False, False),
    "silence amid the answer": (at(IdleTimeout("x"), "body"), "started", False, False),
    "not this API": (at(ProtocolError("x"), "headers"), "unknown", False, False),
    "nobody knows": (OpenRouterError("x"), "unknown", False, True),
}  # fmt: skip


@pytest.mark.parametrize(("error", "failure", "retried", "boldly"), TABLE.values(), ids=TABLE)
def test_what_is_tried_again(
    error: OpenRouterError, failure: Failure, retried: bool, boldly: bool
) -> None:
    """What never left or was refused is tried again; what may have been taken, only if told so."""
    assert classify(error) == failure
    assert (delay_before_retry(POLICY, 1, error) is not None) is retried
    assert (delay_before_retry(BOLD, 1, error) is not None) is boldly


@pytest.mark.parametrize("retryable", [True, False])
def test_the_apis_own_word_counts(retryable: bool) -> None:
    """An availability that forbids another try, or allows it, outweighs the status."""
    body = ErrorBody(code=503, message="x", availability={"retryable": retryable})
    error = at(error_in_stream(body, now=0.0), "first_event")
    assert (delay_before_retry(POLICY, 1, error) is not None) is retryable


@pytest.mark.parametrize("status", [404, 429, 500, 503, 504, None])
@pytest.mark.parametrize("retryable", [True, False])
def test_the_apis_own_word_outweighs_every_status(status: int | None, retryable: bool) -> None:
    """What the API calls retryable was not taken; what it does not is not sent again even boldly."""
    body = ErrorBody(code=status, message="x", availability={"retryable": retryable})
    error = at(error_in_stream(body, now=0.0), "first_event")
    for policy in (POLICY, BOLD):
        assert (delay_before_retry(policy, 1, error) is not None) is retryable
    if retryable:
        assert classify(error) == "refused"
        error.phase = "body"
        assert delay_before_retry(BOLD, 1, error) is None


@pytest.mark.parametrize("tries", [1, 2, 5])
def test_the_last_try_is_the_last(tries: int) -> None:
    """There are as many tries as the policy says, the first one included."""
    policy = RetryPolicy(max_attempts=tries)
    delays = [delay_before_retry(policy, attempt, answered(429)) for attempt in range(1, 9)]
    assert [delay is not None for delay in delays] == [attempt < tries for attempt in range(1, 9)]


@pytest.mark.parametrize(
    ("attempt", "ceiling"),
    [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (5, 8.0), (6, 8.0), (50, 8.0), (100_000, 8.0)],
)
def test_full_jitter_below_a_growing_ceiling(attempt: int, ceiling: float) -> None:
    """The wait is any part of a ceiling that doubles up to its bound, on the thousandth try too."""
    policy = RetryPolicy(max_attempts=10**6)
    for part in (0.0, 0.25, 0.999):
        found = delay_before_retry(policy, attempt, answered(429), jitter=always(part))
        assert found == pytest.approx(ceiling * part)
    assert backoff(policy, attempt) == ceiling


def with_wait(seconds: float) -> OpenRouterError:
    """Give a 429 that names a wait."""
    headers = {"Retry-After": str(seconds)}
    return error_from_response(429, headers, b"", now=0.0)


@pytest.mark.parametrize("attempt", [1, 2])
@pytest.mark.parametrize("seconds", [0.0, 0.5, 5.0, 20.0])
def test_retry_after_is_a_floor(seconds: float, attempt: int) -> None:
    """Nobody comes back before the server's time, and not all at the same moment."""
    waits = [
        delay_before_retry(POLICY, attempt, with_wait(seconds), jitter=always(part))
        for part in (0.0, 0.5, 1.0)
    ]
    spread = 0.5 * attempt
    assert waits == pytest.approx([seconds, seconds + spread / 2, seconds + spread])


@pytest.mark.parametrize(
    ("asked", "jitter", "delay"),
    [(10.0, 0.0, 10.0), (10.0, 1.0, 10.0), (9.9, 1.0, 10.0), (9.0, 1.0, 9.5), (10.1, 0.0, None),
     (600.0, 0.0, None)],
)  # fmt: skip
def test_a_wait_that_is_too_long_is_none(asked: float, jitter: float, delay: float | None) -> None:
    """Whether to wait hangs on what the server asks for, never on chance; chance has what is left."""
    policy = RetryPolicy(max_wait=10.0)
    found = delay_before_retry(policy, 1, with_wait(asked), jitter=lambda: jitter)
    assert found == (None if delay is None else pytest.approx(delay))


@pytest.mark.parametrize(
    ("asked", "elapsed", "delay"),
    [(4.0, 0.0, 4.5), (4.0, 5.8, 4.2), (4.0, 6.1, None), (0.0, 9.9, 0.1), (0.0, 10.1, None)],
)
def test_a_total_bounds_all_attempts(asked: float, elapsed: float, delay: float | None) -> None:
    """No attempt begins after the total, and none waits for one that could not."""
    policy = RetryPolicy(total=10.0)
    found = delay_before_retry(policy, 1, with_wait(asked), elapsed=elapsed, jitter=lambda: 1.0)
    assert found == (None if delay is None else pytest.approx(delay))


@pytest.mark.parametrize(
    ("policy", "error", "elapsed", "words"),
    [
        (POLICY, with_wait(61), 0.0,
         ", and the API asks to wait 61 s, longer than max_wait=60 s"),
        (RetryPolicy(total=9), with_wait(5), 6.0, ", and waiting 5 s more would go beyond total=9 s"),
        (RetryPolicy(total=9), answered(429), 10.0,
         ", and another attempt would go beyond total=9 s"),
        (POLICY, with_wait(59), 1e6, ""),
        (RetryPolicy(total=9), with_wait(5), 3.9, ""),
        (RetryPolicy(max_attempts=1), with_wait(61), 0.0, ""),
        (POLICY, at(StreamBrokenError("x"), "body"), 0.0, ""),
    ],
)  # fmt: skip
def test_the_bound_that_was_met_is_named(
    policy: RetryPolicy, error: OpenRouterError, elapsed: float, words: str
) -> None:
    """Who is not waited for is told why; who would not be tried again anyway is told nothing."""
    assert why_too_long(policy, error, elapsed) == words


@pytest.mark.parametrize("status", [400, 404, 408, 429, 500, 502, 503, 504, 529])
@pytest.mark.parametrize("phase", ["headers", "first_event", "body"])
def test_what_holds_back_the_others(status: int, phase: Phase) -> None:
    """Too much asked is a reason for everybody to wait: not a failure, not amid an answer."""
    error = answered(status, phase)
    expected = status in (429, 503, 529) and phase != "body"
    assert is_overload(error) is expected
    assert holds_back(POLICY, error) is expected
    assert not holds_back(RetryPolicy(max_attempts=1), error)


def test_a_refusal_that_is_final_holds_back_nobody() -> None:
    """Neither does one that no wait would help, nor one that asks for too long a wait."""
    body = ErrorBody(code=503, message="x", availability={"retryable": False})
    assert not holds_back(POLICY, at(error_in_stream(body, now=0.0), "first_event"))
    assert holds_back(POLICY, with_wait(60))
    assert not holds_back(POLICY, with_wait(61))


ERRORS: list[Any] = [error for error, *_ in TABLE.values()]
SECONDS = st.floats(1e-3, 1e6)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(
    policy=st.builds(
        RetryPolicy,
        max_attempts=st.integers(1, 10**6),
        first_delay=SECONDS,
        max_delay=SECONDS,
        max_wait=SECONDS,
        total=st.none() | SECONDS,
        retry_unknown=st.booleans(),
    ),
    attempt=st.integers(1, 10**6),
    error=st.sampled_from(ERRORS) | SECONDS.map(with_wait),
    elapsed=st.floats(0, 1e6),
    part=st.floats(0, 1),
)
def test_a_wait_is_always_within_its_bounds(
    policy: RetryPolicy, attempt: int, error: OpenRouterError, elapsed: float, part: float
) -> None:
    """Never sooner than the server says, never later than allowed, never what is not safe."""
    delay = delay_before_retry(policy, attempt, error, elapsed=elapsed, jitter=lambda: part)
    floor = (error.retry_after or 0.0) if isinstance(error, APIStatusError) else 0.0
    longest = min(policy.max_wait, (policy.total or math.inf) - elapsed)
    if floor > longest:
        assert delay is None
    if delay is not None:
        slack = 1e-9 * longest
        assert attempt < policy.max_attempts
        assert floor <= delay <= min(longest, floor + policy.max_delay) + slack
        assert classify(error) != "started"
        assert policy.retry_unknown or classify(error) != "unknown"


# How long the API asks to wait, beside its headers.


def asked(metadata: dict[str, Any], **details: Any) -> float | None:
    """Give the wait that an error with such metadata asks for."""
    body = ErrorBody(code=429, message="x", metadata=metadata, **details)
    return error_in_stream(body, now=1_759_845_400.0).retry_after


@pytest.mark.parametrize(
    ("metadata", "seconds"),
    [
        ({"headers": {"X-RateLimit-Reset": "1759845420000"}}, 20.0),
        ({"headers": {"X-RateLimit-Reset": "1759845420"}}, 20.0),
        ({"headers": {"X-RateLimit-Reset": "20"}}, 20.0),
        ({"headers": {"X-RateLimit-Reset": "1759845390000"}}, 0.0),
        ({"headers": {"Retry-After": "2.5"}}, 2.5),
        ({"headers": {"retry-after-ms": "1500", "Retry-After": "9"}}, 1.5),
        ({"retry_after_seconds": 11, "retry_after_seconds_raw": 10.918}, 11.0),
        ({"retry_after_seconds": "soon"}, None),
        ({"retry_after_seconds": -1}, 0.0),
        ({"raw": '{"error":{"details":[{"retryDelay": "34.07s"}]}}'}, 34.07),
        ({"raw": "Please retry in 34 s"}, None),
        ({"raw": None}, None),
        ({}, None),
    ],
)
def test_a_wait_in_the_body(metadata: dict[str, Any], seconds: float | None) -> None:
    """The body says it in headers of its own, in seconds, or in the provider's words."""
    assert asked(metadata) == (None if seconds is None else pytest.approx(seconds))
    # The API's own word on availability counts more than the provider's, less than a header's.
    expected = seconds if "headers" in metadata else 7.0
    assert asked(metadata, availability={"retry_after": 7}) == pytest.approx(expected)


def test_chance_is_used_where_none_is_given() -> None:
    """Two waits differ: tasks that failed together come back apart."""
    waits = {delay_before_retry(POLICY, 1, answered(429)) for _ in range(20)}
    assert len(waits) > 1
    assert all(wait is not None and 0 <= wait <= 0.5 for wait in waits)


def test_classes_alone_say_nothing_of_the_phase() -> None:
    """Without a phase, only a status tells how far a request had come."""
    assert classify(ConnectError("x")) == "unknown"
    assert classify(BadRequestError("x")) == "unknown"
    for kind in (BadRequestError, GatewayTimeoutError, APIStatusError, StreamAPIError):
        error = kind("x")
        error.status = 503
        assert classify(error) == "refused"
