"""The pretend ``/embeddings`` and ``/rerank``: what has words in common lies close together.

The rule of this file: the same input gives the same vector, and nothing here does I/O or reads a
clock.
"""

from __future__ import annotations

import base64
import hashlib
import re
import sys
from array import array
from collections.abc import Sequence
from math import sqrt
from random import Random
from typing import Any, Final, cast

import msgspec

from openrouter_async.testing._build import json_reply
from openrouter_async.testing._catalog import is_known, price_of, provider_of
from openrouter_async.testing._model import RefusedError
from openrouter_async.testing._script import Reply
from openrouter_async.testing._store import Call, Router

__all__ = ["add_vectors", "vector_of"]

_DIMENSIONS: Final = 256
_SEARCH_PRICE: Final = 0.002
_WORD: Final = re.compile(r"\w+")


def add_vectors(router: Router) -> None:
    """Add both endpoints."""
    router.on("POST /embeddings", _embed)
    router.on("POST /rerank", _rank)


def _embed(call: Call) -> Reply:
    request = call.body("input", "model")
    model = _model_in(request)
    inputs = _inputs_in(request["input"])
    size = request.get("dimensions") or _DIMENSIONS
    vectors = [vector_of(words, size) for words in inputs]
    is_coded = request.get("encoding_format") == "base64"
    tokens = sum(map(len, inputs))
    cost = round(tokens * price_of(model).prompt, 12)
    return _answered(
        call,
        "emb",
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": vector}
                for index, vector in enumerate(map(_coded, vectors) if is_coded else vectors)
            ],
            "model": model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens, "cost": cost},
            "provider": provider_of(model),
        },
    )


def _rank(call: Call) -> Reply:
    request = call.body("model", "query", "documents")
    model = _model_in(request)
    asked = {word.lower() for word in _WORD.findall(request["query"])}
    documents = [
        {"text": document} if isinstance(document, str) else document
        for document in request["documents"]
    ]
    if not documents:
        raise RefusedError(400, "documents: expected at least one")
    rows: list[dict[str, Any]] = []
    for index, document in enumerate(documents):
        words = {word.lower() for word in _WORD.findall(document.get("text") or "")}
        score = len(asked & words) / sqrt(max(1, len(asked) * len(words)))
        rows.append({"index": index, "relevance_score": round(score, 6), "document": document})
    rows.sort(key=lambda row: -row["relevance_score"])
    usage = {"search_units": 1, "cost": _SEARCH_PRICE}
    provider = provider_of(model)
    answer = {"model": model, "results": rows[: request.get("top_n")], "provider": provider}
    return _answered(call, "rerank", {**answer, "usage": usage})


def _answered(call: Call, kind: str, answer: dict[str, Any]) -> Reply:
    digest = hashlib.sha256(call.request.body).hexdigest()
    id = f"gen-{kind}-1762064096-{digest[:20]}"
    body = msgspec.json.encode({**answer, "id": id})
    return json_reply(body, headers={"X-Generation-Id": id})


def _model_in(request: dict[str, Any]) -> str:
    model = str(request["model"])
    if not is_known(model):
        raise RefusedError(400, f"{model} is not a valid model ID")
    return model


def _inputs_in(given: Any) -> list[list[str]]:
    """Give the words of each input: of a text, of tokens, or of the parts of a mapping."""
    if not given:
        raise RefusedError(400, "input: expected at least one")
    if isinstance(given, str) or isinstance(given[0], int | float):
        return [_words(given)]
    return [_words(item) for item in given]


def _words(value: object) -> list[str]:
    if isinstance(value, str):
        return [word.lower() for word in _WORD.findall(value)]
    if isinstance(value, dict):
        parts: list[dict[str, Any]] = cast("dict[str, Any]", value).get("content") or []
        return [word for part in parts for word in _words(part.get("text") or str(part))]
    return [str(token) for token in cast("list[object]", value)]


def vector_of(words: Sequence[str], size: int) -> list[float]:
    """Give a vector of length one, in numbers that 32 bits hold exactly."""
    total = [0.0] * size
    for word in words or [""]:
        chance = Random(word)
        total = [value + chance.uniform(-1, 1) for value in total]
    length = sqrt(sum(value * value for value in total))
    return array("f", [value / length for value in total]).tolist()


def _coded(vector: Sequence[float]) -> str:
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode()
