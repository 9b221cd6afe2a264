"""Draw the figures of a run: CPU a chunk of each client, on a scale of tens.

python chart.py benchmark.json benchmark.png
"""

import json
import statistics
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

SCENES = ("packed", "burst", "trickle", "short")
OURS = ("typed", "text", "raw", "messages")
HAND = ("floor", "json lines")


def color(name):
    """Ours, by hand, and the others."""
    return "#2563eb" if name in OURS else "#9ca3af" if name in HAND else "#f59e0b"


def label(name):
    """What a bar is called."""
    if name in OURS:
        return f"openrouter_async, {name}"
    return f"by hand: {name}" if name in HAND else name


def draw(results, target):
    """Draw the scenes that count chunks."""
    scenes = [scene for scene in SCENES if scene in results["scenes"]]
    if not scenes:
        scenes = [s for s in results["scenes"] if s not in ("long", "import")][:1]
    figure, axes = plt.subplots(
        (len(scenes) + 1) // 2 or 1, min(2, len(scenes)) or 1, figsize=(13, 8), squeeze=False
    )
    for axis in axes.flat[len(scenes) :]:
        axis.axis("off")
    for axis, scene in zip(axes.flat, scenes, strict=False):
        taken = {}
        for name, runs in results["scenes"][scene].items():
            taken[name] = statistics.median(run["cpu"] / run["chunks"] * 1e6 for run in runs)
        names = sorted(taken, key=taken.get, reverse=True)
        bars = axis.barh(
            [label(name) for name in names],
            [taken[name] for name in names],
            color=[color(name) for name in names],
        )
        axis.bar_label(bars, [f"{taken[name]:.3g}" for name in names], padding=3, fontsize=8)
        axis.set_xscale("log")
        axis.margins(x=0.15)
        axis.set_title(f"{scene}: CPU a chunk, microseconds", fontsize=10, loc="left")
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle("Reading one stream: less is better (the scale is logarithmic)", fontsize=12)
    figure.text(
        0.01,
        0.01,
        f"{results['date']}; {results['machine']}; {results['versions']}",
        fontsize=7,
        color="#6b7280",
    )
    figure.tight_layout(rect=(0, 0.03, 1, 0.98))
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2])
