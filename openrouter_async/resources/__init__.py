"""Endpoint groups: each builds requests and names the type of the answer.

What may live here: arguments in, bytes out, with every check that can be made before a socket
is opened. No I/O and no retry.
"""

from . import chat

__all__ = ["chat"]
