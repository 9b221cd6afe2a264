"""The emulator and documents: it reads what was sent, parses once, counts and charges."""

from __future__ import annotations

import base64
import sys
from typing import Any

import aiohttp
import pytest

from openrouter_async.testing import Emulator, file_annotation, make_pdf
from openrouter_async.testing._documents import Page, UnreadableError, answer_from

Plain = dict[str, Any]

PAGES = [f"Page {n}: the harvest of {1900 + n} was {7 * n} tons (a \\ b)." for n in range(1, 4)]
MODEL = "deepseek/deepseek-v3"


def file_part(document: bytes, name: str = "harvest.pdf") -> Plain:
    """The part of a message that holds a document."""
    data = "data:application/pdf;base64," + base64.b64encode(document).decode()
    return {"type": "file", "file": {"filename": name, "file_data": data}}


def asking(document: bytes, question: str = "And 1902?") -> Plain:
    """What the user says."""
    return {"role": "user", "content": [{"type": "text", "text": question}, file_part(document)]}


async def post(emulator: Emulator, *messages: Plain, **more: Any) -> Plain:
    """Ask the emulator without the client; give the body of the answer."""
    body = {"model": MODEL, "messages": list(messages), **more}
    headers = {"Authorization": "Bearer sk-test"}
    url = f"{emulator.base_url}/chat/completions"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json=body, headers=headers) as response,
    ):
        answer: Plain = await response.json()
        return answer


def engine(name: str) -> Plain:
    """The plugins that choose who reads."""
    return {"plugins": [{"id": "file-parser", "pdf": {"engine": name}}]}


async def test_the_annotation_holds_the_text_of_every_page(emulator: Emulator) -> None:
    """Tags around one text a page, a hash, the name; the answer quotes what was asked for."""
    answer = await post(emulator, asking(make_pdf(*PAGES)))
    message = answer["choices"][0]["message"]
    (annotation,) = message["annotations"]
    assert annotation["type"] == "file"
    assert annotation["file"]["name"] == "harvest.pdf"
    assert len(annotation["file"]["hash"]) == 64
    texts = [part["text"] for part in annotation["file"]["content"]]
    assert texts == ['<file name="harvest.pdf">', *PAGES, "</file>"]
    assert "1902 was 14 tons" in message["content"]
    assert emulator.parsed == {annotation["file"]["hash"]: 1}


@pytest.mark.parametrize(
    ("name", "parses", "cost"),
    [
        ("mistral-ocr", True, 0.006),
        ("cloudflare-ai", True, 0.0),
        ("pdf-text", True, 0.0),
        ("native", False, 0.0),
    ],
)
async def test_engines(name: str, parses: bool, cost: float, emulator: Emulator) -> None:
    """Only mistral-ocr charges for pages, and a model that reads for itself annotates nothing."""
    answer = await post(emulator, asking(make_pdf(*PAGES)), **engine(name))
    usage = answer["usage"]
    details = usage["cost_details"]
    of_tokens = (
        details["upstream_inference_prompt_cost"] + details["upstream_inference_completions_cost"]
    )
    assert usage["cost"] - of_tokens == pytest.approx(cost)
    assert ("annotations" in answer["choices"][0]["message"]) == parses
    assert emulator.parsed.total() == parses


async def test_parsed_again_unless_the_annotation_comes_behind_its_document(
    emulator: Emulator,
) -> None:
    """The annotation of the same document counts, on an assistant's message behind it."""
    document, other = make_pdf(*PAGES), make_pdf("Something else")
    said: Plain = {"role": "assistant", "content": "Yes.", "annotations": []}
    known = {**said, "annotations": [file_annotation(document, "harvest.pdf")]}
    wrong = {**said, "annotations": [file_annotation(other, "harvest.pdf")]}
    question = {"role": "user", "content": "And 1903?"}
    answer = await post(emulator, asking(document), known, question)
    assert "1903 was 21 tons" in answer["choices"][0]["message"]["content"]
    assert not emulator.parsed
    for messages in (
        [known, asking(document)],
        [asking(document), wrong, question],
        [asking(document), {**known, "role": "user"}, question],
    ):
        emulator.parsed.clear()
        await post(emulator, *messages)
        assert emulator.parsed.total() == 1


async def test_the_same_document_twice_in_a_request_is_parsed_once(emulator: Emulator) -> None:
    """A document counts by its content."""
    document = make_pdf(*PAGES)
    await post(emulator, asking(document), asking(document))
    assert emulator.parsed.total() == 1


async def test_broken_documents_are_refused(emulator: Emulator) -> None:
    """Bad base64 and a PDF that is none inside are errors of the request."""
    cases = {
        "data:application/pdf;base64,JVBERi0x!": "Invalid base64",
        "data:application/pdf;base64," + base64.b64encode(b"%PDF-1.4 rubbish").decode(): "Failed",
    }
    for data, complaint in cases.items():
        part = {"type": "file", "file": {"filename": "a.pdf", "file_data": data}}
        answer = await post(emulator, {"role": "user", "content": [part]})
        assert answer["error"]["code"] == 400
        assert complaint in answer["error"]["message"]
        assert "a.pdf" in answer["error"]["message"]


async def test_a_document_at_a_url_is_not_fetched(emulator: Emulator) -> None:
    """The emulator goes nowhere; the parse of a URL says what it stands for."""
    part = {"type": "file", "file": {"file_data": "https://example.org/a.pdf"}}
    answer = await post(emulator, {"role": "user", "content": [part]})
    (annotation,) = answer["choices"][0]["message"]["annotations"]
    assert "https://example.org/a.pdf" in annotation["file"]["content"][1]["text"]


def test_without_pypdf_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lacks the library is told which extra brings it."""
    monkeypatch.setitem(sys.modules, "pypdf", None)
    with pytest.raises(UnreadableError, match=r"openrouter-async\[emulator\]") as caught:
        file_annotation(make_pdf("a"))
    assert caught.value.status == 501


def test_the_answer_quotes_the_best_page() -> None:
    """The page with most of the question's words answers, by its best sentence."""
    pages = [Page("a.pdf", 1, "Cats sleep."), Page("a.pdf", 2, "It rained. Dogs bark loudly.")]
    assert answer_from(pages, "Which dogs bark?") == "Page 2 of a.pdf says: Dogs bark loudly."


def test_make_pdf_wraps_and_refuses() -> None:
    """Long lines stay on the page; other alphabets and no pages are refused."""
    words = " ".join(["wide"] * 60)
    (page,) = file_annotation(make_pdf(words))["file"]["content"][1:-1]
    assert page["text"].split() == words.split()
    with pytest.raises(ValueError, match="at least one page"):
        make_pdf()
    with pytest.raises(ValueError, match="encode"):
        make_pdf("日本")
