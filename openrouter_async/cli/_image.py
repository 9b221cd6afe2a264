"""``openrouter-async image``: images into files, and onto the screen.

The rule of this file: an image is on the disk before anything else is done with it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final

import click

from openrouter_async import Image, OpenRouterError
from openrouter_async.cli._attach import image_from
from openrouter_async.cli._failures import as_fields
from openrouter_async.cli._preview import show
from openrouter_async.cli._setup import checked, open_client
from openrouter_async.cli._terminal import is_lively, json_option, note, print_json, stdout_console
from openrouter_async.cli._words import image_in_words, printable, summary
from openrouter_async.image_stream import ImageStream

__all__ = ["command", "free_path"]

_MODEL: Final = "google/gemini-2.5-flash-image"


@click.command("image")
@click.argument("prompt", nargs=-1, required=True)
@click.option(
    "-o", "--output", default="image", help="The file, its suffix found if left out, or a folder."
)
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
@click.option("-i", "--input", "inputs", multiple=True, help="An image to begin from; repeatable.")
@click.option("-m", "--model", default=_MODEL, show_default=True, help="Which model.")
@click.option("--aspect-ratio", metavar="W:H", help="Such as 16:9.")
@click.option("--size", metavar="TIER", help="Such as 1K, 2K or 4K.")
@click.option("--no-preview", is_flag=True, help="Do not show the images.")
@json_option("One JSON object in place of the lines.")
@click.option("--quiet", is_flag=True, help="No line about cost and speed.")
def command(
    prompt: Sequence[str],
    output: str,
    overwrite: bool,
    inputs: Sequence[str],
    model: str,
    aspect_ratio: str | None,
    size: str | None,
    no_preview: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Draw images, save them and show them.

    In a pipe it writes the paths of the files, one a line.
    """
    import asyncio

    target = Path(output)
    if target.is_dir():
        target /= "image"
    if target.exists() and target.suffix and not overwrite:
        raise click.UsageError(f"{output} is there already; replace it with --overwrite")
    if not target.parent.is_dir():
        raise click.UsageError(f"there is no folder {target.parent}")
    if not os.access(target.parent, os.W_OK):
        raise click.UsageError(f"the folder {target.parent} cannot be written to")
    images = [image_from(source) for source in inputs]
    client = open_client()

    async def draw() -> None:
        async with client:
            with checked():
                stream = client.stream_images(
                    " ".join(prompt),
                    model=model,
                    images=images,
                    aspect_ratio=aspect_ratio,
                    image_size=size,
                )
            saved: list[tuple[Path, Image]] = []
            failure: Exception | None = None
            try:
                async for item in stream.items():
                    if isinstance(item, Image):
                        path = _save(item, target, overwrite=overwrite and not saved)
                        saved.append((path, item))
                        if not as_json:
                            _tell(path, item, is_shown=not no_preview)
            except (OpenRouterError, OSError, click.ClickException) as error:
                failure = error
                raise
            finally:
                if as_json:
                    print_json(_described(stream, saved, failure))
                elif not quiet and stream.timing.first_event is not None:
                    note(summary(stream.chat))
            if not saved:
                note(f"No image came. The model says: {printable(stream.text) or 'nothing'}")
                raise click.exceptions.Exit(1)

    asyncio.run(draw())


def free_path(target: Path, suffix: str) -> Path:
    """Give the first path that is not taken: fox.png, fox-2.png, fox-3.png, ..."""
    first = target.with_suffix(suffix)
    others = (target.with_name(f"{target.stem}-{number}{suffix}") for number in count(2))
    return first if not first.exists() else next(path for path in others if not path.exists())


def _save(image: Image, target: Path, *, overwrite: bool) -> Path:
    try:
        suffix = target.suffix or image.suffix
        path = target.with_suffix(suffix) if overwrite else free_path(target, suffix)
        return image.save(path, overwrite=overwrite)
    except ValueError as error:
        where = "" if image.url.startswith("data:") else f": {image.url}"
        raise click.ClickException(printable(f"{error}{where}")) from error


def _tell(path: Path, image: Image, *, is_shown: bool) -> None:
    console = stdout_console()
    if not is_lively(console):
        sys.stdout.write(f"{path}\n")
        sys.stdout.flush()
        return
    if is_shown:
        show(image.bytes, console)
    sys.stdout.write(f"{path} ({image_in_words(image)})\n")
    sys.stdout.flush()


def _described(
    stream: ImageStream, saved: Sequence[tuple[Path, Image]], failure: Exception | None
) -> dict[str, Any]:
    return {
        "images": [
            {
                "path": str(path),
                "media_type": image.media_type,
                "width": image.width,
                "height": image.height,
                "bytes": len(image.bytes),
            }
            for path, image in saved
        ],
        "text": stream.text,
        "model": stream.model,
        "provider": stream.provider,
        "generation_id": stream.generation_id,
        "ending": stream.ending,
        "usage": stream.usage.to_dict() if stream.usage is not None else None,
        "cost": stream.cost,
        "error": None if failure is None else as_fields(failure),
    }
