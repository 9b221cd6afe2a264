"""The store of parsed documents, and how what is known goes into a request."""

from __future__ import annotations

import asyncio
import json
import pickle
import stat
from collections.abc import Iterator, MutableMapping
from copy import deepcopy
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from openrouter_async import DocumentStore
from openrouter_async._weaving import (
    annotations_in,
    documents_in,
    engine_of,
    matched,
    weave,
    with_engine,
)
from openrouter_async.content import pdf
from openrouter_async.types import FileParserPlugin, SentDocument

Plain = dict[str, Any]


def note(name: str | None = "a.pdf", mark: str = "h", pages: int = 1) -> Plain:
    """An annotation as the API gives it."""
    texts = [f'<file name="{name}">', *(f"page {n}" for n in range(pages)), "</file>"]
    file: Plain = {"hash": mark, "content": [{"type": "text", "text": text} for text in texts]}
    return {"type": "file", "file": {**file, "name": name} if name else file}


def part(name: str = "a.pdf", url: str = "https://example.org/a.pdf") -> Plain:
    """A part that holds a document."""
    return {"type": "file", "file": {"filename": name, "file_data": url}}


def user(*parts: Any) -> Plain:
    """What the user says."""
    return {"role": "user", "content": list(parts)}


def text(words: str) -> Plain:
    """A part of text."""
    return {"type": "text", "text": words}


# The store.


async def test_what_was_learned_is_known_until_others_need_the_room() -> None:
    """The store is bounded in number and bytes; what was asked for last stays."""
    store = DocumentStore(max_documents=2, max_bytes=10)
    store.remember("a", b"1")
    store.remember("b", b"2")
    assert await store.recall(["a"]) == {"a": b"1"}
    store.remember("c", b"3")
    assert await store.recall(["a", "b", "c"]) == {"a": b"1", "c": b"3"}
    store.remember("d", b"x" * 10)
    assert await store.recall(["a", "c", "d"]) == {"d": b"x" * 10}
    store.remember("e", b"x" * 11)
    assert await store.recall(["d", "e"]) == {"d": b"x" * 10}


