"""The crop to a video's shape, without the weight of a library of tensors: decode workers use it too."""

from __future__ import annotations

import numpy as np


def crop_to_shape(frames: np.ndarray, shape: tuple[int, int] | None) -> np.ndarray:
    """[..., H, W, 3] -> the largest rectangle of the ratio width : height at the centre; None leaves all of it."""
    if shape is None:
        return frames
    height, width = frames.shape[-3:-1]
    kept_height = min(height, max(1, round(width * shape[1] / shape[0])))
    kept_width = min(width, max(1, round(height * shape[0] / shape[1])))
    top, left = round((height - kept_height) / 2), round((width - kept_width) / 2)
    return frames[..., top : top + kept_height, left : left + kept_width, :]
