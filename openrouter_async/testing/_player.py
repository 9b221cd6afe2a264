"""A server on loopback that answers as a recording says.

The rule of this file: each recorded answer is given once, to the request that it was given to, in
whatever order those come; anything else is refused, with what is different about it.
"""

from __future__ import annotations

from typing import Final, Self
from urllib.parse import urlencode, urlsplit

from openrouter_async.testing._build import http_error, json_reply, replay
from openrouter_async.testing._desk import Desk, ReceivedRequest
from openrouter_async.testing._script import Reply
from openrouter_async.testing._service import Service
from openrouter_async.testing._steps import Cut, Stall
from openrouter_async.testing._tape import Answered, Asked, Interaction, Redactor, Tape, differences

__all__ = ["Player"]

_SHOWN: Final = 5


class Player:
    """Plays a recording.

    Args:
        tape: The recording.
        redactor: What requests go through before they are compared.

    Attributes:
        misses: What was asked for and not found, in words.
    """

    def __init__(self, tape: Tape, redactor: Redactor) -> None:
        self._path = urlsplit(tape.upstream).path.rstrip("/")
        self._desk = _TapeDesk(tape, redactor, self._path)
        self._port = 0

    @property
    def base_url(self) -> str:
        """The address to give to a client."""
        return f"http://127.0.0.1:{self._port}{self._path}"

    @property
    def misses(self) -> list[str]:
        """What was asked for and not found, in words."""
        return self._desk.misses

    @property
    def unplayed(self) -> list[Interaction]:
        """What was recorded and not asked for."""
        return self._desk.unplayed

    async def __aenter__(self) -> Self:
        from openrouter_async.testing._server import SocketServer

        self._server = SocketServer(self._desk, _NoService())
        self._port = await self._server.start("127.0.0.1", 0, None)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop()


class _NoService(Service):
    """Answers nothing by itself but what opens connections ahead."""

    def __init__(self) -> None:
        super().__init__(api_key=None, pace=0.0)

    def before_script(self, request: ReceivedRequest) -> Reply | None:
        return json_reply(b"") if request.method == "HEAD" else None


class _TapeDesk(Desk):
    """Finds the recorded answer to a request."""

    def __init__(self, tape: Tape, redactor: Redactor, path: str) -> None:
        super().__init__()
        self.misses: list[str] = []
        self.unplayed = list(tape.interactions)
        self._played: list[Interaction] = []
        self._redactor = redactor
        self._path = path

    def take(self, request: ReceivedRequest) -> Reply | None:
        """Give the recorded answer, or a refusal that says why there is none."""
        asked = self._redactor.asked(
            request.method,
            request.path.removeprefix(self._path),
            urlencode(list(request.query.items())),
            request.headers,
            request.body,
        )
        for interaction in self.unplayed:
            if not _differences(asked, interaction.request):
                self.unplayed.remove(interaction)
                self._played.append(interaction)
                return _reply(interaction.response)
        miss = self._why_not(asked)
        self.misses.append(miss)
        return http_error(400, miss)

    def _why_not(self, asked: Asked) -> str:
        named = f"{asked.method} {asked.path}"
        if any(not _differences(asked, known.request) for known in self._played):
            return f"no recorded answer is left to {named}: it was asked more often than recorded"
        nearest = [
            found
            for known in self.unplayed
            if (known.request.method, known.request.path) == (asked.method, asked.path)
            for found in [_differences(asked, known.request)]
        ]
        if not nearest:
            return f"no answer to {named} was recorded"
        lines = min(nearest, key=len)
        more = f" and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
        return f"no recorded answer fits {named}: {'; '.join(lines[:_SHOWN])}{more}"


def _differences(asked: Asked, known: Asked) -> list[str]:
    if (asked.method, asked.path) != (known.method, known.path):
        return ["it goes elsewhere"]
    found = [] if asked.query == known.query else ["the query differs"]
    # A form has another boundary each time.
    if not asked.headers.get("content-type", "").startswith("multipart/"):
        found += differences(asked.body, known.body)
    return found


def _reply(answered: Answered) -> Reply:
    body = answered.body
    offsets: list[int] = []
    for piece in body[:-1]:
        offsets.append((offsets[-1] if offsets else 0) + len(piece))
    headers = dict(answered.headers)
    content_type = headers.pop("content-type", "application/octet-stream")
    reply = replay(
        b"".join(body),
        content_type=content_type,
        split=offsets or None,
        status=answered.status,
        headers=headers,
    ).with_framing(answered.framing)
    if answered.end == "left":
        # The client had enough then; now it shall not see an end where it saw none.
        return Reply(reply.status, reply.headers, (*reply.steps, Stall()))
    if answered.end == "broken":
        return Reply(reply.status, reply.headers, (*reply.steps, Cut()))
    return reply
