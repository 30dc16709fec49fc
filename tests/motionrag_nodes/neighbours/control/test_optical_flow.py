"""Optical flow: textured pictures to a small part of a pixel; of flat ones, the smaller thing moves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor

from motionrag_nodes.neighbours.control.optical_flow import optical_flow, warp


def texture(seed: int = 0, side: int = 48) -> Tensor:
    """Smooth noise [1, 3, side, side] in [0, 1]."""
    rough = torch.rand(1, 3, 10, 10, generator=torch.Generator().manual_seed(seed))
    return functional.interpolate(rough, size=(side, side), mode="bicubic", align_corners=False).clamp(0, 1)


@pytest.mark.parametrize("move", [(1.0, 0.0), (-2.0, 1.5)])
def test_a_textured_picture_that_shifts(move: tuple[float, float]) -> None:
    first = texture()
    shift = torch.tensor(move).view(1, 2, 1, 1).expand(1, 2, 48, 48)
    second = warp(first, -shift)
    flow = optical_flow(torch.cat([first, second]))[0] * 48
    middle = flow[:, 12:36, 12:36].flatten(1).mean(1)
    np.testing.assert_allclose(middle, move, atol=0.15)


def test_of_flat_things_the_smaller_moves() -> None:
    """By less than it really does (2 pixels): the pull to rest takes some of it."""
    frames = torch.full((2, 3, 48, 48), 0.1)
    for place, left in enumerate((16, 18)):
        frames[place, 0, 16:30, left : left + 14] = 0.9
    flow = optical_flow(frames)[0] * 48
    assert flow[0, 20:26, 20:28].mean() > 0.7
    assert flow[:, :8].abs().max() < 0.2 and flow[:, 40:].abs().max() < 0.2


def test_stillness_is_still() -> None:
    assert optical_flow(texture().expand(3, -1, -1, -1)).abs().max() == 0


def test_large_pictures_are_looked_at_small() -> None:
    frames = functional.interpolate(texture(), size=(144, 288)).expand(2, -1, -1, -1)
    assert optical_flow(frames, short_side=24).shape == (1, 2, 24, 48)
