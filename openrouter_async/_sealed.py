"""Text and bytes that are sent, and shown to nobody on the way.

The rule of this file: values that work as what they are wherever they are written to a wire, and
whose repr is redacted: tracebacks with local variables, debuggers and logs of objects show that.
"""

from __future__ import annotations

from typing import Any, Self

__all__ = ["SealedBytes", "SealedFields", "SealedText"]


class SealedText(str):
    """A header's value or an address that may hold a key or a password."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class SealedBytes(bytes):
    """A request's body, and so the prompt."""

    def __new__(cls, data: bytes) -> Self:
        """Seal bytes; what is sealed already stays what it is."""
        return data if isinstance(data, cls) else super().__new__(cls, data)

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


class SealedFields(dict[str, Any]):
    """A request's fields before they are a body, and so the prompt."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} fields>"
