"""The exception tree: the right class, the provider's own sentence, and no secrets."""

from __future__ import annotations

import copy
import json
import pickle
import re
from email.utils import formatdate
from typing import Any, cast

import pytest
from multidict import CIMultiDict

from openrouter_async import errors
from openrouter_async._error_bodies import error_from_response, error_in, error_in_stream
from openrouter_async.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadGatewayError,
    BadRequestError,
    ConflictError,
    ConnectError,
    GatewayTimeoutError,
    GoneError,
    ModerationError,
    NotFoundError,
    OpenRouterError,
    OverloadedError,
    PayloadTooLargeError,
    PaymentRequiredError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    ServiceUnavailableError,
    StreamAPIError,
    StreamBrokenError,
    StreamError,
    StreamTruncatedError,
    UnprocessableEntityError,
    redact,
)
from openrouter_async.types import ChatCompletion, Choice, ErrorBody, Message, RateLimit
from openrouter_async.types._lenient import decode_leniently

Plain = dict[str, Any]
NOW = 1_700_000_000.0


def answered(
    body: object,
    status: int = 400,
    headers: dict[str, str] | None = None,
    secret: str | None = None,
) -> APIStatusError:
    """Build the exception of an answer; a body that is no text is sent as JSON."""
    wire = body if isinstance(body, bytes) else json.dumps(body).encode()
    return error_from_response(status, headers or {}, wire, now=NOW, secret=secret)


def streamed(error: object, secret: str | None = None) -> StreamAPIError:
    """Build the exception of an error object inside a stream."""
    return error_in_stream(
        decode_leniently(json.dumps(error).encode(), ErrorBody), now=NOW, secret=secret
    )


# The tree.

CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, OpenRouterError)
}
MADE = {kind.__name__ for kind in errors._STREAM_KIND.values()}
DOCSTRING = errors.__doc__ or ""
DRAWING = DOCSTRING.partition("\n\nMisuse")[0]
CLASS_NAME = re.compile(r"\b(?:[A-Z]\w*(?:Error|Timeout))\b")


def test_the_drawing_names_every_class() -> None:
    """The tree in the docstring is the tree of the classes that users can name."""
    drawn = CLASS_NAME.findall(DRAWING)
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == set(CLASSES) - MADE
    assert set(drawn) <= set(errors.__all__)


def test_the_drawing_shows_the_parents() -> None:
    """Every class stands below its parent."""
    above: list[tuple[int, str]] = [(0, "OpenRouterError")]
    for line in DRAWING.splitlines()[3:]:
        names = CLASS_NAME.findall(line)
        depth = re.search(r"[├└]", line)
        if depth is not None:
            above = [entry for entry in above if entry[0] < depth.start()]
        for name in names:
            parents = [kind.__name__ for kind in CLASSES[name].__mro__]
            assert above[-1][1] in parents, f"{name} is not below {above[-1][1]}"
        if depth is not None and len(names) == 1:
            above.append((depth.start(), names[0]))


@pytest.mark.parametrize("kind", errors._STREAM_KIND)
def test_every_status_class_has_a_twin_for_streams(kind: type[APIStatusError]) -> None:
    """An error inside a stream is of its status's class and a StreamAPIError, and can be named."""
    twin = errors._STREAM_KIND[kind]
    assert issubclass(twin, kind)
    assert issubclass(twin, StreamAPIError)
    assert twin.retryable == kind.retryable
    assert getattr(errors, twin.__name__) is twin


def test_misuse_is_outside_the_tree() -> None:
    """Nothing of the tree is one of the built-in errors that mean a bug in the caller's code."""
    for kind in CLASSES.values():
        assert not issubclass(kind, RuntimeError | TypeError | ValueError | OSError)
    assert issubclass(APITimeoutError, APIConnectionError)
    assert not issubclass(StreamError, APIConnectionError)


# The class.

BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError, 401: AuthenticationError, 402: PaymentRequiredError,
    403: PermissionDeniedError, 404: NotFoundError, 405: APIStatusError,
    408: RequestTimeoutError, 409: ConflictError, 410: GoneError, 412: APIStatusError,
    413: PayloadTooLargeError, 418: APIStatusError, 422: UnprocessableEntityError,
    429: RateLimitError, 500: ServerError, 501: ServerError, 502: BadGatewayError,
    503: ServiceUnavailableError, 504: GatewayTimeoutError, 520: ServerError,
    524: GatewayTimeoutError, 529: OverloadedError, 599: ServerError, 302: APIStatusError,
}  # fmt: skip


@pytest.mark.parametrize(("status", "kind"), BY_STATUS.items())
def test_class_by_status(status: int, kind: type[APIStatusError]) -> None:
    """Each status has its class, whatever the body says of another."""
    for body in ({"error": {"code": status, "message": "no"}}, {"error": {"code": 418}}, b""):
        error = answered(body, status)
        assert type(error) is kind
        assert error.status == status
        assert error.billed == "no"


@pytest.mark.parametrize(("status", "kind"), [pair for pair in BY_STATUS.items() if pair[0] >= 400])
def test_class_by_code_in_a_stream(status: int, kind: type[APIStatusError]) -> None:
    """A code in a stream, a number or its digits, gives the class that HTTP would have given."""
    for code in (status, str(status)):
        error = streamed({"code": code, "message": "no"})
        assert isinstance(error, kind)
        assert isinstance(error, StreamAPIError)
        assert (error.status, str(error.code)) == (status, str(status))


STATUS_BY_TYPE = {
    400: ("context_length_exceeded", "max_tokens_exceeded", "token_limit_exceeded",
          "string_too_long", "invalid_request", "invalid_prompt", "content_policy_violation",
          "refusal", "invalid_image", "image_too_large", "image_too_small",
          "unsupported_image_format", "image_download_failed"),
    401: ("authentication",),
    402: ("payment_required",),
    403: ("permission_denied",),
    404: ("not_found", "image_not_found"),
    412: ("precondition_failed",),
    413: ("payload_too_large",),
    422: ("unprocessable",),
    429: ("rate_limit_exceeded",),
    500: ("server", "unmapped"),
    502: ("provider_unavailable",),
    503: ("provider_overloaded",),
    504: ("timeout",),
}  # fmt: skip
TYPES = [(name, status) for status, names in STATUS_BY_TYPE.items() for name in names]


@pytest.mark.parametrize(("name", "status"), TYPES)
def test_class_by_error_type(name: str, status: int) -> None:
    """Where no number is given, the stable kind names one, in either of its places."""
    for error in (
        streamed({"message": "no", "metadata": {"error_type": name}}),
        streamed({"message": "no", "error_type": name, "code": None}),
    ):
        assert isinstance(error, BY_STATUS[status])
        assert (error.status, error.error_type) == (status, name)
    assert isinstance(streamed({"message": "no", "code": name}), BY_STATUS[status])


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"code": "server_error"}, 500),
        ({"code": "rate_limit_exceeded"}, 429),
        ({"type": "invalid_request_error"}, 400),
        ({"type": "authentication_error"}, 401),
        ({"type": "billing_error"}, 402),
        ({"type": "permission_error"}, 403),
        ({"type": "not_found_error"}, 404),
        ({"type": "rate_limit_error"}, 429),
        ({"type": "api_error"}, 500),
        ({"type": "timeout_error"}, 504),
        ({"type": "overloaded_error"}, 529),
        ({"code": None, "http_status": 503}, 503),
        ({"code": 0, "http_status": 404}, 404),
        ({"status_code": 413}, 413),
        ({"code": 200}, None),
        ({"code": "model_not_found"}, None),
        ({"code": 1.5, "type": 7, "metadata": [1]}, None),
        ({}, None),
    ],
)
def test_status_of_other_forms(error: Plain, status: int | None) -> None:
    """The forms of other dialects give a status too; what names none is a plain stream error."""
    found = streamed({"message": "no", **error})
    assert found.status == status
    assert isinstance(found, BY_STATUS[status] if status is not None else StreamAPIError)
    assert isinstance(found, StreamAPIError)


