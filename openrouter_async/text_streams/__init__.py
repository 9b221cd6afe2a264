"""Streams of the text endpoints besides chat, one module a dialect.

The rule of this file: the names that users annotate with. The client's endpoint groups make the
streams; each dialect's module has the table of what its events mean.
"""

from .completions import CompletionStream
from .messages import MessageStream
from .responses import ResponseStream

__all__ = ["CompletionStream", "MessageStream", "ResponseStream"]
