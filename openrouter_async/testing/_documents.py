"""What the emulator reads in the documents that a chat request holds.

The rule of this file: as OpenRouter does it. A document of a user's message is parsed, unless an
assistant's message behind it carries the annotation with its hash; the hash is OpenRouter's own,
which nobody else can reckon. The text is what stands in the file that was sent. Pretend models
read a document themselves only where the engine ``native`` asks for it.

Needs pypdf, which the extra ``emulator`` brings.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import unquote_to_bytes

__all__ = ["Page", "Reading", "UnreadableError", "answer_from", "file_annotation", "read_documents"]

Plain = Mapping[str, Any]

_USD_A_PAGE: Final = {"mistral-ocr": 0.002}
_DEFAULT_ENGINE: Final = "mistral-ocr"
_QUOTED: Final = 240
_NEEDS_PYPDF: Final = (
    "the emulator reads PDFs with pypdf, which is not installed: "
    "pip install 'openrouter-async[emulator]'"
)


class UnreadableError(Exception):
    """A document that cannot be read.

    Attributes:
        status: The HTTP status of the answer.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Page:
    """One page: of which file, which one from 1 on, and its text."""

    name: str
    number: int
    text: str


@dataclass(slots=True)
class Reading:
    """What was read for one request.

    Attributes:
        pages: All pages, of documents that were parsed earlier too.
        annotations: Those of the documents that were parsed now.
        cost: USD that parsing them costs.
    """

    pages: list[Page] = field(default_factory=list[Page])
    annotations: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    cost: float = 0.0


def read_documents(messages: Sequence[Plain], plugins: Iterable[Plain]) -> Reading:
    """Read the documents of a request.

    Raises:
        UnreadableError: One of them cannot be read.
    """
    engine = _engine_of(plugins)
    reading = Reading()
    done: set[str] = set()
    for position, message in enumerate(messages):
        known = _annotations_in(messages[position + 1 :])
        for file in _files_in(message):
            mark = _hash_of(file)
            if mark in done:
                continue
            done.add(mark)
            annotation = known.get(mark)
            if annotation is None:
                annotation = _annotation(file, mark)
                if engine != "native":
                    price = _USD_A_PAGE.get(engine, 0.0)
                    reading.annotations.append(annotation)
                    reading.cost += price * len(_pages_of(annotation))
            reading.pages += _pages_of(annotation)
    return reading


def file_annotation(document: bytes, name: str = "document.pdf") -> dict[str, Any]:
    """Give the annotation that the emulator makes of a PDF, for scripted answers and errors.

    Args:
        document: The bytes of the PDF.
        name: The file's name in the request.

    Raises:
        UnreadableError: It is no PDF, or pypdf is not installed.
    """
    data = "data:application/pdf;base64," + base64.b64encode(document).decode()
    file = {"filename": name, "file_data": data}
    return _annotation(file, _hash_of(file))


def answer_from(pages: Sequence[Page], prompt: str) -> str:
    """Answer a question with the page that has the most of its words."""
    asked = re.findall(r"\w+", prompt.lower())
    words = {word for word in asked if len(word) > 3 or word.isdigit()}

    def score(text: str) -> int:
        return len(words.intersection(re.findall(r"\w+", text.lower())))

    page = max(pages, key=lambda page: score(page.text))
    sentences = re.split(r"(?<=[.!?])\s+", " ".join(page.text.split()))
    return f"Page {page.number} of {page.name} says: {max(sentences, key=score)[:_QUOTED]}"


def _engine_of(plugins: Iterable[Plain]) -> str:
    for plugin in plugins:
        if plugin.get("id") == "file-parser" and isinstance(plugin.get("pdf"), dict):
            engine = str(plugin["pdf"].get("engine") or _DEFAULT_ENGINE)
            return "cloudflare-ai" if engine == "pdf-text" else engine
    return _DEFAULT_ENGINE


def _files_in(message: Plain) -> list[Plain]:
    content: object = message.get("content")
    if message.get("role") != "user" or not isinstance(content, list):
        return []
    return [
        cast("Plain", part["file"])
        for part in cast("list[Plain]", content)
        if part.get("type") == "file" and isinstance(part.get("file"), dict)
    ]


def _annotations_in(messages: Iterable[Plain]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for message in messages:
        listed: object = message.get("annotations")
        if message.get("role") == "assistant" and isinstance(listed, list):
            for annotation in cast("list[dict[str, Any]]", listed):
                if annotation.get("type") == "file":
                    found[annotation["file"]["hash"]] = annotation
    return found


def _hash_of(file: Plain) -> str:
    data = str(file.get("file_data") or file.get("file_id") or "")
    return hashlib.sha256(data.encode()).hexdigest()


def _annotation(file: Plain, mark: str) -> dict[str, Any]:
    name = str(file.get("filename") or "document.pdf")
    texts = (f'<file name="{name}">', *_texts_of(file, name), "</file>")
    content = [{"type": "text", "text": text} for text in texts]
    return {"type": "file", "file": {"hash": mark, "name": name, "content": content}}


def _pages_of(annotation: Plain) -> list[Page]:
    name = str(annotation["file"].get("name") or "document.pdf")
    texts = [part["text"] for part in annotation["file"]["content"] if part["type"] == "text"]
    inner = [text for text in texts if not text.startswith(("<file name=", "</file>"))]
    return [Page(name, number, text) for number, text in enumerate(inner, 1)]


def _texts_of(file: Plain, name: str) -> list[str]:
    """Give the text of each page; what is no PDF has one page."""
    data = str(file.get("file_data") or "")
    if not data.startswith("data:"):
        return [f"A document at {data or file.get('file_id')}, which the emulator does not fetch."]
    head, _, encoded = data.partition(",")
    try:
        is_base64 = head.endswith(";base64")
        document = base64.b64decode(encoded, validate=True) if is_base64 else b""
    except binascii.Error as error:
        raise UnreadableError(400, f"Invalid base64 data in {name}: {error}") from None
    if not is_base64:
        document = unquote_to_bytes(encoded)
    if not document.startswith(b"%PDF"):
        return [document.decode("utf-8", "replace")]
    return _pdf_texts(document, name)


def _pdf_texts(document: bytes, name: str) -> list[str]:
    try:
        from pypdf import PdfReader
        from pypdf.errors import PyPdfError
    except ImportError:
        raise UnreadableError(501, _NEEDS_PYPDF) from None
    try:
        return [page.extract_text().strip() for page in PdfReader(io.BytesIO(document)).pages]
    except (PyPdfError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise UnreadableError(400, f"Failed to parse {name}: {type(error).__name__}") from None
