"""How much of a picture is not flat: what tells drawings of plain areas from photographs, whatever they show."""

from __future__ import annotations

import numpy as np
from PIL import Image

# Looked at by this many pixels a side; neighbours that differ by more than so much of 255 are not of one area.
SIDE, STEP = 64, 6


def detail(picture: np.ndarray) -> float:
    """uint8 RGB [H, W, 3] -> the share, 0 to 1, of places where the picture changes to the right or downwards."""
    side = (SIDE, SIDE)
    resampling = Image.Resampling.BOX if min(picture.shape[:2]) >= SIDE else Image.Resampling.NEAREST
    small = np.asarray(Image.fromarray(picture).resize(side, resampling), dtype=np.int16)
    right = np.abs(np.diff(small, axis=1)).max(axis=-1)[:-1]  # [S - 1, S - 1]
    down = np.abs(np.diff(small, axis=0)).max(axis=-1)[:, :-1]
    return float((np.maximum(right, down) > STEP).mean())
