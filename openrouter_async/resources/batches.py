"""``/batches``: many requests in one, answered within a day.

The rule of this file: declarations, and waiting, which looks at the batch as anybody could.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Unpack

from ..types.batches import Batch, BatchQuery, BatchRequest, DeletedBatch, NewBatch
from ._call import Call, Group, Operation, operation
from ._list import Listing, listing
from ._waiting import wait_for_end

__all__ = ["Batches"]

_CREATE: Final = Operation("POST /batches", Batch, inside=None, body=NewBatch, key="normal")


class Batches(Group):
    """OpenRouter's own batches; reached as `OpenRouter.batches`.

    They cost about half, and are answered within a day. For a job that this process runs itself,
    at once and with results as they come, see `openrouter_async.batch`. `NotFoundError` says that
    there is none of an id, or that it was deleted.
    """

    @listing("GET /batches")
    def list(self, **query: Unpack[BatchQuery]) -> Listing[Batch]:
        """List the batches, the newest first, without their results. Any key."""

    @_CREATE
    def create(self, **fields: Unpack[NewBatch]) -> Call[Batch]:
        """Hand in a batch. Normal key.

        Raises:
            ValueError: There is no request, or two have the same ``custom_id``.

        >>> async def example(client: OpenRouter, prompts: list[str]) -> None:
        ...     asked = [
        ...         {"custom_id": str(n), "body": {"messages": [{"role": "user", "content": text}]}}
        ...         for n, text in enumerate(prompts)
        ...     ]
        ...     batch = await client.batches.create(
        ...         endpoint="/v1/chat/completions", model="openai/gpt-4o-mini", requests=asked
        ...     )
        ...     batch = await client.batches.wait(batch)
        ...     for result in batch.results or []:
        ...         print(result.custom_id, result.response or result.error)
        """
        asked = _CREATE.ask(fields=fields)
        _refuse_equal_ids(fields["requests"])
        return _CREATE.send_asked(self._sender, asked)

    @operation("GET /batches/{id}", inside=None)
    def get(self, id: str) -> Call[Batch]:
        """Get a batch, with its results when it is over. Any key."""

    @operation("DELETE /batches/{id}", inside=None)
    def delete(self, id: str) -> Call[DeletedBatch]:
        """Delete a batch with its results, where the provider can do so there as well. Any key."""

    async def wait(
        self,
        batch: Batch | str,
        *,
        poll: float = 60.0,
        timeout: float | None = None,
        on_progress: Callable[[Batch], object] | None = None,
    ) -> Batch:
        """Wait until a batch is over, however it ended: see its ``status`` and ``results``.

        An API that is busy, failing or not to be reached for a while does not end the wait. To
        stop waiting does not stop the batch: go on with its id, in any process.

        Args:
            batch: The batch, or its id.
            poll: The most seconds between two looks; the first are 2, 4, 8, ... seconds apart.
            timeout: Seconds to wait in all; None waits as long as it takes.
            on_progress: Called with the batch after each look.

        Raises:
            TotalTimeout: The batch was not over within `timeout`.
        """
        id = batch.id if isinstance(batch, Batch) else batch
        return await wait_for_end(
            lambda: self.get(id),
            lambda found: found.is_over,
            what=f"the batch {id}",
            poll=poll,
            timeout=timeout,
            on_progress=on_progress,
        )


def _refuse_equal_ids(requests: Sequence[BatchRequest | Mapping[str, Any]]) -> None:
    """Refuse requests whose results could not be told apart."""
    seen: set[str] = set()
    for number, request in enumerate(requests):
        one = request.custom_id if isinstance(request, BatchRequest) else request["custom_id"]
        if one in seen:
            raise ValueError(f"requests[{number}].custom_id is that of an earlier request")
        seen.add(one)
