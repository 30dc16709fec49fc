import numpy as np
import pytest

from training.evaluation.scores.frechet import MOST_DIRECTIONS, frechet_distance, principal_directions


def test_distance_of_shifted_and_stretched_gaussians() -> None:
    rng = np.random.default_rng(0)
    real = rng.normal(0, 1, (40_000, 2))
    generated = rng.normal(0, 1, (40_000, 2)) * [2.0, 1.0] + [3.0, 0.0]
    # |m|^2 = 9; in the first direction 1 + 4 - 2 * 2 = 1
    assert frechet_distance(real, generated) == pytest.approx(10.0, rel=0.02)


def test_nothing_lies_between_a_set_and_itself() -> None:
    clips = np.random.default_rng(1).normal(0, 1, (60, 5))
    assert frechet_distance(clips, clips) == pytest.approx(0, abs=1e-8)


def test_distance_of_correlated_features_does_not_depend_on_the_axes() -> None:
    rng = np.random.default_rng(2)
    real, generated = rng.normal(0, 1, (100, 3)) @ rng.normal(0, 1, (3, 3)), rng.normal(0, 2, (100, 3))
    turn, _ = np.linalg.qr(rng.normal(0, 1, (3, 3)))
    assert frechet_distance(real @ turn, generated @ turn) == pytest.approx(frechet_distance(real, generated))


def test_directions_are_orthonormal_and_never_more_than_a_third_of_the_clips() -> None:
    rng = np.random.default_rng(3)
    assert principal_directions(rng.normal(0, 1, (30, 128))).shape == (128, 10)
    many = principal_directions(rng.normal(0, 1, (300, 128)))
    assert many.shape == (128, MOST_DIRECTIONS)
    np.testing.assert_allclose(many.T @ many, np.eye(MOST_DIRECTIONS), atol=1e-8)