def test_moderation_tells_its_reasons() -> None:
    """A refusal by moderation says what was flagged and why."""
    metadata = {"reasons": ["violence", "hate"], "flagged_input": "so ... on", "provider_name": "P"}
    body = {"error": {"code": 403, "message": "flagged", "metadata": metadata}}
    for error in (answered(body, 403), streamed(body["error"])):
        assert isinstance(error, ModerationError)
        assert error.reasons == ("violence", "hate")
        assert error.flagged_input == "so ... on"
        assert error.provider_name == "P"
        assert error.metadata == metadata


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [(None, ()), ([], ()), ("violence", ("violence",)), (5, ("5",)), ([1, None], ("1",))],
)
def test_odd_reasons_do_no_harm(reasons: object, expected: tuple[str, ...]) -> None:
    """Reasons of another kind are taken as well as can be."""
    body = {"error": {"message": "x", "metadata": {"reasons": reasons, "flagged_input": 5}}}
    error = answered(body, 403)
    assert isinstance(error, ModerationError)
    assert error.reasons == expected
    assert error.flagged_input is None


# The sentence.


def provider_error(raw: object, message: str = "Provider returned error") -> Plain:
    """Give the body of an error behind which a provider stands."""
    return {"error": {"code": 400, "message": message, "metadata": {"provider_name": "P", "raw": raw}}}  # fmt: skip


HTML = b"""<!DOCTYPE html><html><head><style>body { color: red }</style><title>502</title>
<script>alert("x")</script></head><body><h1>Bad gateway</h1><p>cloud</p></body></html>"""
AT_MOST = "at most 1 image per prompt"
BODIES: dict[str, tuple[object, str]] = {
    "a message of its own": ({"error": {"message": "No credits left."}}, "No credits left."),
    "raw as text": (provider_error(AT_MOST), AT_MOST),
    "raw as JSON text": (provider_error(json.dumps({"error": {"message": AT_MOST}})), AT_MOST),
    "raw as an object": (provider_error({"error": {"message": AT_MOST}}), AT_MOST),
    "raw as a flat object": (provider_error({"message": AT_MOST, "code": 3}), AT_MOST),
    "raw with an error that is a text": (provider_error({"error": AT_MOST}), AT_MOST),
    "raw with a detail": (provider_error({"detail": [{"msg": AT_MOST, "loc": ["x"]}]}), AT_MOST),
    "raw as a list": (provider_error([{"error": {"message": AT_MOST}}]), AT_MOST),
    "raw as JSON text within JSON text": (
        provider_error(json.dumps({"error": json.dumps({"message": AT_MOST})})),
        AT_MOST,
    ),
    "raw as HTML": (provider_error(HTML.decode()), "502 Bad gateway cloud"),
    "raw as broken JSON": (provider_error('{"error": {"mess'), '{"error": {"mess'),
    "no raw": (provider_error(None), "Provider returned error"),
    "raw that says nothing": (provider_error({"a": 1}), "Provider returned error"),
    "another wording": (provider_error(AT_MOST, "Provider returned error."), AT_MOST),
    "no message but raw": (provider_error(AT_MOST, ""), AT_MOST),
    "a message better than raw": (provider_error("x", "Too long."), "Too long."),
    "null metadata": ({"error": {"message": "Too long.", "metadata": None}}, "Too long."),
    "metadata of another kind": ({"error": {"message": "Too long.", "metadata": [1]}}, "Too long."),
    "a bare text": ({"error": "Too long."}, "Too long."),
    "another dialect": ({"detail": "Too long."}, "Too long."),
    "flat": ({"object": "error", "message": "Too long.", "code": 400}, "Too long."),
    "the Messages API": (
        {"type": "error", "error": {"type": "invalid_request_error", "message": "Too long."}},
        "Too long.",
    ),
    "HTML": (HTML, "502 Bad gateway cloud"),
    "text": (b"upstream connect error\nor disconnect", "upstream connect error or disconnect"),
    "nothing": (b"", "HTTP 400 without a body"),
    "white space": (b" \n", "HTTP 400 without a body"),
    "an empty object": ({}, "{}"),
    "an empty error": ({"error": {}}, "the API reported an error without a message"),
    "broken UTF-8": (b"\xff\xfe!", "\ufffd\ufffd!"),
    "a number for a message": ({"error": {"message": 5}}, "5"),
}


