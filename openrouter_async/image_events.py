"""Streams of the ``/images`` endpoint: sketches, pieces of text, finished images.

The rule of this file: it decodes events, finds the errors in them and gathers what is finished.
A provider that cannot stream sends its answer in one piece, which becomes one event.
"""

# Cursors are a part of the stream that hands them out.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, Final, Self, cast

import msgspec

from ._config import Limits, Secret, Timeouts
from ._error_bodies import error_in_stream
from ._event_stream import EventStream, Leaving, Send
from ._image_result import ImageResult
from .errors import OpenRouterError, ProtocolError
from .types import ChatCompletion, Choice, ErrorBody, Image, Message, Usage
from .types._lenient import NotAnObjectError, decode_leniently
from .types.arrival import Arrival
from .types.images import ImageEvent, ImageMessage

__all__ = ["ImageEventStream"]

_decode: Final = msgspec.json.Decoder(ImageMessage).decode


class ImageEventStream(EventStream[ImageEvent]):
    """Images as they are drawn; made by ``client.images.stream``, never by hand.

    It has the four spellings of a `ChatStream`. A loop over it has every event, one over
    `images` the finished images; either closes the connection when it is left.

    Attributes:
        status: The HTTP status.
        headers: The answer's headers, looked up without regard to case.
        timing: When things happened, in seconds.
        ending: How the stream ended; None while it has not.
        usage: Tokens and cost; None where the server sent none.
    """

    __slots__ = ("_created", "_finished_images", "_model", "_text", "usage")

    def __init__(
        self,
        send: Send,
        *,
        model: str,
        timeouts: Timeouts,
        limits: Limits,
        secret: Secret | None = None,
    ) -> None:
        self._model = model
        super().__init__(send, timeouts=timeouts, limits=limits, secret=secret)

    @property
    def cost(self) -> float | None:
        """USD charged; None where the server did not say."""
        return self.usage.cost if self.usage is not None else None

    @property
    def generation_id(self) -> str | None:
        """The ``gen-...`` id; None where the server named none."""
        return self.headers.get("x-generation-id")

    @property
    def partial(self) -> ChatCompletion:
        """The finished images and the text so far, in the form of a chat answer."""
        message = Message(
            content="".join(self._text) or None, images=list(self._finished_images) or None
        )
        reason = "stop" if self._finished_images else None
        headers = {name.lower(): value for name, value in self.headers.items()}
        timing = msgspec.structs.replace(self.timing)
        return ChatCompletion(
            id=self.generation_id,
            model=self._model,
            created=self._created,
            choices=[Choice(message=message, finish_reason=reason)],
            usage=self.usage,
            arrival=Arrival(headers=headers, timing=timing, ending=self.ending),
        )

    def images(self) -> FinishedImages:
        """Iterate the finished images alone, each once."""
        self._begin_loop()
        return FinishedImages(self)

    def __await__(self) -> Generator[Any, Any, ImageResult]:
        return self.collect().__await__()

    async def collect(self) -> ImageResult:
        """Read to the end and give all finished images.

        Raises:
            OpenRouterError: The stream failed; `partial` on the error is what had come.
            RuntimeError: The stream was left, or has failed.
        """
        self._raise_if_over()
        try:
            while True:
                await self._step()
        except StopAsyncIteration:
            self._raise_if_over()
        return ImageResult(self.partial)

    # What events mean.

    def _reset(self) -> None:
        super()._reset()
        self._finished_images: list[Image] = []
        self._text: list[str] = []
        self._created: int | None = None
        self.usage: Usage | None = None

    def _take(self, data: bytes) -> ImageEvent | None:
        text = data.strip()
        if text == b"[DONE]":
            self._done()
            return None
        if not text or text.startswith(b":"):
            return None  # a keep-alive that was sent as an event
        message = self._decoded_message(data)
        if message.error is not None or message.type == "error":
            details = message.error or ErrorBody(message="the API reports an error")
            raise error_in_stream(details, now=time.time(), secret=self._revealed())
        if message.type is None and message.data is None:
            raise self._not_a_stream(data)
        event = ImageEvent.of(message)
        if event.images or event.text:
            self.deltas += 1
        if not event.is_partial:
            known = {image.url for image in self._finished_images}
            self._finished_images += [image for image in event.images if image.url not in known]
        if event.text and event.phase != "reasoning":
            self._text.append(event.text)
        self.usage = event.usage or self.usage
        self._created = event.created or self._created
        return event

    def _decoded_message(self, data: bytes) -> ImageMessage:
        try:
            return _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        try:
            return decode_leniently(data, ImageMessage)
        except NotAnObjectError as error:
            raise ProtocolError(f"an event holds {error}: {self._shown(data)!r}") from None

    def _from_json(self, body: bytes) -> bytes:
        return body

    def _finished(self) -> bool:
        return bool(self._finished_images)

    def _complete_error(self, error: OpenRouterError) -> None:
        error.generation_id = error.generation_id or self.generation_id
        error.partial = self.partial
        self._note_billing(error, self.cost)


class FinishedImages(Leaving):
    """Iterates the finished images of a stream."""

    __slots__ = ("_given",)

    def __init__(self, stream: ImageEventStream) -> None:
        super().__init__(stream)
        self._given = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Image:
        stream = cast("ImageEventStream", self._stream)
        while self._given >= len(stream._finished_images):
            await stream._step()
        self._given += 1
        return stream._finished_images[self._given - 1]
