"""Endpoint groups: each builds requests and names the type of the answer.

What may live here: arguments in, bytes out, with every check that can be made before a socket
is opened. No I/O and no retry.

What gives a `Call` is awaited for its answer. What gives a ``Listing`` is looped over with
``async for``, awaited for all rows, or asked for one ``page()``. Wrong arguments raise at the call.
"""

from . import chat
from ._call import Call

__all__ = ["Call", "chat"]
