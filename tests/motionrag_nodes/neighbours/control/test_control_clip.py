"""A clip's motion alone: where and how it moves, nothing of its colours; strength; whose motion; refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from index_builder.errors import InvalidSetting
from motionrag_nodes.errors import ShapeMismatch
from motionrag_nodes.neighbours.control.control_clip import control_clip, draw_motion, noise_pictures
from motionrag_nodes.neighbours.control.kinds import KINDS

SIZE = (48, 64)


def motion_right() -> torch.Tensor:
    """[3, 2, 24, 32]: a square in the middle goes right by two points a frame."""
    flow = torch.zeros(3, 2, 24, 32)
    flow[:, 0, 8:16, 12:20] = 2 / 32
    return flow


def _clip(colour: tuple[int, int, int], step: int = 2) -> np.ndarray:
    frames = np.full((3, 32, 32, 3), 40, np.uint8)
    for place in range(3):
        frames[place, 10:20, 6 + step * place : 16 + step * place] = colour
    return frames


def test_where_it_moves_and_which_way() -> None:
    grey = draw_motion(motion_right(), SIZE, kind="silhouette")
    assert grey.shape == (3, *SIZE, 3) and np.ptp(grey, axis=-1).max() == 0
    assert grey[:, 24, 32].min() == 153 and grey[:, 4, 4].max() == 0
    red = draw_motion(motion_right(), SIZE, kind="colours")[1, 24, 32]
    assert red[0] > 240 and red[1:].max() < 10
    left = draw_motion(-motion_right(), SIZE, kind="colours")[1, 24, 32]
    assert left[0] < 10 and left[1:].min() > 240


def test_strength_scales_it() -> None:
    half = draw_motion(motion_right(), SIZE, kind="colours", strength=0.5)[1, 24, 32, 0]
    assert half == pytest.approx(128, abs=3)
    for kind in ("silhouette", "colours"):
        assert draw_motion(motion_right(), SIZE, kind=kind, strength=0.0).max() == 0
    still = draw_motion(motion_right(), SIZE, kind="noise", strength=0.0)
    assert np.array_equal(still[0], still[2])


def test_noise_is_carried_along_and_stays_noise() -> None:
    first, second, _ = noise_pictures(motion_right(), seed=1)
    assert torch.equal(second[:, 8:16, 14:22], first[:, 8:16, 12:20])
    assert torch.equal(second[:, :8], first[:, :8])
    assert not torch.equal(second[:, 8:16, 12:14], first[:, 8:16, 12:14])
    assert second.mean() == pytest.approx(0.5, abs=0.03) and second.std() == pytest.approx(0.18, abs=0.02)


def test_camera_and_objects_are_told_apart() -> None:
    flow = motion_right() + torch.tensor([0.0, -0.03]).view(1, 2, 1, 1)
    camera = draw_motion(flow, SIZE, kind="colours", whose="camera only")
    assert np.ptp(camera[1].reshape(-1, 3).astype(int), axis=0).max() < 12 and camera.max() > 60
    objects = draw_motion(flow, SIZE, kind="colours", whose="objects only")
    assert objects[1, 24, 32, 0] > 200 and objects[1, 4, 4].max() < 12


def test_colours_leave_no_trace() -> None:
    pair = [control_clip(_clip(colour), kind="silhouette") for colour in ((220, 40, 40), (40, 40, 220))]
    assert np.abs(pair[0].astype(int) - pair[1]).mean() < 2 and pair[0].max() == 153


@pytest.mark.parametrize("kind", KINDS)
def test_as_many_frames_of_the_same_size(kind: str) -> None:
    clip = _clip((220, 40, 40))
    assert control_clip(clip, kind=kind).shape == clip.shape


def test_refusals() -> None:
    with pytest.raises(InvalidSetting, match="Expected a kind of silhouette, colours, noise"):
        control_clip(_clip((1, 2, 3)), kind="depth")
    with pytest.raises(ShapeMismatch, match="Expected at least two frames"):
        control_clip(_clip((1, 2, 3))[:1])
