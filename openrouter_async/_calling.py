"""The keywords that say how a chat call is to be made, beside what it says to the API.

The rule of this file: pure. Keywords are typed, checked and parted here; what they bring about is
in `budget` and `_race`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, Final, TypedDict, cast

from .budget import Budget
from .types import ChatParams
from .types.params import RunParams

__all__ = [
    "CallParams",
    "RunCallParams",
    "alternatives",
    "check_usd",
    "checked_hedge",
    "refuse_race",
    "said_to_the_api",
]


class _Calling(TypedDict, total=False):
    budget: Budget | None
    fallback: Sequence[str | Mapping[str, Any]]
    hedge_after: float | None
    remember_documents: bool


class CallParams(ChatParams, _Calling, total=False):
    """Every keyword of a chat call: the fields of `ChatParams`, and how the call is to be made.

    ``budget`` is a `Budget` that the call may not exceed, beside the client's.

    ``fallback`` lists what to ask instead when a model refuses, is too dear for the budget, or
    has not begun to answer within `Timeouts.first_event`: names of models, or mappings of
    keywords that replace the call's (``{"model": ..., "provider": {...}}``). All but the last are
    tried once, in order, and never after a delta that said something. One that stayed silent may
    be charged for all the same.

    ``hedge_after`` is a number of seconds: where nothing was said by then, a second request is
    sent (the next of ``fallback``, else the same once more) and the one that speaks first is the
    answer. The other is closed at once; both may be charged for.

    ``remember_documents`` sends along what the client knows of the PDFs in the user's messages,
    so that they are not parsed, and paid for, again, and remembers what is learned of them. A
    message that holds a known document goes out as three then: the document, the answer that
    had it parsed, and the rest. `OpenRouter.stream_pdf`, `OpenRouter.ask_pdf` and conversations
    do so unless told otherwise. A stream that keeps nothing of its answer teaches nothing.
    """


class RunCallParams(RunParams, _Calling, total=False):
    """Those of `CallParams` that `OpenRouter.run_tools` takes, for each turn."""


_NOT_FOR_THE_API: Final = frozenset(_Calling.__annotations__)


def said_to_the_api(params: CallParams) -> ChatParams:
    """Leave out the keywords that say how the call is to be made."""
    kept = {name: value for name, value in params.items() if name not in _NOT_FOR_THE_API}
    return cast("ChatParams", kept)


def alternatives(model: str | None, params: CallParams) -> list[tuple[str | None, CallParams]]:
    """Give the models to ask, in order, each with its keywords.

    Raises:
        TypeError: ``fallback`` is no sequence of models and mappings.
    """
    given = params.get("fallback", ())
    kind = type(given).__name__
    if isinstance(given, str | Mapping) or not isinstance(cast("object", given), Sequence):
        raise TypeError(f"fallback must be a sequence of models, got {kind}")
    asked = [(model, params)]
    for index, other in enumerate(cast("Sequence[object]", given)):
        if isinstance(other, str):
            asked.append((other, params))
        elif isinstance(other, Mapping):
            keywords = dict(cast("Mapping[str, Any]", other))
            name = keywords.pop("model", model)
            asked.append((name, cast("CallParams", {**params, **keywords})))
        else:
            raise TypeError(
                f"fallback[{index}] must be a str or a mapping, got {type(other).__name__}"
            )
    return asked


def checked_hedge(params: CallParams) -> float | None:
    """Give ``hedge_after``, checked.

    Raises:
        TypeError: It is no number.
        ValueError: It is negative or not finite.
    """
    seconds = cast("object", params.get("hedge_after"))
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"hedge_after must be a number (seconds), got {seconds!r}")
    if not 0 <= seconds < inf:
        raise ValueError(
            f"hedge_after must be a finite number of seconds from 0 on, got {seconds!r}"
        )
    return seconds


def check_usd(name: str, usd: object) -> None:
    """Refuse what is no sum of money.

    Raises:
        TypeError: It is no number.
        ValueError: It is negative, zero or not finite.
    """
    try:
        Budget(cast("Any", usd))
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).replace("usd", name, 1)) from None


def refuse_race(params: CallParams, reason: str) -> None:
    """Refuse the keywords that need a stream.

    Raises:
        ValueError: One of them is given.
    """
    for name in ("fallback", "hedge_after"):
        if params.get(name):
            raise ValueError(f"{name} needs a stream, so it cannot go with {reason}")
