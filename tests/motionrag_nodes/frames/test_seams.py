"""Seams of films whose steps are known."""

from __future__ import annotations

import numpy as np

from motionrag_nodes.frames.seams import Seam, seams_of, steps_between


def film(*levels: int) -> np.ndarray:
    return np.stack([np.full((2, 3, 3), level, np.uint8) for level in levels])


def test_steps_go_both_ways() -> None:
    assert steps_between(film(0, 10, 5, 255)).tolist() == [10, 5, 250]


def test_a_seam_is_compared_with_the_pieces_that_meet() -> None:
    frames = film(0, 2, 4, 104, 108, 112, 112)
    assert seams_of(frames, [0, 3, 6]) == [Seam(frame=3, jump=100, within=3), Seam(frame=6, jump=0, within=4)]


def test_single_frames_have_no_inside() -> None:
    assert seams_of(film(0, 9), [0, 1]) == [Seam(frame=1, jump=9, within=0)]
