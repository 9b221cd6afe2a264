"""An answer that is read twice: until it speaks by a race, and then whole by the user's stream.

The rule of this file: bytes are kept while the first reader reads, and given again to the second,
who goes on where they end. Who may read, and when, is decided in `_race`.
"""

from __future__ import annotations

from math import inf

from ._event_stream import Accept, Answer, Send
from ._transport import ResponseClosed
from .hooks._observation import Observation

__all__ = ["Ear"]


class Ear:
    """Remembers the answer that one request is given."""

    __slots__ = ("_heard",)

    def __init__(self) -> None:
        self._heard: Heard | None = None

    def listening(self, send: Send) -> Send:
        """Give a `send` whose answer is remembered here."""

        async def send_and_listen(accept: Accept) -> None:
            async def hear(answer: Answer) -> None:
                self._heard = Heard(answer)
                await accept(self._heard)

            await send(hear)

        return send_and_listen

    def rewound(self, started_at: float) -> Answer:
        """Take the answer away from its first reader, to be read from its first byte."""
        heard = self._heard
        if heard is None:
            raise RuntimeError("no answer has been heard")
        return heard.rewound(started_at)


class Heard:
    """An answer whose bytes are kept as they are read, so that they can be read once more."""

    __slots__ = (
        "_again",
        "_answer",
        "_read",
        "answered_at",
        "asked_at",
        "attempt",
        "connected_at",
        "headers",
        "read_at",
        "sending_at",
        "sent_at",
        "status",
        "time",
        "waited",
    )

    def __init__(self, answer: Answer) -> None:
        self._answer: Answer | None = answer
        self._read: list[bytes] | None = []
        self._again = b""
        self.attempt = answer.attempt
        self.time = answer.time
        self.status = answer.status
        self.headers = answer.headers
        self.asked_at = answer.asked_at
        self.sending_at = answer.sending_at
        self.connected_at = answer.connected_at
        self.sent_at = answer.sent_at
        self.answered_at = answer.answered_at
        self.waited = 0.0
        self.read_at = answer.answered_at

    def rewound(self, started_at: float) -> Heard:
        """Give the answer from its first byte, as if asked for at `started_at`; this one closes."""
        answer, self._answer = self._answer, None
        if answer is None:
            raise ResponseClosed
        again = Heard(answer)
        again._again = b"".join(self._read or ())
        again._read = None
        again.asked_at = started_at
        again.sending_at = started_at + (self.sending_at - self.asked_at)
        return again

    async def read(self, limit: float = inf) -> bytes:
        """See `Response.read`."""
        if self._again:
            data, self._again = self._again, b""
            self.read_at = self.time()
            return data
        answer = self._open()
        data = await answer.read(limit)
        self.waited = answer.waited
        self.read_at = answer.read_at
        if self._read is not None:
            self._read.append(data)
        return data

    @property
    def observation(self) -> Observation | None:
        """See `Response.observation`; the first reader leaves that to the second as well."""
        return self._answer.observation if self._answer is not None else None

    def spent(self, tokens: int) -> None:
        """See `Response.spent`."""
        if self._answer is not None:
            self._answer.spent(tokens)

    def close(self) -> None:
        """See `Response.close`; nothing happens where the answer was taken away."""
        if self._answer is not None:
            self._answer.close()

    def finish(self) -> None:
        """See `Response.finish`; the first reader leaves that to the second."""
        if self._answer is not None and self._read is None:
            self._answer.finish()

    def _open(self) -> Answer:
        if self._answer is None:
            raise ResponseClosed
        return self._answer
