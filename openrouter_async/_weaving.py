"""How a parse that is known already goes into a request, and how an answer's is found.

The rule of this file: pure, on plain data. The API parses a document of a user's message unless
an assistant's message carries its annotation, word for word as an earlier answer gave it:

    user       the document
    assistant  any text, and the annotation
    user       the question

So a message that holds a known document is sent as these three. The two sentences around the
document are always the same: they give away nothing of the conversation that had it parsed, and
every question about it begins with the same prompt, which a provider may have cached.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias, cast

import msgspec
from msgspec import Struct

from .types.arrival import SentDocument
from .types.attachment import Attachment

__all__ = [
    "Document",
    "Plain",
    "Woven",
    "annotations_in",
    "documents_in",
    "engine_of",
    "is_paid",
    "matched",
    "weave",
    "with_engine",
]

Plain: TypeAlias = dict[str, Any]
"""An object of JSON."""

_DEFAULT_ENGINE: Final = "mistral-ocr"
_RENAMED: Final = {"pdf-text": "cloudflare-ai"}
_USD_A_PAGE: Final = {"mistral-ocr": 0.002, "cloudflare-ai": 0.0}
_DEFAULT_NAME: Final = "document.pdf"
_HANDED: Final = "Here is what my questions are about."
_TAKEN: Final = "I have read it."


class Document(NamedTuple):
    """A document in a request: whose part it is, what it is known by, what the API calls it."""

    message: int
    part: int
    key: str
    name: str


class Woven:
    """Messages with what is known in them; it has no repr of its own, as they are a prompt.

    Attributes:
        messages: The messages to send.
        sent: What became of each document.
        unknown: The keys of the documents that the API has to parse, by their names.
        learned: Annotations that the messages carry already and that were not known, by key.
    """

    __slots__ = ("learned", "messages", "sent", "unknown")

    def __init__(
        self,
        messages: list[Plain],
        sent: tuple[SentDocument, ...],
        unknown: dict[str, str],
        learned: dict[str, Plain],
    ) -> None:
        self.messages = messages
        self.sent = sent
        self.unknown = unknown
        self.learned = learned


# The engine.


def engine_of(plugins: object) -> str | None:
    """Give the engine that parses; None where nothing is parsed that could be remembered.

    Without a word a model that reads no documents has them parsed by the default engine.
    """
    engine: object = None
    plain: object = msgspec.to_builtins(plugins) if plugins else None
    for plugin in cast("list[Plain]", plain) if isinstance(plain, list) else ():
        if plugin.get("id") == "file-parser":
            if plugin.get("enabled") is False:
                return None
            options: Plain = plugin.get("pdf") or {}
            engine = options.get("engine")
    if not isinstance(engine, str):
        return _DEFAULT_ENGINE
    return None if engine == "native" else _RENAMED.get(engine, engine)


def is_paid(engine: str) -> bool:
    """Whether parsing costs money, as far as anyone knows."""
    return _USD_A_PAGE.get(engine) != 0.0


def with_engine(plugins: Sequence[Any], engine: str) -> list[Any]:
    """Give the plugins with an engine for documents among them.

    Raises:
        ValueError: They name another one.
    """
    merged = list(plugins)
    for position, plugin in enumerate(merged):
        plain: object = msgspec.to_builtins(plugin) if isinstance(plugin, Struct) else plugin
        if isinstance(plain, Mapping) and cast("Plain", plain).get("id") == "file-parser":
            given = cast("Plain", plain)
            options: Plain = given.get("pdf") or {}
            if options.get("engine") not in (None, engine):
                raise ValueError(
                    f"engine and plugins contradict: {engine!r} and {options['engine']!r}"
                )
            merged[position] = {**given, "pdf": {**options, "engine": engine}}
            return merged
    return [*merged, {"id": "file-parser", "pdf": {"engine": engine}}]


# Documents in messages.


def documents_in(messages: Sequence[Plain]) -> list[tuple[int, int, Attachment | Plain]]:
    """Find the documents of the user's messages: message, part, and the part itself."""
    return [
        (i, j, cast("Attachment | Plain", part))
        for i, message in enumerate(messages)
        if message.get("role") == "user" and isinstance(message.get("content"), list)
        for j, part in enumerate(cast("list[object]", message["content"]))
        if _is_document(part)
    ]


