"""Text cut to a width, thumbnails taken apart, even picks."""

import numpy as np
from PIL import Image, ImageDraw

from index_builder.clips.thumbnails import STRIP_FRAMES, STRIP_HEIGHT, thumbnail_strip
from index_builder.report.drawing import fitted, frames_of_strip, load_font, spread


def test_text_is_one_line_and_fits() -> None:
    draw, font = ImageDraw.Draw(Image.new("RGB", (10, 10))), load_font(16)
    assert fitted(draw, "two\nlines", font, 500) == "two lines"
    cut = fitted(draw, "a long caption " * 200, font, 120)
    assert cut.startswith("a long") and cut.endswith("…") and draw.textlength(cut, font=font) <= 121


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
