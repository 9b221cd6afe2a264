"""The body of a request becomes sealed bytes, or the field that cannot is named.

The rule of this file: pure, and no value is ever shown, as it may be a prompt.
"""

from __future__ import annotations

from typing import Any

from .._sealed import SealedBytes
from .._upload import encode_with_files

__all__ = ["encode_body"]


def encode_body(body: dict[str, Any]) -> SealedBytes:
    """Encode a body as JSON; a `BodyWithFiles` where files are in it."""
    try:
        return SealedBytes(encode_with_files(body))
    except (TypeError, ValueError, RecursionError):
        # Which field was it? The value itself is not shown: it is the user's prompt.
        for name, value in body.items():
            try:
                encode_with_files({name: value})
            except UnicodeEncodeError:
                raise ValueError(f"{name} holds a lone surrogate, which is no text") from None
            except (TypeError, ValueError, RecursionError) as error:
                raise TypeError(f"{name} cannot be sent as JSON: {error}") from None
        raise
