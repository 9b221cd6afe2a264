"""``openrouter-async chat``: one answer, or a talk.

The rule of this file: Ctrl-C stops the answer and nothing else. Its connection closes at once,
what had come stays on the screen, and a talk goes back to its prompt, remembering it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import click

from openrouter_async import (
    CallParams,
    ChatCompletion,
    ChatStream,
    OpenRouter,
    OpenRouterError,
)
from openrouter_async.cli._attach import Part, part_from, piped
from openrouter_async.cli._failures import as_fields, describe
from openrouter_async.cli._setup import checked, open_client
from openrouter_async.cli._terminal import json_option, note, print_json
from openrouter_async.cli._words import remark, summary
from openrouter_async.cli._writer import new_writer
from openrouter_async.content import text
from openrouter_async.conversation import Conversation

__all__ = ["answer_as_json", "command", "next_line", "write_answer"]


@dataclass(frozen=True)
class _Talk:
    """How to ask."""

    model: str | None
    system: str | None
    params: CallParams = field(default_factory=CallParams)
    is_quiet: bool = False
    as_json: bool = False
    kept_in: Path | None = None


@click.command("chat")
@click.argument("prompt", nargs=-1)
@click.option("-a", "--attach", multiple=True, metavar="FILE", help="A file or URL; repeatable.")
@click.option("-m", "--model", envvar="OPENROUTER_MODEL", show_envvar=True, help="Which model.")
@click.option("-s", "--system", help="What the model is told beforehand.")
@click.option(
    "-c",
    "--continue",
    "kept_in",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file that keeps the talk: made if it is not there, gone on with if it is.",
)
@click.option("--reasoning", metavar="EFFORT", help="none, minimal, low, medium, high, xhigh, max.")
@click.option("--temperature", type=float, help="From 0, always the likeliest, to 2.")
@click.option("--max-tokens", type=int, help="The longest answer, in tokens.")
@json_option("One JSON object in place of the text.")
@click.option("--quiet", is_flag=True, help="No line about cost and speed.")
def command(
    prompt: Sequence[str],
    attach: Sequence[str],
    model: str | None,
    system: str | None,
    kept_in: Path | None,
    reasoning: str | None,
    temperature: float | None,
    max_tokens: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Ask a model, or talk with it when no prompt is given.

    What comes through a pipe goes behind the prompt: `cat log | openrouter-async chat "what
    broke?"`. Images, PDFs, sound, video and text can be attached. Ctrl-C stops the answer, and
    with it the bill.
    """
    params = CallParams()
    if reasoning is not None:
        params["reasoning"] = {"effort": reasoning}
    if temperature is not None:
        params["temperature"] = temperature
    if max_tokens is not None:
        params["max_tokens"] = max_tokens
    talk = _Talk(model, system, params, is_quiet=quiet, as_json=as_json, kept_in=kept_in)
    parts = [part_from(source) for source in attach]
    said = " ".join(prompt).strip()
    if not sys.stdin.isatty():
        extra = piped(sys.stdin.buffer.read())
        if isinstance(extra, str):
            said = "\n\n".join(filter(None, (said, extra.strip())))
        else:
            parts.append(extra)
    if said:
        _ask_once(talk, _content(said, parts))
    elif sys.stdin.isatty() and sys.stdout.isatty() and not as_json:
        _converse(talk, parts)
    else:
        raise click.UsageError("there is nothing to ask: give a PROMPT, or pipe one in")


def _content(said: str, parts: Sequence[Part]) -> str | list[Part]:
    return [text(said), *parts] if parts else said


def _ask_once(talk: _Talk, content: str | list[Part]) -> None:
    import asyncio

    client = open_client()

    async def ask() -> None:
        async with client:
            conversation = _conversation(client, talk)
            with checked():
                stream = conversation.stream(content)
            if talk.as_json:
                await answer_as_json(stream)
            else:
                await write_answer(stream, is_quiet=talk.is_quiet)
            _keep(conversation, talk.kept_in)

    asyncio.run(ask())


