import numpy as np
import pytest

from training.evaluation.scores.bootstrap import estimate, mean_estimate


def test_interval_of_a_mean_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    found = mean_estimate(values)
    half = 1.96 * values.std(ddof=1) / 20
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.05)
    assert found.high == pytest.approx(values.mean() + half, abs=0.05)
    assert found.count == 400


def test_interval_surrounds_a_statistic_that_repetitions_push_upwards() -> None:
    values = np.random.default_rng(1).normal(0, 1, 50)
    # Distinct values are fewer in every draw, so that all draws lie on one side of the figure.
    found = estimate(lambda places: -float(len(np.unique(values[places]))), 50)
    assert found.low < found.value < found.high


def test_same_clips_are_drawn_each_time() -> None:
    values = np.random.default_rng(2).normal(0, 1, 30)
    assert mean_estimate(values) == mean_estimate(values)
