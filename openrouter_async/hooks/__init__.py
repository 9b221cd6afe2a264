"""What a client tells of its requests while they run: `OpenRouter(hooks=[...])`.

A hook is anything that can be called with one event. Events are frozen structs; those of one
request have the same `call`, begin with a `RequestStarted` and end with exactly one
`RequestEnded`, however the request ends: well, with an error, by being cancelled, or because
nobody holds its stream any more.

>>> async def example() -> None:
...     async with OpenRouter(hooks=[print]) as client:
...         await client.complete("Say hello")

A hook is called where things happen, so it shall be quick and must not wait. One that raises
breaks nothing: the first time it does is logged, and the request goes on. The end of a stream that
was dropped may be told in whichever thread the garbage collector runs.

Events hold ids, numbers and names; no key, no header and nothing of a prompt or an answer. A hook
asks for more by an attribute `wants`, a set of

- ``"content"``: `RequestStarted.body` and `RequestEnded.completion` are filled in, and errors keep
  what had arrived;
- ``"arrivals"``: a `DataArrived` each time that a stream's socket brings something. That costs time
  while a stream is read, which the other events do not.

The rule of this file: the names that users import, and nothing else.
"""

from ._events import (
    AnswerStarted,
    DataArrived,
    Event,
    FirstDelta,
    Hook,
    RequestEnded,
    RequestHeld,
    RequestRetried,
    RequestStarted,
    Want,
)

__all__ = [
    "AnswerStarted",
    "DataArrived",
    "Event",
    "FirstDelta",
    "Hook",
    "RequestEnded",
    "RequestHeld",
    "RequestRetried",
    "RequestStarted",
    "Want",
]
