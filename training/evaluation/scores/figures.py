"""From scores of clips to figures with confidence intervals: of a row, and of one row against another."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from training.evaluation.scores.bootstrap import Estimate, estimate
from training.evaluation.scores.frechet import frechet_distance, principal_directions
from training.evaluation.scores.scores import METRICS, Scores


class RowFigures:
    """The figures of one row."""

    def __init__(self, scores: Scores) -> None:
        self.scores = scores
        directions = principal_directions(scores.real)
        self.directions = directions.shape[1]
        self._real, self._generated = scores.real @ directions, scores.generated @ directions
        self.estimate = cache(self._estimate)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that were measured, in the table's order; one that can judge no clip at all is left out."""
        return tuple(name for name in METRICS if name == "frechet" or self._judged(name).any())

    def at(self, metric: str, places: np.ndarray) -> float:
        """A metric over the clips at `places`, which may repeat; NaN where none of them can be judged."""
        if metric == "frechet":
            return frechet_distance(self._real[places], self._generated[places])
        values = self.scores.of_clips[metric][places]
        if values.ndim == 2:
            above, below = values.sum(0)
            return float(above / below) if below else np.nan
        judged = values[~np.isnan(values)]
        return float(judged.mean()) if len(judged) else np.nan

    def _estimate(self, metric: str) -> Estimate:
        found = estimate(lambda places: self.at(metric, places), self.scores.count)
        return found if metric == "frechet" else replace(found, count=int(self._judged(metric).sum()))

    def _judged(self, metric: str) -> np.ndarray:
        """Which clips the metric says something of, bool [N]."""
        values = self.scores.of_clips.get(metric, np.full(self.scores.count, np.nan))
        return values[:, 1] > 0 if values.ndim == 2 else ~np.isnan(values)


def difference(metric: str, row: RowFigures, than: RowFigures, *, times: float = 1.0) -> Estimate:
    """`row` minus `times` the other, over the same clips drawn for both."""
    return estimate(lambda places: row.at(metric, places) - times * than.at(metric, places), row.scores.count)


def relative_change(metric: str, row: RowFigures, than: RowFigures) -> Estimate:
    """How much more `row` has than the other, in per cent of the other, over the same clips drawn for both."""
    return estimate(lambda places: 100 * (row.at(metric, places) / than.at(metric, places) - 1), row.scores.count)
