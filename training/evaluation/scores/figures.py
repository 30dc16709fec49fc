"""From scores of clips to figures with confidence intervals: of a row, and of one row against another."""

from __future__ import annotations

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
        """The metrics that were measured, in the table's order."""
        return tuple(name for name in METRICS if name in self.scores.of_clips or name == "frechet")

    def at(self, metric: str, places: np.ndarray) -> float:
        """A metric over the clips at `places`, which may repeat."""
        if metric == "frechet":
            return frechet_distance(self._real[places], self._generated[places])
        return float(self.scores.of_clips[metric][places].mean())

    def _estimate(self, metric: str) -> Estimate:
        return estimate(lambda places: self.at(metric, places), self.scores.count)


def difference(metric: str, row: RowFigures, than: RowFigures, *, times: float = 1.0) -> Estimate:
    """`row` minus `times` the other, over the same clips drawn for both."""
    return estimate(lambda places: row.at(metric, places) - times * than.at(metric, places), row.scores.count)


def relative_change(metric: str, row: RowFigures, than: RowFigures) -> Estimate:
    """How much more `row` has than the other, in per cent of the other, over the same clips drawn for both."""
    return estimate(lambda places: 100 * (row.at(metric, places) / than.at(metric, places) - 1), row.scores.count)
