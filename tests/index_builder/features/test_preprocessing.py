"""Pixels reach the encoders as published: sampled, resized, cropped, normalised."""

import numpy as np
import pytest
import torch

from index_builder.features.preprocessing import Preprocessing, prepare_clips, prepare_frames, sample_frames

PLAIN = Preprocessing(8, 8, "bilinear", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), frames=4)


def test_frames_are_sampled_uniformly() -> None:
    clip = np.arange(31, dtype=np.uint8).reshape(31, 1, 1, 1)
    assert sample_frames(clip, 16).ravel().tolist() == list(range(0, 31, 2))
    assert sample_frames(clip[:1], 3).ravel().tolist() == [0, 0, 0]


def test_pixels_are_normalised() -> None:
    white = np.full((2, 8, 8, 3), 255, dtype=np.uint8)
    assert torch.equal(prepare_frames(white, PLAIN), torch.ones(2, 3, 8, 8))


@pytest.mark.parametrize(("height", "width"), [(16, 40), (40, 16), (8, 8), (9, 31), (5, 7)])
def test_any_size_becomes_the_crop(height: int, width: int) -> None:
    frames = np.zeros((1, height, width, 3), dtype=np.uint8)
    assert prepare_frames(frames, PLAIN).shape == (1, 3, 8, 8)


def test_crop_keeps_the_centre() -> None:
    frames = np.zeros((1, 8, 24, 3), dtype=np.uint8)
    frames[:, :, 8:16] = 255
    assert torch.equal(prepare_frames(frames, PLAIN), torch.ones(1, 3, 8, 8))


def test_first_frame_difference_is_appended() -> None:
    clip = np.stack([np.full((8, 8, 3), v, dtype=np.uint8) for v in (0, 51, 102, 153)])
    plan = Preprocessing(8, 8, "bilinear", (0.0,) * 3, (1.0,) * 3, frames=4, first_frame_difference=True)
    prepared = prepare_clips([clip], plan)
    assert prepared.shape == (1, 4, 6, 8, 8)
    assert torch.equal(prepared[0, 0, 3:], torch.zeros(3, 8, 8))
    assert torch.allclose(prepared[0, 3, 3:], torch.full((3, 8, 8), 0.6))


def test_plan_survives_json() -> None:
    assert Preprocessing.from_dict(PLAIN.to_dict()) == PLAIN
