"""What an answer with images comes to, by whichever way it was asked for.

The rule of this file: pure. It looks at a finished answer; an answer without an image is not
thrown away, as its text mostly tells why.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import Struct

from .errors import ContentFilterError, LengthError, OutputError, RefusalError
from .types import ChatCompletion, Image, Usage
from .types._shown import answer_as_markdown

__all__ = ["ImageResult"]

_SHOWN: Final = 200


class ImageResult(Struct, frozen=True):
    """The images of one answer, and what came beside them.

    Attributes:
        completion: The whole answer; that of the ``/images`` endpoint too is brought into the
            form of a chat answer.

    >>> async def example(client: OpenRouter) -> None:
    ...     result = await client.generate_images("A fox in the snow")
    ...     print(result.image.save("fox"), result.cost)
    """

    completion: ChatCompletion

    @property
    def images(self) -> list[Image]:
        """The images in the order in which they came, each once."""
        return self.completion.images

    @property
    def image(self) -> Image:
        """The first image.

        Raises:
            OutputError: No image came; `.text` and `.completion` of the error hold what did.
                A `RefusalError`, `ContentFilterError` or `LengthError` where the answer says so.
        """
        if not self.images:
            raise _no_image(self.completion)
        return self.images[0]

    @property
    def text(self) -> str:
        """What the model wrote beside the images; empty where it wrote nothing."""
        return self.completion.text

    @property
    def usage(self) -> Usage | None:
        """Tokens and cost; None where the server sent none."""
        return self.completion.usage

    @property
    def cost(self) -> float | None:
        """USD charged; None where the server did not say."""
        return self.completion.cost

    def save(
        self, folder: str | Path, *, name: str = "image", overwrite: bool = False
    ) -> list[Path]:
        """Write every image into a folder, as ``image-1.png``, ``image-2.png``, ...

        Args:
            folder: Where to write; it must be there.
            name: What the files' names begin with.
            overwrite: Replace files that are there.

        Returns:
            The paths that were written.

        Raises:
            OutputError: No image came; see `image`.
            FileExistsError: There is such a file already.
            OSError: A file cannot be written.
        """
        if not self.images:
            raise _no_image(self.completion)
        return [
            image.save(Path(folder) / f"{name}-{number}", overwrite=overwrite)
            for number, image in enumerate(self.images, 1)
        ]

    async def save_async(
        self, folder: str | Path, *, name: str = "image", overwrite: bool = False
    ) -> list[Path]:
        """Write every image into a folder as `save` does, without holding up the event loop."""
        from ._threads import in_thread

        return await in_thread(self.save, folder, name=name, overwrite=overwrite)

    def _repr_markdown_(self) -> str:
        """Show the images in a notebook."""
        return answer_as_markdown(self.completion)

    def __repr__(self) -> str:
        return (
            f"ImageResult({len(self.images)} images, {len(self.text)} characters of text, "
            f"cost={self.cost})"
        )


def _no_image(completion: ChatCompletion) -> OutputError:
    refusal = completion.message.refusal or completion.text
    reason = completion.finish_reason
    # The model's own words are the best account there is of why it did not draw.
    shown = f"{refusal[:_SHOWN]}..." if len(refusal) > _SHOWN else refusal
    said = f"the model says: {shown}" if shown else "and the model says nothing about it"
    error: OutputError
    if completion.message.refusal:
        error = RefusalError(f"no image came, the model refused; {said}")
    elif reason == "content_filter":
        error = ContentFilterError(f"no image came, a content filter ended the answer; {said}")
    elif reason == "length":
        error = LengthError(f"no image came before the answer's token limit; {said}")
    else:
        error = OutputError(f"no image came; {said}")
    error.partial = completion
    error.generation_id = completion.generation_id
    error.phase = "body"
    if completion.cost is not None:
        error.billed = "yes" if completion.cost > 0 else "no"
    return error
