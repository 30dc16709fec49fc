"""Playing sheet: every clip moves in its cell, choices are framed, and no caption or thumbnail breaks it."""

from dataclasses import replace

import numpy as np
import torch

from index_builder.clips.thumbnails import thumbnail_strip
from motionrag_nodes.neighbours.labels import ACCENT
from motionrag_nodes.neighbours.neighbours import Neighbour, Neighbours
from motionrag_nodes.neighbours.playing_sheet import (
    CELL_HEIGHT,
    CELL_WIDTH,
    CLIP_HEIGHT,
    CLIP_WIDTH,
    LINE,
    MARGIN,
    playing_sheet,
    seconds_of,
)


def item(rank: int, channel: int) -> Neighbour:
    """A clip that brightens from black in one colour."""
    frames = np.zeros((8, 48, 64, 3), np.uint8)
    frames[..., channel] = np.linspace(0, 240, 8, dtype=np.uint8)[:, None, None]
    return Neighbour(rank, "id", 0.5, None, None, "a caption", "/videos/v.mp4", 0.0, 2.0, thumbnail_strip(frames))


def neighbours(*items: Neighbour, **more) -> Neighbours:
    return Neighbours(tuple(items), torch.zeros(len(items), 2, 3), torch.zeros(len(items), 2, 3), "f", **more)


def middle_of(film: np.ndarray, column: int, row: int = 0) -> np.ndarray:
    """The pixel in the middle of a cell's clip over time, [8, 3]."""
    top = MARGIN + row * CELL_HEIGHT + LINE + CLIP_HEIGHT // 2
    return film[:, top, MARGIN + column * CELL_WIDTH + CLIP_WIDTH // 2].astype(int)


def test_clips_play_in_a_grid_in_their_order() -> None:
    film = playing_sheet(neighbours(*(item(rank, (rank - 1) % 3) for rank in range(1, 6))))
    assert film.dtype == np.uint8 and film.shape == (8, 2 * CELL_HEIGHT + MARGIN, 3 * CELL_WIDTH + MARGIN, 3)
    for place in range(5):
        pixel = middle_of(film, place % 3, place // 3)
        assert (np.diff(pixel[:, place % 3]) > 10).all()
        assert pixel[:, [channel for channel in range(3) if channel != place % 3]].max() < 60
    # What is written stands still.
    assert (film[:, : MARGIN + LINE] == film[:1, : MARGIN + LINE]).all()


def test_choices_are_framed_and_a_clip_left_out_is_dim() -> None:
    film = playing_sheet(neighbours(replace(item(1, 0), pinned=True), item(2, 0), item(3, 0), weights=(1.0, 1.0, 0.0)))
    framed = [(film[0, MARGIN + LINE - 2, MARGIN + column * CELL_WIDTH + 9] == ACCENT).all() for column in range(2)]
    assert framed == [True, False]
    assert middle_of(film, 0)[-1, 0] > 200 and middle_of(film, 0, 1)[-1, 0] < 120


def test_any_caption_and_a_torn_or_missing_thumbnail_will_do() -> None:
    film = playing_sheet(
        neighbours(
            replace(item(1, 0), caption="滑雪者 🎬 " + "word " * 500),
            replace(item(2, 0), caption=None, thumbnail=b"\xff\xd8 torn"),
            replace(item(3, 0), thumbnail=b""),
        )
    )
    assert film.shape[0] == 8 and film.shape[2] == 2 * CELL_WIDTH + MARGIN


def test_it_lasts_as_long_as_the_clips() -> None:
    assert seconds_of(neighbours(item(1, 0), replace(item(2, 0), end_sec=4.0))) == 3.0
