"""Images in the terminal: pixels out of files, and what is drawn of them."""

from __future__ import annotations

import base64
import io
import random
import re
import sys
import zlib

import pytest
from PIL import Image as Pillow
from rich.console import Console

from openrouter_async.cli._png import Pixels, decode_png
from openrouter_async.cli._preview import pixels_of, protocol, scaled, show
from openrouter_async.testing._png import draw_png


class Screen(io.StringIO):
    """A terminal that only keeps what it is sent."""

    def isatty(self) -> bool:
        return True


def png(kind: int, width: int, rows: list[bytes], *, filters: bytes, palette: bytes = b"") -> bytes:
    """Write a PNG whose rows are filtered as told."""
    step = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    raw, above = bytearray(), bytes(len(rows[0]))
    for number, row in enumerate(rows):
        how = filters[number % len(filters)]
        raw.append(how)
        for at, value in enumerate(row):
            left = row[at - step] if at >= step else 0
            up = above[at]
            corner = above[at - step] if at >= step else 0
            guess = left + up - corner
            nearest = min((left, up, corner), key=lambda one: abs(guess - one))
            raw.append((value - (0, left, up, (left + up) // 2, nearest)[how]) & 0xFF)
        above = row

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")
        )

    header = width.to_bytes(4, "big") + len(rows).to_bytes(4, "big") + bytes((8, kind, 0, 0, 0))
    middle = chunk(b"PLTE", palette) if palette else b""
    packed = chunk(b"IDAT", zlib.compress(bytes(raw)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + middle + packed + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", [0, 2, 3, 4, 6])
@pytest.mark.parametrize("how", [0, 1, 2, 3, 4, (0, 1, 2, 3, 4)])
def test_png_is_decoded_as_pillow_does(kind: int, how: int | tuple[int, ...]) -> None:
    """Every kind of 8 bits and every filter gives the pixels that Pillow gives."""
    chance = random.Random(kind)
    step = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    rows = [chance.randbytes(7 * step) for _ in range(6)]
    palette = chance.randbytes(768) if kind == 3 else b""
    filters = bytes(how) if isinstance(how, tuple) else bytes([how])
    data = png(kind, 7, rows, filters=filters, palette=palette)
    with Pillow.open(io.BytesIO(data)) as opened:
        shown = opened.convert("RGBA") if kind in (4, 6) else opened.convert("RGB")
        expected = shown.tobytes()
    if kind in (4, 6):
        pixels = [expected[at : at + 4] for at in range(0, len(expected), 4)]
        expected = bytes(c * p[3] // 255 for p in pixels for c in p[:3])
    decoded = decode_png(data)
    assert decoded is not None
    assert b"".join(decoded.rows) == expected


def test_png_that_is_not_common_is_no_failure() -> None:
    """Cut at every byte, broken, interlaced, huge or no PNG at all: None, and nothing raises."""
    whole = png(2, 7, [bytes(21)] * 3, filters=b"\4")
    cuts = [decode_png(whole[:cut]) for cut in range(len(whole))]
    assert cuts[: whole.index(b"IDAT") + 8] == [None] * (whole.index(b"IDAT") + 8)
    assert all(pixels in (None, decode_png(whole)) for pixels in cuts)
    assert decode_png(b"GIF89a") is None
    assert decode_png(png(2, 7, [bytes(21)] * 3, filters=b"\4").replace(b"IDAT", b"IDAX")) is None
    header = whole.index(b"IHDR") + 4
    for at, value in ((8, 16), (9, 5), (12, 1), (0, 0x7F)):
        odd = bytearray(whole)
        odd[header + at] = value
        assert decode_png(bytes(odd)) is None
    assert pixels_of(b"no image") is None


def test_other_images_are_decoded_where_pillow_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A JPEG is shown with Pillow, and without it there is no preview and no error."""
    buffer = io.BytesIO()
    Pillow.new("RGB", (600, 300), (200, 30, 30)).save(buffer, "JPEG")
    pixels = pixels_of(buffer.getvalue())
    assert pixels is not None
    assert pixels.width == 2 * len(pixels.rows)
    assert pixels.rows[0][0] > 190
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert pixels_of(buffer.getvalue()) is None


def test_a_picture_is_made_to_fit() -> None:
    """It keeps its shape, its colours become means, and a small one is not blown up."""
    striped = Pixels(100, [bytes((0, 0, 0)) * 100, bytes((100, 200, 50)) * 100] * 25)
    small = scaled(striped, 10, 40)
    assert (small.width, len(small.rows)) == (10, 5)
    assert small.rows[0][:3] == bytes((50, 100, 25))
    assert scaled(striped, 200, 200) == striped


def test_terminals_say_how_they_take_images() -> None:
    """By the environment; a multiplexer takes none."""
    assert protocol({"KITTY_WINDOW_ID": "1"}) == "kitty"
    assert protocol({"TERM_PROGRAM": "iTerm.app"}) == "iterm"
    assert protocol({"TERM_PROGRAM": "iTerm.app", "TMUX": "x"}) == "blocks"
    assert protocol({"TERM": "xterm-256color"}) == "blocks"


def test_a_terminal_that_shows_images_gets_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kitty and iTerm2 are handed the image itself, in pieces that they take; others see blocks."""
    picture = draw_png("A fox in the snow", 320, 160)

    def shown(**environment: str) -> str:
        screen = Screen()
        with monkeypatch.context() as patch:
            for name in ("TMUX", "STY", "TERM_PROGRAM", "KITTY_WINDOW_ID", "LC_TERMINAL"):
                patch.delenv(name, raising=False)
            for name, value in environment.items():
                patch.setenv(name, value)
            console = Console(file=screen, force_terminal=True, color_system="truecolor")
            was_shown = show(picture, console)
        assert was_shown == bool(screen.getvalue())
        return screen.getvalue()

    iterm = shown(TERM_PROGRAM="iTerm.app")
    assert iterm.startswith("\x1b]1337;File=inline=1;")
    assert base64.b64decode(iterm.partition(":")[2].rstrip("\x07\n")) == picture
    kitty = shown(KITTY_WINDOW_ID="1")
    pieces = re.findall(r"\x1b_G(?:a=T,f=100,c=72,)?m=([01]);([^\x1b]*)\x1b\\", kitty)
    assert base64.b64decode("".join(piece for _, piece in pieces)) == picture
    assert [more for more, _ in pieces] == ["1"] * (len(pieces) - 1) + ["0"]
    assert "\N{UPPER HALF BLOCK}" in shown()
    assert shown(NO_COLOR="1") == ""
