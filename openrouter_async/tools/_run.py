"""`ToolRun`: a turn of the model, its calls, the next turn, until there is nothing more to do.

The rule of this file: one state at a time, and `_advance` is the only way from one to the next.
Nothing is held open between two steps but the stream of a turn, so leaving a run is leaving a
stream. The states:

    CALLS    calls of the last turn have no answer yet: check, ask for approval
    READY    some of them can run
    ASK      every call has its answer: the next turn can be asked for
    STREAM   a turn's chunks come
    REST     nothing to do: finished, stopped, or waiting for the user's word
    OVER     left, or failed
"""

# Cursors are a part of the run that hands them out.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from ..errors import BudgetExceededError
from ..resources._messages import checked_messages
from ..types import ChatChunk, ChatCompletion, MessageParam, Usage
from ._calls import (
    Round,
    RunCall,
    call_from,
    content_of,
    deny,
    needs_approval,
    repetition_of,
)
from ._cursors import ChunkCursor, EventCursor
from ._events import (
    Progress,
    RunEvent,
    ToolFinished,
    ToolStarted,
    TurnFinished,
    TurnStarted,
)
from ._rules import (
    Rules,
    StopReason,
    is_blank,
    is_bound,
    next_message,
    next_params,
    unanswered,
)
from ._tool import Tool, ToolLike, offered

if TYPE_CHECKING:
    from .._config import Secret, Timeouts
    from ..client import OpenRouter
    from ..stream import ChatStream

__all__ = ["ToolRun"]


class _State(Enum):
    CALLS = "looking at calls"
    READY = "about to run calls"
    ASK = "about to ask"
    STREAM = "streaming a turn"
    REST = "at rest"
    OVER = "over"


