"""Turns a scripted answer into the bytes that go over the socket.

The rule of this file: the HTTP/1.1 framing of an answer is decided here and nowhere else, and
decided ahead, so that the server only writes and waits. No I/O.

Steps that follow each other without a wait become one `bytes`, so that a thousand small
events cost one write. The framing of a body that is split very finely is built by strides
instead of piece by piece: two megabytes in pieces of one byte take milliseconds.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, Literal, NamedTuple, TypeAlias

from openrouter_async.testing._steps import (
    Cut,
    Drip,
    Hold,
    Pause,
    Raw,
    Reset,
    Send,
    Stall,
    Steps,
    body_of,
    pieces_of,
)

__all__ = ["Act", "Framing", "Program", "compile_program", "frame"]

Framing: TypeAlias = Literal["chunked", "length", "close"]
"""How the end of a body is told: a last chunk, a length said before, or the closing."""

Act: TypeAlias = bytes | Pause | Hold | Stall | Cut | Reset | Drip
"""What the server does next: write these bytes, or one of the steps that take time."""

_STRIDES_MAX: Final = 64
_BODILESS: Final = frozenset({204, 304})


class Program(NamedTuple):
    """An answer, ready to be played.

    Attributes:
        acts: What to do, in order.
        closes: Whether the connection cannot be used again afterwards.
    """

    acts: tuple[Act, ...]
    closes: bool


def compile_program(
    status: int,
    headers: tuple[tuple[str, str], ...],
    steps: Steps,
    *,
    before: Steps,
    framing: Framing,
    declared_length: int | None,
) -> Program:
    """Give the program of one answer."""
    length = len(body_of(steps))
    if declared_length is None:
        declared_length = length
    headless = _ends_early(before)
    cut_short = headless or _ends_early(steps)
    closes = (
        framing == "close"
        or cut_short
        or (framing == "length" and declared_length != length)
        or any(isinstance(step, Raw) for step in (*before, *steps))
    )
    acts: list[Act] = [_act(step, framing) for step in before]
    if not headless:
        acts.append(_head(status, headers, framing, declared_length))
        if status not in _BODILESS:
            acts.extend(_act(step, framing) for step in steps)
            if framing == "chunked" and not cut_short:
                acts.append(b"0\r\n\r\n")
    return Program(tuple(_joined(acts)), closes)


def frame(data: bytes, framing: Framing) -> bytes:
    """Give the bytes that carry one piece of a body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if framing == "chunked" and data else data


def _ends_early(steps: Steps) -> bool:
    return any(isinstance(step, Cut | Reset | Stall) for step in steps)


def _act(step: Act | Send | Raw, framing: Framing) -> Act:
    if isinstance(step, Send):
        return _chunks(step) if framing == "chunked" else step.data
    if isinstance(step, Raw):
        return step.data
    return step


def _chunks(send: Send) -> bytes:
    data, split = send.data, send.split
    if isinstance(split, int) and split <= _STRIDES_MAX:
        whole = len(data) - len(data) % split
        last = frame(data[whole:], "chunked")
        return _strided(data[:whole], split) + last
    return b"".join(frame(piece, "chunked") for piece in pieces_of(send))


def _strided(data: bytes, size: int) -> bytes:
    prefix = b"%x\r\n" % size
    chunks = bytearray((prefix + bytes(size) + b"\r\n") * (len(data) // size))
    stride = len(prefix) + size + 2
    for offset in range(size):
        chunks[len(prefix) + offset :: stride] = data[offset::size]
    return bytes(chunks)


def _head(
    status: int, headers: tuple[tuple[str, str], ...], framing: Framing, length: int
) -> bytes:
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = ""
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
    if status not in _BODILESS:
        lines.append(
            {
                "chunked": "Transfer-Encoding: chunked",
                "length": f"Content-Length: {length}",
                "close": "Connection: close",
            }[framing]
        )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _joined(acts: list[Act]) -> list[Act]:
    """Join the bytes that follow each other without a wait."""
    joined: list[Act] = []
    run: list[bytes] = []
    for act in acts:
        if isinstance(act, bytes):
            run.append(act)
            continue
        if run:
            joined.append(b"".join(run))
            run.clear()
        joined.append(act)
    if run:
        joined.append(b"".join(run))
    return joined
