"""Real traffic, recorded once and played again: `cassette`.

The rule of this file: which of the two happens, and that what happened is right in the end.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from openrouter_async.testing._player import Player
from openrouter_async.testing._tape import Redactor, Tape
from openrouter_async.testing._thread import running_in_thread

__all__ = ["Cassette", "RecordMode", "cassette"]

RecordMode: TypeAlias = Literal["never", "new", "always"]
"""Whether to record: never (play, and fail where there is no recording), where there is none yet,
or always anew."""

_API: Final = "https://openrouter.ai/api/v1"


class Cassette:
    """A recording that is being made or played.

    Attributes:
        base_url: The address to give to a client.
        is_recording: Whether requests go to the real server.
        path: The file.
        misses: What was asked for while playing and not found, in words.
    """

    def __init__(self, path: Path, base_url: str, misses: list[str], *, is_recording: bool) -> None:
        self.path = path
        self.base_url = base_url
        self.is_recording = is_recording
        self.misses = misses


@contextmanager
def cassette(
    path: str | Path,
    *,
    record: RecordMode = "never",
    upstream: str | None = None,
    redact: Iterable[str] = (),
) -> Generator[Cassette]:
    """Play recorded traffic from a server on loopback, or record it.

    What is kept holds no key, no cookie, no header that says who asked, and no id of an account;
    the ids of generations are others. Answers are played byte for byte and in the pieces in which
    they were sent. A request gets the answer that was recorded for the same method, path, query
    and body, once.

    Args:
        path: The file, which belongs into the repository.
        record: See `RecordMode`. To record, the client needs a key.
        upstream: The base URL to record from; by default ``OPENROUTER_BASE_URL``, else OpenRouter.
        redact: Words that must not be kept; the value of ``OPENROUTER_API_KEY`` is one already.

    Yields:
        The recording, whose `base_url` is for the client.

    Raises:
        FileNotFoundError: There is no recording, and none may be made.
        ValueError: The file is no recording.
        AssertionError: Something was asked for that was not recorded.

    >>> async def example() -> None:
    ...     with cassette("haiku.json", record="new") as recorded:
    ...         async with OpenRouter(base_url=recorded.base_url) as client:
    ...             print((await client.complete("Write a haiku")).text)
    """
    file = Path(path)
    if record not in get_args(RecordMode):
        raise ValueError(f"record must be 'never', 'new' or 'always', got {record!r}")
    redactor = Redactor((*redact, os.environ.get("OPENROUTER_API_KEY", "")))
    if record == "always" or (record == "new" and not file.exists()):
        yield from _record(file, redactor, upstream)
    else:
        yield from _play(file, redactor)


def _record(path: Path, redactor: Redactor, upstream: str | None) -> Generator[Cassette]:
    from openrouter_async.testing._recorder import Recorder

    tape = Tape(upstream=upstream or os.environ.get("OPENROUTER_BASE_URL") or _API)
    recorder = Recorder(tape, redactor)
    with running_in_thread(recorder):
        yield Cassette(path, recorder.base_url, [], is_recording=True)
    # Reached only where nothing was raised: half of a test is no recording of it.
    tape.save(path)


def _play(path: Path, redactor: Redactor) -> Generator[Cassette]:
    player = Player(Tape.load(path), redactor)
    with running_in_thread(player):
        yield Cassette(path, player.base_url, player.misses, is_recording=False)
    if player.misses:
        said = "\n".join(player.misses)
        raise AssertionError(
            f"{path.name} does not hold what was asked for; record it anew:\n{said}"
        )
