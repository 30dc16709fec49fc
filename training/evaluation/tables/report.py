"""What was measured, as a table for people and JSON for programs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from training.evaluation.evaluate import Evaluation
from training.evaluation.scores.figures import RowFigures
from training.evaluation.scores.scores import METRICS, About
from training.evaluation.scores.targets import Target

BETTER = {+1: "↑", -1: "↓", 0: "→1"}
VERSIONS_OF = ("torch", "diffusers", "transformers", "numpy")


def figures_tables(rows: Mapping[str, RowFigures], *, title: str) -> list[Table]:
    """What was measured of the videos, their motion and their sprites: a table each, which fits 80 columns."""
    shown = [name for name in METRICS if any(name in figures.metrics for figures in rows.values())]
    told = ([name for name in shown if METRICS[name].about == about] for about in get_args(About))
    return [_figures_table(rows, metrics, title=title) for metrics in told if metrics]


def _figures_table(rows: Mapping[str, RowFigures], shown: Sequence[str], *, title: str) -> Table:
    """A line a row: each figure and, below it, half its 95 % confidence interval."""
    table = Table(
        Column("row", no_wrap=True),
        *(f"{METRICS[name].short} {BETTER[METRICS[name].better]}" for name in shown),
        title=title,
        title_justify="left",
        caption="below: half the 95 % confidence interval, by bootstrap over clips",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1),
    )
    for name, figures in rows.items():
        values, intervals = [], []
        for metric in shown:
            measured = metric in figures.metrics
            found = figures.estimate(metric) if measured else None
            digits = METRICS[metric].digits
            values.append(f"{found.value:.{digits}f}" if measured else "-")
            intervals.append(f"±{(found.high - found.low) / 2:.{digits}f}" if measured else "")
        table.add_row(f"[bold]{name}", *values)
        table.add_row("", *intervals, style="dim")
    return table


def targets_table(targets: list[Target]) -> Table:
    """A line a target: wanted, measured, met."""
    table = Table("target", "wanted", "measured", "", title="Targets", title_justify="left")
    for target in targets:
        table.add_row(
            target.claim, target.wanted, escape(target.measured), "[green]met" if target.met else "[bold red]missed"
        )
    return table


def write_json(evaluation: Evaluation, path: Path) -> None:
    """Figures, intervals, the figures of every clip, targets, and what they were measured with."""
    write_atomically(
        path,
        {
            "pack": evaluation.pack,
            "clips": evaluation.clips,
            "settings": asdict(evaluation.settings),
            "action_classifier": evaluation.classifier,
            "rows": {name: row_record(figures) for name, figures in evaluation.rows.items()},
            "targets": [target.as_dict() for target in evaluation.targets],
            "timing": None if evaluation.timing is None else evaluation.timing.as_dict(),
            "versions": {"python": platform.python_version(), **{name: version(name) for name in VERSIONS_OF}},
            "threads": torch.get_num_threads(),
        },
    )


def row_record(figures: RowFigures) -> dict[str, Any]:
    """JSON-ready figures of a row."""
    return {
        "figures": {name: figures.estimate(name).as_dict() for name in figures.metrics},
        "frechet_directions": figures.directions,
        "of_clips": {name: _listed(values) for name, values in figures.scores.of_clips.items()},
    }


def _listed(values: np.ndarray) -> list[Any]:
    """Rounded for JSON, which knows no NaN: a clip that cannot be judged is null."""
    return np.where(np.isnan(values), None, values.round(4).astype(object)).tolist()


def write_atomically(path: Path, values: dict[str, Any]) -> None:
    """Write JSON under a temporary name first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(temporary, path)