@pytest.mark.parametrize(("body", "sentence"), BODIES.values(), ids=BODIES)
def test_the_message_leads_with_what_was_said(body: object, sentence: str) -> None:
    """The first words of an error are the sentence that helps, wherever it was hidden."""
    error = answered(body)
    assert str(error).startswith(f"{sentence} [400")
    assert isinstance(error, BadRequestError)


@pytest.mark.parametrize(
    "name", [name for name, (body, _) in BODIES.items() if isinstance(body, dict) and "error" in body]
)  # fmt: skip
def test_the_same_sentence_inside_a_stream(name: str) -> None:
    """An error object says the same in a stream."""
    body, sentence = BODIES[name]
    details = error_in(json.dumps(body).encode())
    assert details is not None
    assert str(error_in_stream(details, now=NOW)).startswith(sentence)


def test_the_message_goes_on_with_the_facts() -> None:
    """Behind the sentence stand the status, the kind and the provider."""
    body = provider_error("Slow down.")
    body["error"]["metadata"]["error_type"] = "rate_limit_exceeded"
    error = answered(body, 429)
    assert str(error) == "Slow down. [429, rate_limit_exceeded, P via OpenRouter]"
    assert (error.provider_name, error.raw) == ("P", "Slow down.")


def test_raw_is_parsed_where_it_is_json() -> None:
    """What the provider said is plain data when it was JSON in a text."""
    assert answered(provider_error('{"a": [1]}')).raw == {"a": [1]}
    assert answered(provider_error("[1, 2")).raw == "[1, 2"
    assert answered(provider_error("words")).raw == "words"


def test_messages_are_bounded() -> None:
    """Megabytes of a provider's words make no megabytes of message."""
    for body in (
        {"error": {"message": "x" * 10**6}},
        provider_error("x" * 10**6),
        provider_error({"message": "<b>" + "x" * 10**6}),
        b"<html>" + b"<p>x" * 10**5,
        b"x" * 10**6,
    ):
        assert len(str(answered(body))) <= 2_000
    assert len(str(answered(provider_error("x" * 10**6)))) < 400


def deep(size: int) -> bytes:
    """Give an object that is nested beyond reason."""
    return b'{"error":' * size + b"1" + b"}" * size


@pytest.mark.parametrize("size", [100, 400, 900, 5_000, 100_000])
def test_deep_bodies_do_not_break_the_constructor(size: int) -> None:
    """However deep the nesting of a body, its error is built, and pickles."""
    nested = deep(size)
    for body in (
        nested,
        json.dumps(provider_error(nested.decode())).encode(),
        b'{"error":{"message":"error","metadata":{"raw":' + nested + b"}}}",
        b'{"error":{"message":"error","metadata":' + nested + b"}}",
        b'{"error":{"message":"error","availability":' + nested + b"}}",
        b"[" * size,
    ):
        error = answered(body, 502)
        assert isinstance(error, BadGatewayError)
        assert len(str(error)) <= 2_000


