"""Whether to try again, and after how long: pure decisions, no clock, no waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openrouter_async import RetryPolicy
from openrouter_async._error_bodies import error_from_response, error_in_stream
from openrouter_async._retry import Failure, classify, delay_before_retry
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
        found = delay_before_retry(policy, attempt, answered(429), always(part))
        assert found == pytest.approx(ceiling * part)


def with_wait(seconds: float) -> OpenRouterError:
    """Give a 429 that names a wait."""
    headers = {"Retry-After": str(seconds)}
    return error_from_response(429, headers, b"", now=0.0)


@pytest.mark.parametrize("attempt", [1, 2])
@pytest.mark.parametrize("seconds", [0.0, 0.5, 5.0, 20.0])
def test_retry_after_is_a_floor(seconds: float, attempt: int) -> None:
    """Nobody comes back before the server's time, and not all at the same moment."""
    waits = [
        delay_before_retry(POLICY, attempt, with_wait(seconds), always(part))
        for part in (0.0, 0.5, 1.0)
    ]
    spread = 0.5 * attempt
    assert waits == pytest.approx([seconds, seconds + spread / 2, seconds + spread])


@pytest.mark.parametrize(
    ("asked", "jitter", "waits"),
    [(10.0, 0.0, True), (9.9, 0.0, True), (10.1, 0.0, False), (9.9, 1.0, False), (600.0, 0.0, False)],
)  # fmt: skip
def test_a_wait_that_is_too_long_is_none(asked: float, jitter: float, waits: bool) -> None:
    """Where the server asks for more than the policy allows, the error is raised at once."""
    policy = RetryPolicy(max_wait=10.0)
    assert (delay_before_retry(policy, 1, with_wait(asked), lambda: jitter) is not None) is waits


ERRORS: list[Any] = [error for error, *_ in TABLE.values()]


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    policy=st.builds(
        RetryPolicy,
        max_attempts=st.integers(1, 10**6),
        first_delay=st.floats(1e-3, 1e6),
        max_delay=st.floats(1e-3, 1e6),
        max_wait=st.floats(1e-3, 1e6),
        retry_unknown=st.booleans(),
    ),
    attempt=st.integers(1, 10**6),
    error=st.sampled_from(ERRORS),
    part=st.floats(0, 1),
)
def test_a_wait_is_always_within_its_bounds(
    policy: RetryPolicy, attempt: int, error: OpenRouterError, part: float
) -> None:
    """Whatever the policy, a wait is neither negative nor longer than allowed."""
    delay = delay_before_retry(policy, attempt, error, lambda: part)
    if delay is not None:
        assert attempt < policy.max_attempts
        assert 0 <= delay <= min(policy.max_delay, policy.max_wait)
        assert classify(error) != "started"
        assert policy.retry_unknown or classify(error) != "unknown"


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
