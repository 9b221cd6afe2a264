"""The file that a job reads: whatever its kind, it gives one value a line, with the line's number.

The rule of this file: it opens and reads, and a line that cannot be read is a value too: a
problem, told in words. What a value means is for `_item`.

The kind is told by the name's ending: ``.jsonl`` or ``.ndjson``, ``.csv`` or ``.tsv``,
``.parquet``; anything else is plain text, a prompt a line.
"""

from __future__ import annotations

import csv
import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, NamedTuple, Self, TypeAlias

import msgspec

from ..errors import BatchError

__all__ = ["InputFile", "Kind", "Line"]

Kind: TypeAlias = Literal["jsonl", "table", "text"]
"""Whether a line is JSON, a row with named columns, or a prompt."""

_KINDS: Final[dict[str, Kind]] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "table",
    ".tsv": "table",
    ".parquet": "table",
}
_BOM: Final = b"\xef\xbb\xbf"
_FIELD_LIMIT: Final = 64 * 2**20  # characters of a CSV field; the library's default is 131,072
_ROWS_AT_ONCE: Final = 256


class Line(NamedTuple):
    """One line or row: its number from 1, what it holds, or what is wrong with it."""

    number: int
    value: object
    problem: str | None = None


class InputFile:
    """A file of requests, to be entered and iterated, from the beginning each time.

    Raises:
        BatchError: It cannot be read at all, or is a Parquet file and pyarrow is missing.

    Attributes:
        kind: What its lines are.
        columns: The columns of a table, known once it is entered.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kind: Kind = _KINDS.get(path.suffix.lower(), "text")
        self.columns: list[str] = []
        self._lines: Iterator[Line] = iter(())
        self._file: Any = None  # bytes, text, or pyarrow's

    def __enter__(self) -> Self:
        suffix = self.path.suffix.lower()
        if self.path.exists() and not self.path.is_file():
            raise BatchError(
                f"cannot read {self.path}: it is no file, and an input is read more than once"
            )
        try:
            if suffix == ".parquet":
                self._open_parquet()
            elif self.kind == "table":
                self._open_csv("\t" if suffix == ".tsv" else ",")
            else:
                self._file = file = self.path.open("rb")
                read = _json_line if self.kind == "jsonl" else _text_line
                self._lines = map(read, _numbered(file))
        except OSError as error:
            raise BatchError(f"cannot read {self.path}: {error.strerror or error}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; idempotent."""
        self._lines = iter(())
        if self._file is not None:
            self._file.close()

    def __iter__(self) -> Iterator[Line]:
        return self._lines

    def count(self) -> int:
        """Read the file once and tell how many requests it holds."""
        with self:
            if self.kind != "table":
                return sum(1 for _ in _numbered(self._file))
            if self.path.suffix.lower() == ".parquet":
                return int(self._file.metadata.num_rows)
            return sum(1 for _ in self)

    def _open_csv(self, delimiter: str) -> None:
        csv.field_size_limit(max(_FIELD_LIMIT, csv.field_size_limit()))
        # Bytes that are no UTF-8 become lone surrogates, which spoil their own line only.
        self._file = file = self.path.open(
            encoding="utf-8-sig", errors="surrogateescape", newline=""
        )
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            self.columns = next(reader, list[str]())
        except csv.Error as error:
            raise BatchError(f"line 1 of {self.path} is no CSV: {error}") from None
        if not self.columns:
            raise BatchError(f"{self.path} is empty; its first line must name the columns")
        self._lines = _csv_rows(reader, self.columns)

    def _open_parquet(self) -> None:
        try:
            parquet: Any = importlib.import_module("pyarrow.parquet")
        except ModuleNotFoundError:
            raise BatchError(
                f"{self.path.name} needs pyarrow: pip install 'openrouter-async[data]'"
            ) from None
        try:
            self._file = file = parquet.ParquetFile(self.path)
        except ValueError as error:  # what pyarrow raises for a file of another kind
            raise BatchError(f"cannot read {self.path}: {error}") from None
        self.columns = list(file.schema_arrow.names)
        self._lines = _parquet_rows(file.iter_batches(batch_size=_ROWS_AT_ONCE))


def _numbered(file: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Give the lines that are not blank, with their numbers."""
    for number, data in enumerate(file, 1):
        data = data.removeprefix(_BOM) if number == 1 else data
        data = data.strip(b"\r\n")
        if data and not data.isspace():
            yield number, data


def _json_line(numbered: tuple[int, bytes]) -> Line:
    number, data = numbered
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Line(number, data, f"it is no JSON: {error}")
    if not isinstance(value, dict | str):
        return Line(number, data, f"it must be an object or a string, got {type(value).__name__}")
    return Line(number, value)


def _text_line(numbered: tuple[int, bytes]) -> Line:
    number, data = numbered
    try:
        return Line(number, data.decode())
    except UnicodeDecodeError as error:
        return Line(number, data, f"it is not UTF-8: {error.reason} at byte {error.start}")


def _csv_rows(reader: Any, columns: list[str]) -> Iterator[Line]:
    while True:
        number: int = reader.line_num + 1  # where the row begins, which may have several lines
        try:
            fields: list[str] = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Line(number, str(error).encode(), f"it is no CSV: {error}")
            continue
        if not fields:
            continue
        if len(fields) != len(columns):
            said = f"it has {len(fields)} fields, and the header names {len(columns)}"
            yield Line(number, repr(fields).encode(), said)
        else:
            yield Line(number, dict(zip(columns, fields, strict=True)))


def _parquet_rows(batches: Any) -> Iterator[Line]:
    number = 0
    for batch in batches:
        for row in batch.to_pylist():
            number += 1
            yield Line(number, row)
