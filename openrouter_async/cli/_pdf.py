"""``openrouter-async pdf``: questions about documents.

The rule of this file: a document is parsed, and paid for, once, however many questions there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from openrouter_async.cli._chat import answer_as_json, write_answer
from openrouter_async.cli._setup import checked, open_client
from openrouter_async.cli._terminal import json_option, note

__all__ = ["command"]


@click.command("pdf")
@click.argument("files", nargs=-1, required=True)
@click.option(
    "-q", "--question", "questions", multiple=True, required=True, help="Repeat it to ask more."
)
@click.option("-m", "--model", envvar="OPENROUTER_MODEL", show_envvar=True, help="Which model.")
@click.option("--engine", help="Who reads the files: mistral-ocr, cloudflare-ai or native.")
@click.option(
    "--remember",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder that keeps the files' text, so that the next call does not pay for it.",
)
@json_option("A JSON object a question.")
@click.option("--quiet", is_flag=True, help="No line about cost and speed.")
def command(
    files: Sequence[str],
    questions: Sequence[str],
    model: str | None,
    engine: str | None,
    remember: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Ask about PDF documents, which are files or URLs.

    Every model can be asked: OpenRouter reads a document for those that cannot.
    """
    import asyncio

    documents = [_document(source) for source in files]
    client = open_client(documents=remember)

    async def ask() -> None:
        async with client:
            for question in questions:
                with checked():
                    stream = client.stream_pdf(question, documents, model=model, engine=engine)
                if as_json:
                    await answer_as_json(stream)
                    continue
                if len(questions) > 1 and not quiet:
                    note(f"> {question}")
                await write_answer(stream, is_quiet=quiet)

    asyncio.run(ask())


def _document(source: str) -> Any:
    from openrouter_async import content
    from openrouter_async.types._sniff import HEAD, is_pdf

    if not source.startswith(("http://", "https://")):
        try:
            with Path(source).open("rb") as file:
                head = file.read(HEAD)
        except OSError as error:
            raise click.UsageError(f"cannot read {source}: {error.strerror}") from error
        if not is_pdf(head):
            raise click.UsageError(f"{source} is not a PDF, by its first bytes")
    with checked():
        return content.pdf(source)
