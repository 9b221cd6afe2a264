"""The models that the emulator pretends to offer, with prices.

The rule of this file: a table and look-ups in it. The rows have the form of `GET /models`; the
figures are made up to be of the right size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

__all__ = [
    "AUTO_MODEL",
    "Price",
    "is_known",
    "model_rows",
    "price_of",
    "provider_of",
    "resolve",
    "rows_for",
]

AUTO_MODEL: Final = "openrouter/auto"

_DEFAULT: Final = "openai/gpt-4o-mini"
_CREATED: Final = 1735689600
_PROVIDERS: Final = {
    "amazon": "Amazon Bedrock",
    "anthropic": "Anthropic",
    "black-forest-labs": "Black Forest Labs",
    "bytedance-seed": "Seed",
    "cohere": "Cohere",
    "deepseek": "DeepSeek",
    "google": "Google AI Studio",
    "meta-llama": "Together",
    "microsoft": "Azure",
    "minimax": "Minimax",
    "mistralai": "Mistral",
    "moonshotai": "Moonshot AI",
    "nousresearch": "Chutes",
    "nvidia": "Nvidia",
    "openai": "OpenAI",
    "openrouter": "OpenAI",
    "perplexity": "Perplexity",
    "qwen": "Alibaba",
    "test": "Test",
    "x-ai": "xAI",
    "z-ai": "Z.AI",
}


class Price(NamedTuple):
    """USD for one token."""

    prompt: float
    completion: float


class _Model(NamedTuple):
    slug: str
    name: str
    context: int
    prompt: str
    completion: str
    inputs: tuple[str, ...] = ("text",)
    outputs: tuple[str, ...] = ("text",)
    tokenizer: str = "Other"
    reasoning: bool = False


_MODELS: Final = (
    _Model(
        "openai/gpt-4o-mini",
        "OpenAI: GPT-4o-mini",
        128_000,
        "0.00000015",
        "0.0000006",
        ("text", "image", "file"),
        tokenizer="GPT",
    ),
    _Model(
        "anthropic/claude-sonnet-4.5",
        "Anthropic: Claude Sonnet 4.5",
        1_000_000,
        "0.000003",
        "0.000015",
        ("text", "image", "file"),
        tokenizer="Claude",
        reasoning=True,
    ),
    _Model(
        "google/gemini-2.5-flash",
        "Google: Gemini 2.5 Flash",
        1_048_576,
        "0.0000003",
        "0.0000025",
        ("text", "image", "file", "audio", "video"),
        tokenizer="Gemini",
        reasoning=True,
    ),
    _Model(
        "google/gemini-2.5-flash-image",
        "Google: Gemini 2.5 Flash Image",
        32_768,
        "0.0000003",
        "0.00003",
        ("text", "image"),
        ("text", "image"),
        tokenizer="Gemini",
    ),
    _Model(
        "deepseek/deepseek-r1",
        "DeepSeek: R1",
        163_840,
        "0.0000004",
        "0.000002",
        tokenizer="DeepSeek",
        reasoning=True,
    ),
    _Model(
        "meta-llama/llama-3.3-70b-instruct:free",
        "Meta: Llama 3.3 70B Instruct (free)",
        131_072,
        "0",
        "0",
        tokenizer="Llama3",
    ),
    _Model(
        "openai/text-embedding-3-small",
        "OpenAI: Text Embedding 3 Small",
        8_192,
        "0.00000002",
        "0",
        outputs=("embeddings",),
        tokenizer="GPT",
    ),
    _Model(AUTO_MODEL, "Auto Router", 2_000_000, "-1", "-1", ("text", "image"), tokenizer="Router"),
)
_PRICES: Final = {
    model.slug: Price(float(model.prompt), float(model.completion)) for model in _MODELS
}
_USUAL_PRICE: Final = Price(0.0000005, 0.0000015)


def is_known(model: str) -> bool:
    """Give whether a slug names a model: any slug of an author we know does."""
    author, slash, name = model.partition("/")
    return bool(slash and name) and author.lstrip("~") in _PROVIDERS


def resolve(model: str) -> str:
    """Give the model that answers: a router picks one, another slug stands for itself."""
    return _DEFAULT if model.partition(":")[0] == AUTO_MODEL else model


def provider_of(model: str) -> str:
    """Give the display name of the provider that serves a model."""
    return _PROVIDERS[model.partition("/")[0].lstrip("~")]


def price_of(model: str) -> Price:
    """Give the price of a model; variants with `:free` cost nothing."""
    if model.endswith(":free"):
        return Price(0.0, 0.0)
    return _PRICES.get(model.partition(":")[0], _USUAL_PRICE)


def model_rows() -> list[dict[str, Any]]:
    """Give the rows of `GET /models`."""
    return [_row(model) for model in _MODELS]


def rows_for(query: Mapping[str, str]) -> list[dict[str, Any]]:
    """Give the rows that a query of `GET /models` asks for; without a word on it, those for text.

    Of the many filters only those by modality and by parameter are kept.
    """
    outputs = query.get("output_modalities") or "text"
    wanted = {
        "output_modalities": [] if outputs == "all" else outputs.split(","),
        "input_modalities": list(filter(None, query.get("input_modalities", "").split(","))),
    }
    parameters = set(filter(None, query.get("supported_parameters", "").split(",")))
    return [
        row
        for row in model_rows()
        if parameters <= set(row["supported_parameters"])
        and all(set(words) <= set(row["architecture"][name]) for name, words in wanted.items())
    ]


def _row(model: _Model) -> dict[str, Any]:
    parameters = ["max_tokens", "response_format", "seed", "stop", "temperature", "tools", "top_p"]
    row: dict[str, Any] = {
        "id": model.slug,
        "canonical_slug": model.slug,
        "name": model.name,
        "created": _CREATED,
        "description": f"{model.name}, as the emulator pretends it.",
        "hugging_face_id": None,
        "context_length": model.context,
        "architecture": {
            "modality": f"{'+'.join(model.inputs)}->{'+'.join(model.outputs)}",
            "input_modalities": list(model.inputs),
            "output_modalities": list(model.outputs),
            "tokenizer": model.tokenizer,
            "instruct_type": None,
        },
        "pricing": {"prompt": model.prompt, "completion": model.completion, "request": "0"},
        "top_provider": {
            "context_length": model.context,
            "max_completion_tokens": None,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": parameters,
        "supported_voices": None,
        "default_parameters": None,
        "links": {"details": f"/api/v1/models/{model.slug}/endpoints"},
    }
    if model.reasoning:
        parameters += ["include_reasoning", "reasoning"]
        row["reasoning"] = {"mandatory": model.slug == "deepseek/deepseek-r1"}
    return row
