"""What is made of measured figures: medians, spreads, ratios, tables, and whether a check holds.

The rule of this file: pure. Nothing is measured, read or printed here.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence

WORSE = 1.5
"""How many times its recorded value a ratio may become before the check fails."""

Ratios = Mapping[str, Mapping[str, float]]
"""Of each scene, of each loop, how many times the floor's CPU it takes."""


def ratios(figures: Mapping[str, Sequence[float]], floor: str = "floor") -> dict[str, float]:
    """Say how many times the floor's median the others take.

    Args:
        figures: What each loop took, run by run.
        floor: The loop that the others are held against.

    Returns:
        The ratio of each of the others.
    """
    least = statistics.median(figures[floor])
    return {
        name: statistics.median(values) / least for name, values in figures.items() if name != floor
    }


def worse(measured: Ratios, recorded: Ratios) -> list[str]:
    """Say which ratios got worse than they may.

    Args:
        measured: The ratios of now.
        recorded: The ratios that were written down.

    Returns:
        A sentence for each that is more than `WORSE` times its recorded value, or has none.
    """
    found: list[str] = []
    for scene, of_scene in measured.items():
        for name, ratio in of_scene.items():
            known = recorded.get(scene, {}).get(name)
            if known is None:
                found.append(f"{scene}, {name}: {ratio:.2f} times the floor, and none is recorded")
            elif ratio > known * WORSE:
                found.append(
                    f"{scene}, {name}: {ratio:.2f} times the floor, recorded is {known:.2f} "
                    f"(at most {known * WORSE:.2f})"
                )
    return found


def best(tries: Iterable[Ratios]) -> dict[str, dict[str, float]]:
    """Take the lowest ratio that any try has seen."""
    lowest: dict[str, dict[str, float]] = {}
    for measured in tries:
        for scene, of_scene in measured.items():
            known = lowest.setdefault(scene, {})
            for name, ratio in of_scene.items():
                known[name] = min(ratio, known.get(name, ratio))
    return lowest


def spread(values: Sequence[float]) -> str:
    """Give the lowest and the highest, as a table shows them."""
    return f"{shown(min(values))} to {shown(max(values))}"


def shown(value: float) -> str:
    """Write a figure with three digits that mean something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers_from: int = 1) -> str:
    """Lay out a table for a terminal that Markdown understands as well.

    Args:
        head: The names of the columns.
        rows: The cells of each row.
        numbers_from: The first column that is set to the right.

    Returns:
        Its lines, without a line end behind the last.
    """
    widths = [max(len(line[place]) for line in (head, *rows)) for place in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        set_out = (
            cell.ljust(width) if place < numbers_from else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join(set_out)} |"

    rule = "|".join(
        f" {'-' * width} " if place < numbers_from else f" {'-' * (width - 1)}: "
        for place, width in enumerate(widths)
    )
    return "\n".join([line(head), f"|{rule}|", *(line(row) for row in rows)])
