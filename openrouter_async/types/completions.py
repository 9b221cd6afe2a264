"""``POST /completions``: text that goes on, as it was before chats.

A chunk of a stream has the form of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, field

from ._arrived import Arrived
from ._request import CallKeywords, Id, OrAnyMapping, OrMapping, Penalty, PositiveShare, Temperature
from ._struct import WireStruct
from .chat import ErrorBody
from .options import Reasoning, ResponseFormat, Trace
from .plugins import Plugin
from .routing import ProviderRouting
from .usage import Usage

CompletionFinishReason: TypeAlias = Literal["stop", "length", "content_filter"]
"""Why a text ended, as the API documents it; any other `str` may come."""


class CompletionParams(CallKeywords, total=False):
    """Every documented field of a ``/completions`` request besides ``prompt`` and ``model``.

    What is not given is not sent. ``best_of`` texts are made and paid for, ``n`` are given;
    ``echo`` repeats the prompt; ``suffix`` is what the text has to lead to. A newer field goes
    into ``extra_body``.
    """

    models: Sequence[str]
    max_tokens: int | None
    temperature: Temperature | None
    top_p: PositiveShare | None
    top_k: Annotated[int, Meta(ge=0)] | None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None
    top_a: Annotated[float, Meta(ge=0, le=1)] | None
    frequency_penalty: Penalty | None
    presence_penalty: Penalty | None
    repetition_penalty: Annotated[float, Meta(gt=0, le=2)] | None
    seed: int | None
    stop: str | Annotated[Sequence[str], Meta(max_length=4)] | None
    n: Annotated[int, Meta(ge=1, le=128)] | None
    best_of: Annotated[int, Meta(ge=1, le=20)] | None
    echo: bool | None
    suffix: str | None
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None
    logit_bias: Mapping[str, Annotated[float, Meta(ge=-100, le=100)]] | None
    response_format: OrAnyMapping[ResponseFormat]
    reasoning: OrMapping[Reasoning]
    include_reasoning: bool
    plugins: Sequence[OrAnyMapping[Plugin]]
    provider: OrMapping[ProviderRouting] | None
    user: str
    session_id: Id
    metadata: Mapping[str, str] | None
    trace: OrAnyMapping[Trace]
    stream_options: Mapping[str, Any] | None


class CompletionLogprobs(WireStruct):
    """Logarithmic probabilities of the tokens, in lists of the same length.

    `top_logprobs` has the likeliest in place of each, `text_offset` where it begins, in characters.
    """

    tokens: list[str] = field(default_factory=list[str])
    token_logprobs: list[float | None] = field(default_factory=list[float | None])
    top_logprobs: list[dict[str, float] | None] | None = None
    text_offset: list[int] = field(default_factory=list[int])


class CompletionUsage(Usage):
    """Tokens and money of one answer."""


class CompletionChoice(WireStruct):
    """One text, or the new piece of it; `finish_reason` is None while it goes on."""

    text: str = ""
    index: int = 0
    logprobs: CompletionLogprobs | None = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    reasoning: str | None = None
    error: ErrorBody | None = None


class CompletionResponse(Arrived):
    """A whole answer of ``/completions``, or one chunk of a stream.

    The choices of several prompts follow each other. The `raw` JSON of a chunk is exactly as it
    came, with whatever no field names.
    """

    id: str | None = None
    object: str | None = None
    created: int | None = None
    model: str | None = None
    provider: str | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    choices: list[CompletionChoice] = field(default_factory=list[CompletionChoice])
    usage: CompletionUsage | None = None
    error: ErrorBody | None = None
    openrouter_metadata: dict[str, Any] | None = None
    raw: bytes = field(default=b"", name="(raw)")

    @property
    def text(self) -> str:
        """The first text, or the new piece of it; empty where there is none."""
        return next((choice.text for choice in self.choices if choice.index == 0), "")

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """Why each text ended, in order, of those that have."""
        reasons = (choice.finish_reason for choice in self.choices)
        return tuple(reason for reason in reasons if reason is not None)

    @property
    def reasoning(self) -> str:
        """What was thought for the first text; empty where it is not shown."""
        return next((one.reasoning or "" for one in self.choices if one.index == 0), "")

    @property
    def finish_reason(self) -> str | None:
        """Why the first text ended; None where this does not say."""
        return next((choice.finish_reason for choice in self.choices if choice.index == 0), None)
