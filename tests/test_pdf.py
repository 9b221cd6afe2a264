"""Questions about PDFs: each document is parsed, and paid for, once."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import logging
import pickle
import traceback
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from openrouter_async import (
    DocumentStore,
    OpenRouter,
    RetryPolicy,
    StreamAPIError,
    StreamError,
    content,
)
from openrouter_async._upload import digest_of
from openrouter_async.errors import BadRequestError
from openrouter_async.testing import (
    Emulator,
    chat,
    error_chunk,
    file_annotation,
    http_error,
    make_pdf,
)
from openrouter_async.types import FileParserPlugin, FilePart, SentDocument

MODEL = "deepseek/deepseek-v3"
REPORT = make_pdf(*(f"In {1900 + n} the harvest was {7 * n} tons." for n in range(1, 11)))
OTHER = make_pdf("The mill was sold in 1931.")
QUESTIONS = ("How much in 1903?", "And in 1907?", "The harvest of 1910?")
ANSWERS = ("21 tons", "49 tons", "70 tons")
REUSED = SentDocument(name="report.pdf", reused=True, pages=10, saved=0.02)


@pytest.fixture
async def client(emulator: Emulator) -> AsyncIterator[OpenRouter]:
    """A client with a model that reads no PDFs, and quick retries."""
    async with client_of(emulator) as client:
        yield client


def client_of(emulator: Emulator, **more: Any) -> OpenRouter:
    """A client as a process of its own would make it."""
    retry = RetryPolicy(first_delay=0.001, max_delay=0.002)
    return OpenRouter("sk-or-v1-k", base_url=emulator.base_url, model=MODEL, retry=retry, **more)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """Ten pages on disk."""
    path = tmp_path / "report.pdf"
    path.write_bytes(REPORT)
    return path


def annotation(name: str = "report.pdf") -> dict[str, Any]:
    """What the API says of the ten pages."""
    return file_annotation(REPORT, name)


# Parsed once.


async def test_three_questions_in_one_conversation(
    client: OpenRouter, emulator: Emulator, report: Path
) -> None:
    """The document is parsed with the first; its annotation goes along with the others."""
    talk = client.conversation()
    parts = [content.text(QUESTIONS[0]), content.pdf(report)]
    assert ANSWERS[0] in (await talk.complete(parts)).text
    for question, expected in zip(QUESTIONS[1:], ANSWERS[1:], strict=True):
        answer = await talk.complete(question)
        assert expected in answer.text
        assert answer.documents == (REUSED,)
    assert emulator.parsed.total() == 1
    roles = [message["role"] for message in emulator.requests[-1].json["messages"]]
    assert roles == ["user", "assistant", "user", "assistant", "user"]


async def test_three_questions_in_three_conversations(
    client: OpenRouter, emulator: Emulator, report: Path
) -> None:
    """A conversation about a document that another has had parsed does not parse it."""
    for question, expected in zip(QUESTIONS, ANSWERS, strict=True):
        talk = client.conversation()
        answer = await talk.complete([content.text(question), content.pdf(report)])
        assert expected in answer.text
        assert ANSWERS[1] in (await talk.complete(QUESTIONS[1])).text
    assert emulator.parsed.total() == 1


async def test_three_separate_questions(
    client: OpenRouter, emulator: Emulator, report: Path
) -> None:
    """Streamed, collected and as JSON: parsed for the first one, and the saving is told."""
    stream = client.stream_pdf(QUESTIONS[0], report)
    assert ANSWERS[0] in "".join([piece async for piece in stream.text()])
    assert stream.documents == (SentDocument(name="report.pdf", reused=False),)
    assert [note.type for note in stream.annotations] == ["file"]
    assert stream.cost is not None
    assert stream.cost > 0.02
    answer = await client.ask_pdf(QUESTIONS[1], report)
    assert ANSWERS[1] in answer.text
    assert answer.documents == (REUSED,)
    assert answer.annotations == []
    assert answer.cost is not None
    assert answer.cost < 0.001
    message = {"role": "user", "content": [content.text(QUESTIONS[2]), content.pdf(report)]}
    whole = await client.complete([message], transport="json", remember_documents=True)
    assert ANSWERS[2] in whole.text
    assert whole.documents == (REUSED,)
    assert emulator.parsed.total() == 1


async def test_an_answer_as_json_teaches_too(client: OpenRouter, emulator: Emulator) -> None:
    """What a whole answer says of a document is remembered."""
    message = {"role": "user", "content": [content.text("Q"), content.pdf(REPORT)]}
    for _ in range(2):
        await client.complete([message], transport="json", remember_documents=True)
    assert emulator.parsed.total() == 1


async def test_questions_at_once_have_it_parsed_once(
    client: OpenRouter, emulator: Emulator
) -> None:
    """Those that come while it is being parsed wait for what the first one learns."""
    asked = [client.ask_pdf(question, REPORT) for question in QUESTIONS * 3]
    answers = await asyncio.gather(*asked)
    for answer, expected in zip(answers, ANSWERS * 3, strict=True):
        assert expected in answer.text
    assert emulator.parsed.total() == 1


async def test_a_first_call_that_fails_lets_the_next_one_parse(
    client: OpenRouter, emulator: Emulator
) -> None:
    """Whoever waits for a call that fails, or is left, is not stuck."""
    emulator.play(http_error(400, "no"))
    first = asyncio.ensure_future(client.ask_pdf("Q", REPORT))
    others = [asyncio.ensure_future(client.ask_pdf("Q", REPORT)) for _ in range(2)]
    results = await asyncio.gather(first, *others, return_exceptions=True)
    assert sum(isinstance(result, BadRequestError) for result in results) == 1
    assert emulator.parsed.total() == 1
    held = client.stream_pdf("Q", OTHER)
    _ = await held.start()
    waiting = asyncio.ensure_future(client.ask_pdf("Q", OTHER))
    held.close()
    assert "1931" in (await waiting).text


async def test_a_free_engine_makes_nobody_wait(client: OpenRouter, emulator: Emulator) -> None:
    """Parsing that costs nothing is not waited for, and is remembered all the same."""
    held = client.stream_pdf("Q", REPORT, engine="cloudflare-ai")
    _ = await held.start()
    answer = await client.ask_pdf("Q", REPORT, engine="cloudflare-ai")
    assert answer.documents[0].reused is False
    assert answer.cost is not None
    assert answer.cost < 0.001
    held.close()
    again = await client.ask_pdf("Q", REPORT, engine="pdf-text")
    assert again.documents == (SentDocument(name="document.pdf", reused=True, pages=10, saved=0.0),)
    assert emulator.parsed.total() == 2


async def test_each_engine_has_its_own_parse(client: OpenRouter, emulator: Emulator) -> None:
    """Who asks for a better reading gets it; a model that reads itself is sent no parse."""
    await client.ask_pdf("Q", REPORT, engine="cloudflare-ai")
    answer = await client.ask_pdf("Q", REPORT, engine="mistral-ocr")
    assert answer.documents[0].reused is False
    assert emulator.parsed.total() == 2
    answer = await client.ask_pdf("Q", REPORT, engine="native")
    assert answer.documents == ()
    assert emulator.parsed.total() == 2
    assert len(emulator.requests[-1].json["messages"]) == 1


# What is sent.


async def test_the_request_of_a_known_document(
    client: OpenRouter, emulator: Emulator, report: Path
) -> None:
    """Question first, then the document; later the document, its annotation, the question."""
    first = await client.ask_pdf(QUESTIONS[0], report)
    wire = base64.b64encode(REPORT).decode()
    file = {"filename": "report.pdf", "file_data": f"data:application/pdf;base64,{wire}"}
    document = {"type": "file", "file": file}
    question = {"type": "text", "text": QUESTIONS[0]}
    assert emulator.requests[0].json["messages"] == [
        {"role": "user", "content": [question, document]}
    ]
    await client.ask_pdf(QUESTIONS[1], report)
    handed, said, asked = emulator.requests[1].json["messages"]
    assert handed["content"][1] == document
    assert said["annotations"] == [note.to_dict() for note in first.annotations]
    assert asked == {"role": "user", "content": [{"type": "text", "text": QUESTIONS[1]}]}
    assert QUESTIONS[0] not in str(emulator.requests[1].json)


async def test_every_form_of_a_document_is_the_same_document(
    client: OpenRouter, emulator: Emulator, report: Path
) -> None:
    """A path, bytes, an open file, a data URL and ready parts are known by their content."""
    data = "data:application/pdf;base64," + base64.b64encode(REPORT).decode()
    with report.open("rb") as opened:
        forms: list[Any] = [
            report,
            str(report),
            REPORT,
            opened,
            io.BytesIO(REPORT),
            data,
            content.pdf(report, filename="mine.pdf"),
            FilePart(file={"file_data": data}),
            {"type": "file", "file": {"filename": "b.pdf", "file_data": data}},
            [report],
        ]
        for form in forms:
            assert ANSWERS[0] in (await client.ask_pdf(QUESTIONS[0], form)).text
    assert emulator.parsed.total() == 1


async def test_several_documents_of_one_name(client: OpenRouter, emulator: Emulator) -> None:
    """Each is told apart, remembered apart, and reused apart."""
    both = [content.pdf(REPORT, filename="a.pdf"), content.pdf(OTHER, filename="a.pdf")]
    first = await client.ask_pdf("What was sold in 1931?", both)
    assert "a-2.pdf" in first.text
    assert emulator.parsed.total() == 2
    second = await client.ask_pdf("Who sold the mill in 1931?", OTHER)
    assert "mill" in second.text
    assert second.documents == (SentDocument(name="a-2.pdf", reused=True, pages=1, saved=0.002),)
    mixed = await client.ask_pdf("Q", [OTHER, make_pdf("New"), REPORT])
    assert [document.reused for document in mixed.documents] == [True, False, True]
    assert emulator.parsed.total() == 3


async def test_a_url_is_trusted_to_stand_for_its_document(
    client: OpenRouter, emulator: Emulator
) -> None:
    """A document at a URL is sent by its URL and remembered by it."""
    for _ in range(2):
        await client.ask_pdf("Q", "https://example.org/a.pdf?token=secret")
    assert emulator.parsed.total() == 1


async def test_uploaded_files_and_broken_urls_have_keys_too(
    client: OpenRouter, emulator: Emulator
) -> None:
    """The id of an uploaded file stands for it; a data URL that is broken is the server's matter."""
    uploaded = {"type": "file", "file": {"file_id": "file-1", "filename": "u.pdf"}}
    for _ in range(2):
        await client.ask_pdf("Q", uploaded)
    assert emulator.parsed.total() == 1
    broken = {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0x!"}}
    with pytest.raises(BadRequestError, match="Invalid base64"):
        await client.ask_pdf("Q", broken)


async def test_a_race_and_a_run_of_tools_know_documents_too(
    client: OpenRouter, emulator: Emulator
) -> None:
    """Other models that are asked instead, and every turn with tools, get the parse."""
    await client.ask_pdf("Q", REPORT)
    emulator.play(http_error(502, "gone"))
    answer = await client.ask_pdf(QUESTIONS[0], REPORT, fallback=["deepseek/deepseek-r1"])
    assert ANSWERS[0] in answer.text
    assert answer.documents[0].reused

    async def now() -> str:
        """Tell the time."""
        return "noon"

    message = {"role": "user", "content": [content.text("Q"), content.pdf(REPORT)]}
    await client.run_tools([message], tools=[now], remember_documents=True)
    assert emulator.parsed.total() == 1


async def test_the_engine_joins_the_plugins(client: OpenRouter, emulator: Emulator) -> None:
    """Other plugins stay beside it."""
    plugins: list[Any] = [{"id": "web", "max_results": 2}, FileParserPlugin(max_files=3)]
    await client.ask_pdf("Q", REPORT, engine="mistral-ocr", plugins=plugins)
    assert emulator.requests[0].json["plugins"] == [
        {"id": "web", "max_results": 2},
        {"id": "file-parser", "pdf": {"engine": "mistral-ocr"}, "max_files": 3},
    ]


async def test_a_plain_stream_remembers_nothing(client: OpenRouter, emulator: Emulator) -> None:
    """What the user's own messages say is sent as it is, unless remembering is asked for."""
    message = {"role": "user", "content": [content.text("Q"), content.pdf(REPORT)]}
    await client.ask_pdf("Q", REPORT)
    answer = await client.complete([message])
    assert answer.documents == ()
    assert len(emulator.requests[-1].json["messages"]) == 1
    await client.ask_pdf("Q", REPORT, remember_documents=False)
    assert len(emulator.requests[-1].json["messages"]) == 1
    answer = await client.complete([message], remember_documents=True)
    assert answer.documents[0].reused


# Stores.


async def test_a_folder_serves_the_next_process(
    emulator: Emulator, report: Path, tmp_path: Path
) -> None:
    """A new client with the same folder knows what the one before it learned."""
    folder = tmp_path / "cache"
    for question, expected in zip(QUESTIONS, ANSWERS, strict=True):
        async with client_of(emulator, documents=folder) as client:
            assert expected in (await client.ask_pdf(question, report)).text
    assert emulator.parsed.total() == 1


async def test_clients_share_a_store_or_a_mapping(emulator: Emulator) -> None:
    """A store, or a mapping of the user's, given to several clients."""
    kept: dict[str, bytes] = {}
    for documents in (DocumentStore(), kept):
        emulator.parsed.clear()
        for _ in range(2):
            async with client_of(emulator, documents=documents) as client:
                await client.ask_pdf("Q", REPORT)
        assert emulator.parsed.total() == 1
    assert len(kept) == 1


@pytest.mark.parametrize(
    "rubbish", [b"", b"\xff", b"[]", b'{"type":"file"}', b"[" * 100_000, "text"]
)
async def test_rubbish_in_a_store_is_not_believed(
    rubbish: Any, client: OpenRouter, emulator: Emulator
) -> None:
    """What others wrote into a folder or a database is checked; else the document is parsed."""
    kept: dict[str, bytes] = {}
    async with client_of(emulator, documents=kept) as first:
        await first.ask_pdf("Q", REPORT)
    (key,) = kept
    kept[key] = rubbish
    async with client_of(emulator, documents=kept) as second:
        assert not (await second.ask_pdf("Q", REPORT)).documents[0].reused
    assert emulator.parsed.total() == 2


# Failures.


async def test_a_failure_after_parsing_teaches_the_retry(
    client: OpenRouter, emulator: Emulator, report: Path
) -> None:
    """All providers failed, but the document is parsed: the retry carries what was learned."""
    metadata = {"file_annotations": [annotation()], "padding": "x" * 200_000}
    emulator.play(http_error(502, "Provider returned error", metadata=metadata))
    answer = await client.ask_pdf(QUESTIONS[0], report)
    assert ANSWERS[0] in answer.text
    assert answer.documents == (REUSED,)
    assert not emulator.parsed


async def test_a_failure_is_remembered_beyond_its_call(
    client: OpenRouter, emulator: Emulator, report: Path
) -> None:
    """The next question does not parse, whether the error had a status or came in a stream."""
    metadata = {"file_annotations": [annotation()]}
    emulator.play(http_error(400, "no", metadata=metadata))
    with pytest.raises(BadRequestError):
        await client.ask_pdf("Q", report)
    await client.ask_pdf("Q", report)
    assert not emulator.parsed


async def test_an_error_inside_a_stream_teaches_too(
    client: OpenRouter, emulator: Emulator, report: Path
) -> None:
    """HTTP said 200, then the error came, with what was parsed, behind some text."""
    metadata = {"file_annotations": [annotation()]}
    error = error_chunk(502, "gone", metadata=metadata)
    emulator.play(chat("Well", "then").error_after(1, error))
    with pytest.raises(StreamAPIError):
        await client.ask_pdf("Q", report)
    assert (await client.ask_pdf("Q", report)).documents == (REUSED,)
    assert not emulator.parsed


async def test_a_stream_that_is_left_has_taught_all_the_same(
    client: OpenRouter, emulator: Emulator, report: Path
) -> None:
    """The annotation had come before the reader went."""
    async for _ in client.stream_pdf("Q", report):
        break
    assert (await client.ask_pdf("Q", report)).documents == (REUSED,)
    assert emulator.parsed.total() == 1


@pytest.mark.parametrize(
    "hostile",
    [
        {"type": "file", "file": {"hash": 7, "name": [], "content": "x"}},
        {"type": "file", "file": None},
        {"type": "file"},
        {
            "type": "file",
            "file": {"hash": "h", "name": "other.pdf", "content": [{"type": "text", "text": "x"}]},
        },
        "nonsense",
        None,
    ],
)
async def test_hostile_annotations_are_not_kept(
    hostile: Any, client: OpenRouter, emulator: Emulator, report: Path
) -> None:
    """Wrong shapes and other documents teach nothing, and the next question is parsed."""
    emulator.play(chat("Fine", annotations=[hostile]))
    assert (await client.ask_pdf("Q", report)).text == "Fine"
    assert not (await client.ask_pdf("Q", report)).documents[0].reused
    assert emulator.parsed.total() == 1


async def test_images_of_any_size_go_back_as_they_came(
    client: OpenRouter, emulator: Emulator, report: Path
) -> None:
    """A picture that is no base64 and ten megabytes of it are sent back unchanged."""
    note = annotation()
    url = {"url": "data:image/png;base64,!!" + "A" * 10_000_000}
    note["file"]["content"].insert(2, {"type": "image_url", "image_url": url})
    emulator.play(chat("Fine", annotations=[note]))
    await client.ask_pdf("Q", report)
    answer = await client.ask_pdf("Q", report)
    assert answer.documents == (REUSED,)
    assert emulator.requests[-1].json["messages"][1]["annotations"] == [note]


async def test_an_answer_that_breaks_keeps_what_was_learned(
    client: OpenRouter, emulator: Emulator, report: Path
) -> None:
    """The partial answer of a stream that broke has the annotation."""
    emulator.play(chat("One", "Two", annotations=[annotation()]).cut_after(3))
    with pytest.raises(StreamError):
        await client.ask_pdf("Q", report)
    assert (await client.ask_pdf("Q", report)).documents == (REUSED,)


# Before anything is sent.


@pytest.mark.parametrize(
    ("prompt", "documents", "complaint"),
    [
        ("", REPORT, "prompt must not be empty"),
        (1, REPORT, "prompt must be a str, got int"),
        ("Q", [], "documents must not be empty"),
        ("Q", [REPORT, 1], r"documents\[1\]: source must be a path"),
        ("Q", b"", r"documents\[0\]: source must hold the bytes"),
        ("Q", "ftp://example.org/a.pdf", r"documents\[0\]: source must be a path, or an http"),
        ("Q", {"type": "text", "text": "x"}, r"documents\[0\].type must be 'file', got 'text'"),
        ("Q", content.image(b"\x89PNG\r\n\x1a\n"), r"documents\[0\] must be a PDF"),
    ],
)
def test_wrong_arguments_are_refused_at_the_call(
    prompt: Any, documents: Any, complaint: str
) -> None:
    """The error names the argument and says what is allowed."""
    client = OpenRouter("k", base_url="http://127.0.0.1:9/api/v1")
    with pytest.raises((TypeError, ValueError), match=complaint):
        _ = client.stream_pdf(prompt, documents)


def test_wrong_options_are_refused_at_the_call() -> None:
    """Engines that contradict, and flags of another type."""
    client = OpenRouter("k", base_url="http://127.0.0.1:9/api/v1")
    plugins = [FileParserPlugin(pdf={"engine": "native"})]
    with pytest.raises(ValueError, match="engine and plugins contradict"):
        _ = client.stream_pdf("Q", REPORT, engine="mistral-ocr", plugins=plugins)
    with pytest.raises(TypeError, match="engine"):
        _ = client.stream_pdf("Q", REPORT, engine=1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="remember_documents"):
        _ = client.stream("Q", remember_documents="yes")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="documents must be a folder"):
        OpenRouter("k", documents=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "text"])
