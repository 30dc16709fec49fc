"""Which of a sampler's steps get motion: `start` and `end` are fractions of the steps that are really taken."""

from __future__ import annotations

from collections.abc import Sequence

# Samplers compute a step's sigma in half or single precision; neighbouring steps lie at least a percent apart.
_SAME_SIGMA = 1e-3


def motion_steps(start: float, end: float, *, total: int) -> range:
    """The steps with motion, counted from 0."""
    return range(round(start * total), round(end * total))


def step_of(sigma: float, sigmas: Sequence[float]) -> int:
    """The step that is under way when the model is asked at `sigma`.

    `sigmas` falls from each step's start to the end of the last one. A sampler that asks twice within a step is still
    in it at the second time, unless it asks at the very noise that the next step starts with.
    """
    begun = [step for step, start in enumerate(sigmas[:-1]) if start >= sigma * (1 - _SAME_SIGMA)]
    return max(begun, default=0)
