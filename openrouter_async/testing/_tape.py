"""Recorded traffic as a value: what was asked, what was answered, and nothing that is private.

The rule of this file: pure but for reading and writing the file. What is recorded has been
redacted before it is here, and by the same rules a request is made comparable with a recorded one.

Redacting changes no length, so that an answer is cut into the same pieces as it was:

- keys, bearer tokens and whatever the user names become asterisks,
- ids of users and of accounts become ``x``,
- ids of generations become others, the same everywhere in a recording,
- of the headers only those are kept that tell something of the content.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, TypeGuard, cast

import msgspec
from msgspec import Struct, field

__all__ = ["Answered", "Asked", "Interaction", "Redactor", "Tape", "differences"]

End: TypeAlias = Literal["whole", "left", "broken"]

_KEPT_OF_REQUESTS: Final = frozenset({"accept", "content-type", "x-openrouter-metadata"})
_KEPT_OF_ANSWERS: Final = frozenset(
    {"content-type", "retry-after", "retry-after-ms", "x-generation-id"}
)
_KEPT_PREFIX: Final = "x-ratelimit-"
_SECRET: Final = re.compile(rb"(?i)(?:\bbearer\s+|\bsk-)([A-Za-z0-9_\-.~+/=]{6,})")
_ACCOUNT: Final = re.compile(rb"\b(?:user|org|workspace|acct)_([A-Za-z0-9]{8,})")
_GENERATION: Final = re.compile(rb"\bgen-(?:[a-z]+-)?[0-9]+-([A-Za-z0-9]+)")
_LONGEST_FILE: Final = 1_000
"""Characters of a data URL in a request that are kept; of a longer one there is its hash."""


class Asked(Struct, kw_only=True):
    """A request.

    Attributes:
        path: Below the base URL.
        query: As it stands in the URL.
        headers: Their names in lower case.
        body: Decoded JSON; text, or base64 in a mapping, for what is none.
    """

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: Any = None


class Answered(Struct, kw_only=True):
    """An answer.

    Attributes:
        framing: How the end of its body was told.
        pieces: The body as it came, one for each chunk of HTTP; base64 in a mapping where a
            piece is no text.
        end: Whether it came to its end, was left by the client, or broke.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict[str, str])
    framing: Literal["chunked", "length", "close"] = "chunked"
    pieces: list[str | dict[str, str]] = field(default_factory=list[str | dict[str, str]])
    end: End = "whole"

    @property
    def body(self) -> list[bytes]:
        """The pieces as bytes."""
        return [_unwritten(piece) for piece in self.pieces]


class Interaction(Struct, kw_only=True):
    """A request with its answer."""

    request: Asked
    response: Answered


class Tape(Struct, kw_only=True):
    """What a file holds.

    Attributes:
        version: Of this form.
        upstream: The base URL of the server that answered.
    """

    version: Literal[1] = 1
    upstream: str
    interactions: list[Interaction] = field(default_factory=list[Interaction])

    @classmethod
    def load(cls, path: Path) -> Tape:
        """Read a file.

        Raises:
            FileNotFoundError: There is none.
            ValueError: It is no recording.
        """
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except msgspec.DecodeError as error:
            raise ValueError(f"{path} is no recording of traffic: {error}") from None

    def save(self, path: Path) -> None:
        """Write the file, and the folder where it is not there yet."""
        path.parent.mkdir(parents=True, exist_ok=True)
        # In place at once: who reads it meanwhile reads the old one.
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")
        fresh.replace(path)


