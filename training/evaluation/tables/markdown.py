"""The same tables as Markdown, to be pasted into a README or a report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from training.evaluation.evaluate import Evaluation
from training.evaluation.protocol.rows import ROWS
from training.evaluation.scores.figures import RowFigures
from training.evaluation.scores.scores import METRICS, About

NOT_SHOWN = ("seconds",)


def markdown_tables(evaluation: Evaluation) -> str:
    """Tables of rows, of the videos, their motion and their sprites, and one of targets."""
    lines = []
    for about in get_args(About):
        named = [name for name, metric in METRICS.items() if metric.about == about and name not in NOT_SHOWN]
        if any(name in figures.metrics for name in named for figures in evaluation.rows.values()):
            lines += [*_rows_table(evaluation.rows, named), ""]
    if evaluation.targets:
        lines += [_line(["target", "wanted", "measured [95 % interval]", ""]), _rule(4)]
        lines += [_line([t.claim, t.wanted, t.measured, "met" if t.met else "**missed**"]) for t in evaluation.targets]
    return "\n".join(lines).rstrip() + "\n"


def _rows_table(rows: Mapping[str, RowFigures], metrics: Sequence[str]) -> list[str]:
    """A line a row: each figure with half its 95 % interval, which takes less room than its ends; the JSON has both."""
    shown = [name for name in metrics if any(name in figures.metrics for figures in rows.values())]
    says = {row.name: row.says for row in ROWS}
    lines = [_line(["", *(METRICS[name].title for name in shown)]), _rule(len(shown) + 1)]
    for name, figures in rows.items():
        cells = []
        for metric in shown:
            if metric not in figures.metrics:
                cells.append("-")
                continue
            found, digits = figures.estimate(metric), METRICS[metric].digits
            cells.append(f"{found.value:.{digits}f} ± {(found.high - found.low) / 2:.{digits}f}")
        lines.append(_line([says[name], *cells]))
    return lines


def write_markdown(evaluation: Evaluation, path: Path) -> None:
    """Write the tables under a temporary name first."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(markdown_tables(evaluation), encoding="utf-8")
    os.replace(temporary, path)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _rule(columns: int) -> str:
    return "|" + "---|" * columns
