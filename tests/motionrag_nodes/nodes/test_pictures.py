"""Between ComfyUI's pictures and the stages'."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from motionrag_nodes.errors import ShapeMismatch
from motionrag_nodes.nodes import pictures


def test_a_picture_survives_the_way_there_and_back() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    image = pictures.to_image(picture)
    assert image.shape == (1, 5, 7, 3)
    np.testing.assert_array_equal(pictures.to_picture(image), picture)


def test_alpha_is_dropped_values_are_clamped_and_a_batch_is_no_picture() -> None:
    image = torch.zeros(2, 1, 1, 4)
    image[0, 0, 0] = torch.tensor([-0.5, 0.5, 1.5, 0.3])
    assert pictures.to_frames(image).shape == (2, 1, 1, 3)
    assert pictures.to_picture(image[:1]).tolist() == [[[0, 128, 255]]]
    with pytest.raises(ShapeMismatch, match=r"Expected one picture, received a batch of 2: .* ImageFromBatch"):
        pictures.to_picture(image)


def test_frame_rates() -> None:
    assert pictures.frame_rate(4) == 4
    assert pictures.frame_rate(29.97) == Fraction(2997, 100)
