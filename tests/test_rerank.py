"""Ranking by /rerank."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from openrouter_async import Budget, BudgetUnpriceableError, OpenRouter
from openrouter_async.errors import BadRequestError, ProtocolError
from openrouter_async.testing import replay
from openrouter_async.types.rerank import RerankDocument, RerankResponse

if TYPE_CHECKING:
    from pathlib import Path

    from openrouter_async.testing import Emulator

MODEL = "cohere/rerank-v3.5"
TEXTS = ["Paris is a city", "Ruby is a language", "What Ruby is like"]


async def test_documents_come_by_relevance(client: OpenRouter, emulator: Emulator) -> None:
    """The best come first, named by their place in the request, with what they cost."""
    ranking = await client.rerank.create("What is Ruby like", TEXTS, model=MODEL, top_n=2)
    assert [result.index for result in ranking.results] == [2, 1]
    assert ranking.results[0].relevance_score > ranking.results[1].relevance_score
    document = ranking.results[0].document
    assert document is not None
    assert document.text == TEXTS[2]
    assert ranking.cost == 0.002
    assert ranking.generation_id == ranking.id
    assert await client.rerank("What is Ruby like", TEXTS, model=MODEL, top_n=2) == ranking
    body = json.loads(emulator.requests[-1].body)
    assert list(body) == ["model", "query", "documents", "top_n"]


async def test_every_field_goes_out(client: OpenRouter, emulator: Emulator) -> None:
    """Texts, mappings and structs are documents; the keywords stand in the body."""
    await client.rerank(
        "a fox",
        ["a", {"text": "b", "image": "https://example.com/b.png"}, RerankDocument(text="c")],
        model=MODEL,
        provider={"only": ["cohere"]},
        user="u1",
        session_id="s1",
        trace={"trace_id": "t1"},
        extra_body={"newer": 1},
    )
    body = json.loads(emulator.requests[-1].body)
    assert body["documents"] == [
        "a",
        {"text": "b", "image": "https://example.com/b.png"},
        {"text": "c"},
    ]
    given = {"provider": {"only": ["cohere"]}, "user": "u1", "session_id": "s1", "newer": 1}
    assert {name: body[name] for name in given} == given
    assert body["trace"] == {"trace_id": "t1"}


WRONG: list[tuple[Any, Any, dict[str, Any], type[Exception], str]] = [
    (7, ["a"], {}, TypeError, "query must be"),
    ("q", [], {}, ValueError, "documents must not be empty"),
    ("q", "a", {}, TypeError, "documents must be a sequence, got str"),
    ("q", [7], {}, TypeError, r"documents\[0\] must be a mapping"),
    ("q", ["a", {}], {}, ValueError, r"documents\[1\].*text or image must be given"),
    ("q", [{"words": "a"}], {}, TypeError, r"unknown key documents\[0\].words"),
    ("q", ["a"], {"top_n": 0}, ValueError, "top_n must be at least 1, got 0"),
    ("q", ["a"], {"model": None}, ValueError, "model must be given"),
]


@pytest.mark.parametrize(("query", "documents", "given", "kind", "words"), WRONG)
async def test_what_cannot_be_right_is_refused(
    query: Any,
    documents: Any,
    given: dict[str, Any],
    kind: type[Exception],
    words: str,
    client: OpenRouter,
    emulator: Emulator,
) -> None:
    """Wrong arguments raise at the call, by name."""
    wrong: Any = {"model": MODEL} | given
    with pytest.raises(kind, match=words):
        _ = client.rerank(query, documents, **wrong)
    assert emulator.accepted == 0


async def test_errors_are_typed(client: OpenRouter, emulator: Emulator) -> None:
    """A refusal comes as its class, and what is no ranking does not pass for one."""
    with pytest.raises(BadRequestError, match="not a valid model"):
        await client.rerank("q", ["a"], model="nobody/nothing")
    emulator.play(replay(b'{"data": []}', content_type="application/json"))
    with pytest.raises(ProtocolError, match="results"):
        await client.rerank("q", ["a"], model=MODEL)


async def test_a_budget_needs_a_sum_for_each(emulator: Emulator) -> None:
    """Nobody knows beforehand what a ranking costs, so a budget that needs to know refuses it."""
    strict, loose = Budget(1), Budget(1, per_request=0.01)
    async with OpenRouter("sk-test", base_url=emulator.base_url, budget=strict) as client:
        with pytest.raises(BudgetUnpriceableError, match="per_request"):
            await client.rerank("q", ["a"], model=MODEL)
    assert emulator.accepted == 0
    async with OpenRouter("sk-test", base_url=emulator.base_url, budget=loose) as client:
        await client.rerank("q", ["a"], model=MODEL)
    assert (loose.spent, loose.reserved) == (0.002, 0.0)


def test_the_recorded_answer_decodes_and_goes_back(shared: Path) -> None:
    """A recorded body becomes its type and, written again, the same body."""
    folder = shared / "recordings" / "openrouter_json"
    (path,) = (path for path in folder.glob("*rerank*") if not path.stem.endswith(".meta"))
    answer = RerankResponse.from_json(path.read_bytes())
    assert answer.to_dict() == json.loads(path.read_bytes())
    assert [result.index for result in answer.results] == [1, 0]
