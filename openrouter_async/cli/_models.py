"""``openrouter-async models``: which model for what, and for how much.

The rule of this file: the API lists, this chooses and sorts. A price is USD for a million tokens.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import click
from msgspec import Struct

from openrouter_async.cli._setup import open_client
from openrouter_async.cli._terminal import is_lively, json_option, note, print_json, stdout_console
from openrouter_async.cli._words import million_price, printable
from openrouter_async.types.models import Model

__all__ = ["Row", "Wanted", "command", "row_of"]

_NEVER: Final = float("inf")


class Row(Struct, frozen=True, kw_only=True):
    """What is told of a model; prices are None where they depend."""

    id: str
    name: str
    context: int | None
    input_price: float | None
    output_price: float | None
    input: list[str]
    output: list[str]
    created: int | None


class Wanted(Struct, frozen=True, kw_only=True):
    """Which models to show."""

    words: list[str] = []
    is_free: bool = False
    inputs: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()
    max_price: float | None = None
    context: int = 0

    def __contains__(self, row: Row) -> bool:
        """Tell whether a model is one of them."""
        name = f"{row.id} {row.name}".lower()
        return (
            all(word in name for word in self.words)
            and (not self.is_free or row.input_price == row.output_price == 0)
            and self.inputs <= set(row.input)
            and self.outputs <= set(row.output)
            and (self.max_price is None or _or_never(row.input_price) <= self.max_price)
            and (row.context or 0) >= self.context
        )


_ORDERS: Final[dict[str, Callable[[Row], Any]]] = {
    "name": lambda row: row.id,
    "price": lambda row: (_or_never(row.input_price), row.id),
    "output-price": lambda row: (_or_never(row.output_price), row.id),
    "context": lambda row: (-(row.context or 0), row.id),
    "newest": lambda row: (-(row.created or 0), row.id),
}


@click.command("models")
@click.argument("search", nargs=-1)
@click.option("--free", is_flag=True, help="Only those that cost nothing.")
@click.option("--input", "inputs", multiple=True, metavar="KIND", help="It takes image, file, ...")
@click.option("--output", "outputs", multiple=True, metavar="KIND", help="It gives image, ...")
@click.option("--max-price", type=float, help="USD for a million tokens of prompt, at most.")
@click.option("--context", type=int, default=0, help="Tokens of context, at least.")
@click.option("--sort", type=click.Choice(list(_ORDERS)), default="name", show_default=True)
@click.option("--limit", type=click.IntRange(min=1), help="The first so many only.")
@json_option("A JSON list.")
def command(
    search: Sequence[str],
    free: bool,
    inputs: Sequence[str],
    outputs: Sequence[str],
    max_price: float | None,
    context: int,
    sort: str,
    limit: int | None,
    as_json: bool,
) -> None:
    """Find models by words of their names, with prices and context.

    A table in a terminal; in a pipe one line a model, with tabs between id, context, price of
    input and price of output.
    """
    import asyncio

    wanted = Wanted(
        words=[word.lower() for word in search],
        is_free=free,
        inputs=frozenset(inputs),
        outputs=frozenset(outputs),
        max_price=max_price,
        context=context,
    )
    rows = asyncio.run(_rows(outputs))
    rows = sorted((row for row in rows if row in wanted), key=_ORDERS[sort])[:limit]
    if as_json:
        print_json(rows)
    elif not rows:
        note("No model is like that.")
    else:
        _show(rows)


async def _rows(outputs: Sequence[str]) -> list[Row]:
    async with open_client(needs_key=False) as client:
        # What the API lists by itself is what writes text.
        models = await client.models.list(output_modalities=outputs or ["text"])
    return [row_of(model) for model in models]


def row_of(model: Model) -> Row:
    """Give what is told of a model."""
    takes, prices = model.architecture, model.pricing
    return Row(
        id=model.id,
        name=model.name,
        context=model.context_length,
        input_price=million_price(prices.prompt) if prices is not None else None,
        output_price=million_price(prices.completion) if prices is not None else None,
        input=(takes.input_modalities if takes is not None else None) or [],
        output=(takes.output_modalities if takes is not None else None) or [],
        created=model.created,
    )


def _show(rows: Sequence[Row]) -> None:
    console = stdout_console()
    if not is_lively(console):
        for row in rows:
            fields = (row.id, row.context or "", _price(row.input_price), _price(row.output_price))
            sys.stdout.write("\t".join(map(str, fields)) + "\n")
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model", overflow="fold")
    for name in ("context", "input $/M", "output $/M"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("takes", overflow="fold", style="dim")
    for row in rows:
        context = f"{row.context:,}" if row.context is not None else ""
        prices = (_price(row.input_price), _price(row.output_price))
        cells = (row.id, context, *prices, " ".join(row.input))
        table.add_row(*(Text(printable(cell)) for cell in cells))
    console.print(table)


def _price(price: float | None) -> str:
    return "" if price is None else f"{price:.4f}".rstrip("0").rstrip(".")


def _or_never(price: float | None) -> float:
    return _NEVER if price is None else price
