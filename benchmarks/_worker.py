"""The process of one client: it takes orders, a line each, and answers with figures.

The rule of this file: what is measured is between two looks at the clocks of this process, with
nothing of the measuring between, but for what every client does alike.

    python -m benchmarks._worker CLIENT [--loop uvloop]
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from ._clients import CLIENTS, Client
from ._limits import forget_peak, peak, raise_file_limit, resident

AT_ONCE = {"short": 100, "tools": 20}
BATCH_CONCURRENCY = 500
_WITHOUT_END = 1_000_000
_EDGE = 1_000


class Meter:
    """CPU and wall seconds between two moments, and the memory at most between them."""

    def __init__(self) -> None:
        gc.collect()
        self._memory = resident()
        forget_peak()
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def figures(self, count: int) -> dict[str, float]:
        """Give the figures of what has been done meanwhile."""
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        return {"count": count, "cpu": cpu, "wall": wall, "memory": peak() - self._memory}


async def streams(client: Client, base_url: str, count: int, at_once: int) -> dict[str, float]:
    """Read one stream, or many at a time."""
    async with client.opened(base_url) as opened:
        meter = Meter()
        if at_once == 1:
            found = await client.read(opened)
        else:
            found = sum(await asyncio.gather(*(client.read(opened) for _ in range(at_once))))
        figures = meter.figures(found)
    expected = count * at_once
    if found != expected:
        raise RuntimeError(f"{found} chunks came, {expected} were sent")
    return figures


async def relay(client: Client, base_url: str, count: int) -> dict[str, float]:
    """Pass on the bytes of one stream."""
    async with client.opened(base_url) as opened:
        meter = Meter()
        size = await client.read(opened)
        figures = meter.figures(count)
    if size < count * 100:
        raise RuntimeError(f"only {size} bytes came")
    return figures


async def image(client: Client, base_url: str) -> dict[str, float]:
    """Read one large picture."""
    async with client.opened(base_url) as opened:
        meter = Meter()
        found = await client.read(opened)
        figures = meter.figures(1)
    if not found:
        raise RuntimeError("it gave no picture")
    return figures


async def upload(client: Client, base_url: str, path: str) -> dict[str, float]:
    """Send a large file."""
    async with client.opened(base_url) as opened:
        meter = Meter()
        await client.upload(opened, path)
        return meter.figures(1)


async def batch(client: Client, base_url: str, count: int) -> dict[str, float]:
    """Ask for many short answers."""
    async with client.opened(base_url) as opened:
        meter = Meter()
        found = await client.many(opened, count, BATCH_CONCURRENCY)
        figures = meter.figures(count)
    if found != count:
        raise RuntimeError(f"{found} answers came, {count} were asked for")
    return figures


async def long(client: Client, base_url: str, count: int) -> dict[str, float]:
    """Read one stream, and compare its first chunks with its last."""
    marks: dict[int, tuple[float, float]] = {}
    edges = {_EDGE, 11 * _EDGE, count - 11 * _EDGE, count - _EDGE}
    async with client.opened(base_url) as opened:
        meter = Meter()
        found = 0
        async for _ in client.texts(opened):
            found += 1
            if found in edges:
                marks[found] = time.process_time(), resident()
        figures = meter.figures(found)
    if found != count:
        raise RuntimeError(f"{found} chunks came, {count} were sent")
    first, early, late, last = (marks[edge] for edge in sorted(edges))
    figures["start"] = (early[0] - first[0]) / (10 * _EDGE)
    figures["end"] = (last[0] - late[0]) / (10 * _EDGE)
    figures["growth"] = last[1] - early[1]
    return figures


async def crowd(client: Client, base_url: str, count: int, seconds: float) -> dict[str, float]:
    """Hold many streams that live."""
    allowed = raise_file_limit()
    if allowed < count + 100:
        raise RuntimeError(
            f"{count} streams need {count + 100} open files, and the system allows {allowed}: "
            f"raise it with `ulimit -Hn {count + 100}` as root, or ask for fewer with --crowd"
        )
    delays: list[float] = []
    started = 0
    everybody = asyncio.Event()

    async with client.opened(base_url) as opened:

        async def one(number: int) -> None:
            nonlocal started
            await asyncio.sleep(number / 2_000)  # a flood of connections is another scene
            is_first = True
            async for text in client.texts(opened):
                if is_first:
                    is_first = False
                    started += 1
                    if started == count:
                        everybody.set()
                delays.append(time.time() - float(text))

        gc.collect()
        before = resident()
        tasks = [asyncio.create_task(one(number)) for number in range(count)]
        await asyncio.wait_for(everybody.wait(), count / 500 + 60)
        delays.clear()
        meter = Meter()
        await asyncio.sleep(seconds)
        figures = meter.figures(len(delays))
        figures["stream"] = (resident() - before) * 1024 / count
        delays.sort()
        figures["median_delay"] = delays[len(delays) // 2]
        figures["late_delay"] = delays[len(delays) * 99 // 100]
        figures["worst_delay"] = delays[-1]
        figures["alive"] = sum(not task.done() for task in tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return figures


async def measured(client: Client, order: dict[str, Any]) -> dict[str, float]:
    """Run one scene."""
    scene, count = order["scene"], order["count"]
    base_url = f"{order['url']}/{order.get('path', scene)}/{count}"
    if scene == "relay":
        return await relay(client, base_url, count)
    if scene == "image":
        return await image(client, base_url)
    if scene == "upload":
        return await upload(client, f"{order['url']}/answers/8", order["file"])
    if scene == "batch":
        return await batch(client, f"{order['url']}/answers/8", count)
    if scene == "crowd":
        await streams(client, f"{order['url']}/short/20", 20, 10)  # a library is whole by then
        endless = f"{order['url']}/{order['path']}/{_WITHOUT_END}"
        return await crowd(client, endless, count, order["seconds"])
    if scene == "long":
        return await long(client, base_url, count)
    return await streams(client, base_url, count, AT_ONCE.get(scene, 1))


def main(name: str, loop: str) -> None:
    """Take orders until there are no more."""
    run: Callable[[Coroutine[Any, Any, Any]], Any] = asyncio.run
    if loop == "uvloop":
        import uvloop  # type: ignore[import-not-found, unused-ignore]

        run = uvloop.run
    answers = sys.stdout
    sys.stdout = sys.stderr  # whatever a library prints is no answer
    client = CLIENTS[name]()
    for line in sys.stdin:
        try:
            answer = run(measured(client, json.loads(line)))
        except Exception as error:  # noqa: BLE001  (the one in front says what failed)
            answer = {"failure": f"{type(error).__name__}: {error}"[:500]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "asyncio")
