"""An image shown in the terminal, as well as that can.

The rule of this file: a preview is a kindness. Where the terminal or the image is not made for
it there is none, and nothing fails.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

from openrouter_async.cli._png import Pixels, decode_png
from openrouter_async.cli._terminal import is_lively

if TYPE_CHECKING:
    from rich.console import Console
    from rich.segment import Segment

__all__ = ["half_blocks", "pixels_of", "protocol", "scaled", "show"]

_WIDEST: Final = 72
_LINES_BELOW: Final = 4
_UPPER_HALF: Final = "\N{UPPER HALF BLOCK}"
_KITTY_PIECE: Final = 4_096


def show(data: bytes, console: Console) -> bool:
    """Show an image, and give whether that could be done."""
    if not is_lively(console):
        return False
    match protocol(os.environ):
        case "kitty" if data.startswith(b"\x89PNG"):
            console.file.write(_kitty(data, min(_WIDEST, console.width)))
        case "iterm":
            console.file.write(_iterm(data, min(_WIDEST, console.width)))
        case _:
            return _show_blocks(data, console)
    console.file.flush()
    return True


def protocol(environment: Mapping[str, str]) -> Literal["kitty", "iterm", "blocks"]:
    """Give how the terminal takes images, by what it says of itself."""
    program = environment.get("TERM_PROGRAM", "")
    if environment.get("TMUX") or environment.get("STY"):
        return "blocks"  # a multiplexer lets no image through
    if "KITTY_WINDOW_ID" in environment or program == "ghostty":
        return "kitty"
    if program in ("iTerm.app", "WezTerm") or environment.get("LC_TERMINAL") == "iTerm2":
        return "iterm"
    return "blocks"


def _show_blocks(data: bytes, console: Console) -> bool:
    from rich.segment import Segments

    if console.no_color or console.color_system is None:
        return False
    pixels = pixels_of(data)
    if pixels is None:
        return False
    small = scaled(pixels, min(_WIDEST, console.width), 2 * (console.height - _LINES_BELOW))
    console.print(Segments(half_blocks(small)), end="")
    return True


def pixels_of(data: bytes) -> Pixels | None:
    """Decode an image: a common PNG here, all others where Pillow is installed."""
    pixels = decode_png(data)
    if pixels is not None:
        return pixels
    try:
        from PIL import Image
    except ImportError:
        return None
    try:
        with Image.open(BytesIO(data)) as opened:
            opened.thumbnail((4 * _WIDEST, 4 * _WIDEST))
            image = opened.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    raw, stride = image.tobytes(), 3 * image.width
    return Pixels(image.width, [raw[at : at + stride] for at in range(0, len(raw), stride)])


def scaled(pixels: Pixels, width: int, height: int) -> Pixels:
    """Make a picture smaller, so that it fits; each new pixel is a mean of old ones."""
    high = len(pixels.rows)
    factor = max(pixels.width / max(1, width), high / max(1, height), 1.0)
    width, height = max(1, int(pixels.width / factor)), max(1, int(high / factor))
    edges = [column * pixels.width // width for column in range(width + 1)]
    rows: list[bytes] = []
    for y in range(height):
        start, end = y * high // height, (y + 1) * high // height
        sources = pixels.rows[start:end]
        row = bytearray()
        for left, right in pairwise(edges):
            count = len(sources) * (right - left)
            for channel in range(3):
                part = slice(3 * left + channel, 3 * right, 3)
                row.append(sum(sum(source[part]) for source in sources) // count)
        rows.append(bytes(row))
    return Pixels(width, rows)


def half_blocks(pixels: Pixels) -> Iterator[Segment]:
    """Give two rows of pixels a line: the upper as the colour of a character, the lower behind."""
    from rich.color import Color
    from rich.segment import Segment
    from rich.style import Style

    rows = pixels.rows
    for at in range(0, len(rows), 2):
        upper = rows[at]
        lower = rows[at + 1] if at + 1 < len(rows) else None
        for x in range(0, 3 * pixels.width, 3):
            colour = Color.from_rgb(*upper[x : x + 3])
            behind = Color.from_rgb(*lower[x : x + 3]) if lower is not None else None
            yield Segment(_UPPER_HALF, Style(color=colour, bgcolor=behind))
        yield Segment.line()


def _kitty(data: bytes, columns: int) -> str:
    encoded = base64.b64encode(data).decode()
    pieces = [encoded[at : at + _KITTY_PIECE] for at in range(0, len(encoded), _KITTY_PIECE)]
    orders = [f"a=T,f=100,c={columns},", *[""] * (len(pieces) - 1)]
    sent = [
        f"\x1b_G{order}m={int(number < len(pieces))};{piece}\x1b\\"
        for number, (order, piece) in enumerate(zip(orders, pieces, strict=True), 1)
    ]
    return "".join(sent) + "\n"


def _iterm(data: bytes, columns: int) -> str:
    encoded = base64.b64encode(data).decode()
    return f"\x1b]1337;File=inline=1;size={len(data)};width={columns}:{encoded}\x07\n"