async def test_files_that_are_no_pdf_are_not_sent(
    kind: str, client: OpenRouter, emulator: Emulator, tmp_path: Path
) -> None:
    """A missing file, a directory, an empty file and a text file named .pdf are clear errors."""
    path = tmp_path / "a.pdf"
    match kind:
        case "folder":
            path.mkdir()
        case "empty":
            path.touch()
        case "text":
            path.write_text("Dear reader")
        case _:
            pass
    expected = {
        "missing": (FileNotFoundError, "a.pdf"),
        "folder": (IsADirectoryError, "a.pdf"),
        "empty": (ValueError, "a.pdf is empty"),
        "text": (ValueError, "a.pdf is not a PDF"),
    }
    error, complaint = expected[kind]
    with pytest.raises(error, match=complaint):
        await client.ask_pdf("Q", path)
    assert emulator.accepted == 0


# What is shown, and what travels.


async def test_no_word_of_a_document_is_shown(
    client: OpenRouter, emulator: Emulator, report: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither representations nor logs nor errors hold what is in a document."""
    caplog.set_level(logging.DEBUG)
    stream = client.stream_pdf("Q", report)
    answer = await stream
    metadata = {"file_annotations": [annotation()]}
    emulator.play(http_error(400, "no", metadata=metadata))
    with pytest.raises(BadRequestError) as caught:
        await client.ask_pdf("Q", report)
    shown = [stream, answer.documents, answer.arrival, client._chats.documents, caught.value]
    assert "harvest" not in repr(shown) + str(caught.value) + caplog.text


async def test_a_traceback_with_locals_shows_no_prompt(client: OpenRouter, tmp_path: Path) -> None:
    """Neither the question nor another document of the request is a local variable on the way."""
    other = "data:application/pdf;base64," + base64.b64encode(OTHER).decode()
    with pytest.raises(FileNotFoundError) as caught:
        await client.ask_pdf("What of my salary?", [other, tmp_path / "missing.pdf"])
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    shown = "".join(frames.format()).partition("in collect")[2]
    assert "digest_of" in shown
    assert "salary" not in shown
    assert other[-40:] not in shown


async def test_a_client_with_a_folder_pickles(emulator: Emulator, tmp_path: Path) -> None:
    """The folder travels with a client, its memory does not."""
    async with client_of(emulator, documents=tmp_path) as client:
        copied = pickle.loads(pickle.dumps(client))
        await client.ask_pdf("Q", REPORT)
    assert await copied._chats.documents.recall([path.stem for path in tmp_path.iterdir()])
    await copied.aclose()


def test_large_files_are_hashed_piece_by_piece(tmp_path: Path) -> None:
    """The digest is that of the whole, over many pieces."""
    path = tmp_path / "large.pdf"
    data = b"%PDF-" + bytes(range(256)) * 10_000
    path.write_bytes(data)
    file = content.pdf(path)
    assert not isinstance(file, FilePart)
    assert digest_of(file) == hashlib.sha256(data).hexdigest()


# Citations.


async def test_citations_are_the_web_pages_among_the_annotations(
    client: OpenRouter, emulator: Emulator
) -> None:
    """Streams and answers give them typed, in order, without the files."""
    cited = {"url": "https://example.org", "title": "", "start_index": 0, "end_index": 0}
    notes = [annotation(), {"type": "url_citation", "url_citation": cited}]
    emulator.play(chat("Hi", annotations=notes))
    stream = client.stream("Q")
    assert stream.citations == []
    answer = await stream
    assert [citation.url for citation in answer.citations] == ["https://example.org"]
    assert stream.citations == answer.citations
    assert stream.annotations == answer.annotations
    quiet = client.stream("Q", accumulate=False)
    assert [chunk async for chunk in quiet]
    assert quiet.annotations == []
