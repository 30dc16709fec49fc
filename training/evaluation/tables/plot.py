"""Every figure of every row as a point with its confidence interval."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from training.evaluation.scores.figures import RowFigures
from training.evaluation.scores.scores import METRICS

BETTER = {+1: "more is better", -1: "less is better", 0: "1 is right"}
BLUE, FAINT = "#2a6fb0", "#d8dde3"


def write_plot(rows: Mapping[str, RowFigures], path: Path, *, title: str) -> None:
    """A panel a metric, a line a row, the first row at the top."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = [name for name in METRICS if any(name in figures.metrics for figures in rows.values())]
    across = min(4, len(shown))
    down = -(-len(shown) // across)
    height = max(1.8, 0.27 * len(rows) + 0.9)
    figure, panels = pyplot.subplots(
        down, across, figsize=(3.1 * across + 1.4, height * down + 0.4), sharey=True, squeeze=False
    )
    for panel, metric in zip(panels.flat, shown, strict=False):
        _draw(panel, metric, rows)
    for panel in list(panels.flat)[len(shown) :]:
        panel.set_axis_off()
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    figure.tight_layout()
    temporary = path.with_suffix(".tmp")
    figure.savefig(temporary, format="png", dpi=110)
    pyplot.close(figure)
    os.replace(temporary, path)


def _draw(panel, metric: str, rows: Mapping[str, RowFigures]) -> None:
    names = list(rows)
    for place, name in enumerate(names):
        if metric in rows[name].metrics:
            found = rows[name].estimate(metric)
            panel.plot([found.low, found.high], [place, place], color=BLUE, linewidth=2, solid_capstyle="round")
            panel.plot(found.value, place, "o", color=BLUE, markersize=5)
    panel.set_yticks(range(len(names)), names, fontsize=8)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.set_title(f"{METRICS[metric].title} ({BETTER[METRICS[metric].better]})", fontsize=8, loc="left")
    panel.grid(axis="x", color=FAINT)
    panel.set_axisbelow(True)
    panel.tick_params(axis="x", labelsize=8)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.tick_params(axis="y", length=0)
