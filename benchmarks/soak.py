"""A hundred thousand streams, a tenth of them failing: does anything stay behind?

    python -m benchmarks.soak [--streams N] [--at-once N]

Every stream is accounted for: finished, failed before or after a part had come, left, or
cancelled, each as its fate says. The garbage collector is off while streams run, so that an
object of ours which only it could free is found when they are over. Then it runs once, as
asyncio's own closed connections wait for it, and resident memory is read.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from openrouter_async import Limits, OpenRouter, OpenRouterError, RetryPolicy, Timeouts

from ._fates import CHUNKS, Fates
from ._server import serving

KEY = "sk-or-v1-benchmark"
FAILING = 0.1

OUTCOMES = {
    "whole": "finished",
    "split": "finished",
    "400": "failed before any output",
    "429": "failed before any output",
    "500": "failed before any output",
    "html": "failed before any output",
    "unanswered": "failed before any output",
    "error": "failed with a partial",
    "garbage": "failed with a partial",
    "truncated": "failed with a partial",
    "cut": "failed with a partial",
    "reset": "failed with a partial",
    "silent": "failed with a partial",
    "broken off": "left",
    "dropped": "left",
    "cancelled": "cancelled",
}
"""What has to become of a stream, by its fate. The last three are the reader's own doing."""

GOOD = ("whole", "split")
BAD = tuple(fate for fate in OUTCOMES if fate not in GOOD)


@dataclass
class Account:
    """What became of the streams, and what stayed behind."""

    outcomes: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])
    resident: list[int] = field(default_factory=list[int])
    """Bytes of resident memory each time that all streams of a round were over."""
    left_behind: list[str] = field(default_factory=list[str])

    @property
    def growth(self) -> int:
        """Bytes by which resident memory grew after the first fifth, which is the warm-up."""
        after = self.resident[max(1, len(self.resident) // 5) - 1 :]
        return max(after) - after[0]


async def live(client: OpenRouter, fate: str) -> str:
    """Live through one stream; tell what became of it."""
    stream = client.stream("x", model=fate)
    if fate == "dropped":
        _ = await stream.start()
        return "left"  # and with the last reference the connection
    if fate == "cancelled":
        return await _cancelled(client)
    try:
        async for _ in stream:
            if fate == "broken off":
                return "left"
    except OpenRouterError as error:
        if error.partial is not None and error.partial.text:
            return "failed with a partial"
        return "failed before any output"
    text = stream.partial.text if stream.partial is not None else ""
    return "finished" if text == " word" * CHUNKS else f"finished with {text!r}"


async def _cancelled(client: OpenRouter) -> str:
    begun = asyncio.Event()

    async def read() -> None:
        try:
            async for _ in client.stream("x", model="cancelled"):
                begun.set()
        finally:
            begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return "cancelled"
    except OpenRouterError:
        return "failed"
    return "not cancelled"


async def soak(
    url: str, streams: int, at_once: int, report: Callable[[int, Account], None]
) -> Account:
    """Live through `streams` streams, `at_once` at a time.

    Args:
        url: Where the server of fates is.
        streams: How many in all.
        at_once: How many tasks share them.
        report: Told after each round how many are over.
    """
    chance = random.Random(0)
    account = Account()
    gc.collect()
    before = _objects_of_ours()
    per_round = max(4 * at_once, streams // 50)
    async with OpenRouter(
        KEY,
        base_url=url,
        timeouts=Timeouts(idle=0.5),  # the silent ones
        retry=RetryPolicy(max_attempts=1),
        limits=Limits(max_connections=at_once),
    ) as client:
        over = 0
        while over < streams:
            fates = [
                chance.choice(BAD if chance.random() < FAILING else GOOD)
                for _ in range(min(per_round, streams - over))
            ]
            await _round(client, fates, at_once, account)
            over += len(fates)
            while client.stats().draining:  # noqa: ASYNC110 - for `Timeouts.drain` at most
                await asyncio.sleep(0.01)
            more = await _more_than(before)
            account.left_behind += [f"{count} {name}" for name, count in more.items()]
            gc.collect()
            account.resident.append(resident_memory())
            report(over, account)
        leased = client.stats().leased
    if leased:
        account.left_behind.append(f"{leased} connections")
    return account


async def _round(client: OpenRouter, fates: list[str], at_once: int, account: Account) -> None:
    waiting = iter(fates)

    async def work() -> None:
        for fate in waiting:
            outcome = await live(client, fate)
            account.outcomes[outcome] += 1
            if outcome != OUTCOMES[fate]:
                account.wrong.append(f"{fate}: {outcome}")

    await asyncio.gather(*(work() for _ in range(at_once)))


async def _more_than(before: Counter[str]) -> Counter[str]:
    """Count the objects that stay: callbacks that the loop has still to call let go of theirs."""
    more = _objects_of_ours() - before
    for _ in range(100):
        if not more:
            break
        await asyncio.sleep(0.01)
        more = _objects_of_ours() - before
    return more


def _objects_of_ours() -> Counter[str]:
    """Count the streams, errors and responses that are there, the collector being off."""
    kinds = ("ChatStream", "Cursor", "Response", "Request", "Opening")
    return Counter(
        type(thing).__name__
        for thing in gc.get_objects()
        if str(type(thing).__module__).startswith("openrouter_async")
        and (type(thing).__name__ in kinds or isinstance(thing, BaseException))
    )


def resident_memory() -> int:
    """Bytes of this process's memory that are in RAM (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _show(streams: int) -> Callable[[int, Account], None]:
    start = asyncio.get_running_loop().time()

    def show(over: int, account: Account) -> None:
        seconds = asyncio.get_running_loop().time() - start
        print(
            f"\r{over / streams:4.0%}  {over:,} streams, {over / seconds:,.0f} a second, "
            f"{account.resident[-1] / 2**20:.1f} MiB resident, {len(account.wrong)} wrong ",
            end="",
            file=sys.stderr,
            flush=True,
        )

    return show


def main() -> None:
    """Soak, and say what was found; the exit status is 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--streams", type=int, default=100_000)
    parser.add_argument("--at-once", type=int, default=500)
    arguments = parser.parse_args()
    gc.disable()

    async def run(url: str) -> Account:
        return await soak(url, arguments.streams, arguments.at_once, _show(arguments.streams))

    with serving(Fates) as url:
        account = asyncio.run(run(url))
    print(file=sys.stderr)
    for outcome, count in account.outcomes.most_common():
        print(f"{count:>9,}  {outcome}")
    print(f"{account.growth / 2**20:>9.2f}  MiB more resident memory after the warm-up")
    for wrong in account.wrong[:10]:
        print(f"wrong: {wrong}")
    for thing in account.left_behind:
        print(f"left behind: {thing}")
    if account.wrong or account.left_behind or account.growth > 5 * 2**20:
        sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
