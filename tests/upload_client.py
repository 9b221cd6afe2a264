"""Sends one large file in a process of its own and prints what it took, as JSON.

Run by tests/test_uploads.py with the base URL, the kind of part and the file as its arguments.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from openrouter_async import OpenRouter, content


def status(field: str) -> int:
    """Read one figure of this process's memory, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


async def watch(longest: list[float]) -> None:
    """Note the most CPU seconds that the loop's thread spent between two of its turns."""
    while True:
        before = time.thread_time()
        await asyncio.sleep(0)
        longest[0] = max(longest[0], time.thread_time() - before)
        await asyncio.sleep(0.001)


async def main(base_url: str, kind: str, path: str) -> None:
    """Send, measure and print."""
    part = content.pdf(path) if kind == "pdf" else content.video(path)
    async with OpenRouter("sk-or-v1-test-key", base_url=base_url, model="m") as client:
        # What the first request of a process brings with it is not measured.
        await client.complete([{"role": "user", "content": [content.pdf(b"%PDF-" + bytes(9))]}])
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        before = status("VmRSS")
        longest = [0.0]
        watching = asyncio.create_task(watch(longest))
        message = {"role": "user", "content": [content.text("What is it?"), part]}
        completion = await client.complete([message])
        watching.cancel()
        grown = status("VmHWM") - before
        print(json.dumps({"text": completion.text, "grown": grown, "longest": longest[0]}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