class ToolRun:
    """A conversation of the model with its tools; made by `OpenRouter.run_tools`, never by hand.

    ``async for chunk in run`` gives the chunks of every turn, `events` tells of the calls as
    well, and ``completion = await run`` gives the last answer. Leaving a loop early, by whatever
    way, closes the connection at once; so does leaving ``async with run``. Tools run between two
    chunks, inside one await: cancelling it cancels them and waits for their end.

    Where a run stops for approval (`stopped_because` is ``"needs_approval"``), `approve` or
    `deny` what is `pending` and loop or await once more. Another process can go on as well:
    ``client.run_tools(messages, ...)`` with this run's `messages` starts with the calls that have
    no answer yet. One that was interrupted has none, so it is run again.

    Attributes:
        completion: The last whole answer; an empty one before the first.
        calls: Every call so far, in order.
        turns: How often the model was asked.
        usage: Tokens and cost of all turns together.
        stream: The stream of the turn that is under way, or of the last one.
        stopped_because: Why nothing more comes; None while something may.
    """

    def __init__(
        self,
        client: OpenRouter,
        messages: str | Sequence[MessageParam],
        *,
        tools: Sequence[ToolLike],
        model: str | None,
        timeouts: Timeouts | None,
        params: Mapping[str, Any],
        rules: Rules,
        secret: Secret | None = None,
    ) -> None:
        self._client = client
        self._tools, wire = offered(tools)
        self._model = model
        self._timeouts = timeouts
        self._params: dict[str, Any] = {**params, "tools": wire} if wire else dict(params)
        self._rules = rules
        self._secret = secret
        self._history = checked_messages(messages)
        self._provider: str | None = None  # who has to answer, once that matters
        self._repetition: frozenset[tuple[str, str]] = frozenset()
        self._repeats = 0
        self._round: Round | None = None
        self._due: list[RunCall] = []  # the calls of the last turn, until each has its answer
        self._ready: list[RunCall] = []  # those of them that can run
        self._has_word = False  # whether the user has said something about a call
        self._is_looped = False
        self._is_busy = False
        self._news: deque[RunEvent] | None = None
        self._progress = Progress()
        self.completion = ChatCompletion()
        self.calls: list[RunCall] = []
        self.turns = 0
        self.usage = Usage()
        self.stopped_because: StopReason | None = None
        # Asking checks every argument and sends nothing yet.
        self.stream = self._ask()
        self._due = self._calls_of(unanswered(self._history))
        self._state = _State.CALLS if self._due else _State.ASK

    # What is known of the run.

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The whole history in its wire form, for going on; a new list at each look."""
        return [*self._history, *(call.to_message() for call in self._due if call.is_answered)]

    @property
    def pending(self) -> list[RunCall]:
        """The calls that have no answer yet."""
        return [call for call in self._due if not call.is_answered]

    @property
    def cost(self) -> float | None:
        """USD charged for all turns; None where the server named no price."""
        return self.usage.cost

    def __repr__(self) -> str:
        reason = self.stopped_because or self._state.value
        return f"<ToolRun: {reason}, {self.turns} turns, {len(self.calls)} calls>"

    # The user's word on calls.

    def approve(self, call_id: str) -> None:
        """Allow a pending call; the next loop or await runs it.

        Args:
            call_id: The ``id`` of one of `pending`.

        Raises:
            KeyError: No such call is pending.
        """
        self._pending(call_id)._approved = True
        self._has_word = True

    def deny(self, call_id: str, reason: str = "") -> None:
        """Refuse a pending call; the model is told, with the reason.

        Args:
            call_id: The ``id`` of one of `pending`.
            reason: Why, in words for the model.

        Raises:
            KeyError: No such call is pending.
        """
        deny(self._pending(call_id), reason)
        self._has_word = True

    def answer(self, call_id: str, result: object) -> None:
        """Give the result of a pending call oneself, such as one that was handed over.

        Args:
            call_id: The ``id`` of one of `pending`.
            result: Text and parts of a message as they are, anything else as JSON.

        Raises:
            KeyError: No such call is pending.
            TypeError: There is no JSON for the result.
        """
        call = self._pending(call_id)
        call.content = content_of(result)
        call.result, call.state = result, "done"
        self._has_word = True

    # The spellings.

    def __aiter__(self) -> ChunkCursor:
        self._begin_loop()
        self._news = None
        return ChunkCursor(self)

    async def __anext__(self) -> ChatChunk:
        self._wake()
        return await self._chunk()

    def events(self) -> EventCursor:
        """Iterate everything that happens: chunks, and in their places the events of tools.

        What the calls of a turn did is told when all of them have ended. The argument text of a
        call is told as it comes, with what can be read of it so far.

        >>> async def example(client: OpenRouter) -> None:
        ...     run = client.run_tools("What is the weather in Oslo?", tools=[weather])
        ...     async for event in run.events():
        ...         match event:
        ...             case ToolCallProgress(name=name, partial=partial):
        ...                 print(name, partial)
        ...             case ToolFinished(call=call):
        ...                 print(call.name, call.state, call.seconds)
        ...             case ChatChunk():
        ...                 print(event.text, end="")
        """
        self._begin_loop()
        self._news = deque()
        return EventCursor(self)

    def __await__(self) -> Generator[Any, Any, ChatCompletion]:
        return self._collect().__await__()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the run: the connection closes at once and running tools are cancelled.

        A run that is at rest stays as it is.
        """
        if self._state not in (_State.REST, _State.OVER):
            self._end_as("closed")

    async def aclose(self) -> None:
        """Leave the run; the same as `close`, for ``contextlib.aclosing`` and its like."""
        self.close()

    # Stepping.

    async def _collect(self) -> ChatCompletion:
        self._refuse_if_over()
        self._wake()
        try:
            while True:
                await self._chunk()
        except StopAsyncIteration:
            self._refuse_if_over()
        return self.completion

    async def _chunk(self) -> ChatChunk:
        while True:
            if self._state is not _State.STREAM:
                await self._advance()
                continue
            chunk = await self._read()
            if chunk is not None:
                return chunk

    async def _event(self) -> RunEvent:
        news = cast("deque[RunEvent]", self._news)
        while not news:
            if self._state is not _State.STREAM:
                await self._advance()
                continue
            chunk = await self._read()
            if chunk is not None:
                news.append(chunk)
                news.extend(self._progress.of(chunk))
        return news.popleft()

    async def _read(self) -> ChatChunk | None:
        """Give the next chunk of this turn; None at its end."""
        stream = self.stream
        try:
            return await anext(stream)
        except StopAsyncIteration:
            if stream.ending == "left":
                self.close()
            if self._state is _State.STREAM:
                self._end_turn(stream)
            return None
        except BaseException as error:
            if stream.ending is not None:  # else it was misuse, which harms nobody else
                self._fail(error)
            raise

    async def _advance(self) -> None:
        """Do the next thing that is not reading.

        Raises:
            StopAsyncIteration: There is nothing to do.
        """
        if self._is_busy:
            raise RuntimeError("another task is already stepping through this run")
        self._is_busy = True
        try:
            match self._state:
                case _State.CALLS:
                    await self._look_at_calls()
                case _State.READY:
                    await self._run_calls()
                case _State.ASK:
                    self._begin_turn()
                case _:
                    raise StopAsyncIteration
        except StopAsyncIteration:
            raise
        except BaseException as error:
            self._fail(error)
            raise
        finally:
            self._is_busy = False

    # A turn.

    def _ask(self) -> ChatStream:
        params = next_params(self._params, self._provider) if self.turns else self._params
        # The keywords are those that `run_tools` was given, so its annotation holds for them.
        return self._client.stream(
            cast("Any", self.messages), model=self._model, timeouts=self._timeouts, **params
        )

    def _begin_turn(self) -> None:
        if self.turns or self.calls:
            self.stream = self._ask()
        self.turns += 1
        self._progress = Progress()
        self._state = _State.STREAM
        self._tell(TurnStarted(self.turns))

    def _end_turn(self, stream: ChatStream) -> None:
        completion = self.completion = cast("ChatCompletion", stream.partial)
        self._count(stream)
        message = completion.message
        if not is_blank(message):
            self._history.append(next_message(message))
        if self._rules.pin_provider and is_bound(message):
            self._provider = completion.provider
        self._due = self._calls_of([call.to_dict() for call in completion.tool_calls])
        self._tell(TurnFinished(self.turns, completion))
        self._decide(is_cut=bool(message.open_tool_calls))

    def _decide(self, *, is_cut: bool) -> None:
        """Decide whether the calls of the turn that has ended are to be answered."""
        repetition = repetition_of(self._due)
        self._repeats = self._repeats + 1 if repetition == self._repetition else 1
        self._repetition = repetition
        if is_cut:
            self._rest("cut_off")
        elif not self._due:
            self._rest("finished")
        elif self.turns >= self._rules.max_turns:
            self._rest("max_turns")
        elif self._rules.max_repeats is not None and self._repeats >= self._rules.max_repeats:
            self._rest("repeated_call")
        else:
            self._state = _State.CALLS

    # Its calls.

    def _calls_of(self, wire: Sequence[Mapping[str, Any]]) -> list[RunCall]:
        calls: dict[tuple[str, str, str], RunCall] = {}
        for one in wire:
            call = call_from(one, self._tools, self.turns)
            calls.setdefault((call.id, call.name, call.text), call)  # a repetition is no call
        self.calls.extend(calls.values())
        return list(calls.values())

    async def _look_at_calls(self) -> None:
        """Sort the calls: those that have failed already, those to run, those that wait."""
        for call in self._due:
            if call.error is not None and self._rules.on_error == "raise":
                raise call.error
        self._ready = [call for call in self.pending if await self._can_run(call)]
        if self._state is not _State.CALLS:
            return  # left by the function that was asked for approval
        for call in self._due:
            if call.is_answered:
                self._tell_finished(call)
        for call in self._ready:
            self._tell(ToolStarted(call))
        if self._ready:
            self._state = _State.READY
        else:
            await self._after_calls()

    async def _can_run(self, call: RunCall) -> bool:
        tool = self._tools[call.name]
        needed = tool is not None and needs_approval(tool, call)
        if needed and not call._approved and self._rules.on_approval is not None:
            verdict = self._rules.on_approval(call)
            if inspect.isawaitable(verdict):
                verdict = await verdict
            if not isinstance(cast("object", verdict), bool | str):
                raise TypeError(
                    f"on_approval must give True, False or a reason, got {type(verdict).__name__}"
                )
            call._approved = verdict is True
            if verdict is not True:
                deny(call, verdict or "")
                return False
        if needed and not call._approved:
            call.state = "needs_approval"
            return False
        if tool is None or tool.hands_over:
            call.state = "handed_over"
            return False
        return True

    async def _run_calls(self) -> None:
        running, self._ready = self._ready, []
        jobs = [(cast("Tool[..., Any]", self._tools[call.name]), call) for call in running]
        secret = self._secret.reveal() if self._secret is not None else None
        self._round = Round(raises=self._rules.on_error == "raise", secret=secret)
        try:
            await self._round.run(jobs, self._rules.max_parallel)
        finally:
            self._round = None
        for call in running:
            self._tell_finished(call)
        if self._state is _State.READY:
            await self._after_calls()

    async def _after_calls(self) -> None:
        waiting = self.pending
        if waiting:
            asks = any(call.state == "needs_approval" for call in waiting)
            self._rest("needs_approval" if asks else "handed_over")
            return
        self._history, self._due = self.messages, []
        self._state = _State.ASK
        if self._rules.stop_when is not None:
            stops = self._rules.stop_when(self)
            if inspect.isawaitable(stops):
                stops = await stops
            if stops and self._state is _State.ASK:
                self._rest("stop_when")

    # Between the states.

    def _tell(self, event: RunEvent) -> None:
        if self._news is not None:
            self._news.append(event)

    def _tell_finished(self, call: RunCall) -> None:
        if not call._is_told:
            call._is_told = True
            self._tell(ToolFinished(call))

    def _count(self, stream: ChatStream) -> None:
        if stream.usage is not None:
            self.usage += stream.usage

    def _wake(self) -> None:
        """Go on behind a rest, where the user has said something about a call since."""
        if self._state is _State.REST and self._has_word:
            self._has_word = False
            self._state = _State.CALLS
            self.stopped_because = None

    def _rest(self, reason: StopReason) -> None:
        self._state = _State.REST
        self.stopped_because = reason

    def _fail(self, error: BaseException) -> None:
        if self._state is _State.OVER:
            return
        if not isinstance(error, Exception):
            self._end_as("closed")
        elif isinstance(error, BudgetExceededError):
            self._end_as("budget")
        else:
            self._end_as("error")

    def _end_as(self, reason: StopReason) -> None:
        if self._state is _State.STREAM:
            self.stream.close()
            self._count(self.stream)
        self._state = _State.OVER
        self.stopped_because = reason
        if self._round is not None:
            self._round.close()

    def _pending(self, call_id: str) -> RunCall:
        for call in self.pending:
            if call.id == call_id:
                return call
        raise KeyError(f"no call {call_id!r} is pending")

    def _begin_loop(self) -> None:
        if self._is_looped:
            raise RuntimeError("a run can be looped over once at a time")
        self._refuse_if_over()
        self._wake()
        self._is_looped = True

    def _refuse_if_over(self) -> None:
        if self._state is _State.OVER:
            raise RuntimeError(f"this run has nothing more to give: {self.stopped_because}")
