"""How the text of an answer is written while it comes.

The rule of this file: two writers with one face. The plain one passes pieces on as they are. The
Markdown one writes each block for good once nothing can change it any more, and draws only the
last, unfinished one anew: what is redrawn stays small however long the answer is.
"""

from __future__ import annotations

import re
import sys
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from openrouter_async.cli._terminal import is_lively, stdout_console
from openrouter_async.cli._words import printable

if TYPE_CHECKING:
    from asyncio import TimerHandle

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live

__all__ = ["MarkdownWriter", "PlainWriter", "finished", "new_writer"]

_REDRAW_AFTER: Final = 0.04
"""Seconds: what comes meanwhile is drawn together."""

_DRAWING_SHARE: Final = 0.2
"""How much of the time goes into drawing at most: a long code block takes its time."""

_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_GOES_ON: Final = re.compile(r"\s|([-*+]|\d{1,9}[.)])(\s|$)")
"""A line that, after a blank one, can still belong to the block before: indented, or an item."""


def new_writer() -> MarkdownWriter | PlainWriter:
    """Give the writer that stdout can take."""
    console = stdout_console()
    return MarkdownWriter(console) if is_lively(console) else PlainWriter()


def finished(text: str) -> int:
    """Give how many characters at the start are blocks that no further text can change."""
    end = at = 0
    fence = ""
    is_after_blank = False
    for line in text.split("\n")[:-1]:  # the last one is still growing
        is_blank = not line.strip()
        if is_after_blank and not is_blank and not fence and not _GOES_ON.match(line):
            end = at
        mark = _FENCE.match(line)
        if mark is not None and not fence:
            fence = mark[1]
        elif mark is not None and mark[1].startswith(fence) and line.strip() == mark[1]:
            fence = ""
        is_after_blank = is_blank and not fence
        at += len(line) + 1
    return end


class PlainWriter:
    """Passes text on as it comes, to a pipe, a file or a simple terminal."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._last = "\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._last.endswith("\n") and kind is not BrokenPipeError:
            self.write("\n")

    def write(self, piece: str) -> None:
        """Write a piece of the answer."""
        sys.stdout.write(printable(piece) if self._is_terminal else piece)
        sys.stdout.flush()
        self._last = piece or self._last

    def think(self, piece: str) -> None:
        """Take a piece of reasoning, which is no part of the answer."""


class MarkdownWriter:
    """Shows Markdown on a terminal while it comes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._text = ""  # what is not written for good
        self._thoughts = ""
        self._has_written = False
        self._redraw: TimerHandle | None = None
        self._pause = _REDRAW_AFTER
        self._live: Live | None = None

    def __enter__(self) -> Self:
        from rich.live import Live

        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._redraw is not None:
            self._redraw.cancel()
        if self._live is not None:
            self._live.update("")
            self._live.stop()
        self._write_for_good(self._text)

    def write(self, piece: str) -> None:
        """Write a piece of the answer."""
        self._text += printable(piece)
        self._thoughts = ""
        self._draw_soon()

    def think(self, piece: str) -> None:
        """Show a piece of reasoning until the answer begins."""
        if not self._text and not self._has_written:
            self._thoughts += printable(piece)
            self._draw_soon()

    def _draw_soon(self) -> None:
        from asyncio import get_running_loop

        if self._redraw is None:
            self._redraw = get_running_loop().call_later(self._pause, self._draw)

    def _draw(self) -> None:
        self._redraw = None
        started = monotonic()
        end = finished(self._text)
        block, self._text = self._text[:end], self._text[end:]
        if self._live is None:
            return
        shown = _Tail(self._text, self._thoughts, is_first=not (self._has_written or block.strip()))
        if block.strip():
            self._live.update("")
            self._write_for_good(block)
        self._live.update(shown, refresh=True)
        self._pause = max(_REDRAW_AFTER, (monotonic() - started) / _DRAWING_SHARE)

    def _write_for_good(self, text: str) -> None:
        if not text.strip():
            return
        from rich.markdown import Markdown

        if self._has_written:
            self._console.print()
        self._console.print(Markdown(text.strip("\n")))
        self._has_written = True


class _Tail:
    """The end of an answer, as much of it as the terminal has lines."""

    def __init__(self, text: str, thoughts: str, *, is_first: bool) -> None:
        self._text = text.strip("\n")
        self._thoughts = thoughts
        self._is_first = is_first

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.markdown import Markdown
        from rich.segment import Segment
        from rich.text import Text

        if self._text:
            shown: Markdown | Text = Markdown(self._text)
        else:
            shown = Text(self._thoughts.strip(), style="dim italic")
        lines = console.render_lines(shown, options.update(height=None), pad=False)
        if self._text and not self._is_first:
            lines.insert(0, [])
        for position, line in enumerate(lines[-max(1, console.height - 1) :]):
            if position:
                yield Segment.line()
            yield from line
