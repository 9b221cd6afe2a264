"""``/decisions``, ``/systemone``: questions about whatever is seen, answered in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Required

from msgspec import Meta

from ._forms import Text
from ._request import BodyKeywords, OrAnyMapping, OrMapping
from ._struct import WireStruct
from .options import Trace
from .routing import ProviderRouting


class DecisionBox(WireStruct):
    """A rectangle in a picture."""

    left: float | None = None
    top: float | None = None
    right: float | None = None
    bottom: float | None = None


class Decision(WireStruct):
    """The answer to one question: a `choice`, `score`, `noul` or `box`, as `type` tells.

    A choice is the criterion that fits, a score stands on the scale that `legend` explains; `noul`,
    how true it is, and `confidence` are from 0 to 1, `probabilities` those of all answers.
    """

    type: str | None = None
    choice: str | None = None
    score: float | None = None
    noul: float | None = None
    box: DecisionBox | None = None
    confidence: float | None = None
    probabilities: dict[str, float] | None = None
    legend: dict[str, Any] | None = None


class DecisionUsage(WireStruct):
    """What the decisions cost: tokens, and USD."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None


class Decisions(WireStruct):
    """The answers, by the names of the questions."""

    answers: dict[str, Decision] | None = None
    model: str | None = None
    provider: str | None = None
    id: str | None = None
    usage: DecisionUsage | None = None


class DecisionParams(BodyKeywords, total=False):
    """Keywords of `DecisionCalls.create`.

    Each question is a mapping with a ``type`` (``choice``, ``score``, ``noul`` or ``box``),
    ``instructions``, and the ``criteria`` to decide by, except for a ``box``.
    """

    model: Required[Text]
    state: Required[str | Mapping[str, Any] | list[Any]]
    questions: Required[Annotated[Mapping[str, Mapping[str, Any]], Meta(min_length=1)]]
    provider: OrMapping[ProviderRouting] | None
    user: str
    session_id: Annotated[str, Meta(max_length=256)]
    trace: OrAnyMapping[Trace]