async def test_a_folder_outlives_the_store(tmp_path: Path) -> None:
    """Whole files for their owner only, in a folder made when there is something to keep."""
    folder = tmp_path / "deep" / "documents"
    store = DocumentStore(folder)
    assert await store.recall(["a"]) == {}
    assert not folder.exists()
    store.remember("a", b"text")
    await store.flush()
    assert [path.name for path in folder.iterdir()] == ["a.json"]
    assert stat.S_IMODE((folder / "a.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert await DocumentStore(str(folder)).recall(["a", "b"]) == {"a": b"text"}


async def test_writers_of_one_folder_do_not_disturb_each_other(tmp_path: Path) -> None:
    """However many write the same document at once, one whole file stands there."""
    stores = [DocumentStore(tmp_path) for _ in range(8)]
    for number, store in enumerate(stores):
        store.remember("a", bytes([number]) * 100_000)
    await asyncio.gather(*(store.flush() for store in stores))
    (kept,) = tmp_path.iterdir()
    assert len(set(kept.read_bytes())) == 1
    assert all(store.failure is None for store in stores)


async def test_a_mapping_of_the_users_own() -> None:
    """A mapping is read and written, once for each document."""
    kept: dict[str, bytes] = {"old": b"0"}
    store = DocumentStore(kept)
    store.remember("new", b"1")
    store.remember("new", b"1")
    await store.flush()
    assert kept == {"old": b"0", "new": b"1"}
    assert await store.recall(["old"]) == {"old": b"0"}


class Broken(MutableMapping[str, bytes]):
    """A mapping whose database is away."""

    def __getitem__(self, key: str) -> bytes:
        raise ConnectionError("no database")

    def __setitem__(self, key: str, value: bytes) -> None:
        raise ConnectionError("no database")

    def __delitem__(self, key: str) -> None:
        raise NotImplementedError

    def __iter__(self) -> Iterator[str]:
        raise NotImplementedError

    def __len__(self) -> int:
        return 0


async def test_a_store_that_fails_says_so_and_fails_nobody() -> None:
    """The failure can be looked at, and memory still serves."""
    reading, writing = DocumentStore(Broken()), DocumentStore(Broken())
    assert await reading.recall(["a"]) == {}
    assert isinstance(reading.failure, ConnectionError)
    writing.remember("a", b"1")
    await writing.flush()
    assert isinstance(writing.failure, ConnectionError)
    assert await writing.recall(["a"]) == {"a": b"1"}


async def test_a_folder_that_cannot_be_written_is_no_failure_of_the_answer(tmp_path: Path) -> None:
    """Nothing half written is left, and the failure can be looked at."""
    (tmp_path / "a.json" / "in the way").mkdir(parents=True)
    store = DocumentStore(tmp_path)
    store.remember("a", b"1")
    await store.flush()
    assert isinstance(store.failure, OSError)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    other = DocumentStore(tmp_path)
    assert await other.recall(["a"]) == {}
    assert isinstance(other.failure, OSError)


async def test_at_the_interpreters_end_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that is dropped then can start no thread, and does not raise."""

    def refuse(thread: Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(Thread, "start", refuse)
    store = DocumentStore(tmp_path)
    store.remember("a", b"1")
    monkeypatch.undo()
    await store.flush()
    assert isinstance(store.failure, RuntimeError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [1, ["a"], ()])
def test_other_places_are_refused(wrong: Any) -> None:
    """The error says what is allowed."""
    with pytest.raises(TypeError, match="documents must be a folder, a mutable mapping"):
        DocumentStore(wrong)


def test_impossible_values_are_refused() -> None:
    """An empty path and negative bounds."""
    with pytest.raises(ValueError, match="empty path"):
        DocumentStore("")
    with pytest.raises(ValueError, match="negative"):
        DocumentStore(max_bytes=-1)


async def test_copies_share_and_pickles_take_the_folder_along(tmp_path: Path) -> None:
    """A copy is the same store; another process finds the folder, not the memory."""
    store = DocumentStore(tmp_path, max_documents=3)
    assert deepcopy(store) is store
    store.remember("a", b"secret words")
    await store.flush()
    (tmp_path / "a.json").unlink()
    other = pickle.loads(pickle.dumps(store))
    assert await other.recall(["a"]) == {}
    assert "secret" not in repr(store)
    assert str(tmp_path) not in repr(store)


async def test_one_call_at_a_time_has_a_document_parsed() -> None:
    """The second waits for the first, and goes on when it has given up its turn."""
    store = DocumentStore()
    first, second = object(), object()
    await store.take_turns(["b", "a"], first, 5)
    waiting = asyncio.ensure_future(store.take_turns(["a", "b"], second, 60))
    await asyncio.sleep(0)
    assert not waiting.done()
    store.remember("a", b"1")
    store.give_up_turns(first)
    async with asyncio.timeout(5):  # well before anybody's patience is over
        await waiting
        await store.take_turns(["b"], second, 60)  # its own since then
        third = asyncio.ensure_future(store.take_turns(["b"], object(), 60))
        await asyncio.sleep(0)
        assert not third.done()
        store.give_up_turns(second)
        await third


async def test_nobody_waits_for_ever() -> None:
    """A call whose stream stands still, perhaps in this very task, is not waited for long."""
    store = DocumentStore()
    await store.take_turns(["a"], object(), 5)
    async with asyncio.timeout(5):
        await store.take_turns(["a"], object(), 0.01)


async def test_a_cancelled_waiter_leaves_the_turn_to_the_next() -> None:
    """Cancelling passes through, and the turn is not lost with it."""
    store = DocumentStore()
    first, third = object(), object()
    await store.take_turns(["a"], first, 5)
    second = asyncio.ensure_future(store.take_turns(["a"], object(), 60))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    store.give_up_turns(first)
    async with asyncio.timeout(5):
        await store.take_turns(["a"], third, 60)


async def test_turns_are_kept_over_threads_and_loops() -> None:
    """A loop in another thread waits for the turn of this one."""
    store = DocumentStore()
    owner = object()
    await store.take_turns(["a"], owner, 5)
    other = asyncio.create_task(
        asyncio.to_thread(asyncio.run, store.take_turns(["a"], object(), 60))
    )
    while not store._turns["a"].waiting:  # noqa: ASYNC110  (another thread's loop gets there)
        await asyncio.sleep(0)
    assert not other.done()
    store.give_up_turns(owner)
    async with asyncio.timeout(5):  # well before its patience is over
        await other


# Engines.


@pytest.mark.parametrize(
    ("plugins", "engine"),
    [
        (None, "mistral-ocr"),
        ([], "mistral-ocr"),
        ([{"id": "web"}], "mistral-ocr"),
        ([{"id": "file-parser"}], "mistral-ocr"),
        ([FileParserPlugin(pdf={"engine": "pdf-text"})], "cloudflare-ai"),
        ([{"id": "file-parser", "pdf": {"engine": "cloudflare-ai"}}], "cloudflare-ai"),
        ([{"id": "file-parser", "pdf": {"engine": "native"}}], None),
        ([{"id": "file-parser", "enabled": False}], None),
        ([{"id": "file-parser", "pdf": {"engine": "newer"}}], "newer"),
    ],
)
def test_the_engine_is_read_off_the_plugins(plugins: object, engine: str | None) -> None:
    """What is not said is the default, an old name is the new one, native parses nothing."""
    assert engine_of(plugins) == engine


def test_the_engine_goes_among_the_plugins() -> None:
    """Others stay, an entry of the file parser keeps what it says, two engines contradict."""
    web = {"id": "web"}
    files = FileParserPlugin(max_files=2)
    assert with_engine([web], "native") == [
        web,
        {"id": "file-parser", "pdf": {"engine": "native"}},
    ]
    assert with_engine([files, web], "x") == [
        {"id": "file-parser", "max_files": 2, "pdf": {"engine": "x"}},
        web,
    ]
    with pytest.raises(ValueError, match="contradict: 'x' and 'y'"):
        with_engine([{"id": "file-parser", "pdf": {"engine": "y"}}], "x")


# Weaving.


def woven(messages: list[Plain], keys: list[str], known: dict[str, Plain]) -> Any:
    """Weave, and check that nothing of the user's was changed."""
    before = json.dumps(messages, default=repr)
    result = weave(messages, keys, known, "mistral-ocr")
    assert json.dumps(messages, default=repr) == before
    return result


def test_nothing_known_changes_nothing() -> None:
    """An unknown document goes out as it is, under its name."""
    messages = [user(text("Q"), part())]
    result = woven(messages, ["k"], {})
    assert result.messages == messages
    assert result.unknown == {"a.pdf": "k"}
    assert result.sent == (SentDocument(name="a.pdf", reused=False),)


def test_a_known_document_is_three_messages() -> None:
    """The document, the assistant's annotation word for word, then the rest."""
    known = note("first.pdf", pages=10)
    messages = [{"role": "system", "content": "S"}, user(text("Q"), part())]
    result = woven(messages, ["k"], {"k": known})
    system, document, said, question = result.messages
    assert system == messages[0]
    assert document["content"][-1] == part("first.pdf")  # the name that it was parsed under
    assert said["role"] == "assistant"
    assert said["annotations"] == [known]
    assert question == user(text("Q"))
    assert result.sent == (SentDocument(name="first.pdf", reused=True, pages=10, saved=0.02),)
    assert result.unknown == {}


def test_known_and_unknown_go_apart() -> None:
    """What is known is handed over first, the rest stays with the question."""
    messages = [user(text("Q"), part("a.pdf", "u:a"), part("b.pdf", "u:b"))]
    result = woven(messages, ["ka", "kb"], {"ka": note("a.pdf")})
    assert [len(message["content"]) for message in (result.messages[0], result.messages[2])] == [
        2,
        2,
    ]
    assert result.messages[2] == user(text("Q"), part("b.pdf", "u:b"))
    assert result.unknown == {"b.pdf": "kb"}


def test_what_the_history_carries_is_not_carried_twice() -> None:
    """A conversation's own annotation is enough, and is learned where the store lacks it."""
    known = note()
    answer = {"role": "assistant", "content": "A", "annotations": [known]}
    messages = [user(text("Q"), part()), answer, user(text("Q2"))]
    result = woven(messages, ["k"], {"k": known})
    assert result.messages == messages
    assert result.sent[0].reused
    result = woven(messages, ["k"], {})
    assert result.messages == messages
    assert result.unknown == {}
    assert result.learned == {"k": known}


def test_equal_names_are_told_apart() -> None:
    """Two documents of one name get names of their own; one document twice keeps one."""
    file = pdf(b"%PDF-1.4 x", filename="a.pdf")
    messages = [user(text("Q"), part(url="u:1"), file, part(url="u:1"), part("notes", "u:3"))]
    messages.append(user(part("notes", "u:4")))
    result = woven(messages, ["1", "2", "1", "3", "4"], {})
    assert result.unknown == {"a.pdf": "1", "a-2.pdf": "2", "notes": "3", "notes-2": "4"}
    sent = result.messages[0]["content"]
    assert sent[2].name == "a-2.pdf"
    assert sent[2].source == b"%PDF-1.4 x"


def test_a_message_of_documents_alone_stays_at_the_end() -> None:
    """A request must not end with an assistant's word; further up it may."""
    known = {"k": note()}
    alone = [user(part())]
    assert woven(alone, ["k"], known).messages == alone
    assert not woven(alone, ["k"], known).sent[0].reused
    result = woven([user(part()), user(text("Q"))], ["k"], known)
    assert [message["role"] for message in result.messages] == ["user", "assistant", "user"]


def test_only_documents_of_the_user_count() -> None:
    """Tools' files, texts, broken parts and other media are left alone."""
    messages: list[Plain] = [
        {"role": "tool", "content": [part()]},
        {"role": "user", "content": "Q"},
        user(text("Q"), {"type": "file", "file": "?"}, {"type": "file"}),
    ]
    assert documents_in(messages) == []


# What came back.


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "x",
        {},
        {"type": "file"},
        {"type": "file", "file": []},
        {"type": "file", "file": {"hash": "", "content": [text("x")]}},
        {"type": "file", "file": {"hash": 1, "content": [text("x")]}},
        {"type": "file", "file": {"hash": "h"}},
        {"type": "file", "file": {"hash": "h", "content": []}},
        {"type": "file", "file": {"hash": "h", "content": ["x"]}},
        {"type": "file", "file": {"hash": "h", "content": [{"type": "text"}]}},
        {"type": "file", "file": {"hash": "h", "content": [{"type": "image_url"}]}},
        {"type": "file", "file": {"hash": "h", "content": [{"text": "x"}]}},
        {"type": "url_citation", "url_citation": {"url": "https://example.org"}},
    ],
)
def test_what_is_no_whole_annotation_is_not_kept(wrong: object) -> None:
    """Nothing is remembered that the API could refuse later."""
    assert annotations_in({"annotations": [wrong, note()]}) == [note()]
    assert annotations_in({"file_annotations": [wrong]}) == []
    assert annotations_in({"annotations": wrong}) == []


def test_annotations_find_their_documents() -> None:
    """By name; without one by order, but only where nothing can be mistaken."""
    unknown = {"a.pdf": "a", "b.pdf": "b"}
    one, two = note("b.pdf", "1"), note("a.pdf", "2")
    assert matched([one, two, one], unknown) == {"b": one, "a": two}
    bare, other = note(None, "3"), note("c.pdf", "4")
    assert matched([bare], {"a.pdf": "a"}) == {"a": bare}
    assert matched([one, bare], unknown) == {"b": one, "a": bare}
    assert matched([bare], unknown) == {}
    assert matched([other, bare], {"a.pdf": "a"}) == {}
    assert matched([other], unknown) == {}
