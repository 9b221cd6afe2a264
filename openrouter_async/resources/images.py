"""``/images``: pictures from a prompt, and which models draw them, by the rule of `_inference`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Unpack

from .._config import Timeouts, check_type, checked_headers
from ..image_events import ImageEventStream
from ..types.images import ImageEndpoint, ImageMessage, ImageModel, ImageParams
from ._call import Call, Group, Operation, model_at, timeouts_of
from ._list import Listing, ListOperation, listing
from ._references import Reference, check_prompt, reference_parts
from .chat import body_of

if TYPE_CHECKING:
    from .._image_result import ImageResult
    from .._sender import Sender

__all__ = ["Images"]

_DRAW: Final = Operation("POST /images", ImageMessage, inside=None, body=ImageParams, key="normal")
_ENDPOINTS: Final = ListOperation(
    "GET /images/models/{author}/{slug}/endpoints", ImageEndpoint, inside="endpoints"
)
_MAX_REFERENCES: Final = 16


class Images(Group, key="none"):
    """Drawing by the endpoint made for it; reached as `OpenRouter.images`.

    It has prices of its own, so no `Budget` covers it.
    """

    def __init__(self, sender: Sender, model: str | None) -> None:
        super().__init__(sender)
        self._model = model

    @_DRAW
    def stream(
        self,
        prompt: str,
        *,
        model: str | None = None,
        input_references: Sequence[Reference] = (),
        timeouts: Timeouts | None = None,
        **params: Unpack[ImageParams],
    ) -> ImageEventStream:
        """Draw, with sketches on the way where the provider sends them. Normal key.

        Nothing is sent before the stream is iterated, entered, awaited or started. A provider
        that cannot stream sends all at once, as one event.

        Args:
            prompt: What to draw.
            model: The model; by default the client's.
            input_references: At most 16 images to draw by: paths, bytes, open files, URLs, parts
                of `content.image`, or images of an earlier answer.
            timeouts: Deadlines of this request, in place of the client's.
            **params: Any keyword of `ImageParams`; what is not given is not sent.

        Raises:
            OpenRouterError: The request failed. Wrong arguments raise at the call.

        >>> async def example(client: OpenRouter) -> None:
        ...     async for event in client.images.stream("A fox", model="openai/gpt-image-1"):
        ...         for image in event.images:
        ...             image.save("sketch" if event.is_partial else "fox", overwrite=True)
        """
        return self._asked(prompt, model, input_references, timeouts, params, stream=True)

    @_DRAW
    def generate(
        self,
        prompt: str,
        *,
        model: str | None = None,
        input_references: Sequence[Reference] = (),
        timeouts: Timeouts | None = None,
        **params: Unpack[ImageParams],
    ) -> Call[ImageResult]:
        """Draw, and get the finished images and what they cost. Normal key.

        The arguments are those of `stream`.

        >>> async def example(client: OpenRouter) -> None:
        ...     model = "bytedance-seed/seedream-4.5"
        ...     result = await client.images.generate("A fox", model=model, resolution="2K", n=2)
        ...     print(result.save("."), result.cost)
        """
        asked = self._asked(prompt, model, input_references, timeouts, params, stream=False)
        return asked.collect()

    @listing("GET /images/models")
    def models(self) -> Listing[ImageModel]:
        """List the models that draw, with what each of them takes. No key is needed."""

    @_ENDPOINTS
    def endpoints(self, model: str) -> Listing[ImageEndpoint]:
        """List who serves a model, with what each takes and costs. No key is needed."""
        return _ENDPOINTS.walk(self._sender, *model_at(model))

    def _asked(
        self,
        prompt: str,
        model: str | None,
        references: Sequence[Reference],
        timeouts: Timeouts | None,
        params: ImageParams,
        *,
        stream: bool,
    ) -> ImageEventStream:
        sender = self._sender
        waits = timeouts_of(sender, timeouts)
        model = self._model if model is None else model
        if not model:
            raise ValueError("model must be given, here or to the client: /images has no default")
        check_type("model", model, str)
        check_prompt(prompt)
        main: dict[str, Any] = {"model": model, "prompt": prompt, "stream": stream}
        parts = reference_parts(references, "input_references")
        if len(parts) > _MAX_REFERENCES:
            raise ValueError(
                f"input_references must have at most {_MAX_REFERENCES} images, got {len(parts)}"
            )
        if parts:
            main["input_references"] = parts
        body = body_of(ImageParams, main, params)
        headers = {
            "Accept": "text/event-stream" if stream else "application/json",
            # Base64 of a compressed image does not get smaller.
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            **checked_headers(params.get("extra_headers", {}), "extra_headers"),
        }
        send = partial(sender.send, "POST", _DRAW.path, headers=headers, body=body, timeouts=waits)
        return ImageEventStream(
            send, model=model, timeouts=waits, limits=sender.limits, secret=sender.key
        )