def weave(
    messages: Sequence[Plain], keys: Sequence[str], known: Mapping[str, Plain], engine: str
) -> Woven:
    """Put what is known of a request's documents into it.

    Args:
        messages: The messages in their wire form; they are left as they are.
        keys: What each of their documents is known by, in the order of `documents_in`.
        known: Annotations by key.
        engine: Who parses.
    """
    documents = _named(documents_in(messages), keys, known)
    there = _carried(messages, documents, known)
    missing = {key: note for key, note in known.items() if key not in there}
    given = _renamed(messages, documents)
    woven: list[Plain] = []
    for position, message in enumerate(given):
        notes = {
            document.part: missing[document.key]
            for document in documents
            if document.message == position and document.key in missing
        }
        if not notes or not _can_split(message, notes, is_last=message is given[-1]):
            woven.append(message)
            continue
        woven += _split(message, notes)
        for document in documents:  # once is enough
            if document.message == position and document.key in missing:
                there[document.key] = missing.pop(document.key)
    return Woven(
        woven,
        tuple(_told(document.name, there.get(document.key), engine) for document in documents),
        {d.name: d.key for d in documents if d.key not in there and d.key not in known},
        {key: note for key, note in there.items() if key not in known},
    )


def _is_document(part: object) -> bool:
    if isinstance(part, Attachment):
        return part.kind == "pdf"
    if not isinstance(part, dict) or cast("Plain", part).get("type") != "file":
        return False
    return isinstance(cast("Plain", part).get("file"), dict)


def _named(
    found: Sequence[tuple[int, int, Attachment | Plain]],
    keys: Sequence[str],
    known: Mapping[str, Plain],
) -> list[Document]:
    """Give every document a name of its own, as an answer tells them apart by it.

    One that is known goes by the name that it was parsed under.
    """
    names: dict[str, str] = {}
    for key in keys:
        name: object = known[key]["file"].get("name") if key in known else None
        if isinstance(name, str) and name:
            names[key] = name
    taken = set(names.values())
    for (_, _, part), key in zip(found, keys, strict=True):
        if key not in names:
            names[key] = _free_name(_name_of(part), taken)
            taken.add(names[key])
    return [Document(i, j, key, names[key]) for (i, j, _), key in zip(found, keys, strict=True)]


def _name_of(part: Attachment | Plain) -> str:
    if isinstance(part, Attachment):
        return part.name or _DEFAULT_NAME
    name: object = part["file"].get("filename")
    return name if isinstance(name, str) and name else _DEFAULT_NAME


def _free_name(name: str, taken: set[str]) -> str:
    stem, dot, suffix = name.rpartition(".")
    if not stem:
        stem, dot, suffix = name, "", ""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{stem}-{number}{dot}{suffix}"
    return free


def _carried(
    messages: Sequence[Plain], documents: Sequence[Document], known: Mapping[str, Plain]
) -> dict[str, Plain]:
    """Find the documents whose annotation the messages carry already."""
    notes = [note for message in messages for note in annotations_in(message)]
    by_name = {_name_in(note): note for note in notes}
    by_hash = {note["file"]["hash"]: note for note in notes}
    there: dict[str, Plain] = {}
    for document in documents:
        note = known.get(document.key)
        note = by_name.get(document.name) if note is None else by_hash.get(note["file"]["hash"])
        if note is not None:
            there[document.key] = note
    return there


def _renamed(messages: Sequence[Plain], documents: Sequence[Document]) -> list[Plain]:
    """Give the messages with each document under its name."""
    renamed = list(messages)
    for document in documents:
        message = renamed[document.message]
        parts = list(message["content"])
        parts[document.part] = _with_name(parts[document.part], document.name)
        renamed[document.message] = {**message, "content": parts}
    return renamed


