"""A step of Ray Data that asks a model about each row, and the runner of a job on a cluster.

The rule of this file: rows become requests and answers columns. What the processes share is
`_ray_desk`'s, how a job over files uses them `_ray_job`'s. It needs the extra ``ray``.

An actor waits on the network nearly all of its time, so it asks for a small part of a CPU and
has many rows under way at once.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Unpack, cast

import msgspec

from .._calling import CallParams
from .._structured import ResponseType, response_type_of
from ..batch._input import Line
from ..batch._item import Item, Recipe, digest_of
from ..batch._row import Row, of_answer, of_error, of_problem
from ..batch._running import ends_the_run
from ..budget import Budget
from ..types import ChatCompletion, ChatParams
from ._ray_account import SMALLEST, Account, most_of
from ._ray_desk import TICKETS, Desk, SharingLimiter
from ._ray_job import Cluster, RayJob

if TYPE_CHECKING:
    from ..client import OpenRouter

__all__ = ["Account", "ChatStep", "Cluster", "Desk", "RayJob", "map_chats"]

_READ: Final = ("id", "custom_id", "prompt", "messages")
_CPUS: Final = 0.05


class ChatStep:
    """The class for `Dataset.map_batches`: rows in, the same rows with their answers out.

    A row is asked about through `template`, or has a column ``prompt`` or ``messages``. To its
    columns come ``answer`` and others that begin with it: ``answer_status`` is ``"ok"``,
    ``"failed"``, or ``"unpaid"`` where the desk's budget had too little left, and a row without
    an answer says why in ``answer_error``; the others go on.

    A row that Ray sends again, because an actor died, is not paid for again where its answer had
    come: the desk has it. A row is known by its ``id`` (or ``custom_id``) and what it asks; where
    it has no id, by what it asks, and equal rows may get the same answer.

    What concerns all rows, as a key that is refused, ends the step and with it the dataset.

    Args:
        client: Its settings are those of each actor's own client; it travels without its key,
            which the actors read from ``OPENROUTER_API_KEY``.
        desk: What the actors share; without one each goes by its own limits, and rows that Ray
            sends again are paid for again.
        model: The model; by default the client's.
        system: The system message of rows that bring none.
        template: What to ask of a row, with columns in braces: ``"Summarise: {text}"``.
        response_type: The type that every answer is to be; see `OpenRouter.complete`. The value
            is in the column ``answer_value``. A msgspec struct must come from a module that the
            actors can import: one that the main program defines arrives without its fields.
        at_once: How many rows one actor has under way.
        **params: Any keyword of `ChatParams`.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has an impossible value.

    >>> def example(reviews, client):  # a Dataset with a column `text`
    ...     return reviews.map_batches(
    ...         ChatStep,
    ...         fn_constructor_kwargs={"client": client, "template": "Sum it up: {text}"},
    ...         num_cpus=0.05,
    ...         compute=ray.data.ActorPoolStrategy(size=2),
    ...     )
    """

    def __init__(
        self,
        client: OpenRouter,
        *,
        desk: Desk | None = None,
        model: str | None = None,
        system: str | None = None,
        template: str | None = None,
        response_type: Any = None,
        at_once: int = 200,
        **params: Unpack[ChatParams],
    ) -> None:
        if type(at_once) is not int or at_once < 1:
            raise ValueError(f"at_once must be a whole number from 1 on, got {at_once!r}")
        self._recipe = _recipe(model, system, template, response_type, params)
        self._reads_all = template is not None
        self._client = client
        self._desk = desk
        self._wanted: ResponseType[Any] | None = (
            None if response_type is None else response_type_of(response_type)
        )
        self._at_once = at_once
        self._room: Any = None
        if desk is not None:
            SharingLimiter.of(client._sender, desk)  # pyright: ignore[reportPrivateUsage]

    async def __call__(self, batch: Any) -> Any:
        """Answer the rows of a batch; as a table, in their order."""
        import asyncio

        if self._room is None:
            self._room = asyncio.Semaphore(self._at_once)
        table = _as_table(batch)
        items = [self._item(row, place) for place, row in enumerate(table.to_pylist(), 1)]
        known: list[Row | None] = [None] * len(items)
        if self._desk is not None:
            known = await self._desk.known([item.digest for item in items])
        async with asyncio.TaskGroup() as group:
            tasks = [
                None if row is not None else group.create_task(self._answer(item))
                for item, row in zip(items, known, strict=True)
            ]
        rows = [
            cast("Row", row if task is None else task.result())
            for row, task in zip(known, tasks, strict=True)
        ]
        return _with_answers(table, rows, has_values=self._wanted is not None)

    def _item(self, row: Mapping[str, Any], place: int) -> Item:
        asked = {
            name: value
            for name, value in row.items()
            if self._reads_all or (name in _READ and value is not None)
        }
        item = self._recipe.item(Line(place, asked), "jsonl", "its batch")
        own = next((str(row[name]) for name in _READ[:2] if row.get(name) is not None), None)
        key = item.digest if own is None else digest_of([own, item.digest])
        # Ids of other data may come twice; in a journal each question has a row of its own.
        return msgspec.structs.replace(item, id=key, line=0, digest=key)

    async def _answer(self, item: Item) -> Row:
        if item.problem is not None:
            return of_problem(item)
        async with self._room:  # until it is kept: more than the room is never in danger
            tickets: list[int] = []
            TICKETS.set(tickets)
            try:
                completion = await self._complete(item.keywords)
            except Exception as error:
                if ends_the_run(error):
                    raise
                row = of_error(item, error)
                if self._desk is not None and row.cost:
                    await self._desk.keep(row)  # what it has cost counts for the next run too
                return row
            row = of_answer(item, completion, [image.url for image in completion.images])
            if self._desk is not None:
                if completion.usage is not None and tickets:
                    self._desk.spent([(tickets[-1], completion.usage.total_tokens)])
                await self._desk.keep(row)
            return row

    async def _complete(self, keywords: Mapping[str, Any]) -> ChatCompletion:
        """Send a request, within the desk's budget; the answer is read here."""
        wanted = self._wanted
        if wanted is not None:
            asked = wanted.asked_for(cast("ChatParams", keywords), is_strict=True)
            keywords = cast("Mapping[str, Any]", asked)
        if self._desk is None or self._desk.terms.budget is None:
            completion: ChatCompletion = await self._client.complete(**keywords)
        else:
            completion = await self._within_budget(self._desk, keywords)
        return completion if wanted is None else cast("ChatCompletion", wanted.read(completion))

    async def _within_budget(self, desk: Desk, keywords: Mapping[str, Any]) -> ChatCompletion:
        per_request = desk.terms.per_request
        advance = await desk.afford(await most_of(self._client, keywords, per_request))
        own = Budget(max(advance.usd, SMALLEST), per_request=per_request)
        try:
            completion: ChatCompletion = await self._client.complete(**keywords, budget=own)
        except Exception:
            await desk.settle(advance, own.spent + own.reserved)
            raise
        except BaseException:
            desk.settle_later(advance, own.spent + own.reserved)
            raise
        await desk.settle(advance, own.spent + own.reserved)
        return completion

    def __repr__(self) -> str:
        return f"ChatStep(at_once={self._at_once}, desk={self._desk!r})"


