"""`Conversation`: a chat of many turns that keeps what the next turn needs.

The rule of this file: the history is extended when an answer has ended well, and by nothing
else that happens to a stream. Which reasoning may be sent again is decided where requests are
built.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any, Final, Self, Unpack, cast

import msgspec

from openrouter_async._upload import embedded
from openrouter_async.resources._messages import checked_messages
from openrouter_async.types import Message, Usage

if TYPE_CHECKING:
    from openrouter_async import CallParams, ChatCompletion, ChatStream, OpenRouter, Timeouts
    from openrouter_async.types import MessageParam
    from openrouter_async.types.attachment import Attachment

__all__ = ["Conversation"]

_VERSION: Final = 1
_CHARACTERS_PER_TOKEN: Final = 4
_TOKENS_PER_FILE: Final = 1_000
_WELL: Final = frozenset({"complete", "complete_no_sentinel", "complete_no_reason"})


class Conversation:
    """A chat of many turns; made by `OpenRouter.conversation`.

    A turn adds what the user said and what the model answered, when the answer has ended well:
    with reasoning details, tool calls, annotations and images, as the next turn needs them. An
    answer that failed or was left early adds nothing, so the turn can simply be tried again;
    what had come of it is in `partial` of its stream or error. One turn runs at a time.

    Attributes:
        model: The model of the turns to come; None leaves it to the client.
        usage: Tokens and cost of all turns that told them, failed ones too, added up; a fork
            starts from zero.

    >>> async def example(client: OpenRouter) -> None:
    ...     talk = client.conversation(model="openai/gpt-4o-mini", system="Be brief.")
    ...     async for chunk in talk.stream("Name a river"):
    ...         print(chunk.text, end="")
    ...     print((await talk.complete("Where does it begin?")).text, talk.cost)
    """

    def __init__(
        self,
        client: OpenRouter,
        *,
        model: str | None = None,
        system: str | None = None,
        **params: Unpack[CallParams],
    ) -> None:
        if system is not None and not isinstance(cast("object", system), str):
            raise TypeError(f"system must be a str, got {type(system).__name__}")
        self.model = model
        self.usage = Usage()
        self._client = client
        self._params = params
        # The model's messages are structs, those of the user are plain data.
        self._history: list[dict[str, Any] | Message] = []
        if system is not None:
            self._history.append({"role": "system", "content": system})
        self._counted: tuple[int, int] | None = None
        self._is_busy = False

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The history in its wire form, as a copy; `add` adds to it."""
        return [
            message.to_param() if isinstance(message, Message) else dict(message)
            for message in self._history
        ]

    @property
    def cost(self) -> float:
        """USD of all turns that told their cost; one that was left early tells none."""
        return self.usage.cost or 0.0

    # Turns.

    def stream(
        self,
        content: str | Sequence[Mapping[str, Any] | msgspec.Struct | Attachment] | None = None,
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        **params: Unpack[CallParams],
    ) -> ChatStream:
        """Stream the next turn, to be read in any way but by `raw`, which keeps no answer.

        Args:
            content: What the user says: text or content parts. None adds no message, for a turn
                that follows tool results.
            model: The model of this turn.
            timeouts: Deadlines of this turn, in place of the client's.
            **params: Further fields of this turn; they come before the conversation's own.

        Raises:
            RuntimeError: Another turn is running: its stream is not over.
            TypeError: An argument has the wrong type, or a keyword is unknown.
            ValueError: An argument has an impossible value, or there is nothing to send.
        """
        self._refuse_if_busy()
        asked = {"role": "user", "content": content}
        said = [] if content is None else checked_messages([asked])
        sent = [*self._history, *said]
        merged: CallParams = {"remember_documents": True, **self._params, **params}
        stream = self._client.stream(sent, model=model or self.model, timeouts=timeouts, **merged)
        self._is_busy = True
        stream.on_end(partial(self._over, said))
        return stream

    def complete(
        self,
        content: str | Sequence[Mapping[str, Any] | msgspec.Struct | Attachment] | None = None,
        *,
        model: str | None = None,
        timeouts: Timeouts | None = None,
        **params: Unpack[CallParams],
    ) -> Coroutine[Any, Any, ChatCompletion]:
        """Get the whole answer of the next turn; the arguments are those of `stream`.

        Raises:
            OpenRouterError: The turn failed, and the history is as it was.
        """
        return self.stream(content, model=model, timeouts=timeouts, **params).collect()

    def add(self, *messages: MessageParam) -> None:
        """Add messages to the history, such as the results of tools.

        Args:
            messages: Each with its ``role``: ``{"role": "tool", "tool_call_id": ..., "content":
                ...}`` answers one of the model's tool calls.

        Raises:
            RuntimeError: A turn is running.
            TypeError: A message, or a part of one, has the wrong type.
            ValueError: There is no message, or one has no role.
        """
        self._refuse_if_busy()
        plain = checked_messages(messages)
        self._history += [
            given if isinstance(given, Message) else message
            for given, message in zip(messages, plain, strict=True)
        ]

    def _over(self, said: list[dict[str, Any]], stream: ChatStream) -> None:
        """Take what a turn brought, in whatever way it ended."""
        self._is_busy = False
        if stream.usage is not None:
            self.usage += stream.usage
        answer = stream.partial if stream.ending in _WELL else None
        if answer is not None:
            self._history += [*said, answer.message]
            if answer.usage is not None:
                self._counted = (len(self._history), answer.usage.total_tokens)

    def _refuse_if_busy(self) -> None:
        if self._is_busy:
            raise RuntimeError(
                "a turn of this conversation is running: read its stream to the end or close it "
                "first, or talk to a fork()"
            )

    # Branches and copies.

    def fork(self) -> Conversation:
        """Give a conversation with the same history, which goes its own way from here."""
        twin = Conversation(self._client, model=self.model, **self._params)
        twin._history = list(self._history)
        twin._counted = self._counted
        return twin

    def to_json(self) -> bytes:
        """Give history, model and usage as JSON; parameters and the client stay out.

        Files that were said are read and put in, so that the JSON needs nothing beside it.
        """
        answers = [i for i, message in enumerate(self._history) if isinstance(message, Message)]
        return msgspec.json.encode(
            {
                "version": _VERSION,
                "model": self.model,
                "messages": [
                    message.to_dict() if isinstance(message, Message) else message
                    for message in self._history
                ],
                "answers": answers,
                "usage": self.usage.to_dict(),
                "counted": self._counted,
            },
            enc_hook=embedded,
        )

    @classmethod
    def from_json(cls, client: OpenRouter, data: bytes | str, **params: Unpack[CallParams]) -> Self:
        """Go on with a conversation that `to_json` wrote.

        Args:
            client: The client that sends the turns to come.
            data: The JSON.
            **params: Any field of `CallParams`, for every turn, as for `OpenRouter.conversation`.

        Raises:
            ValueError: `data` is not such JSON, or of a later version.
        """
        try:
            saved = msgspec.json.decode(data, type=_Saved)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"this is no saved conversation: {error}") from None
        if saved.version != _VERSION:
            raise ValueError(f"this conversation has version {saved.version}, known is {_VERSION}")
        conversation = cls(client, model=saved.model, **params)
        answers = frozenset(saved.answers)
        conversation._history = [
            Message.from_dict(message) if position in answers else message
            for position, message in enumerate(saved.messages)
        ]
        conversation.usage = Usage.from_dict(saved.usage)
        conversation._counted = saved.counted
        return conversation

    # Length.

    def estimate_tokens(self) -> int:
        """Estimate how many tokens the history has.

        Four characters count as a token, an image or file as a thousand; where the usage of an
        answer has counted the history, the estimate is scaled to what it said.
        """
        return ceil(sum(map(_estimate, self._history)) * self._scale())

    def trim(self, *, max_tokens: int) -> int:
        """Forget the oldest turns until the history fits, by `estimate_tokens`.

        A turn goes as a whole, from what the user said to what the model answered last, so that
        a tool call and its results stay together. System messages and the last turn stay.

        Args:
            max_tokens: Tokens that the history may have; `context_length` tells how many the
                model can take, its answer included.

        Returns:
            How many messages were forgotten.

        Raises:
            RuntimeError: A turn is running.
            ValueError: `max_tokens` is smaller than 1.

        >>> async def example(talk: Conversation) -> None:
        ...     limit = await talk.context_length()
        ...     if limit is not None:
        ...         talk.trim(max_tokens=limit - 4_000)
        """
        self._refuse_if_busy()
        if max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, got {max_tokens}")
        scale = self._scale()
        tokens = [ceil(_estimate(message) * scale) for message in self._history]
        forgotten: set[int] = set()
        for turn in _turns(self._history)[:-1]:
            if sum(tokens) <= max_tokens:
                break
            forgotten.update(turn)
            for position in turn:
                tokens[position] = 0
        if forgotten:
            self._history = [m for i, m in enumerate(self._history) if i not in forgotten]
            self._counted = (len(self._history), sum(tokens))
        return len(forgotten)

    async def context_length(self) -> int | None:
        """Ask how many tokens the model can take, prompt and answer together.

        Returns:
            The number, or None where no model is set or the API does not know it.

        Raises:
            OpenRouterError: The request failed.
        """
        answer = await self._client.request("GET", "/models", type=_Models)
        lengths = {row.id: row.context_length for row in answer.data}
        name = self.model or ""
        return lengths.get(name) or lengths.get(name.partition(":")[0])

    def _scale(self) -> float:
        if self._counted is None:
            return 1.0
        messages, tokens = self._counted
        estimate = sum(map(_estimate, self._history[:messages]))
        return tokens / estimate if tokens and estimate else 1.0


