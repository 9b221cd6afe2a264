"""A server that lets answers come to grief: the model's name is the fate.

What may live here: one way to fail a name, as bytes and closings, and nothing of the client's.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import socket
import struct

from ._server import event

CHUNKS = 20

_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    b"X-Generation-Id: gen-1\r\n\r\n"
)
_CHUNK = event(" word")
_LAST = event("", "stop") + b"data: [DONE]\n\n"
_WRONG = json.dumps({"id": "gen-1", "error": {"code": 502, "message": "gone"}, "choices": []})
_END = b"0\r\n\r\n"
_STATUSES = {"400": "Bad Request", "429": "Too Many Requests", "500": "Server Error"}


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _whole(body: bytes, status: str, kind: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _refusal(status: str) -> bytes:
    body = json.dumps({"error": {"code": int(status), "message": "no"}}).encode()
    return _whole(body, f"{status} {_STATUSES[status]}", "application/json")


class Fates(asyncio.Protocol):
    """Answers as the model's name says."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""
        self._random = random.Random(transport.get_extra_info("peername")[1])

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if not blank or len(body) < (int(length[1]) if length else 0):
            return
        self._received = b""
        fate = re.search(rb'"model": ?"([^"]*)"', body)
        self._answer(fate[1].decode() if fate else "whole")

    def _answer(self, fate: str) -> None:
        write = self._transport.write
        said = _CHUNK * self._random.randint(1, CHUNKS - 1)
        match fate:
            case "whole":
                write(_HEAD + _framed(_CHUNK) * CHUNKS + _framed(_LAST) + _END)
            case "split":
                self._write_split(_HEAD + _framed(_CHUNK * CHUNKS + _LAST) + _END)
            case "400" | "429" | "500":
                write(_refusal(fate))
            case "html":
                write(_whole(b"<html>hello</html>", "200 OK", "text/html"))
            case "error":
                failed = b"data: " + _WRONG.encode() + b"\n\n"
                write(_HEAD + _framed(said + failed) + _END)
            case "garbage":
                write(_HEAD + _framed(said + b"data: {nonsense\n\n") + _END)
            case "truncated":
                write(_HEAD + _framed(said) + _END)
            case "cut":
                write(_HEAD + _framed(said) + b"ff\r\ndata: {")
                self._transport.close()
            case "reset":
                write(_HEAD + _framed(said))
                asyncio.get_running_loop().call_later(0.01, self._reset)
            case "unanswered":
                self._transport.close()
            case _:  # "silent", and whatever the reader leaves by itself
                write(_HEAD + _framed(said))

    def _write_split(self, data: bytes) -> None:
        """Write in two pieces that are cut anywhere, with a turn of the loop between."""
        middle = self._random.randrange(1, len(data))
        self._transport.write(data[:middle])
        asyncio.get_running_loop().call_soon(self._transport.write, data[middle:])

    def _reset(self) -> None:
        connection = self._transport.get_extra_info("socket")
        if connection is not None and not self._transport.is_closing():
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()
