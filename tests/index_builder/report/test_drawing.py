"""Thumbnails taken apart, and even picks."""

import io
import random

import numpy as np
import pytest
from PIL import Image

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


def jpeg(width: int, height: int, **settings) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height)).save(buffer, "JPEG", **settings)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("strip", "reason"),
    [
        (jpeg(13_000, 13_000), "13000 x 13000 pixels"),
        (jpeg(65_000, 40), "65000 x 40 pixels"),
        (jpeg(2048, 96, progressive=True), "several layers"),
        (jpeg(2048, 96) + bytes(5 << 20), "bytes"),
    ],
)
def test_what_unfolds_to_much_is_not_unfolded(strip: bytes, reason: str, caplog, monkeypatch) -> None:
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("it was decoded"))
    assert frames_of_strip(strip) == [] and reason in caplog.text


def test_damaged_strips_end_in_frames_or_none() -> None:
    generator = random.Random(4)
    whole = thumbnail_strip(np.full((8, 48, 64, 3), 99, np.uint8))
    for _ in range(400):
        spoiled = bytearray(whole)
        for _ in range(generator.randint(1, 6)):
            spoiled[generator.randrange(min(700, len(spoiled)))] = generator.randrange(256)
        assert len(frames_of_strip(bytes(spoiled))) in (0, STRIP_FRAMES)


def test_picks_are_even_and_distinct() -> None:
    assert spread(3, 5) == [0, 1, 2] and spread(0, 5) == []
    assert spread(100, 5) == [0, 20, 40, 60, 80]
