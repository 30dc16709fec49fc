"""Contact sheet: a line a neighbour, its frames recognisable, whatever captions and thumbnails come."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from index_builder.clips.thumbnails import thumbnail_strip
from index_builder.errors import InvalidSetting
from motionrag_nodes.neighbours.contact_sheet import BACKGROUND, LINE, MARGIN, contact_sheet
from motionrag_nodes.neighbours.labels import ACCENT
from motionrag_nodes.neighbours.neighbours import Neighbour, Neighbours


def neighbours(*items: Neighbour) -> Neighbours:
    return Neighbours(tuple(items), torch.zeros(len(items), 2, 3), torch.zeros(len(items), 2, 3), "f")


def item(rank: int, colour: tuple[int, int, int], caption: str | None = "a caption") -> Neighbour:
    frames = np.empty((16, 48, 64, 3), np.uint8)
    frames[:] = colour
    return Neighbour(rank, "id", 0.5, None, None, caption, "/videos/v.mp4", 0.0, 2.0, thumbnail_strip(frames))


def test_shows_each_neighbour_in_its_line() -> None:
    sheet = contact_sheet(neighbours(item(1, (200, 0, 0)), item(2, (0, 0, 200), None)))
    assert sheet.dtype == np.uint8 and sheet.shape[1] == 8 * 128 + 2 * MARGIN
    first, second = sheet[MARGIN + LINE + 48, 400], sheet[2 * MARGIN + 2 * LINE + 96 + 48, 400]
    assert first[0] > 150 > first[2] and second[2] > 150 > second[0]
    heads = sheet[MARGIN : MARGIN + LINE - 4]
    assert (heads != np.array(BACKGROUND)).any()


def test_long_and_foreign_captions_and_missing_or_torn_strips_do_not_matter() -> None:
    long = item(1, (0, 200, 0), "日本 🎬 " + "word " * 400)
    torn = replace(item(2, (0, 0, 0)), thumbnail=b"\xff\xd8 torn")
    none = replace(item(3, (0, 0, 0)), thumbnail=b"")
    sheet = contact_sheet(neighbours(long, torn, none), max_width=700)
    assert sheet.shape[1] == 700 and sheet.shape[0] > 3 * 96


def test_an_artist_s_choices_are_marked_and_a_clip_left_out_is_dim() -> None:
    pinned, plain, out = replace(item(1, (200, 0, 0)), pinned=True), item(2, (0, 0, 200)), item(3, (200, 0, 0))
    sheet = contact_sheet(replace(neighbours(pinned, plain, out), weights=(1.0, 1.0, 0.0)))
    block = LINE + 96 + MARGIN
    marked = [
        (sheet[MARGIN + n * block : MARGIN + n * block + LINE - 4] == np.array(ACCENT)).all(-1).any() for n in range(3)
    ]
    assert marked == [True, False, True]
    first, last = sheet[MARGIN + LINE + 48, 400], sheet[MARGIN + 2 * block + LINE + 48, 400]
    assert first[0] > 150 > last[0]


def test_too_narrow_is_an_error() -> None:
    with pytest.raises(InvalidSetting, match="at least 480 px"):
        contact_sheet(neighbours(item(1, (0, 0, 0))), max_width=100)
