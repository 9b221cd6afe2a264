"""What was said in a generation, where that is kept, and what one thought of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Required

from msgspec import Meta

from ._forms import Text
from ._request import BodyKeywords, Open
from ._struct import WireStruct


class GenerationOutput(WireStruct):
    """What the model gave."""

    completion: str | None = None
    reasoning: str | None = None


class PreviousError(WireStruct):
    """How a provider failed that was asked before."""

    code: int | None = None
    message: str | None = None
    provider_name: str | None = None
    raw: str | None = None


class GenerationFailure(WireStruct):
    """How the generation failed."""

    message: str | None = None
    status: int | None = None
    provider_name: str | None = None
    raw: str | None = None
    previous_errors: list[PreviousError] | None = None


class GenerationContent(WireStruct):
    """What was asked and answered.

    `input` is ``{"prompt": ...}`` or ``{"messages": [...]}``; of embeddings what was embedded.
    """

    input: Any = None
    output: GenerationOutput | None = None
    error: GenerationFailure | None = None


class FeedbackFields(BodyKeywords, total=False):
    """What is wrong with a generation."""

    generation_id: Required[Text]
    category: Required[
        Open[
            Literal["latency", "incoherence", "incorrect_response", "formatting", "billing"]
            | Literal["api_error", "other"]
        ]
    ]
    comment: Annotated[str, Meta(max_length=1000)]


class FeedbackReceipt(WireStruct):
    """That the feedback has arrived."""

    success: bool = True