def _with_name(part: Attachment | Plain, name: str) -> Attachment | Plain:
    if _name_of(part) == name and not (isinstance(part, Attachment) and part.name is None):
        return part
    if isinstance(part, Attachment):
        return part.renamed(name)
    return {**part, "file": {**part["file"], "filename": name}}


def _can_split(message: Plain, notes: Mapping[int, Plain], *, is_last: bool) -> bool:
    # A request that ended with the assistant's word would have it go on with that.
    return not is_last or len(message["content"]) > len(notes)


def _split(message: Plain, notes: Mapping[int, Plain]) -> list[Plain]:
    """Give the three messages that keep documents from being parsed; notes by part."""
    parts: list[object] = message["content"]
    rest = [part for position, part in enumerate(parts) if position not in notes]
    opening = {"type": "text", "text": _HANDED}
    handed = {**message, "content": [opening, *(parts[position] for position in notes)]}
    each_once = {note["file"]["hash"]: note for note in notes.values()}
    taken: Plain = {
        "role": "assistant",
        "content": _TAKEN,
        "annotations": list(each_once.values()),
    }
    return [handed, taken, *([{**message, "content": rest}] if rest else [])]


def _told(name: str, note: Plain | None, engine: str) -> SentDocument:
    if note is None:
        return SentDocument(name=name, reused=False)
    pages = _pages_of(note)
    price = _USD_A_PAGE.get(engine)
    saved = None if price is None else round(pages * price, 6)
    return SentDocument(name=name, reused=True, pages=pages, saved=saved)


# Annotations.


def annotations_in(message: Mapping[str, Any]) -> list[Plain]:
    """Give the parsed documents that a message carries, or an error's metadata, if whole."""
    listed: object = message.get("annotations") or message.get("file_annotations")
    if not isinstance(listed, list):
        return []
    return [cast("Plain", note) for note in cast("list[object]", listed) if _is_whole(note)]


def matched(annotations: Iterable[Plain], unknown: Mapping[str, str]) -> dict[str, Plain]:
    """Find out which document each annotation is of; what cannot be told is left out.

    Args:
        annotations: What an answer or an error said, each whole.
        unknown: The keys of the documents that it could be of, by name.

    Returns:
        Annotations by key.
    """
    notes = list({note["file"]["hash"]: note for note in annotations}.values())
    found = {unknown[name]: note for note in notes if (name := _name_in(note)) in unknown}
    nameless = [note for note in notes if not _name_in(note)]
    keys = [key for key in dict.fromkeys(unknown.values()) if key not in found]
    if len(found) + len(nameless) == len(notes) and len(nameless) == len(keys):
        found |= zip(keys, nameless, strict=True)  # they come in the order of the documents
    return found


def _name_in(note: Plain) -> str:
    name: object = note["file"].get("name")
    return name if isinstance(name, str) else ""


def _is_whole(note: object) -> bool:
    """Whether something is a parsed document that the API can be given back."""
    if not isinstance(note, dict):
        return False
    fields = cast("Plain", note)
    file: object = fields.get("file")
    if fields.get("type") != "file" or not isinstance(file, dict):
        return False
    mark: object = cast("Plain", file).get("hash")
    content: object = cast("Plain", file).get("content")
    if not isinstance(mark, str) or not mark or not isinstance(content, list):
        return False
    parts = cast("list[object]", content)
    return len(parts) > 0 and all(map(_is_part, parts))


def _is_part(part: object) -> bool:
    if not isinstance(part, dict):
        return False
    fields = cast("Plain", part)
    match fields.get("type"):
        case "text":
            return isinstance(fields.get("text"), str)
        case "image_url":
            return isinstance(fields.get("image_url"), dict)
        case kind:
            return isinstance(kind, str) and bool(kind)


def _pages_of(note: Plain) -> int:
    """Count the parts of text between the tags that the API puts around a document."""
    texts = [part["text"] for part in note["file"]["content"] if part["type"] == "text"]
    return sum(not text.startswith(("<file name=", "</file>")) for text in texts)
