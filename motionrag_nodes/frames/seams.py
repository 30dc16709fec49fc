"""Seams: where one piece of a video goes on from another, and how much more changes there than between other frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np


def steps_between(frames: np.ndarray) -> np.ndarray:
    """Frames uint8 RGB [T, H, W, 3] -> [T - 1]: by how much each differs from the one before, as the mean over pixels
    and channels in levels of 255."""
    pairs = pairwise(frames)
    return np.array([np.abs(after.astype(np.float32) - before).mean() for before, after in pairs], dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Seam:
    """`frame` is the first behind the seam. jump: how much it differs from the one before; within: how much a frame of
    the two pieces that meet here differs from the one before it, on average; both in levels of 255."""

    frame: int
    jump: float
    within: float


def seams_of(frames: np.ndarray, begins: Sequence[int]) -> list[Seam]:
    """frames: uint8 RGB [T, H, W, 3]; begins: the first frame of each piece, rising, from 0 on."""
    steps = steps_between(frames)
    ends = [*begins[1:], len(frames)]
    inside = [steps[begin : end - 1] for begin, end in zip(begins, ends, strict=True)]
    found = []
    for place, begin in enumerate(begins[1:], start=1):
        near = np.concatenate(inside[place - 1 : place + 1])
        within = float(near.mean()) if len(near) else 0.0
        found.append(Seam(frame=begin, jump=float(steps[begin - 1]), within=within))
    return found
