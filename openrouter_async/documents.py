"""Where the parses of documents are remembered.

The rule of this file: it keeps what is known of a document under the document's key, lets one
call at a time have a document parsed, and knows neither requests nor documents. What is kept
elsewhere than in memory is read and written in worker threads, and never fails an answer.
"""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    import asyncio

__all__ = ["DocumentStore"]


class DocumentStore:
    """Remembers how documents were parsed, so that nobody pays for that twice.

    Every client has one, in memory; give several clients the same one, or a folder, to share
    it. A parse is found again by the content of its document (or its URL, which is trusted to
    stand for the same document) and by the engine. Threads and event loops may share a store.

    Args:
        where: A folder, which several processes may share, or a mapping of your own from text
            to bytes, such as one in front of a database; None keeps all in memory. A mapping is
            used in worker threads. What is kept is the text of the documents, as JSON; the
            files of a folder can be read by their owner only, and nothing ever removes them.
        max_documents: How many are held in memory; those not asked for the longest go first.
        max_bytes: How many bytes they may have together.

    Raises:
        TypeError: `where` is of another kind.
        ValueError: A number is negative.

    Attributes:
        failure: What went wrong last with the folder or the mapping. Documents are parsed again
            then, and answers come as always.
    """

    def __init__(
        self,
        where: str | Path | MutableMapping[str, bytes] | None = None,
        *,
        max_documents: int = 256,
        max_bytes: int = 64 * 2**20,
    ) -> None:
        if max_documents < 0 or max_bytes < 0:
            raise ValueError("max_documents and max_bytes must not be negative")
        self._where = where
        self._kept = _kept_in(where)
        self._max_documents = max_documents
        self._max_bytes = max_bytes
        self.failure: Exception | None = None
        self._lock = Lock()
        self._memory: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._writing: set[Thread] = set()
        self._turns: dict[str, _Turn] = {}

    @classmethod
    def of(
        cls, documents: DocumentStore | MutableMapping[str, bytes] | str | Path | None
    ) -> DocumentStore:
        """Give the store that an argument names; one is taken as it is."""
        return documents if isinstance(documents, DocumentStore) else cls(documents)

    # What is known.

    async def recall(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Give what is known of each document; what is not is left out."""
        wanted = list(dict.fromkeys(keys))
        known = self._remembered(wanted)
        missing = [key for key in wanted if key not in known]
        if missing and self._kept is not None:
            from anyio import to_thread

            found = await to_thread.run_sync(self._read, missing)
            for key, value in found.items():
                self._hold(key, value)
            known |= found
        return known

    def remember(self, key: str, value: bytes) -> None:
        """Take what was learned of a document; it is written elsewhere in a thread of its own."""
        with self._lock:
            is_new = self._memory.get(key) != value
        self._hold(key, value)
        if self._kept is None or not is_new:
            return
        thread = Thread(target=self._write, args=(key, value), name="openrouter-documents")
        with self._lock:
            self._writing.add(thread)
        # At the interpreter's end no thread can be started any more.
        try:
            thread.start()
        except RuntimeError as error:
            self.failure = error
            self._writing.discard(thread)

    async def flush(self) -> None:
        """Wait until everything is written."""
        with self._lock:
            writing = list(self._writing)
        if writing:
            from anyio import to_thread

            for thread in writing:
                await to_thread.run_sync(thread.join)

    def _remembered(self, keys: Iterable[str]) -> dict[str, bytes]:
        with self._lock:
            known = {key: self._memory[key] for key in keys if key in self._memory}
            for key in known:
                self._memory.move_to_end(key)
        return known

    def _hold(self, key: str, value: bytes) -> None:
        if len(value) > self._max_bytes:
            return  # it would drive out all others
        with self._lock:
            self._size += len(value) - len(self._memory.pop(key, b""))
            self._memory[key] = value
            while self._memory and (
                len(self._memory) > self._max_documents or self._size > self._max_bytes
            ):
                _, forgotten = self._memory.popitem(last=False)
                self._size -= len(forgotten)

    def _read(self, keys: Iterable[str]) -> dict[str, bytes]:
        kept = cast("_Kept", self._kept)
        found: dict[str, bytes] = {}
        for key in keys:
            try:
                value: object = kept.get(key)
            except Exception as error:  # noqa: BLE001  (whatever a mapping of the user's raises)
                self.failure = error
                continue
            if isinstance(value, bytes):
                found[key] = value
        return found

    def _write(self, key: str, value: bytes) -> None:
        try:
            cast("_Kept", self._kept)[key] = value
        except Exception as error:  # noqa: BLE001  (as above)
            self.failure = error
        finally:
            from threading import current_thread

            with self._lock:
                self._writing.discard(current_thread())

    # Who has a document parsed.

    async def take_turns(self, keys: Iterable[str], owner: object, seconds: float) -> None:
        """Wait while other calls have documents parsed, then be the one that does.

        Args:
            keys: The documents.
            owner: Who asks; `give_up_turns` ends its turns.
            seconds: How long to wait in all; another's stream may stand still.
        """
        import asyncio

        deadline = asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(deadline):
                for key in sorted(keys):  # in one order, or two would wait for each other
                    while (waiter := self._waiter(key, owner)) is not None:
                        await waiter
        except TimeoutError:
            return

    def _waiter(self, key: str, owner: object) -> asyncio.Future[None] | None:
        """Take the turn, or give what tells that it is free."""
        import asyncio

        with self._lock:
            if key in self._memory:
                return None
            turn = self._turns.setdefault(key, _Turn(owner))
            if turn.owner is owner:
                return None
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            turn.waiting.append(waiter)
            return waiter

    def give_up_turns(self, owner: object) -> None:
        """Let the others go on."""
        with self._lock:
            ended = [key for key, turn in self._turns.items() if turn.owner is owner]
            waiting = [waiter for key in ended for waiter in self._turns.pop(key).waiting]
        for waiter in waiting:
            with contextlib.suppress(RuntimeError):  # its loop is closed, and so is its call
                waiter.get_loop().call_soon_threadsafe(_wake, waiter)

    # What travels, and what is shown.

    def __copy__(self) -> DocumentStore:
        return self

    def __deepcopy__(self, memo: Mapping[int, Any]) -> DocumentStore:
        return self  # copies of a client share what they know

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._where, self._max_documents, self._max_bytes)

    def __repr__(self) -> str:
        where = "memory" if self._kept is None else type(self._kept).__name__.strip("_").lower()
        return f"<DocumentStore: {len(self._memory)} documents in memory, kept in {where}>"


class _Kept(Protocol):
    """What of a mapping is used."""

    def get(self, key: str, /) -> bytes | None: ...
    def __setitem__(self, key: str, value: bytes, /) -> None: ...


class _Folder:
    """A file for each document; a reader sees a whole file or none, in whichever process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.expanduser()

    def get(self, key: str, /) -> bytes | None:
        try:
            return (self._folder / f"{key}.json").read_bytes()
        except FileNotFoundError:
            return None

    def __setitem__(self, key: str, value: bytes, /) -> None:
        import tempfile

        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._folder, prefix=".new-")  # for its owner only
        unfinished = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(value)
            unfinished.replace(self._folder / f"{key}.json")
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise


class _Turn:
    """A document that a call has parsed, and who waits for the outcome."""

    __slots__ = ("owner", "waiting")

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.waiting: list[asyncio.Future[None]] = []


def _kept_in(where: object) -> _Kept | None:
    if where is None:
        return None
    if isinstance(where, str | Path):
        if not str(where):
            raise ValueError("documents must not be an empty path")
        return _Folder(Path(where))
    if isinstance(where, MutableMapping):
        return cast("MutableMapping[str, bytes]", where)
    raise TypeError(
        "documents must be a folder, a mutable mapping from str to bytes, a DocumentStore or "
        f"None, got {type(where).__name__}"
    )


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _restored(
    where: str | Path | MutableMapping[str, bytes] | None, max_documents: int, max_bytes: int
) -> DocumentStore:
    return DocumentStore(where, max_documents=max_documents, max_bytes=max_bytes)
