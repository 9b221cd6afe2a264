"""Vectors from /embeddings: every input, both encodings, and what is refused."""

from __future__ import annotations

import base64
import json
import struct
from array import array
from typing import TYPE_CHECKING, Any

import pytest

from openrouter_async import OpenRouter, RetryPolicy
from openrouter_async.errors import NotFoundError, ProtocolError, RateLimitError, StreamAPIError
from openrouter_async.testing import http_error, replay
from openrouter_async.types import Trace
from openrouter_async.types.embeddings import Embedding, EmbeddingsResponse
from tests.conftest import shared_folder
from tests.independent_reading import without_nulls

if TYPE_CHECKING:
    from pathlib import Path

    from openrouter_async.testing import Emulator

MODEL = "openai/text-embedding-3-small"
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
INPUTS: list[Any] = [
    "a fox",
    ["a fox", "a hare"],
    [1, 2, 3],
    [[1, 2], [3]],
    [{"content": [{"type": "text", "text": "a fox"}, IMAGE]}],
]


@pytest.mark.parametrize("asked", INPUTS, ids=str)
async def test_every_kind_of_input(asked: Any, client: OpenRouter, emulator: Emulator) -> None:
    """Each kind goes out as it is, and a vector comes for each input."""
    answer = await client.embeddings.create(asked, model=MODEL)
    assert json.loads(emulator.requests[-1].body) == {"model": MODEL, "input": asked}
    count = 1 if isinstance(asked, str) or isinstance(asked[0], int) else len(asked)
    assert len(answer.vectors) == len(answer.data) == count
    assert all(len(vector) == 256 for vector in answer.vectors)
    assert answer.generation_id == answer.id
    assert answer.ending == "complete"
    assert answer.timing.end is not None
    assert answer.usage is not None
    assert answer.cost == answer.usage.cost


async def test_both_encodings_give_the_same_vector(client: OpenRouter) -> None:
    """Numbers and base64 become the same array of 32-bit floats."""
    asked = ["a fox", "a hare"]
    numbers = await client.embeddings.create(asked, model=MODEL)
    coded = await client.embeddings.create(asked, model=MODEL, encoding_format="base64")
    assert isinstance(numbers.data[0].embedding, list)
    assert isinstance(coded.data[0].embedding, str)
    assert numbers.vectors == coded.vectors
    view = memoryview(coded.vectors[0])
    assert (view.format, view.itemsize, len(view)) == ("f", 4, 256)


def test_base64_is_read_without_numbers_in_between() -> None:
    """Each value, the oddest ones too, has the bits that were sent, low byte first."""
    bits = [0x00000000, 0x80000000, 0x00000001, 0x7F7FFFFF, 0xFF800000, 0x7FC00001, 0x3F9D70A4]
    wire = struct.pack(f"<{len(bits)}I", *bits)
    vector = Embedding(embedding=base64.b64encode(wire).decode()).vector
    assert isinstance(vector, array)
    assert vector.typecode == "f"
    assert struct.unpack(f"={len(bits)}I", vector.tobytes()) == tuple(bits)


@pytest.mark.parametrize("coded", ["AAA", "AAAA", "!"])
def test_what_is_no_vector_raises(coded: str) -> None:
    """Base64 that is cut, or that holds no whole floats, raises instead of giving less."""
    with pytest.raises(ValueError):  # noqa: PT011  (Python's own words)
        _ = Embedding(embedding=coded).vector


async def test_every_field_goes_out(client: OpenRouter, emulator: Emulator) -> None:
    """The keywords stand in the body in their order, and those of headers in headers."""
    await client.embeddings.create(
        "a fox",
        model=MODEL,
        session_id="s1",
        trace=Trace(trace_id="t1"),
        encoding_format="float",
        dimensions=8,
        input_type="search_query",
        provider={"only": ["openai"]},
        user="u1",
        extra_body={"newer": 1},
        session_header="s2",
        response_cache=True,
    )
    request = emulator.requests[-1]
    body = json.loads(request.body)
    assert list(body) == [
        *("model", "input", "encoding_format", "dimensions", "input_type", "provider", "user"),
        *("session_id", "trace", "newer"),
    ]
    assert (body["dimensions"], body["provider"]) == (8, {"only": ["openai"]})
    assert request.headers["x-session-id"] == "s2"
    assert request.headers["X-OpenRouter-Cache"] == "true"


