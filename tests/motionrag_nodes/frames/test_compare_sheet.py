"""The labelled grid: every video at its place in every frame, titles above, sides that a codec takes."""

from __future__ import annotations

import numpy as np
import pytest

from motionrag_nodes.frames.compare import Compared, Way
from motionrag_nodes.frames.compare_sheet import LINE, MARGIN, compare_film


def _compared(count: int, height: int = 64, width: int = 64) -> Compared:
    """Video n is one shade of grey, the brighter the later in time."""
    shades = 20 * np.arange(1, count + 1)[:, None] + np.arange(3)[None]
    videos = np.broadcast_to(shades[:, :, None, None, None], (count, 3, height, width, 3)).astype(np.uint8)
    return Compared(tuple(Way(title=f"way {n}", note="a ball") for n in range(count)), videos, 8)


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (3, 3), (4, 4), (5, 3), (12, 4)])
def test_every_video_lies_in_its_place(count: int, columns: int) -> None:
    compared = _compared(count)
    film = compare_film(compared)
    assert len(film) == 3 and film.shape[1] % 2 == film.shape[2] % 2 == 0
    step_x, step_y = 192 + MARGIN, LINE + 192 + 2 * LINE + MARGIN
    for place in range(count):
        left, top = MARGIN + place % columns * step_x, MARGIN + place // columns * step_y + LINE
        assert np.array_equal(film[:, top + 90, left + 90], compared.videos[place, :, 0, 0])
        assert film[0, top - LINE : top, left : left + 192].max() > 200, "no title"


def test_large_videos_are_shown_smaller() -> None:
    assert compare_film(_compared(2, height=576, width=1024)).shape[2] == 2 * 512 + 3 * MARGIN
