"""What is said of an error, and the exit codes.

The rule of this file: pure. The first line is the API's own sentence, the second what to do next.
"""

from __future__ import annotations

from typing import Final

from openrouter_async import errors
from openrouter_async.cli._words import printable

__all__ = [
    "FAILED",
    "INTERRUPTED",
    "NOT_ALL",
    "NO_KEY",
    "UNPAID",
    "UNREAD",
    "as_fields",
    "describe",
]

FAILED: Final = 1
NO_KEY: Final = 3
NOT_ALL: Final = 4
UNPAID: Final = 5
INTERRUPTED: Final = 130
UNREAD: Final = 141

_FIND_MODEL: Final = "Find a model's name with: openrouter-async models SEARCH"
_NEXT: Final[tuple[tuple[type[errors.OpenRouterError], str], ...]] = (
    (errors.AuthenticationError, "Check the key with: openrouter-async doctor"),
    (
        errors.PaymentRequiredError,
        "Add credit at https://openrouter.ai/settings/credits, or see models --free.",
    ),
    (errors.ModerationError, "Say it in other words, or ask another model with --model."),
    (errors.NotFoundError, _FIND_MODEL),
    (errors.PayloadTooLargeError, "Attach less, or smaller files."),
    (errors.RateLimitError, "Wait a little, or ask another model with --model."),
    (errors.ServerError, "Try again, or ask another model with --model."),
    (errors.StreamError, "What had come is shown above. Try again."),
    (errors.APIConnectionError, "Find out why with: openrouter-async doctor"),
    (errors.ProtocolError, "Is OPENROUTER_BASE_URL right? Find out with: openrouter-async doctor"),
    (errors.LengthError, "Allow a longer answer with --max-tokens."),
    (errors.OutputError, "Say it in other words, or ask another model with --model."),
)


def describe(error: errors.OpenRouterError) -> str:
    """Give an error as one or two lines without control characters."""
    said = printable(str(error)) or type(error).__name__
    wait = error.retry_after if isinstance(error, errors.APIStatusError) else None
    if wait is not None:
        further = f"Wait {wait:.0f} s, or ask another model with --model."
    elif isinstance(error, errors.NotFoundError) and said.startswith("Generation "):
        further = "A record comes some moments after the answer; --wait waits longer."
    elif isinstance(error, errors.TotalTimeout) and said.startswith("nobody signed in"):
        further = "Begin again; --timeout waits longer, --no-browser takes another machine."
    elif isinstance(error, errors.BadRequestError):
        further = _FIND_MODEL if "model" in said else ""
    else:
        further = next((text for kind, text in _NEXT if isinstance(error, kind)), "")
    return f"Error: {said}\n{further}".rstrip()


def as_fields(error: BaseException) -> dict[str, str]:
    """Give an error as programs are told of it."""
    return {"type": type(error).__name__, "message": str(error)}
