"""What became of a document that a question was about.

What may live here: values that tell of a document, never what is in it.
"""

from __future__ import annotations

from msgspec import Struct


class SentDocument(Struct, frozen=True, kw_only=True):
    """A document of a request, and whether it had to be parsed.

    Attributes:
        name: The file's name, as the API was told it.
        reused: Whether its earlier parse went along, so that nobody parsed it again.
        pages: Pages of the parse that went along, as its parts of text count them; None where
            none did.
        saved: USD that parsing them again would have cost; None where the price is not known.
    """

    name: str
    reused: bool
    pages: int | None = None
    saved: float | None = None