async def write_answer(stream: ChatStream, *, is_quiet: bool = False) -> None:
    """Write an answer as it comes, and say at its end, whatever that is, what it took."""
    try:
        with new_writer() as writer:
            async for chunk in stream:
                if chunk.reasoning:
                    writer.think(chunk.reasoning)
                if chunk.text:
                    writer.write(chunk.text)
        odd = remark(stream.partial or ChatCompletion())
        if odd is not None:
            note(odd)
    finally:
        if not is_quiet and stream.timing.first_event is not None:
            note(summary(stream))


async def answer_as_json(stream: ChatStream) -> None:
    """Write one JSON object, for an answer that failed or was stopped as well."""
    failure: OpenRouterError | None = None
    try:
        async for _ in stream:
            pass
    except OpenRouterError as error:
        failure = error
        raise
    finally:
        partial = stream.partial
        print_json(
            {
                "text": partial.text if partial is not None else "",
                "reasoning": partial.message.reasoning if partial is not None else None,
                "model": stream.model,
                "provider": stream.provider,
                "generation_id": stream.generation_id,
                "ending": stream.ending,
                "usage": stream.usage.to_dict() if stream.usage is not None else None,
                "cost": stream.cost,
                "seconds_to_first_token": stream.timing.first_delta,
                "tokens_per_second": stream.timing.tokens_per_second,
                "error": None if failure is None else as_fields(failure),
            }
        )


def _converse(talk: _Talk, parts: Sequence[Part]) -> None:
    """Talk turn by turn until Ctrl-D."""
    import asyncio

    with suppress(ImportError):
        import readline as _  # noqa: F401  the import is the point: `input` can edit lines then

    client = open_client()
    note("Ctrl-C stops an answer, Ctrl-D ends the talk.")
    with asyncio.Runner() as runner:
        conversation = _conversation(client, talk)
        try:
            while (said := next_line()) is not None:
                stream = conversation.stream(_content(said, parts))
                try:
                    runner.run(write_answer(stream, is_quiet=talk.is_quiet))
                except KeyboardInterrupt:
                    _remember(conversation, said, stream)
                    _keep(conversation, talk.kept_in)
                except OpenRouterError as error:
                    note(describe(error))
                else:
                    parts = ()  # they are in the history now
                    _keep(conversation, talk.kept_in)
        finally:
            runner.run(client.aclose())
    if conversation.cost and not talk.is_quiet:
        note(f"All together ${conversation.cost:.6f}")


def _conversation(client: OpenRouter, talk: _Talk) -> Conversation:
    """Begin a talk, or take up the one that is kept."""
    with checked():
        if talk.kept_in is None or not talk.kept_in.exists():
            return client.conversation(model=talk.model, system=talk.system, **talk.params)
        if talk.system is not None:
            raise click.UsageError(
                f"--system is for the start of a talk, and {talk.kept_in} has one"
            )
        try:
            kept = Conversation.from_json(client, talk.kept_in.read_bytes(), **talk.params)
        except ValueError as error:
            raise click.UsageError(f"{talk.kept_in}: {error}") from error
    kept.model = talk.model or kept.model
    return kept


def _keep(conversation: Conversation, path: Path | None) -> None:
    """Write a talk down, whole or not at all."""
    if path is not None:
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_bytes(conversation.to_json())
        fresh.replace(path)


def next_line() -> str | None:
    """Read what the user says; None at the end of input."""
    while True:
        try:
            line = input("> ").strip()
        except EOFError:
            note("")
            return None
        except KeyboardInterrupt:
            note("")
            continue
        if line:
            return line


def _remember(conversation: Conversation, said: str, stream: ChatStream) -> None:
    """Keep what had come of a stopped answer, so that the next turn can refer to it."""
    partial = stream.partial
    if partial is not None and partial.text:
        conversation.add(
            {"role": "user", "content": said}, {"role": "assistant", "content": partial.text}
        )
