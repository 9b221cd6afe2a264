"""A job over files whose requests are sent by the processes of a cluster.

The rule of this file: reading, writing, money and resuming stay with the `Job`, in one process;
here its requests are handed to actors, each with one client, and their answers taken back. A
request whose actor dies is handed to another.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, cast

import msgspec

from .._structured import response_type_of
from .._threads import in_thread
from ..batch._map import at_once
from ..batch._running import OnProgress, Sending
from ..errors import APIConnectionError
from ..types import ChatCompletion
from ._ray_desk import Desk, SharingLimiter, ray_module
from ._ray_desk_work import Terms

if TYPE_CHECKING:
    from .._config import Limits
    from ..batch import Job, JobSummary
    from ..client import OpenRouter

__all__ = ["Cluster", "RayJob"]

_DEATHS: Final = 5
"""How many actors one request may see die before it is given up."""


class _Worker:
    """One client, in an actor of its own."""

    def __init__(self, client: OpenRouter, desk: tuple[str, Terms] | None) -> None:
        self._client = client
        if desk is not None:
            sender = client._sender  # pyright: ignore[reportPrivateUsage]
            SharingLimiter.of(sender, Desk.found(*desk))

    async def complete(self, keywords: dict[str, Any]) -> tuple[ChatCompletion | Exception, int]:
        """Send one request, and tell how many were refused so far.

        An error is a result, so that it arrives as what it is.
        """
        answer: ChatCompletion | Exception
        try:
            answer = await self._client.complete(**keywords)
        except Exception as error:  # noqa: BLE001 - it is raised on the other side
            answer = error
        return answer, self._client.stats().refusals


class Cluster:
    """A Ray cluster: the one that runs, or one on this machine that ends with the block.

    Args:
        address: ``"auto"`` is the cluster that this machine belongs to, or else one of its own;
            ``"local"`` always one of its own; or an address.

    Raises:
        ModuleNotFoundError: The extra ``ray`` is not installed.
        ConnectionError: There is no cluster at that address.
    """

    def __init__(self, address: str = "auto") -> None:
        self._address = address
        self._is_ours = False

    def __enter__(self) -> Self:
        ray = ray_module()
        if ray.is_initialized():
            return self
        settings = {"logging_level": "ERROR", "log_to_driver": False}
        if self._address != "local":
            try:
                ray.init(address=self._address, **settings)
            except ConnectionError:
                if self._address != "auto":
                    raise
            else:
                self._is_ours = True
                return self
        ray.init(address="local", include_dashboard=False, **settings)
        self._is_ours = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._is_ours:
            ray_module().shutdown()


class _Crew:
    """The actors of one job.

    Args:
        client: Reckons what requests can cost.
        theirs: What each actor gets a copy of.
        desk: What they share.
        actors: How many.
        cpus: What part of a CPU each of them reserves.
    """

    def __init__(
        self, client: OpenRouter, theirs: OpenRouter, desk: Desk | None, actors: int, cpus: float
    ) -> None:
        ray = ray_module()
        kind = ray.remote(_Worker).options(
            num_cpus=cpus, max_restarts=-1, max_concurrency=at_once(_limits_of(client))
        )
        self._client = client
        shared = None if desk is None else (desk.name, desk.terms)
        self._workers: list[Any] = [kind.remote(theirs, shared) for _ in range(actors)]
        self._busy = Counter(dict.fromkeys(range(actors), 0))
        self._refused: Counter[int] = Counter()
        self._died: tuple[type[Exception], ...] = (ray.exceptions.RayActorError,)
        self._cancel: Callable[[Any], None] = ray.cancel

    @property
    def under_way(self) -> int:
        """How many requests are at the actors."""
        return self._busy.total()

    @property
    def refusals(self) -> int:
        """How many requests were refused."""
        return self._refused.total()

    async def complete(self, **keywords: Any) -> ChatCompletion:
        """Have one request sent, within its budget; the answer is read here."""
        kind = keywords.pop("response_type", None)
        wanted = None if kind is None else response_type_of(kind)
        if wanted is not None:
            keywords = cast(
                "dict[str, Any]", wanted.asked_for(cast("Any", keywords), is_strict=True)
            )
        if "budget" in keywords:
            completion = await self._within_budget(keywords)
        else:
            completion = await self._handed_out(keywords)
        return completion if wanted is None else wanted.read(completion)

    async def _within_budget(self, keywords: dict[str, Any]) -> ChatCompletion:
        params = dict(keywords)
        reservation = await self._client._chats.reserve(  # pyright: ignore[reportPrivateUsage]
            params.pop("messages"), model=params.pop("model", None), params=cast("Any", params)
        )
        del keywords["budget"]
        with reservation:
            reservation.leaves()
            completion = await self._handed_out(keywords)
        reservation.settle(completion.cost)
        return completion

    async def _handed_out(self, keywords: dict[str, Any]) -> ChatCompletion:
        for _ in range(_DEATHS):
            place = min(self._busy, key=self._busy.__getitem__)
            self._busy[place] += 1
            answer = self._workers[place].complete.remote(keywords)
            result: ChatCompletion | Exception
            try:
                result, self._refused[place] = await answer
            except self._died:
                continue
            except BaseException:
                self._cancel(answer)
                raise
            finally:
                self._busy[place] -= 1
            if isinstance(result, Exception):
                raise result
            return result
        error = APIConnectionError(f"{_DEATHS} processes died, one after the other, while sending")
        error.billed = "unknown"
        raise error

    def close(self) -> None:
        """End the actors."""
        ray = ray_module()
        for worker in self._workers:
            ray.kill(worker)


class RayJob:
    """A job whose requests are sent by actors of a Ray cluster; all else is as with `Job.run`.

    Input and output are files of this machine; ``requests_per_minute`` and ``tokens_per_minute``
    of the client's limits, the job's concurrency and its budget hold for the cluster as a whole.

    Args:
        job: What to do.
        client: Its settings are those of each actor's own client; it travels without its key,
            which the actors read from ``OPENROUTER_API_KEY``.
        actors: How many processes send.
        cpus: What part of a CPU each of them reserves.

    Raises:
        ValueError: `actors` is below 1.

    >>> async def example(job, client):
    ...     with Cluster("auto"):
    ...         return await RayJob(job, client, actors=4).run()
    """

    def __init__(
        self, job: Job, client: OpenRouter, *, actors: int = 2, cpus: float = 0.05
    ) -> None:
        if actors < 1:
            raise ValueError(f"actors must be at least 1, got {actors}")
        self._job = job
        self._client = client
        self._actors = actors
        self._cpus = cpus
        self._crew: _Crew | None = None

    @property
    def under_way(self) -> int:
        """How many requests are at the actors."""
        return 0 if self._crew is None else self._crew.under_way

    async def run(self, on_progress: OnProgress | None = None) -> JobSummary:
        """Run it; the actors end with it.

        Args:
            on_progress: Called as by `Job.run`.

        Raises:
            BatchError: As with `Job.run`.
            OpenRouterError: As with `Job.run`.
        """
        limits = _limits_of(self._client)
        desk = await in_thread(self._shared, limits)
        theirs = self._their_client(limits)
        crew = self._crew = _Crew(self._client, theirs, desk, self._actors, self._cpus)
        sending = Sending(
            complete=crew.complete,
            at_once=at_once(limits) * (self._actors if limits.adaptive else 1),
            refuse=self._client._sender.refuse_if_closed,  # pyright: ignore[reportPrivateUsage]
            refusals=lambda: crew.refusals,
        )
        try:
            return await self._job.run_by(sending, on_progress)
        finally:
            crew.close()
            if desk is not None:
                await in_thread(desk.close)

    def _shared(self, limits: Limits) -> Desk | None:
        """Give what counts the requests of all, where they are to be counted."""
        if not limits.requests_per_minute and not limits.tokens_per_minute:
            return None
        return Desk(
            f"job {self._job.output.resolve()}",
            requests_per_minute=limits.requests_per_minute,
            tokens_per_minute=limits.tokens_per_minute,
        )

    def _their_client(self, limits: Limits) -> OpenRouter:
        """Give a client that leaves the counting by the minute to the desk."""
        client = copy.copy(self._client)
        client._sender.limits = msgspec.structs.replace(  # pyright: ignore[reportPrivateUsage]
            limits, requests_per_minute=None, tokens_per_minute=None
        )
        return client


def _limits_of(client: OpenRouter) -> Limits:
    return client._sender.limits  # pyright: ignore[reportPrivateUsage]
