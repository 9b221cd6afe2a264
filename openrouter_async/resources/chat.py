"""``POST /chat/completions``: a user's arguments become the bytes of a request.

The rule of this file: pure, and strict. What is wrong with an argument is said here, before
anything is sent, with the name of the place. The order of the fields on the wire is fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from .._config import check_type, checked_headers
from .._pdf import BodyWithDocuments, CallDocuments
from ..types import ChatCompletion, ChatParams, MessageParam
from ._body import encode_body
from ._call import Operation
from ._messages import checked_messages, plain
from ._params import checked_params

__all__ = [
    "CREATE",
    "PATH",
    "audio_format_in",
    "body_of",
    "chat_body",
    "chat_headers",
    "refuse_audio",
]

PATH: Final = "/chat/completions"
CREATE: Final = Operation(
    f"POST {PATH}", ChatCompletion, inside=None, body=ChatParams, key="normal"
)
_HEADERS: Final[dict[str, tuple[str, Callable[[Any], str]]]] = {
    "response_cache": ("X-OpenRouter-Cache", lambda on: "true" if on else "false"),
    "response_cache_ttl": ("X-OpenRouter-Cache-TTL", str),
    "response_cache_clear": ("X-OpenRouter-Cache-Clear", lambda on: "true" if on else "false"),
    "router_metadata": ("X-OpenRouter-Metadata", lambda on: "enabled" if on else "disabled"),
    "session_header": ("x-session-id", str),
    "anthropic_beta": ("x-anthropic-beta", ",".join),
}
_NOT_IN_BODY: Final = frozenset({"extra_body", "extra_headers", *_HEADERS})


def chat_body(
    messages: str | Sequence[MessageParam],
    *,
    model: str | None,
    stream: bool,
    params: Mapping[str, Any],
    documents: CallDocuments | None = None,
) -> bytes:
    """Build the body of a chat request.

    Args:
        messages: A prompt, or messages as mappings and message structs, mixed.
        model: The model; None leaves the choice to the account's default.
        stream: Whether the answer is to come as a stream.
        params: The further fields, of `ChatParams`.
        documents: What is known of its documents, to be sent along.
    """
    if model is not None:
        check_type("model", model, str)
        if not model.strip():
            hint = "leave it out for the account's default model"
            raise ValueError(f"model must not be empty; {hint}")
    given = checked_params(params) if params else {}
    body: dict[str, Any] = {} if model is None else {"model": model}
    body["messages"] = checked_messages(messages)
    body["stream"] = stream
    body |= {name: value for name, value in given.items() if name not in _NOT_IN_BODY}
    body |= given.get("extra_body", {})
    encoded = encode_body(body)
    return encoded if documents is None else BodyWithDocuments.of(encoded, body, documents)


def body_of(shape: type[Any], main: Mapping[str, object], params: Mapping[str, object]) -> bytes:
    """Build the body of a request of another endpoint that takes keywords as a chat does.

    Args:
        shape: The TypedDict of the keywords.
        main: The fields that are arguments of their own; what is None is not sent.
        params: The keywords.
    """
    given = checked_params({name: plain(value) for name, value in params.items()}, shape)
    body = {name: value for name, value in main.items() if value is not None}
    body |= {name: value for name, value in given.items() if name not in _NOT_IN_BODY}
    return encode_body(body | given.get("extra_body", {}))


def chat_headers(params: Mapping[str, Any]) -> dict[str, str]:
    """Build the headers that keywords stand for; who made the body has checked the keywords."""
    named = {
        header: write(params[name]) for name, (header, write) in _HEADERS.items() if name in params
    }
    return {
        **checked_headers(named, "headers"),
        **checked_headers(params.get("extra_headers", {}), "extra_headers"),
    }


def audio_format_in(params: Mapping[str, Any]) -> str | None:
    """Give the format of the sound that is asked for; None where none is."""
    options: object = params.get("audio")
    if isinstance(options, Mapping):
        asked = cast("Mapping[str, object]", options).get("format")
    else:
        asked = getattr(options, "format", None)
    return asked if isinstance(asked, str) else None


def refuse_audio(params: Mapping[str, Any]) -> None:
    """Refuse sound in an answer in one piece."""
    if "audio" in (params.get("modalities") or ()):
        raise ValueError("modalities with 'audio' need transport='stream': sound only streams")