class _Saved(msgspec.Struct):
    """What `to_json` writes."""

    version: int
    messages: list[dict[str, Any]] = []
    answers: list[int] = []
    model: str | None = None
    usage: dict[str, Any] = {}
    counted: tuple[int, int] | None = None


class _Model(msgspec.Struct):
    id: str
    context_length: int | None = None


class _Models(msgspec.Struct):
    data: list[_Model] = []


def _turns(history: Sequence[dict[str, Any] | Message]) -> list[list[int]]:
    """Give the positions of each turn's messages; all but perhaps the first begin with the user."""
    turns: list[list[int]] = []
    is_answered = True
    for position, message in enumerate(history):
        role: object = message.role if isinstance(message, Message) else message.get("role")
        if role in ("system", "developer"):
            continue
        if not turns or (role == "user" and is_answered):
            turns.append([])
        is_answered = role != "user"
        turns[-1].append(position)
    return turns


def _estimate(message: dict[str, Any] | Message) -> int:
    fields = message.to_param() if isinstance(message, Message) else message
    return ceil(_characters(fields) / _CHARACTERS_PER_TOKEN)


def _characters(value: object) -> int:
    if isinstance(value, str):
        # A data URL is a picture or a document, and is not counted by its letters.
        is_file = value.startswith("data:")
        return _TOKENS_PER_FILE * _CHARACTERS_PER_TOKEN if is_file else len(value)
    if isinstance(value, Mapping):
        return sum(map(_characters, cast("Mapping[str, object]", value).values()))
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return sum(map(_characters, cast("Sequence[object]", value)))
    return 0
