"""``openrouter-async batch``: a file of requests to a file of answers, and what came of it.

The rule of this file: options become a `Job`, and how the job ended an exit code. What is shown
meanwhile is for `_batch_display`; how Ctrl-C counts is decided in `_Interrupts` alone.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import click
from msgspec import Struct

from openrouter_async import Adaptive, ChatParams, Limits, OpenRouter, RetryPolicy
from openrouter_async.cli._failures import INTERRUPTED, NOT_ALL, UNPAID
from openrouter_async.cli._response_type import response_type_in
from openrouter_async.cli._setup import checked, open_client
from openrouter_async.cli._terminal import json_option, note, print_json
from openrouter_async.cli._words import printable

if TYPE_CHECKING:
    import asyncio

    from openrouter_async.batch import Job, JobSummary
    from openrouter_async.cli._batch_display import Display

__all__ = ["command", "exit_code"]

_AUTO: Final = "auto"


def _at_once_in(ctx: click.Context, param: click.Parameter, value: str) -> int | None:
    """Give a number; None for ``auto``."""
    if value == _AUTO:
        return None
    if not value.isdecimal() or int(value) < 1:
        raise click.BadParameter(f"{value!r} is neither {_AUTO!r} nor a whole number from 1 on")
    return int(value)


class _Settings(Struct, frozen=True, kw_only=True):
    """How a job is run and shown, beside what it is."""

    concurrency: int | None
    requests_per_minute: int | None
    tokens_per_minute: int | None
    attempts: int
    page: Path | None
    as_json: bool
    quiet: bool
    ray: str | None
    actors: int


@click.command("batch")
@click.argument("input", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.argument("output", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("-m", "--model", envvar="OPENROUTER_MODEL", show_envvar=True, help="Which model.")
@click.option("-s", "--system", help="What the model is told beforehand.")
@click.option("-t", "--template", help='What to ask of a row: "Summarise: {text}".')
@click.option(
    "--response-type",
    callback=response_type_in,
    metavar="TYPE",
    help="What each answer is to be: int, list[str], ..., or a class as FILE.py:NAME.",
)
@click.option("--reasoning", metavar="EFFORT", help="none, minimal, low, medium, high, xhigh, max.")
@click.option("--temperature", type=float, help="From 0, always the likeliest, to 2.")
@click.option("--max-tokens", type=int, help="The longest answer, in tokens.")
@click.option(
    "--images-to",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder for images that the model draws.",
)
@click.option(
    "-c",
    "--concurrency",
    callback=_at_once_in,
    metavar="N|auto",
    default=_AUTO,
    show_default=True,
    help="How many at once; auto finds out how many the model takes.",
)
@click.option("--requests-per-minute", type=click.IntRange(min=1), help="Sent at most.")
@click.option("--tokens-per-minute", type=click.IntRange(min=1), help="Of prompts and answers.")
@click.option(
    "--attempts",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="How often a request is sent that the API refuses for now.",
)
@click.option("--budget", type=float, metavar="USD", help="What all runs together may cost.")
@click.option("--dedupe", is_flag=True, help="Send equal requests once.")
@click.option("--retry-failed", is_flag=True, help="Send those again that failed.")
@click.option("--ray", metavar="ADDRESS", help="Run on a Ray cluster: auto, local or an address.")
@click.option(
    "--actors",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="How many processes send, with --ray.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OUTPUT",
    help="Send nothing; tell what came of a job, also of one that runs.",
)
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the report's page goes; with --report beside OUTPUT.",
)
@json_option("JSON in place of the display, line by line.")
@click.option("--quiet", is_flag=True, help="No display, and no word about how it ended.")
def command(
    input: Path | None,
    output: Path | None,
    model: str | None,
    system: str | None,
    template: str | None,
    response_type: Any,
    reasoning: str | None,
    temperature: float | None,
    max_tokens: int | None,
    images_to: Path | None,
    concurrency: int | None,
    requests_per_minute: int | None,
    tokens_per_minute: int | None,
    attempts: int,
    budget: float | None,
    dedupe: bool,
    retry_failed: bool,
    ray: str | None,
    actors: int,
    report: Path | None,
    page: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Send a file of requests; OUTPUT gets one line of JSON for each.

    INPUT is JSONL, CSV, TSV, Parquet or plain text with a prompt a line. Whatever stops the job,
    the same command goes on where it was. Ctrl-C ends it when what is under way has ended, a
    second one at once.
    """
    if report is not None:
        if input is not None:
            raise click.UsageError("--report takes the output of a job and no other file")
        _report(report, page, as_json=as_json)
        return
    if input is None or output is None:
        raise click.UsageError("give INPUT and OUTPUT, or --report OUTPUT")
    if str(output) == "-":
        raise click.UsageError("OUTPUT must be a file: the job goes on from what stands there")
    params = ChatParams()
    if reasoning is not None:
        params["reasoning"] = {"effort": reasoning}
    if temperature is not None:
        params["temperature"] = temperature
    if max_tokens is not None:
        params["max_tokens"] = max_tokens
    from openrouter_async.batch import Job

    with checked():
        job = Job(
            input,
            output,
            model=model,
            system=system,
            template=template,
            response_type=response_type,
            images_to=images_to,
            concurrency=concurrency,
            budget=budget,
            dedupe=dedupe,
            retry_failed=retry_failed,
            **params,
        )
    settings = _Settings(
        concurrency=concurrency,
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        attempts=attempts,
        page=page,
        as_json=as_json,
        quiet=quiet,
        ray=ray,
        actors=actors,
    )
    code = _run(job, settings)
    if code:
        raise click.exceptions.Exit(code)


