"""Fractions of the true steps, and the step that a sampler is in."""

from __future__ import annotations

import pytest

from motionrag_nodes.attention.steps import motion_steps, step_of

SIGMAS = [80.0, 20.0, 4.0, 0.5, 0.0]


@pytest.mark.parametrize(
    ("start", "end", "steps"),
    [(0, 1, [0, 1, 2, 3]), (0.25, 0.75, [1, 2]), (0, 0.1, []), (0.5, 0.5, []), (0.9, 1, []), (0.8, 1, [3])],
)
def test_motion_steps(start: float, end: float, steps: list[int]) -> None:
    assert list(motion_steps(start, end, total=4)) == steps


def test_a_step_is_known_by_the_noise_that_it_starts_with() -> None:
    assert [step_of(sigma, SIGMAS) for sigma in SIGMAS[:-1]] == [0, 1, 2, 3]
    assert [step_of(sigma, SIGMAS) for sigma in (79.98, 19.995, 0.4999)] == [0, 1, 3]  # rounded


def test_a_second_look_within_a_step_is_still_that_step() -> None:
    assert [step_of(sigma, SIGMAS) for sigma in (40.0, 9.0, 1.4, 0.01)] == [0, 1, 2, 3]
    assert step_of(90.0, SIGMAS) == 0  # noise added before the first step