# Waiting.


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "5"}, 5.0),
        ({"retry-after": " 2.5 "}, 2.5),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": formatdate(NOW + 90, usegmt=True)}, 90.0),
        ({"Retry-After": formatdate(NOW - 90, usegmt=True)}, 0.0),
        ({"Retry-After-Ms": "1500", "Retry-After": "9"}, 1.5),
        ({"X-RateLimit-Reset": str(int(NOW * 1000) + 4_500)}, 4.5),
        ({"X-RateLimit-Reset": str(int(NOW) + 7)}, 7.0),
        ({"X-RateLimit-Reset": str(int(NOW) - 7)}, 0.0),
        ({"Retry-After": "3", "X-RateLimit-Reset": str(int(NOW) + 7)}, 3.0),
        ({"Retry-After": "soon", "X-RateLimit-Reset": str(int(NOW) + 7)}, 7.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "1e999"}, None),
        ({"Retry-After": "Fri, 99 Foo 2023 99:99:99 GMT"}, None),
        ({"X-RateLimit-Limit": "20"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """The wait is found in every form of the headers, and in those that the metadata repeats."""
    body = {"error": {"message": "Slow down."}}
    assert answered(body, 429, headers).retry_after == seconds
    inside = {"message": "Slow down.", "metadata": {"headers": headers}}
    assert answered({"error": inside}, 429).retry_after == seconds
    assert streamed({"code": 429, **inside}).retry_after == seconds


def test_the_rate_limit_is_on_the_error() -> None:
    """OpenRouter tells of its own limit where it refuses, in milliseconds; a provider's says nothing."""
    headers = CIMultiDict(
        {
            "X-RateLimit-Limit": "20",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": "1741305600000",
        }
    )
    error = error_from_response(429, headers, b'{"error":{"message":"Slow"}}', now=0.0)
    assert error.rate_limit == RateLimit(limit=20, remaining=0, reset=1_741_305_600.0)
    assert pickle.loads(pickle.dumps(error)).rate_limit == error.rate_limit
    assert answered({"error": {"message": "Slow"}}, 429).rate_limit is None


def test_real_headers_come_before_those_of_the_metadata() -> None:
    """The answer's own headers count, then the metadata, then the availability."""
    body = {
        "error": {
            "message": "x",
            "metadata": {"headers": {"Retry-After": 2}},
            "availability": {"retry_after": 3},
        }
    }
    assert answered(body, 503, {"Retry-After": "1"}).retry_after == 1.0
    assert answered(body, 503).retry_after == 2.0
    del body["error"]["metadata"]
    assert answered(body, 503).retry_after == 3.0


@pytest.mark.parametrize(
    ("availability", "retryable", "retry_after"),
    [
        ({"code": "capacity_exhausted", "retryable": True, "retry_after": 12}, True, 12.0),
        ({"retryable": False, "retry_after": None}, False, None),
        ({"retry_after": -1}, True, 0.0),
        ({"retryable": "yes", "retry_after": "x"}, True, None),
        ({"retry_after": float("inf")}, True, None),
        ({}, True, None),
        (None, True, None),
        (3, True, None),
    ],
)
def test_availability_decides(
    availability: object, retryable: bool, retry_after: float | None
) -> None:
    """The API's own word about trying again outweighs the status."""
    error = streamed({"code": 503, "message": "x", "availability": availability})
    assert (error.retryable, error.retry_after) == (retryable, retry_after)


def test_odd_headers_in_the_metadata_do_no_harm() -> None:
    """Headers of another kind are passed over."""
    for headers in (None, 3, "x", [1], {"Retry-After": None}, {"Retry-After": [1]}):
        assert streamed({"code": 429, "metadata": {"headers": headers}}).retry_after is None


def test_ids_are_kept() -> None:
    """The ids in headers and body are on the error."""
    error = answered(
        {"error": {"message": "x"}, "request_id": "req-2"},
        headers={"x-request-id": "req-1", "x-generation-id": "gen-1"},
    )
    assert (error.request_id, error.generation_id) == ("req-1", "gen-1")
    assert answered({"error": {"message": "x"}, "request_id": "req-2"}).request_id == "req-2"
    assert answered({"error": {"message": "x"}, "request_id": 5}).request_id is None


# Pickling.


def examples() -> list[OpenRouterError]:
    """One error of every class that there is, with everything on it."""
    partial = ChatCompletion(id="gen-1", choices=[Choice(message=Message(content="So f"))])
    found: list[OpenRouterError] = []
    for kind in CLASSES.values():
        error = kind("It went wrong.")
        error.partial = partial
        error.request_id, error.generation_id = "req-1", "gen-1"
        error.attempts, error.phase, error.billed = 3, "body", "yes"
        if isinstance(error, APIStatusError):
            error.status, error.code, error.retry_after = 429, "x", 1.5
            error.metadata, error.raw = {"a": [1]}, {"b": None}
        if isinstance(error, ModerationError):
            error.reasons = ("hate",)
        if isinstance(error, ProtocolError):
            error.body_start = "<html>"
        error.add_note("a note")
        found.append(error)
    return found


@pytest.mark.parametrize("error", examples(), ids=lambda error: type(error).__name__)
def test_errors_pickle_and_copy_whole(error: OpenRouterError) -> None:
    """An error crosses a process border with its class, its message and all that it knows."""
    copies = [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(6)]
    for twin in (*copies, copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is type(error)
        assert twin.args == error.args
        assert str(twin) == "It went wrong."
        assert vars(twin) == vars(error)
        assert twin.partial is not None
        assert twin.partial.text == "So f"


def test_defaults_are_not_shared_state() -> None:
    """What is put on one error is on no other."""
    error = ConnectError("x")
    error.attempts, error.billed = 3, "yes"
    assert (ConnectError("y").attempts, ConnectError("y").billed) == (1, "no")


@pytest.mark.parametrize(
    ("kind", "billed", "retryable"),
    [
        (ConnectError, "no", True),
        (errors.ConnectTimeout, "no", True),
        (errors.ProxyError, "no", False),
        (errors.TLSError, "no", False),
        (errors.QueueTimeout, "no", False),
        (errors.WireIdleTimeout, "unknown", False),
        (errors.FirstEventTimeout, "unknown", False),
        (errors.TotalTimeout, "unknown", False),
        (StreamTruncatedError, "unknown", False),
        (StreamBrokenError, "unknown", False),
        (RateLimitError, "no", True),
        (BadGatewayError, "no", True),
        (ServiceUnavailableError, "no", True),
        (OverloadedError, "no", True),
        (BadRequestError, "no", False),
        (ProtocolError, "unknown", False),
    ],
)
def test_money_and_safety_by_class(
    kind: type[OpenRouterError], billed: str, retryable: bool
) -> None:
    """Each class says whether it costs money and whether trying again is safe."""
    assert (kind("x").billed, kind("x").retryable) == (billed, retryable)


# Secrets.

KEYS = ["sk-or-v1-0123456789abcdef", "a-key-of-another-server-0123456789"]


def leaks(error: OpenRouterError, key: str) -> bool:
    """Whether a key, or its beginning, is anywhere on an error."""
    parts = [str(error), repr(error), repr(error.args), repr(vars(error))]
    parts += [str(pickle.dumps(part)) for part in (error, error.args)]
    return any(key[:12] in part for part in parts)


@pytest.mark.parametrize("key", KEYS)
def test_a_key_in_a_body_is_nowhere_on_the_error(key: str) -> None:
    """A server that echoes the key does not make us show it, wherever it stood."""
    bodies: list[object] = [
        {"error": {"message": f"Bad key {key}."}},
        {"error": {"message": f"Authorization: Bearer {key} is bad"}},
        {"error": {"message": "x" * 1_990 + key}},
        {"error": f"Bad key {key}."},
        {"detail": f"Bad key {key}."},
        provider_error(f"Bad key {key}."),
        provider_error({"error": {"message": f"Bad key {key}."}}),
        provider_error(json.dumps({"error": {"message": f"Bad key {key}."}})),
        provider_error({"sent": [{"authorization": f"Bearer {key}"}]}),
        {"error": {"message": "x", "metadata": {"reasons": [key], "flagged_input": key}}},
        {"error": {"message": "x", "metadata": {key: 1}}},
        f"Bad key {key}.".encode(),
        b"x" * 290 + key.encode(),
        f"<html><body>{key}</body></html>".encode(),
    ]
    for body in bodies:
        assert not leaks(answered(body, 403, secret=key), key)
        if isinstance(body, dict) and "error" in body:
            details = error_in(json.dumps(body).encode())
            assert details is not None
            assert not leaks(error_in_stream(details, now=NOW, secret=key), key)


def test_what_looks_like_a_key_is_taken_out_of_any_message() -> None:
    """A key that we do not know is not shown either, if it has a key's looks."""
    error = APIConnectionError(f"proxy said {KEYS[0]}, Bearer abc.def-0123456789")
    assert str(error) == "proxy said ***, ***"


def test_redaction_leaves_other_words_alone() -> None:
    """Short secrets and words that only contain the letters are not touched."""
    assert redact("task-list of a risk-free desk", secret="risk") == "task-list of a risk-free desk"
    assert redact("the key is 12345678.", secret="12345678") == "the key is ***."


def test_a_made_up_class_is_found_by_its_name() -> None:
    """The classes for streams are attributes of the module, where pickle looks for them."""
    kind = cast("type[StreamAPIError]", vars(errors)["StreamRateLimitError"])
    assert kind.__module__ == "openrouter_async.errors"
    assert issubclass(kind, RateLimitError)