@pytest.mark.parametrize(
    ("asked", "given", "kind", "words"),
    [
        ("", {}, ValueError, "input must not be empty"),
        ([], {}, ValueError, "input must not be empty"),
        (7, {}, TypeError, "input must be a sequence, got int"),
        ("a", {"dimensions": 0}, ValueError, "dimensions must be at least 1, got 0"),
        ("a", {"dimension": 8}, TypeError, "did you mean 'dimensions'"),
        ("a", {"model": None}, ValueError, "model must be given"),
    ],
)
async def test_what_cannot_be_right_is_refused(
    asked: Any,
    given: dict[str, Any],
    kind: type[Exception],
    words: str,
    client: OpenRouter,
    emulator: Emulator,
) -> None:
    """Wrong arguments raise at the call, by name."""
    wrong: Any = {"model": MODEL} | given
    with pytest.raises(kind, match=words):
        _ = client.embeddings.create(asked, **wrong)
    assert emulator.accepted == 0


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'"not used"', "application/json"),
        (b"data: not used\n\n", "text/event-stream"),
        (b'data: "not used"\n\n', "text/event-stream"),
    ],
)
async def test_an_answer_that_is_a_plain_string(
    body: bytes, content_type: str, client: OpenRouter, emulator: Emulator
) -> None:
    """The description allows a string in place of vectors: it is kept, and there are none."""
    emulator.play(replay(body, content_type=content_type))
    answer = await client.embeddings.create("a fox", model=MODEL)
    assert (answer.text, answer.vectors, answer.cost) == ("not used", [], None)


async def test_what_is_no_answer_raises(emulator: Emulator) -> None:
    """A page, another dialect and an error called a success do not pass for vectors."""
    once = RetryPolicy(max_attempts=1)
    emulator.play(
        replay(b"<html>Sign in</html>", content_type="text/html"),
        replay(b'{"detail": "nothing"}', content_type="application/json"),
        replay(b'{"error": {"message": "No", "code": 429}}', content_type="application/json"),
        http_error(404, "No model"),
    )
    async with OpenRouter("sk-test", base_url=emulator.base_url, retry=once) as client:
        for kind in (ProtocolError, ProtocolError, RateLimitError, NotFoundError):
            with pytest.raises(kind) as caught:
                await client.embeddings.create("a fox", model=MODEL)
            assert isinstance(caught.value, StreamAPIError) is (kind is RateLimitError)


async def test_a_vector_of_odd_numbers_comes_through(
    client: OpenRouter, emulator: Emulator
) -> None:
    """Whole numbers, numbers in strings and an index that is missing do no harm."""
    body = {"data": [{"embedding": [1, 0, -2]}, {"embedding": ["0.5", 1], "index": "1"}]}
    emulator.play(replay(json.dumps(body).encode(), content_type="application/json"))
    answer = await client.embeddings.create(["a", "b"], model=MODEL)
    assert [list(vector) for vector in answer.vectors] == [[1.0, 0.0, -2.0], [0.5, 1.0]]
    assert [row.index for row in answer.data] == [None, 1]


def recordings() -> list[Any]:
    """The recorded answers, or one that is skipped and says why."""
    shared = shared_folder()
    if shared is None:
        reason = "recorded traffic is not part of the project: set OPENROUTER_ASYNC_SHARED"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason), id="none")]
    found = sorted((shared / "recordings" / "openrouter_json").glob("*embeddings*[0-9].json"))
    assert found
    return [pytest.param(path, id=path.stem) for path in found]


@pytest.mark.parametrize("path", recordings())
def test_recorded_answers_decode_and_go_back(path: Path) -> None:
    """A recorded body becomes its type and, written again, the same body."""
    body = json.loads(path.read_bytes())
    answer = EmbeddingsResponse.from_json(path.read_bytes())
    assert answer.to_dict() == without_nulls(body)
    assert answer.cost is not None
    wire = body["data"][0]["embedding"]
    assert list(answer.vectors[0]) == pytest.approx(wire, rel=1e-6)