def map_chats(
    dataset: Any,
    client: OpenRouter,
    *,
    actors: int = 2,
    cpus: float = _CPUS,
    at_once: int = 200,
    desk: Desk | None = None,
    model: str | None = None,
    system: str | None = None,
    template: str | None = None,
    response_type: Any = None,
    **params: Unpack[ChatParams],
) -> Any:
    """Ask about each row of a dataset, on all of a cluster.

    Args:
        dataset: A Ray dataset.
        client: Its settings are those of each actor's own client.
        actors: How many processes send.
        cpus: What part of a CPU each of them reserves.
        at_once: How many rows one actor has under way.
        desk: What the actors share; see `ChatStep`.
        model: As of `ChatStep`.
        system: As of `ChatStep`.
        template: As of `ChatStep`.
        response_type: As of `ChatStep`.
        **params: Any keyword of `ChatParams`.

    Returns:
        The dataset with the answers, which Ray works out when it is read.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has an impossible value.
    """
    _recipe(model, system, template, response_type, params)  # says here what is wrong with it
    settings = {
        "client": client,
        "desk": desk,
        "model": model,
        "system": system,
        "template": template,
        "response_type": response_type,
        "at_once": at_once,
        **params,
    }
    return dataset.map_batches(
        ChatStep,
        fn_constructor_kwargs=settings,
        batch_format="pyarrow",
        # Ray has four batches at work in an actor. So a slow row leaves room for those of the next
        # batches, and few rows wait for it.
        batch_size=max(1, at_once // 2),
        num_cpus=cpus,
        compute=importlib.import_module("ray.data").ActorPoolStrategy(size=actors),
    )


def _recipe(
    model: str | None,
    system: str | None,
    template: str | None,
    response_type: Any,
    params: ChatParams | CallParams,
) -> Recipe:
    if response_type is not None:
        _refuse_what_does_not_travel(response_type)
    return Recipe(
        model=model,
        system=system,
        template=template,
        response_type=response_type,
        wants_images=False,
        params=cast("Mapping[str, Any]", params),
    )


def _refuse_what_does_not_travel(response_type: Any) -> None:
    """Refuse structs of the main program, which cloudpickle carries without their fields."""
    seen: list[Any] = [msgspec.inspect.type_info(response_type)]
    for found in seen:
        cls: Any = getattr(found, "cls", None)
        if isinstance(found, msgspec.inspect.StructType) and cls.__module__ == "__main__":
            raise TypeError(
                f"response_type: the struct {cls.__name__} is defined in the main program, and "
                "would reach the actors without its fields; put it into a module, or make it a "
                "dataclass"
            )
        for name in getattr(found, "__struct_fields__", ()):
            inner = getattr(found, name)
            listed = cast("Iterable[Any]", inner) if isinstance(inner, tuple | list) else [inner]
            seen += [
                other
                for other in listed
                if type(other).__module__ == "msgspec.inspect" and other not in seen
            ]


def _as_table(batch: Any) -> Any:
    """Give a batch as an Arrow table, whatever format the user has asked Ray for."""
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    pyarrow: Any = pa
    if isinstance(batch, pyarrow.Table):
        return batch
    if isinstance(batch, Mapping):
        columns = cast("Mapping[str, Any]", batch)
        return pyarrow.table({name: _plain(column) for name, column in columns.items()})
    return pyarrow.Table.from_pandas(batch, preserve_index=False)


def _plain(column: Any) -> Any:
    return column.tolist() if hasattr(column, "tolist") else column


def _with_answers(table: Any, rows: Sequence[Row], *, has_values: bool) -> Any:
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    pyarrow: Any = pa
    text, number, whole = pyarrow.string(), pyarrow.float64(), pyarrow.int64()
    errors = [row.error for row in rows]
    usages = [row.usage for row in rows]
    columns: list[tuple[str, Any, Iterable[Any]]] = [
        ("", text, (row.text for row in rows)),
        ("_status", text, (row.status for row in rows)),
        ("_error", text, (error and error.message for error in errors)),
        ("_error_kind", text, (error and error.kind for error in errors)),
        ("_billed", text, (error and error.billed for error in errors)),
        ("_finish_reason", text, (row.finish_reason for row in rows)),
        ("_model", text, (row.model for row in rows)),
        ("_provider", text, (row.provider for row in rows)),
        ("_generation_id", text, (row.generation_id for row in rows)),
        ("_prompt_tokens", whole, (usage and usage.prompt_tokens for usage in usages)),
        ("_completion_tokens", whole, (usage and usage.completion_tokens for usage in usages)),
        ("_cost", number, (row.cost for row in rows)),
        ("_latency", number, (row.latency for row in rows)),
        ("_images", pyarrow.list_(text), (row.images for row in rows)),
        ("_tool_calls", text, (row.tool_calls and json.dumps(row.tool_calls) for row in rows)),
    ]
    if has_values:
        values = [None if row.value is msgspec.UNSET else row.value for row in rows]
        columns.append(("_value", None, (msgspec.to_builtins(value) for value in values)))
    for name, kind, cells in columns:
        column = f"answer{name}"
        if column in table.column_names:
            raise ValueError(f"the rows have a column {column!r} already, which the step gives")
        table = table.append_column(column, pyarrow.array(list(cells), type=kind))
    return table
