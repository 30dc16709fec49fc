"""Confidence intervals by resampling the clips, with the same draws for every row, so that rows can be compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

DRAWS = 1000
CONFIDENCE = 0.95
SEED = 930_001


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % confidence interval; `count` clips stand behind it."""

    value: float
    low: float
    high: float
    count: int

    def as_dict(self) -> dict[str, float | int]:
        """JSON-ready."""
        return asdict(self)


def estimate(statistic: Callable[[np.ndarray], float], count: int) -> Estimate:
    """`statistic` takes the places of clips [count], with repetitions, and gives the figure over these.

    Percentiles of 1,000 draws, moved so that their median is the figure itself: repetitions lower the rank of a
    covariance, so that the Frechet distance of drawn clips lies above that of the clips.
    """
    rng = np.random.default_rng([SEED, count])
    value = statistic(np.arange(count))
    drawn = np.array([statistic(rng.integers(count, size=count)) for _ in range(DRAWS)])
    outside = (1 - CONFIDENCE) / 2 * 100
    low, high = np.nanpercentile(drawn, [outside, 100 - outside]) - (np.nanmedian(drawn) - value)
    return Estimate(value=float(value), low=float(low), high=float(high), count=count)


def mean_estimate(values: np.ndarray) -> Estimate:
    """Of the mean of one figure a clip, [N]."""
    return estimate(lambda places: float(values[places].mean()), len(values))
