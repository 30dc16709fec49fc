import numpy as np
import pytest
import torch

from training import base
from training.data import draw_clips
from training.encoders.codec import to_pixels


def test_moving_latents_weigh_more_and_a_clip_as_much_as_any_other() -> None:
    latents = torch.zeros(2, 4, 3, 8, 8)
    latents[0, 2:, :, 1, 1] = 2.0
    weight = base.moving_weight(latents)
    assert weight.shape == (2, 4, 1, 8, 8)
    assert weight.mean((1, 2, 3, 4)).tolist() == pytest.approx([1, 1])
    assert float(weight[0, 2, 0, 1, 1] / weight[0, 0, 0, 1, 1]) == pytest.approx(1 + base.MOVING_WEIGHT)
    assert weight[1].unique().tolist() == [1]


def test_both_where_a_sprite_is_and_where_it_was_are_moving() -> None:
    [spec], [clip] = draw_clips(np.random.default_rng(0), 1, frames=8, motions=["left"])
    # a codec that keeps every eighth pixel's neighbourhood as its mean
    latents = torch.nn.functional.avg_pool2d(to_pixels(clip), 8)[None]
    moving = base.moving_weight(latents)[0, -1, 0] > 1
    path = spec.trajectory(8)

    def place(moment: int) -> tuple[int, int]:
        return int((0.5 - spec.y - path.dy[moment]) * 8), int((0.5 + spec.x + path.dx[moment]) * 8)

    assert moving[place(0)]
    assert moving[place(-1)]
    assert not moving[0].any()
