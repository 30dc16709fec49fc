"""A picture of how a run's stages learned, from their logs."""

from __future__ import annotations

import csv
from pathlib import Path

# Logged values are single batches: a running mean over this share of a stage shows the trend through them.
SMOOTHED_SHARE = 0.1
# A run's picture, and that of the pack it went on from.
LOSSES, LOSSES_BEFORE = "losses.png", "losses_before.png"


def write_plot(run_folder: Path, target: Path) -> None:
    """Write a picture with a panel for each stage that has a log: its losses (log scale) by hours."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    logs = sorted(run_folder.glob("*.csv"), key=lambda log: log.stat().st_mtime)
    figure, panels = pyplot.subplots(1, max(1, len(logs)), figsize=(3.6 * max(1, len(logs)), 3), squeeze=False)
    for panel, log in zip(panels[0], logs, strict=False):
        with log.open(newline="") as file:
            rows = list(csv.DictReader(file))
        hours = [float(row["seconds"]) / 3600 for row in rows]
        for name in rows[0].keys() - {"step", "seconds", "learning_rate"}:
            panel.plot(hours, _smoothed([float(row[name]) for row in rows]), label=name)
        panel.set(title=f"{log.stem}, {rows[-1]['step']} steps", xlabel="hours", yscale="log")
        panel.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(target, dpi=110)
    pyplot.close(figure)


def _smoothed(values: list[float]) -> list[float]:
    """The mean of each value and those before it within SMOOTHED_SHARE of the log."""
    width = max(1, round(len(values) * SMOOTHED_SHARE))
    windows = (values[max(0, end - width) : end] for end in range(1, len(values) + 1))
    return [sum(window) / len(window) for window in windows]
