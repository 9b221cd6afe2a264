"""A report as one HTML page with charts.

The rule of this file: numbers in, text out. The page fetches nothing, runs no script, follows the
reader's light or dark, and says in words and tables whatever a chart shows. All that comes from
a job's rows is escaped.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from html import escape
from math import ceil, floor, log10
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ._report import Report

__all__ = ["page"]

_WIDTH: Final = 640
_HEIGHT: Final = 240
_LEFT: Final = 64
_BOTTOM: Final = 36
_TOP: Final = 26
_BINS: Final = 36
_BARS: Final = 10

_STYLE: Final = """
:root {
  color-scheme: light dark;
  --page: #f7f7f5; --card: #ffffff; --line: #e3e2de; --ink: #1d1f22; --soft: #61656b;
  --main: #2f6fdb; --main-soft: #2f6fdb26; --warn: #c2410c; --good: #15803d;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #131416; --card: #1b1d20; --line: #2d3035; --ink: #ecedee; --soft: #a0a5ab;
    --main: #7aa7ff; --main-soft: #7aa7ff2e; --warn: #fb923c; --good: #4ade80;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 74rem; background: var(--page);
  color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1rem; margin: 0 0 .75rem; }
p.under { color: var(--soft); margin: .25rem 0 1.75rem; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(8, 1fr); gap: .75rem; }
.tile, section { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; }
.tile { padding: .8rem 1rem; }
.tile dt { color: var(--soft); font-size: .8rem; }
.tile dd { margin: 0; font-size: 1.3rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.tile.warn dd { color: var(--warn); }
.tile.good dd { color: var(--good); }
dl { margin: 0 0 .75rem; }
.charts {
  display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr));
}
section { padding: 1.1rem 1.25rem; min-width: 0; }
section.wide { grid-column: 1 / -1; overflow-x: auto; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { fill: var(--soft); font-size: 15px; font-variant-numeric: tabular-nums; }
svg .name { fill: var(--ink); }
svg .bar { fill: var(--main); }
svg .bar.warn { fill: var(--warn); }
svg .area { fill: var(--main-soft); }
svg .curve { fill: none; stroke: var(--main); stroke-width: 2; stroke-linejoin: round; }
svg .grid { stroke: var(--line); }
svg .mark { stroke: var(--ink); stroke-dasharray: 3 3; opacity: .55; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .4rem .9rem .4rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 500; font-size: .8rem; }
td.number, th.number { text-align: right; }
td.said { overflow-wrap: anywhere; color: var(--soft); }
tr:last-child td { border-bottom: 0; }
td.number + td.said, th.number + th.said { padding-left: 1.5rem; }
@media (max-width: 66rem) { .tiles { grid-template-columns: repeat(4, 1fr); } }
@media (max-width: 34rem) {
  .tiles { grid-template-columns: repeat(2, 1fr); }
  svg text { font-size: 21px; }
  td, th { white-space: nowrap; }
  td.said { min-width: 12rem; white-space: normal; }
}
"""


def page(report: Report) -> str:
    """Give the page of a report."""
    name = escape(report.path)
    own = Path(report.path).name
    where = f". {name}" if own != report.path else ""
    charts = [
        _section("How long answers took", _latency_chart(report)),
        _section("Results over time", _time_chart(report)),
    ]
    if any(share.cost for share in report.shares):
        costs = [(_model(share.model), share.cost) for share in report.shares]
        charts.append(_section("Cost by model", _bars("Cost by model", costs, _usd, "bar")))
    if report.failures:
        counts = [(failure.kind, float(failure.count)) for failure in report.failures]
        charts.append(
            _section("Failures by reason", _bars("Failures by reason", counts, _count, "bar warn"))
        )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Batch report: {name}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(own)}</h1>\n"
        f'<p class="under">{report.total:,} items, {_duration(report.seconds)} from the first '
        f"result to the last{where}</p>\n"
        f"{_tiles(report)}\n"
        f'<div class="charts">\n{"".join(charts)}{_models(report)}{_failures(report)}</div>\n'
        "</main>\n</body>\n</html>\n"
    )


def _tiles(report: Report) -> str:
    tokens = report.prompt_tokens + report.completion_tokens
    tiles = [
        ("Done", f"{report.done:,}", "good" if report.done else ""),
        ("Failed", f"{report.failed:,}", "warn" if report.failed else ""),
        ("Not paid for", f"{report.unpaid:,}", "warn" if report.unpaid else ""),
        ("Cost", _usd(report.cost), ""),
        ("Tokens", _short(tokens), ""),
        ("A second", f"{report.total / report.seconds:,.3g}" if report.seconds else "-", ""),
        ("Median", _seconds(report.percentile(50)), ""),
        ("99 % within", _seconds(report.percentile(99)), ""),
    ]
    return (
        '<dl class="tiles">'
        + "".join(
            f'<div class="tile {mood}"><dt>{title}</dt><dd>{value}</dd></div>'
            for title, value, mood in tiles
        )
        + "</dl>"
    )


def _section(title: str, content: str, *, is_wide: bool = False) -> str:
    kind = ' class="wide"' if is_wide else ""
    return f"<section{kind}>\n<h2>{title}</h2>\n{content}\n</section>\n"


def _models(report: Report) -> str:
    rows = [
        [
            _model(share.model),
            share.provider,
            f"{share.count:,}",
            f"{share.tokens:,}",
            _usd(share.cost),
            _seconds(share.seconds / share.count),
        ]
        for share in report.shares
    ]
    heads = ["Model", "Provider", "Answers", "Tokens", "Cost", "Mean time"]
    return _section("Models", _table(heads, rows, 2), is_wide=True) if rows else ""


def _failures(report: Report) -> str:
    rows = [
        [failure.kind, f"{failure.count:,}", f"line {failure.line}", failure.example]
        for failure in report.failures
    ]
    heads = ["Failure", "Items", "First at", "It says"]
    return _section("Failures", _table(heads, rows, 1, 2), is_wide=True) if rows else ""


def _table(heads: list[str], rows: list[list[str]], first: int, last: int | None = None) -> str:
    """Set a table whose columns from `first` to before `last` are numbers."""
    ends = len(heads) if last is None else last

    def cells(tag: str, row: list[str]) -> str:
        kinds = ["number" if first <= index < ends else "said" for index in range(len(row))]
        kinds[0] = "name"
        return "".join(
            f'<{tag} class="{kind}">{escape(cell)}</{tag}>'
            for kind, cell in zip(kinds, row, strict=True)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>\n" for row in rows)
    return f"<table><thead><tr>{cells('th', heads)}</tr></thead>\n<tbody>{body}</tbody></table>"


# Charts.


def _latency_chart(report: Report) -> str:
    values = report.latencies
    if not values:
        return "<p>No answers.</p>"
    # The few slowest would press all others into one bar.
    most = _round_up(report.percentile(99.5) * 1.05 or 0.001)
    counts = [0] * _BINS
    for value in values:
        counts[min(_BINS - 1, int(value / most * _BINS))] += 1
    highest = _round_up(max(counts))
    width = (_WIDTH - _LEFT) / _BINS
    bars = "".join(
        f'<rect class="bar" x="{_LEFT + index * width + 1:.1f}" y="{_y(count, highest):.1f}" '
        f'width="{width - 2:.1f}" height="{_y(0, highest) - _y(count, highest):.1f}" rx="2">'
        f"<title>{count:,} answers in {_seconds(most * index / _BINS)} to "
        f"{_seconds(most * (index + 1) / _BINS)}</title></rect>"
        for index, count in enumerate(counts)
        if count
    )
    marks = ""
    said: list[str] = []
    for place, percent in enumerate((50, 95, 99)):
        at = report.percentile(percent)
        x = _LEFT + min(1, at / most) * (_WIDTH - _LEFT)
        anchor, gap = ("end", -4) if x > _WIDTH - 120 else ("start", 4)
        marks += (
            f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 14}" y2="{_y(0, 1):.1f}"/>'
            f'<text x="{x + gap:.1f}" y="{_TOP - 6 + 22 * place}" text-anchor="{anchor}">'
            f"p{percent} {_seconds(at)}</text>"
        )
        said.append(f"{percent} of 100 within {_seconds(at)}")
    ends = [(index / 4, _seconds(most * index / 4)) for index in range(5)]
    beyond = len(values) - bisect_right(values, most)
    more = f"; {beyond:,} took longer than the chart shows" if beyond else ""
    return _svg(
        "How long answers took",
        f"{len(values):,} answers: {', '.join(said)}{more}.",
        _grid(highest, _count) + bars + marks + _below(ends),
    )


def _time_chart(report: Report) -> str:
    moments = report.moments
    if len(moments) < 2 or report.seconds <= 0:
        return "<p>Too few results for a curve.</p>"
    steps = 120
    began, lasted = moments[0], report.seconds
    counts = [bisect_right(moments, began + lasted * step / steps) for step in range(steps + 1)]
    highest = _round_up(len(moments))
    points = " ".join(
        f"{_LEFT + (_WIDTH - _LEFT) * step / steps:.1f},{_y(count, highest):.1f}"
        for step, count in enumerate(counts)
    )
    base = _y(0, highest)
    ends = [(index / 4, _duration(lasted * index / 4)) for index in range(5)]
    return _svg(
        "Results over time",
        f"{len(moments):,} results in {_duration(lasted)}, {len(moments) / lasted:,.1f} a second.",
        _grid(highest, _count)
        + f'<polygon class="area" points="{_LEFT},{base:.1f} {points} {_WIDTH},{base:.1f}"/>'
        + f'<polyline class="curve" points="{points}"/>'
        + _below(ends),
    )


def _bars(
    title: str, items: Sequence[tuple[str, float]], write: Callable[[float], str], kind: str
) -> str:
    """Draw one horizontal bar an item, the largest first."""
    totals: dict[str, float] = {}
    for name, value in items:
        totals[name] = totals.get(name, 0.0) + value
    shown = sorted(totals.items(), key=lambda item: -item[1])[:_BARS]
    most = max(value for _, value in shown) or 1.0
    step = 52
    drawn: list[str] = []
    for index, (name, value) in enumerate(shown):
        y = index * step
        drawn.append(
            f'<text class="name" x="0" y="{y + 16}">{escape(_cut(name))}</text>'
            f'<text x="{_WIDTH}" y="{y + 16}" text-anchor="end">{write(value)}</text>'
            f'<rect class="{kind}" x="0" y="{y + 24}" height="14" rx="3" '
            f'width="{max(2.0, _WIDTH * value / most):.1f}"/>'
        )
    said = ", ".join(f"{name}: {write(value)}" for name, value in shown)
    return _svg(title, f"{said}.", "".join(drawn), height=len(shown) * step)


def _svg(title: str, said: str, content: str, height: int = _HEIGHT) -> str:
    """Put a chart into a picture that a screen reader reads out."""
    key = title.lower().replace(" ", "-")
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-labelledby="{key}-t {key}-d">'
        f'<title id="{key}-t">{title}</title><desc id="{key}-d">{escape(said)}</desc>'
        f"{content}</svg>"
    )


def _y(value: float, highest: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * value / highest


def _grid(highest: float, write: Callable[[float], str]) -> str:
    lines: list[str] = []
    for part in (0, 0.5, 1):
        y = _y(part, 1)
        lines.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
            f"{write(highest * part)}</text>"
        )
    return "".join(lines)


def _below(marks: Sequence[tuple[float, str]]) -> str:
    return "".join(
        f'<text x="{_LEFT + (_WIDTH - _LEFT) * part:.1f}" y="{_HEIGHT - 10}" text-anchor='
        f'"{"start" if part == 0 else "end" if part == 1 else "middle"}">{text}</text>'
        for part, text in marks
    )


# Numbers as people read them.


def _round_up(value: float) -> float:
    """Give the next number that looks well at the end of an axis."""
    size = 10.0 ** floor(log10(value))
    return next(step * size for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if value <= step * size)


def _count(value: float) -> str:
    return _short(ceil(value))


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1_000 if letter == 'k' else size):.3g}{letter}"
    return f"{value:,.0f}"


def _usd(value: float) -> str:
    if value >= 1:
        return f"${value:,.2f}"
    return f"${value:.2g}" if value else "$0"


def _seconds(value: float) -> str:
    if value < 1:
        return f"{value * 1000:.3g} ms" if value else "0"
    return f"{value:.3g} s" if value < 120 else _duration(value)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def _model(name: str) -> str:
    return name or "(not named)"


def _cut(name: str) -> str:
    return name if len(name) <= 60 else f"{name[:57]}..."
