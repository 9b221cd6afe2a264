"""A file that is there whole or not at all.

The rule of this file: blocking, for worker threads. What has come is written under another name
beside the right one, which it is given at the end. No file stays open between two pieces, and
`drop` may come from another thread at any moment: what is still being written ends before it, and
nothing is written after it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

__all__ = ["PartFile"]


class PartFile:
    """What has come so far of a file.

    Args:
        target: What the file is called in the end.
        overwrite: Replace a file that is there.
    """

    __slots__ = ("_is_over", "_lock", "_overwrite", "_part", "_target")

    def __init__(self, target: Path, *, overwrite: bool) -> None:
        self._target = target
        self._overwrite = overwrite
        self._part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        self._is_over = False
        self._lock = Lock()

    def begin(self) -> None:
        """Make the file that is written to.

        Raises:
            FileExistsError: The target is there, and is not to be replaced.
            OSError: No file can be written there.
        """
        self._refuse_if_there()
        with self._lock:
            if not self._is_over:
                self._part.open("xb").close()

    def write(self, pieces: Iterable[bytes]) -> None:
        """Write pieces at the end."""
        with self._lock:
            if not self._is_over:
                with self._part.open("r+b") as file:
                    file.seek(0, os.SEEK_END)
                    file.writelines(pieces)

    def finish(self) -> None:
        """Give the file its name.

        Raises:
            FileExistsError: The target is there by now, and is not to be replaced.
        """
        with self._lock:
            if not self._is_over:
                self._refuse_if_there()
                self._part.replace(self._target)
                self._is_over = True

    def drop(self) -> None:
        """Take away what has been written, unless it is finished."""
        with self._lock:
            if not self._is_over:
                self._is_over = True
                self._part.unlink(missing_ok=True)

    def _refuse_if_there(self) -> None:
        if not self._overwrite and self._target.exists():
            raise FileExistsError(f"{self._target} is there already; overwrite=True replaces it")
