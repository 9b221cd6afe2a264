"""Images over chat completions, each as it arrives: `OpenRouter.stream_images`.

The rule of this file: a view of a `ChatStream`, which reads, gathers, fails, ends and is left. All
that is kept here is how many of its images were given out.
"""

# Cursors are a part of the stream that hands them out.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

import msgspec

from ._event_stream import Leaving
from ._image_result import ImageResult
from .stream import ChatStream
from .types import ChatCompletion, Ending, Image, Timing, Usage

if TYPE_CHECKING:
    from ._calling import CallParams
    from .types.images import AspectRatio

__all__ = ["ImageResult", "ImageStream", "drawing_params"]

T = TypeVar("T")


class ImageStream:
    """The images of one answer as they come; made by `OpenRouter.stream_images`.

    It has the four spellings of a `ChatStream`: ``async for image in stream``, ``async with
    stream``, ``result = await stream``, and ``await stream.start()`` with ``anext(stream)``.
    A loop that is left early, by whatever way, closes the connection at once.

    Attributes:
        chat: The chat stream underneath, for whatever it knows besides; it is read by this one.

    >>> async def example(client: OpenRouter) -> None:
    ...     stream = client.stream_images("A fox in four seasons")
    ...     async for image in stream:
    ...         print(image.save("fox"), stream.text)
    """

    __slots__ = ("__weakref__", "_given", "_waiting", "chat")

    def __init__(self, chat: ChatStream) -> None:
        self.chat = chat
        self._given = 0
        self._waiting: deque[Image | str] = deque()

    # What is known of the answer.

    @property
    def text(self) -> str:
        """What the model has written so far."""
        partial = self.partial
        return partial.text if partial is not None else ""

    @property
    def status(self) -> int | None:
        """The HTTP status, once the headers are there."""
        return self.chat.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The answer's headers, looked up without regard to case."""
        return self.chat.headers

    @property
    def generation_id(self) -> str | None:
        """The ``gen-...`` id, from the headers or the first chunk."""
        return self.chat.generation_id

    @property
    def provider(self) -> str | None:
        """The provider that answers."""
        return self.chat.provider

    @property
    def model(self) -> str | None:
        """The model that answers."""
        return self.chat.model

    @property
    def usage(self) -> Usage | None:
        """Tokens and cost; usually with the last chunk."""
        return self.chat.usage

    @property
    def cost(self) -> float | None:
        """USD charged; None where the server did not say."""
        return self.chat.cost

    @property
    def timing(self) -> Timing:
        """When things happened, in seconds."""
        return self.chat.timing

    @property
    def ending(self) -> Ending | None:
        """How the stream ended; None while it has not."""
        return self.chat.ending

    @property
    def partial(self) -> ChatCompletion | None:
        """The answer so far, built anew at each look."""
        return self.chat.partial

    # The four spellings.

    async def start(self) -> Self:
        """Send the request and wait for the first event, so that an error shows here.

        Raises:
            OpenRouterError: The request failed, or its first event was an error.
            RuntimeError: The stream was closed, has failed, or another task is starting it.
        """
        _ = await self.chat.start()
        return self

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __aiter__(self) -> ImageLoop[Image]:
        self.chat._begin_loop()
        return ImageLoop(self, keeps_text=False)

    async def __anext__(self) -> Image:
        return cast("Image", await self._step(keeps_text=False))

    def items(self) -> ImageLoop[Image | str]:
        """Iterate pieces of text and images together, in the order in which they come.

        >>> async def example(client: OpenRouter) -> None:
        ...     async for item in client.stream_images("A picture book of three pages").items():
        ...         print(item, end="" if isinstance(item, str) else "\\n")
        """
        self.chat._begin_loop()
        return ImageLoop(self, keeps_text=True)

    def __await__(self) -> Generator[Any, Any, ImageResult]:
        return self.collect().__await__()

    async def collect(self) -> ImageResult:
        """Read to the end and give all images; those that a loop had are among them.

        Raises:
            OpenRouterError: The stream failed; `partial` on the error is what had come.
            RuntimeError: The stream was left.
        """
        return ImageResult(await self.chat.collect())

    def close(self) -> None:
        """Leave the stream: the connection closes at once, nothing is waited for; idempotent."""
        self.chat.close()

    async def aclose(self) -> None:
        """Leave the stream; the same as `close`, for ``contextlib.aclosing`` and its like."""
        self.chat.close()

    def __repr__(self) -> str:
        return f"<ImageStream: {self._given} images of {self.chat!r}>"

    async def _step(self, *, keeps_text: bool) -> Image | str:
        while not self._waiting:
            chunk = await self.chat._step()
            text = chunk.text
            if text and keeps_text:
                self._waiting.append(text)
            partial = self.partial if chunk.images else None
            if partial is not None:  # it has each image once, however often it was said
                fresh = partial.images[self._given :]
                self._given += len(fresh)
                self._waiting += fresh
        return self._waiting.popleft()


class ImageLoop(Leaving, Generic[T]):
    """Iterates an image stream; dropping it closes the stream."""

    __slots__ = ("_images", "_keeps_text")

    def __init__(self, images: ImageStream, *, keeps_text: bool) -> None:
        super().__init__(images.chat)
        self._images = images
        self._keeps_text = keeps_text

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        return cast("T", await self._images._step(keeps_text=self._keeps_text))


def drawing_params(
    params: CallParams,
    aspect_ratio: AspectRatio | str | None = None,
    image_size: str | None = None,
) -> CallParams:
    """Give the keywords of a chat request that asks for images.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: A keyword and ``image_config`` contradict.
    """
    asked = {"aspect_ratio": aspect_ratio, "image_size": image_size}
    given = {name: value for name, value in asked.items() if value is not None}
    if given:
        config = msgspec.to_builtins(params.get("image_config", {}))
        if not isinstance(config, dict):
            raise TypeError(f"image_config must be a mapping, got {type(config).__name__}")
        known = cast("dict[str, Any]", config)
        for name, value in given.items():
            if not isinstance(cast("object", value), str):
                raise TypeError(f"{name} must be a str, got {type(value).__name__}")
            if known.get(name, value) != value:
                raise ValueError(
                    f"{name} and image_config.{name} contradict: {value!r} and {known[name]!r}"
                )
        params = {**params, "image_config": {**known, **given}}
    return cast("CallParams", {"modalities": ["image", "text"], **params})
