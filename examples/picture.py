"""The picture of the README: four images, streamed at once, as they came. Costs nothing.

They are streamed from the built-in emulator, which draws what the prompts decide on, and put into
one SVG file together with what the terminal showed.

    python examples/picture.py docs/stream_images.svg
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from pathlib import Path
from time import perf_counter
from xml.sax.saxutils import escape

from openrouter_async import Image, OpenRouter
from openrouter_async.testing import Emulator

PROMPTS = (
    "A lighthouse at dusk",
    "Paper boats on a river",
    "Hills before the harvest",
    "The first snow in the valley",
)
MODEL = "google/gemini-2.5-flash-image"
WIDTH, HEIGHT, GAP = 400, 223, 16
LINE = 22


async def draw(client: OpenRouter, prompt: str, gallery: Gallery) -> None:
    """Stream a picture."""
    async for image in client.stream_images(prompt, aspect_ratio="16:9"):
        gallery.hang(image, prompt)


class Gallery:
    """The images in the order in which they came, and what was said of each."""

    def __init__(self) -> None:
        self.images: list[tuple[str, Image]] = []
        self._opened = perf_counter()

    def hang(self, image: Image, prompt: str) -> None:
        """Take an image, and say so."""
        size = f"{image.width} x {image.height}, {len(image.bytes):,} bytes"
        said = f"{perf_counter() - self._opened:.2f} s  {prompt}: {size}"
        print(said)
        self.images.append((said, image))


async def run() -> list[tuple[str, Image]]:
    """Stream all at once from the emulator."""
    async with (
        Emulator(pace=0.02) as emulator,
        OpenRouter("none", base_url=emulator.base_url, model=MODEL) as client,
    ):
        gallery = Gallery()
        await asyncio.gather(*(draw(client, prompt, gallery) for prompt in PROMPTS))
    return gallery.images


def svg(drawn: list[tuple[str, Image]]) -> str:
    """Put code, terminal and images into one picture."""
    lines = [("#c9d1d9", line) for line in [*inspect.getsource(draw).splitlines(), ""]]
    lines += [("#7ee787", said) for said, _ in drawn]
    top = LINE * len(lines) + 3 * GAP
    width, height = 2 * WIDTH + 3 * GAP, top + 2 * (HEIGHT + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">',
        f'<rect width="{width}" height="{height}" rx="10" fill="#0d1117"/>',
        '<g font-family="monospace" font-size="14" xml:space="preserve">',
    ]
    for number, (colour, line) in enumerate(lines, 1):
        y = GAP + LINE * number
        parts.append(f'<text x="{GAP}" y="{y}" fill="{colour}">{escape(line)}</text>')
    parts.append("</g>")
    for number, (said, image) in enumerate(drawn):
        x = GAP + number % 2 * (WIDTH + GAP)
        y = top + number // 2 * (HEIGHT + GAP)
        parts.append(
            f'<image x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" href="{image.url}">'
            f"<title>{escape(said)}</title></image>"
        )
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    target = Path(dict(enumerate(sys.argv)).get(1, "stream_images.svg"))
    target.write_text(svg(asyncio.run(run())), "utf-8")
    print(f"{target}: {target.stat().st_size:,} bytes")
