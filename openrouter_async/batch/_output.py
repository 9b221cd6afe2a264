"""The file that a job writes: append-only JSONL that survives a crash at any moment.

The rule of this file: every method blocks, and is called in a worker thread. A line counts once
its last byte, the line end, is on the disk; rows that are written together reach the disk
together. Whatever a crash or a full disk leaves behind the last whole line is taken off again.
Where an item has several rows, the last one counts, and the others go when the job ends.

Beside the output stand its manifest, which says whose it is, and a lock, by which no two
processes write it at the same time.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import msgspec

from ..errors import BatchError
from ._row import Row, Status, encode

__all__ = ["Known", "Output", "rows_in"]

_VERSION: Final = 1
_decode: Final = msgspec.json.Decoder(Row).decode


class Known(NamedTuple):
    """What the output says of an item already."""

    request: str
    status: Status
    is_bad_line: bool
    spent: float


class Output:
    """A job's output, opened for one process.

    Args:
        path: The file.
        identity: What makes the job this one and no other.
        remembers_places: Whether `row_of` will be asked.

    Attributes:
        known: The items that have a row, by id.
    """

    def __init__(
        self, path: Path, identity: Mapping[str, Any], *, remembers_places: bool = False
    ) -> None:
        self.path = path
        self.manifest = path.with_name(path.name + ".manifest.json")
        self.known: dict[str, Known] = {}
        self._identity = dict(identity)
        self._replaced = 0  # rows that a later one takes the place of
        self._remembers_places = remembers_places
        self._places: dict[str, tuple[int, int]] = {}  # where the answer to a request stands
        # A thread goes on when the task that waits for it is cancelled, so `close` waits for it.
        self._busy = threading.RLock()
        self._is_closed = False
        self._size = 0
        self._lock: BinaryIO | None = None
        self._file: BinaryIO | None = None

    def open(self) -> None:
        """Take the lock, see whose it is, repair it, and read what is known already.

        Raises:
            BatchError: It belongs to another job or is written by another process, or it holds
                what no job has written.
        """
        with self._busy:
            if self._is_closed:
                return
            if self.path.exists() and not self.path.is_file():
                raise BatchError(
                    f"cannot write {self.path}: it is no file, and what is done is read from there"
                )
            try:
                self._lock = _locked(self.path)
                self._check_identity()
                self._file = self.path.open("ab", buffering=0)
                self._size = _repaired(self._file, self.path)
            except OSError as error:
                raise BatchError(f"cannot write {self.path}: {error.strerror}") from error
            for row, offset, line in self._rows():
                self._note(row, offset, len(line))
            self.compact(())

    def write(self, rows: Iterable[Row]) -> None:
        """Append rows and bring them to the disk.

        Raises:
            BatchError: There is no room, or the disk fails; what stood in the file is whole.
        """
        with self._busy:
            assert self._file is not None
            noted = [(row, encode(row)) for row in rows]
            failure: OSError | None = None
            try:
                _write_all(self._file, b"".join(line for _, line in noted))
                os.fsync(self._file.fileno())
            except OSError as error:
                failure = error
            written = os.fstat(self._file.fileno()).st_size
            for row, line in noted:
                if self._size + len(line) > written:
                    break
                self._note(row, self._size, len(line))
                self._size += len(line)
            if failure is not None:
                with suppress(OSError):
                    self._file.truncate(self._size)  # of the row that was cut, nothing stays
                raise BatchError(
                    f"cannot write {self.path}: {failure.strerror}; what stands in it is whole, "
                    "and the same job goes on from there"
                ) from failure

    @property
    def spent(self) -> float:
        """USD that its items have cost so far, as far as known."""
        return sum(row.spent for row in self.known.values())

    def spent_on(self, id: str) -> float:
        """USD that an item has cost so far, as far as known."""
        row = self.known.get(id)
        return 0.0 if row is None else row.spent

    def has_answer(self, request: str) -> bool:
        """Tell whether `row_of` knows an answer."""
        return request in self._places

    def row_of(self, request: str) -> Row | None:
        """Give a row with the answer to a request, where there is one."""
        place = self._places.get(request)
        if place is None:
            return None
        with self._busy, self.path.open("rb") as file:
            file.seek(place[0])
            return _decode(file.read(place[1]))

    def compact(self, stale: Iterable[str]) -> None:
        """Leave one row for each item, the last; none for those that are stale.

        Args:
            stale: Ids whose row is to go.
        """
        for id in stale:
            del self.known[id]
            self._replaced += 1
        if not self._replaced:
            return
        new = self.path.with_name(self.path.name + ".new")
        with self._busy:
            last = {row.id: offset for row, offset, _ in self._rows() if row.id in self.known}
            try:
                with new.open("wb") as file:
                    file.writelines(
                        line for row, offset, line in self._rows() if last.get(row.id) == offset
                    )
                    file.flush()
                    os.fsync(file.fileno())
            except OSError:  # no room for two of them; it is right as it stands, if longer
                new.unlink(missing_ok=True)
                return
            assert self._file is not None
            self._file.close()
            _take_the_place(new, self.path)
            self._file = self.path.open("ab", buffering=0)
            self._size, self._replaced = self.path.stat().st_size, 0
            self._places.clear()
            for row, offset, line in self._rows():
                self._remember(row, offset, len(line))

    def save_manifest(self, totals: Mapping[str, Any], state: str) -> None:
        """Write the manifest, as a whole or not at all."""
        content = {"version": _VERSION, "job": self._identity, "state": state, "totals": totals}
        new = self.manifest.with_name(self.manifest.name + ".new")
        with new.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        _take_the_place(new, self.manifest)

    def close(self) -> None:
        """Close the file and let others have it; idempotent."""
        with self._busy:
            self._is_closed = True
            for file in (self._file, self._lock):
                if file is not None:
                    file.close()

    def _check_identity(self) -> None:
        try:
            content = msgspec.json.decode(self.manifest.read_bytes())
            theirs: dict[str, Any] = content["job"]
        except FileNotFoundError:
            if self.path.exists() and self.path.stat().st_size:
                raise BatchError(
                    f"{self.path} is not empty and has no manifest, so no job has written it; "
                    "choose another output"
                ) from None
            self.save_manifest({}, "running")  # before the first row
            return
        except (msgspec.DecodeError, KeyError, TypeError):
            raise BatchError(f"{self.manifest} is no manifest of a job") from None
        ours = self._identity
        other = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
        if other:
            told = [f"its {name} is another" for name in other if name not in ("input", "model")]
            told += [
                f"its {name} is {theirs.get(name)!r}, and here it is {ours.get(name)!r}"
                for name in ("input", "model")
                if name in other
            ]
            raise BatchError(
                f"{self.path} belongs to another job: {'; '.join(told)}. Choose another output, "
                "or remove it together with its manifest"
            )

    def _rows(self) -> Iterator[tuple[Row, int, bytes]]:
        with self.path.open("rb") as file:
            offset = 0
            for line in file:
                yield _decode(line), offset, line
                offset += len(line)

    def _note(self, row: Row, offset: int, length: int) -> None:
        self._replaced += row.id in self.known
        self._remember(row, offset, length)
        self.known[row.id] = Known(row.request, row.status, row.is_bad_line, row.spent)

    def _remember(self, row: Row, offset: int, length: int) -> None:
        if self._remembers_places and row.status == "ok":
            self._places.setdefault(row.request, (offset, length))


def rows_in(path: Path) -> Iterator[Row]:
    """Read the rows of an output, also while a job writes it; the last of each item counts.

    Raises:
        BatchError: There is no such file, or it holds what no job has written.
    """
    last: dict[str, int] = {}
    try:
        with path.open("rb") as file:
            for number, row in _whole_rows(file, path):
                last[row.id] = number
            file.seek(0)
            for number, row in _whole_rows(file, path):
                if last.get(row.id) == number:
                    yield row
    except OSError as error:
        raise BatchError(f"cannot read {path}: {error.strerror}") from error


def _whole_rows(file: BinaryIO, path: Path) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(file, 1):
        if not line.endswith(b"\n"):
            return  # is being written
        try:
            yield number, _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise BatchError(f"line {number} of {path} is no result of a job") from None


def _repaired(file: BinaryIO, path: Path) -> int:
    """Take off what stands behind the last whole row, and give the size that is left."""
    good = 0
    bad: int | None = None
    last = b""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                _decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                bad = bad or number
                continue
            if bad is not None:
                raise BatchError(
                    f"line {bad} of {path} is no result of a job; take it out, and its item is "
                    "sent again"
                )
            good += len(line)
            last = line
    file.truncate(good)
    if last and not last.endswith(b"\n"):  # whole but for its end
        _write_all(file, b"\n")
        good += 1
    return good


def _write_all(file: BinaryIO, data: bytes) -> None:
    """Write without a buffer: what cannot be written is known at once."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) or 0 :]


def _take_the_place(new: Path, path: Path) -> None:
    """Rename, and have the folder remember it whatever happens."""
    new.replace(path)
    if os.name != "nt":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _locked(path: Path) -> BinaryIO:
    """Take the lock of an output, which the system gives back when the process is gone."""
    file = path.with_name(path.name + ".lock").open("ab")
    try:
        if os.name == "nt":  # pragma: no cover
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise BatchError(f"{path} is being written by another process") from None
    return file
