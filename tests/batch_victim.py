"""Runs a job in a process of its own, to be killed there.

Run by tests/test_batch_resume.py and benchmarks/batch.py with a base URL, an input, an output, and
optionally the most bytes that a file of this process may have.
"""

from __future__ import annotations

import asyncio
import sys

from openrouter_async import BatchError, OpenRouter
from openrouter_async.batch import Job

CONCURRENCY = 8


async def main(base_url: str, input: str, output: str) -> None:
    """Run the job; say so when it begins and when it is over."""
    async with OpenRouter("sk-or-v1-test-key", base_url=base_url) as client:
        job = Job(input, output, model="m", concurrency=CONCURRENCY)
        print("ready", flush=True)
        summary = await job.run(client)
        print(summary.done, flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 4:
        import resource

        most = int(sys.argv[4])
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    try:
        asyncio.run(main(*sys.argv[1:4]))
    except BatchError as error:
        sys.exit(f"BatchError: {error}")
