"""Thumbnails: eight frames side by side, 96 px high, in time."""

import io

import numpy as np
from PIL import Image

from index_builder.clips.thumbnails import thumbnail_strip


def test_a_strip_shows_eight_frames_in_time() -> None:
    levels = np.linspace(0, 250, 16).astype(np.uint8)
    frames = np.broadcast_to(levels[:, None, None, None], (16, 48, 64, 3))
    strip = Image.open(io.BytesIO(thumbnail_strip(frames)))
    assert strip.format == "JPEG" and strip.size == (8 * 128, 96)
    shown = np.asarray(strip)[48, 64::128, 0].astype(int)
    assert np.abs(shown - levels[np.round(np.linspace(0, 15, 8)).astype(int)]).max() < 8


def test_extreme_shapes_stay_bounded() -> None:
    for height, width in ((16, 256), (256, 16), (1, 1)):
        strip = Image.open(io.BytesIO(thumbnail_strip(np.zeros((1, height, width, 3), np.uint8))))
        assert strip.height == 96 and strip.width <= 8 * 256
