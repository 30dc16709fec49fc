"""Thumbnails taken apart, and even picks."""

import numpy as np

from index_builder.clips.thumbnails import STRIP_FRAMES, STRIP_HEIGHT, thumbnail_strip
from index_builder.report.drawing import frames_of_strip, spread


def test_a_strip_comes_apart_into_its_frames() -> None:
    frames = np.repeat(np.arange(0, 240, 30, dtype=np.uint8), 48 * 64 * 3).reshape(8, 48, 64, 3)
    found = frames_of_strip(thumbnail_strip(frames))
    assert len(found) == STRIP_FRAMES and {frame.height for frame in found} == {STRIP_HEIGHT}
    means = [np.asarray(frame).mean() for frame in found]
    assert np.abs(np.array(means) - np.arange(0, 240, 30)).max() < 4


def test_what_is_no_picture_has_no_frames() -> None:
    assert frames_of_strip(b"") == frames_of_strip(b"not a jpeg") == []


def test_picks_are_even_and_distinct() -> None:
    assert spread(3, 5) == [0, 1, 2] and spread(0, 5) == []
    assert spread(100, 5) == [0, 20, 40, 60, 80]