def exit_code(summary: JobSummary | None, *, is_interrupted: bool) -> int:
    """Say by a number how a run ended that no error has ended."""
    if is_interrupted and (summary is None or summary.left):
        return INTERRUPTED
    if summary is None or summary.is_whole:
        return 0
    return UNPAID if summary.unpaid else NOT_ALL


def _run(job: Job, settings: _Settings) -> int:
    import asyncio

    from openrouter_async.cli._batch_display import new_display

    limits = _limits(settings)
    client = open_client(retry=RetryPolicy(max_attempts=settings.attempts), limits=limits)
    display = new_display(job.output.name, as_json=settings.as_json, is_quiet=settings.quiet)
    with _cluster(settings.ray):
        is_interrupted = asyncio.run(_to_its_end(job, client, settings, display))
    summary = job.summary
    code = exit_code(summary, is_interrupted=is_interrupted)
    if summary is not None:
        display.end(summary, code)
        _save_page(job.output, settings.page, is_quiet=settings.quiet)
    return code


def _cluster(address: str | None) -> AbstractContextManager[object]:
    """Give the cluster that the job runs on, to be entered; nothing where there is none."""
    if address is None:
        return nullcontext()
    if find_spec("ray") is None:
        raise click.UsageError('--ray needs more: pip install "openrouter-async[cli,ray]"')
    from openrouter_async.integrations.ray import Cluster

    return Cluster(address)


def _limits(settings: _Settings) -> Limits:
    at_once = settings.concurrency
    with checked():
        return Limits(
            max_connections=Limits().max_connections if at_once is None else at_once,
            adaptive=Adaptive() if at_once is None else False,
            requests_per_minute=settings.requests_per_minute,
            tokens_per_minute=settings.tokens_per_minute,
        )


async def _to_its_end(job: Job, client: OpenRouter, settings: _Settings, display: Display) -> bool:
    """Run the job and show how far it is; tell whether Ctrl-C has ended it."""
    import asyncio

    async with client:
        running, under_way = _started(job, client, settings)
        try:
            with display, _Interrupts(job, running, display) as interrupts:
                while not running.done():
                    await asyncio.wait({running}, timeout=display.every)
                    progress = job.progress
                    if progress is not None:
                        display.show(progress, under_way())
            if not (running.cancelled() and interrupts.count):
                await running
        except BaseException as error:
            running.cancel()
            await asyncio.wait({running})
            if job.summary is not None:
                display.fail(error, job.summary)
            raise
        return interrupts.count > 0


def _started(
    job: Job, client: OpenRouter, settings: _Settings
) -> tuple[asyncio.Task[JobSummary], Callable[[], int]]:
    """Begin the job here or on a cluster; give what tells how many requests are under way."""
    import asyncio

    if settings.ray is None:
        return asyncio.ensure_future(job.run(client)), partial(_at_once, client)
    from openrouter_async.integrations.ray import RayJob

    ray_job = RayJob(job, client, actors=settings.actors)
    return asyncio.ensure_future(ray_job.run()), lambda: ray_job.under_way


def _at_once(client: OpenRouter) -> int:
    stats = client.stats()
    return sum(stats.under_way.values()) or stats.leased


class _Interrupts:
    """Ctrl-C while a job runs: once to take up nothing more, twice to stop.

    asyncio's own handling would cancel at the first one.
    """

    def __init__(self, job: Job, running: asyncio.Future[JobSummary], display: Display) -> None:
        self.count = 0
        self._job = job
        self._running = running
        self._display = display
        self._before: Any = None

    def __enter__(self) -> Self:
        import asyncio

        self._loop = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _hear(self, signum: int, frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._count)

    def _count(self) -> None:
        self.count += 1
        if self.count == 1 and self._job.progress is not None:
            self._job.stop()
            self._display.say("Finishing what is under way; Ctrl-C again stops that too.")
        else:
            self._running.cancel()


# The report.


def _report(output: Path, page: Path | None, *, as_json: bool) -> None:
    from openrouter_async.batch import report

    numbers = report(output)
    target = page or output.with_suffix(".html")
    if target.resolve() == output.resolve():
        raise click.UsageError(f"the page would replace {output}; name another with --html")
    numbers.save_html(target)
    if as_json:
        print_json({**_as_json(numbers), "html": str(target)})
    else:
        sys.stdout.write(f"{printable(str(numbers))}\n")
        sys.stdout.flush()
        note(f"With charts: {target}")


def _as_json(numbers: Any) -> Mapping[str, Any]:
    from msgspec import structs, to_builtins

    told = structs.asdict(numbers)
    del told["latencies"], told["moments"]
    percentiles = {f"p{percent}": numbers.percentile(percent) for percent in (50, 90, 95, 99)}
    answer: dict[str, Any] = to_builtins({**told, "seconds_an_answer": percentiles})
    return answer


def _save_page(output: Path, page: Path | None, *, is_quiet: bool) -> None:
    if page is None:
        return
    from openrouter_async.batch import report

    report(output).save_html(page)
    if not is_quiet:
        note(f"With charts: {page}")
