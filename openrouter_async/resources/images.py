"""``/images``: pictures from a prompt, and which models draw them.

The rule of this file: a user's arguments become a request, checked before anything is sent, and
the answer gets its type. The sender sends and tries again.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Unpack, cast

from .._config import Timeouts, check_type, checked_headers
from .._event_stream import Accept
from .._sealed import SealedBytes
from ..image_events import ImageEventStream
from ..types.images import (
    ImageEndpoint,
    ImageMessage,
    ImageModel,
    ImageParams,
)
from ._body import encode_body
from ._call import Operation, model_at
from ._fit import fit
from ._list import Listing, ListOperation
from ._params import plain_params
from ._references import Reference, check_prompt, reference_parts

if TYPE_CHECKING:
    from .._image_result import ImageResult
    from .._sender import Sender

__all__ = ["Images", "images_body"]

_PATH: Final = "/images"
_NAMES: Final = tuple(ImageParams.__annotations__)
_CHECKED: Final[type[Any]] = ImageParams
_DRAW: Final = Operation(f"POST {_PATH}", ImageMessage, inside=None, body=ImageParams, key="normal")
_MODELS: Final = ListOperation("GET /images/models", ImageModel, key="none")
_ENDPOINTS: Final = ListOperation(
    "GET /images/models/{author}/{slug}/endpoints", ImageEndpoint, inside="endpoints", key="none"
)
_NOT_IN_BODY: Final = frozenset({"extra_body", "extra_headers"})
_MAX_REFERENCES: Final = 16


class Images:
    """Drawing by the endpoint made for it; reached as `OpenRouter.images`.

    It has prices of its own, so no `Budget` covers it.
    """

    __slots__ = ("_model", "_sender")

    def __init__(self, sender: Sender, model: str | None) -> None:
        self._sender = sender
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
        """Draw, with sketches on the way where the provider sends them.

        Nothing is sent before the stream is iterated, entered, awaited or started. A provider
        that cannot stream sends all at once, as one event.

        Args:
            prompt: What to draw.
            model: The model; by default the client's.
            input_references: At most 16 images to draw by: paths, bytes, open files, URLs, parts
                of `content.image`, or images of an earlier answer.
            timeouts: Deadlines of this request, in place of the client's.
            **params: Any keyword of `ImageParams`; what is not given is not sent.

        Returns:
            An `ImageEventStream`; this is no coroutine.

        Raises:
            TypeError: An argument has the wrong type, or a keyword is unknown.
            ValueError: An argument has an impossible value, or no model is named.
            RuntimeError: The client is closed.

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
    ) -> Coroutine[Any, Any, ImageResult]:
        """Draw, and get the finished images.

        Args:
            prompt: What to draw.
            model: The model; by default the client's.
            input_references: Images to draw by; see `stream`.
            timeouts: Deadlines of this request, in place of the client's.
            **params: Any keyword of `ImageParams`; what is not given is not sent.

        Returns:
            The images and what they cost, to be awaited. Wrong arguments raise at the call.

        Raises:
            OpenRouterError: The request failed.

        >>> async def example(client: OpenRouter) -> None:
        ...     model = "bytedance-seed/seedream-4.5"
        ...     result = await client.images.generate("A fox", model=model, resolution="2K", n=2)
        ...     print(result.save("."), result.cost)
        """
        asked = self._asked(prompt, model, input_references, timeouts, params, stream=False)
        return asked.collect()

    @_MODELS
    def models(self) -> Listing[ImageModel]:
        """List the models that draw, with what each of them takes. No key is needed.

        Raises:
            OpenRouterError: From the list: the request failed.
        """
        return _MODELS.walk(self._sender)

    @_ENDPOINTS
    def endpoints(self, model: str) -> Listing[ImageEndpoint]:
        """List the providers that serve a model, with what each takes and costs. No key is needed.

        Args:
            model: The model's slug, such as ``"bytedance-seed/seedream-4.5"``.

        Raises:
            NotFoundError: There is no such model.
            OpenRouterError: From the list: the request failed.
            ValueError: `model` is no slug with an author.
        """
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
        sender.refuse_if_closed()
        waits = sender.timeouts if timeouts is None else timeouts
        check_type("timeouts", waits, Timeouts)
        model = self._model if model is None else model
        if not model:
            raise ValueError("model must be given, here or to the client: /images has no default")
        body = SealedBytes(
            images_body(prompt, model=model, references=references, stream=stream, params=params)
        )
        headers = {
            "Accept": "text/event-stream" if stream else "application/json",
            # Base64 of a compressed image does not get smaller.
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            **checked_headers(params.get("extra_headers", {}), "extra_headers"),
        }
        post = partial(sender.send, "POST", _PATH, headers=headers, body=body, timeouts=waits)

        async def send(accept: Accept) -> None:
            await post(accept)

        return ImageEventStream(
            send, model=model, timeouts=waits, limits=sender.limits, secret=sender.key
        )


def images_body(
    prompt: str,
    *,
    model: str,
    references: Sequence[Reference],
    stream: bool,
    params: Mapping[str, Any],
) -> bytes:
    """Build the body of an ``/images`` request.

    Raises:
        TypeError: An argument has the wrong type, or a keyword is unknown.
        ValueError: An argument has an impossible value.
    """
    check_prompt(prompt)
    check_type("model", model, str)
    parts = reference_parts(references, "input_references")
    if len(parts) > _MAX_REFERENCES:
        raise ValueError(
            f"input_references must have at most {_MAX_REFERENCES} images, got {len(parts)}"
        )
    given = cast("dict[str, Any]", fit(plain_params(params, _NAMES), _CHECKED))
    body: dict[str, Any] = {"model": model, "prompt": prompt, "stream": stream}
    body |= {name: given[name] for name in _NAMES if name in given and name not in _NOT_IN_BODY}
    if parts:
        body["input_references"] = parts
    return encode_body(body | dict(given.get("extra_body", {})))
