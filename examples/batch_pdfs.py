"""A folder of PDFs in, one summary for each out; stop it at any moment and start it again.

Without a key it talks to the built-in emulator, which finds sentences but sums nothing up.

    python examples/batch_pdfs.py [folder] [summaries.jsonl]
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from pathlib import Path

import msgspec

from openrouter_async import OpenRouter
from openrouter_async.batch import Job, Row
from openrouter_async.testing import Emulator, make_pdf

MODEL = "openai/gpt-4o-mini"
QUESTION = "Sum this document up in two sentences."
ENGINE = {"id": "file-parser", "pdf": {"engine": "cloudflare-ai"}}  # free


def requests_for(folder: Path, source: Path) -> None:
    """Write one request a document; the documents travel in them, so they may be moved later."""
    with source.open("w") as file:
        for path in sorted(folder.glob("*.pdf")):
            data = base64.b64encode(path.read_bytes()).decode()
            document = {"filename": path.name, "file_data": f"data:application/pdf;base64,{data}"}
            content = [{"type": "text", "text": QUESTION}, {"type": "file", "file": document}]
            messages = [{"role": "user", "content": content}]
            file.write(json.dumps({"id": path.name, "messages": messages}) + "\n")


async def sum_up(client: OpenRouter, folder: Path, output: Path) -> None:
    """Run the job and print what it gave."""
    source = output.with_name(f"{output.stem}.requests.jsonl")
    await asyncio.to_thread(requests_for, folder, source)
    job = Job(source, output, model=MODEL, plugins=[ENGINE], concurrency=8, budget=1.0)
    summary = await job.run(client)
    for line in output.read_bytes().splitlines():
        row = msgspec.json.decode(line, type=Row)
        print(f"{row.id}: {row.text if row.error is None else row.error.message}")
    print(f"{summary.done} of {summary.total} documents, ${summary.cost:.6f}")


async def main(folder: Path, output: Path) -> None:
    """Run against OpenRouter, or against the emulator where there is no key."""
    if not folder.exists():
        folder.mkdir()
        (folder / "contract.pdf").write_bytes(make_pdf("The contract was signed by Jane Miller."))
        (folder / "harvest.pdf").write_bytes(make_pdf("The harvest of 1903 was 21 tons."))
    if os.environ.get("OPENROUTER_API_KEY"):
        async with OpenRouter() as client:
            await sum_up(client, folder, output)
        return
    async with (
        Emulator() as emulator,
        OpenRouter("sk-or-v1-emulated", base_url=emulator.base_url) as client,
    ):
        await sum_up(client, folder, output)


if __name__ == "__main__":
    names = [*sys.argv[1:], *["documents", "summaries.jsonl"][len(sys.argv) - 1 :]]
    asyncio.run(main(Path(names[0]), Path(names[1])))
