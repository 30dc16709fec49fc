"""The same tables as Markdown, to be pasted into a README or a report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from training.evaluation.evaluate import Evaluation
from training.evaluation.protocol.rows import ROWS
from training.evaluation.scores.scores import METRICS

# The interval's half width says the same as its ends in less room; the JSON has both.
COLUMNS = ("accuracy", "trajectory", "action", "frechet", "appearance", "first_frame")


def markdown_tables(evaluation: Evaluation) -> str:
    """A table of rows, each figure with half its 95 % interval, and one of targets."""
    shown = [name for name in COLUMNS if all(name in figures.metrics for figures in evaluation.rows.values())]
    says = {row.name: row.says for row in ROWS}
    lines = [_line(["", *(METRICS[name].title for name in shown)]), _rule(len(shown) + 1)]
    for name, figures in evaluation.rows.items():
        cells = []
        for metric in shown:
            found, digits = figures.estimate(metric), METRICS[metric].digits
            cells.append(f"{found.value:.{digits}f} ± {(found.high - found.low) / 2:.{digits}f}")
        lines.append(_line([says[name], *cells]))
    if evaluation.targets:
        lines += ["", _line(["target", "wanted", "measured [95 % interval]", ""]), _rule(4)]
        lines += [_line([t.claim, t.wanted, t.measured, "met" if t.met else "**missed**"]) for t in evaluation.targets]
    return "\n".join(lines) + "\n"


def write_markdown(evaluation: Evaluation, path: Path) -> None:
    """Write the tables under a temporary name first."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(markdown_tables(evaluation), encoding="utf-8")
    os.replace(temporary, path)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _rule(columns: int) -> str:
    return "|" + "---|" * columns