class Redactor:
    """Takes out of one recording what is private.

    Args:
        secrets: What else must not be kept, such as a key of another form or a name.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        words = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._secrets = [
            form for word in words for form in dict.fromkeys((word.encode(), _as_json(word)))
        ]
        self._generations: dict[bytes, int] = {}

    def data(self, data: bytes) -> bytes:
        """Give data of the same length without what is private."""
        for secret in self._secrets:
            data = data.replace(secret, b"*" * len(secret))
        data = _SECRET.sub(lambda found: _masked(found, b"*"), data)
        data = _ACCOUNT.sub(lambda found: _masked(found, b"x"), data)
        return _GENERATION.sub(self._generation, data)

    def text(self, text: str) -> str:
        """Give text without what is private."""
        return self.data(text.encode()).decode()

    def asked(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> Asked:
        """Give a request in the form in which it is kept and compared."""
        return Asked(
            method=method,
            path=self.text(path),
            query=self.text(query),
            headers=self._kept(headers, _KEPT_OF_REQUESTS),
            body=_readable(self.data(body)),
        )

    def answered(
        self,
        status: int,
        headers: Mapping[str, str],
        framing: Literal["chunked", "length", "close"],
        pieces: Iterable[bytes],
        end: End,
    ) -> Answered:
        """Give an answer in the form in which it is kept."""
        parts = list(pieces)
        # As a whole: what is private may be in two pieces.
        whole, offset, kept = self.data(b"".join(parts)), 0, list[str | dict[str, str]]()
        for part in parts:
            kept.append(_written(whole[offset : offset + len(part)]))
            offset += len(part)
        return Answered(
            status=status,
            headers=self._kept(headers, _KEPT_OF_ANSWERS),
            framing=framing,
            pieces=kept,
            end=end,
        )

    def _kept(self, headers: Mapping[str, str], names: frozenset[str]) -> dict[str, str]:
        lowered = {name.lower(): value for name, value in headers.items()}
        return {
            name: self.text(value)
            for name, value in sorted(lowered.items())
            if name in names or name.startswith(_KEPT_PREFIX)
        }

    def _generation(self, found: re.Match[bytes]) -> bytes:
        start = found[0][: found.start(1) - found.start()]
        zeroed = re.sub(rb"[0-9]", b"0", start)
        if start == zeroed:
            return found[0]  # redacted already: a client says again what it was played
        number = self._generations.setdefault(found[0], len(self._generations) + 1)
        return zeroed + (b"%d" % number).rjust(len(found[1]), b"x")[-len(found[1]) :]


def differences(asked: object, known: object, at: str = "") -> list[str]:
    """Say where two requests differ, by path."""
    if _is_list(asked) and _is_list(known):
        if len(asked) != len(known):
            return [f"{at} has {len(asked)} items, not {len(known)}"]
        return [
            line
            for number, (item, other) in enumerate(zip(asked, known, strict=True))
            for line in differences(item, other, f"{at}[{number}]")
        ]
    if isinstance(asked, dict) and isinstance(known, dict):
        one, other = cast("dict[str, Any]", asked), cast("dict[str, Any]", known)
        found: list[str] = []
        for name in sorted(one.keys() | other.keys()):
            inner = f"{at}.{name}" if at else name
            if name not in one:
                found.append(f"{inner} is missing")
            elif name not in other:
                found.append(f"{inner} is new")
            else:
                found += differences(one[name], other[name], inner)
        return found
    return [] if asked == known else [f"{at} differs"]


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _masked(found: re.Match[bytes], mask: bytes) -> bytes:
    start = found.start(1) - found.start()
    return found[0][:start] + mask * len(found[1])


def _as_json(text: str) -> bytes:
    return msgspec.json.encode(text)[1:-1]


def _readable(body: bytes) -> Any:
    if not body:
        return None
    try:
        return _slim(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _written(body)


def _slim(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _slim(inner) for name, inner in cast("dict[str, Any]", value).items()}
    if _is_list(value):
        return [_slim(inner) for inner in value]
    if isinstance(value, str) and value.startswith("data:") and len(value) > _LONGEST_FILE:
        digest = hashlib.sha256(value.encode()).hexdigest()
        return f"{value[:100].partition(',')[0]}, {len(value)} characters, sha256 {digest}"
    return value


def _written(data: bytes) -> str | dict[str, str]:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _unwritten(piece: str | dict[str, str]) -> bytes:
    if isinstance(piece, str):
        return piece.encode()
    try:
        return binascii.a2b_base64(piece["base64"], strict_mode=True)
    except (KeyError, ValueError) as error:
        raise ValueError(f"a piece of a recording is neither text nor base64: {error}") from None
