import numpy as np
import pytest

from training.evaluation.scores.figures import RowFigures, difference, relative_change
from training.evaluation.scores.scores import Scores


def row(offset: float, *, spread: float = 5.0, seed: int = 0, clips: int = 60) -> RowFigures:
    rng = np.random.default_rng(seed)
    error = rng.normal(10, spread, clips)
    real = rng.normal(0, 1, (clips, 4))
    generated = real + offset + rng.normal(0, 0.01, real.shape)
    return RowFigures(Scores({"trajectory": error + offset, "action": error + offset}, real=real, generated=generated))


def test_paired_difference_is_sure_where_single_intervals_overlap() -> None:
    first, second = row(0.0), row(0.3)
    assert first.estimate("trajectory").high > second.estimate("trajectory").low
    found = difference("trajectory", first, second)
    assert found.value == pytest.approx(-0.3)
    assert found.high < 0


def test_twice_the_other_row_is_compared_by_difference() -> None:
    assert difference("action", row(0.0), row(0.0), times=2).value == pytest.approx(-row(0.0).estimate("action").value)


def test_relative_change_is_in_per_cent_of_the_other() -> None:
    first, second = row(5.0), row(0.0)
    expected = 100 * 5 / second.estimate("action").value
    assert relative_change("action", first, second).value == pytest.approx(expected)


def test_frechet_distance_is_that_of_features_in_the_real_clips_directions() -> None:
    found = row(1.0).estimate("frechet")
    # 4 features, each shifted by 1
    assert found.value == pytest.approx(4.0, rel=0.05)
    assert found.low < found.value < found.high
    assert row(0.0).metrics == ("trajectory", "action", "frechet")


def test_clips_that_cannot_be_judged_are_left_out_and_not_counted() -> None:
    figures = row(0.0, clips=6)
    figures.scores.of_clips["shape_last"] = np.array([0.5, np.nan, 0.7, np.nan, 0.6, np.nan])
    found = figures.estimate("shape_last")
    assert found.value == pytest.approx(0.6)
    assert 0.5 <= found.low < 0.6 < found.high <= 0.75
    assert found.count == 3


def test_a_metric_that_can_judge_no_clip_is_not_measured() -> None:
    figures = row(0.0, clips=6)
    figures.scores.of_clips["shape_last"] = np.full(6, np.nan)
    figures.scores.of_clips["size"] = np.zeros((6, 2))
    assert figures.metrics == ("trajectory", "action", "frechet")


def test_slope_divides_sums_so_that_large_motions_decide() -> None:
    figures = row(0.0, clips=2)
    figures.scores.of_clips["displacement"] = np.array([[90.0, 100.0], [0.0, 1.0]])
    assert figures.at("displacement", np.arange(2)) == pytest.approx(90 / 101)
    assert figures.estimate("displacement").count == 2
