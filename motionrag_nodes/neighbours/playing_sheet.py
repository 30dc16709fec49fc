"""Playing sheet: neighbours as a short film of a grid of clips, each with rank, score, marks and caption."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from index_builder.clips.thumbnails import STRIP_FRAMES
from index_builder.report.drawing import BACKGROUND, EMPTY, FAINT, INK, frames_of_strip
from index_builder.report.lettering import Lettering
from motionrag_nodes.neighbours.labels import ACCENT, dimmed, head_of, marks_of, name_of
from motionrag_nodes.neighbours.neighbours import Neighbour, Neighbours

CLIP_WIDTH, CLIP_HEIGHT, MARGIN, LINE = 240, 150, 12, 20
FONT_SIZE, SMALL_FONT_SIZE = 15, 13
# Head above the clip; two lines of caption and the file name below.
CELL_WIDTH, CELL_HEIGHT = CLIP_WIDTH + MARGIN, LINE + CLIP_HEIGHT + 3 * LINE + 2 * MARGIN
MAX_COLUMNS = 5
_OUTLINE = 3


def playing_sheet(neighbours: Neighbours) -> np.ndarray:
    """Neighbours -> uint8 RGB [8, H, W, 3], row by row in their order: eight moments of every clip at once."""
    columns = columns_of(neighbours)
    size = (columns * CELL_WIDTH + MARGIN, math.ceil(len(neighbours) / columns) * CELL_HEIGHT + MARGIN)
    still = Image.new("RGB", size, BACKGROUND)
    corners = [
        (MARGIN + place % columns * CELL_WIDTH, MARGIN + place // columns * CELL_HEIGHT)
        for place in range(len(neighbours))
    ]
    for corner, item, weight in zip(corners, neighbours.items, neighbours.weights, strict=True):
        _letter(ImageDraw.Draw(still), corner, item, weight)
    clips = [_clip(item, weight) for item, weight in zip(neighbours.items, neighbours.weights, strict=True)]
    film = []
    for moment in range(STRIP_FRAMES):
        frame = still.copy()
        for (left, top), clip in zip(corners, clips, strict=True):
            frame.paste(clip[moment], (left, top + LINE))
        film.append(np.asarray(frame))
    return np.stack(film)


def columns_of(neighbours: Neighbours) -> int:
    """How many clips stand side by side."""
    return min(MAX_COLUMNS, math.ceil(math.sqrt(len(neighbours))))


def seconds_of(neighbours: Neighbours) -> float:
    """How long the clips take: the mean of their lengths, at least a tenth of a second."""
    return max(0.1, sum(item.end_sec - item.start_sec for item in neighbours.items) / len(neighbours))


def _letter(draw: ImageDraw.ImageDraw, corner: tuple[int, int], item: Neighbour, weight: float) -> None:
    """Writes around the clip, and frames it where the artist chose something for it."""
    left, top = corner
    text, small = Lettering(FONT_SIZE), Lettering(SMALL_FONT_SIZE)
    end = text.draw(draw, (left, top), head_of(item), INK if weight else FAINT)
    marks = marks_of(item, weight)
    text.draw(draw, (end, top), "   " + "   ".join(marks), ACCENT)
    below = top + LINE + CLIP_HEIGHT + _OUTLINE + 2
    for line in text.wrapped(item.caption, CLIP_WIDTH, most_lines=2) if item.caption else []:
        text.draw(draw, (left, below), line, INK if weight else FAINT)
        below += LINE
    small.draw(draw, (left, below), small.fitted(name_of(item), CLIP_WIDTH), FAINT)
    if marks:
        box = (left - _OUTLINE, top + LINE - _OUTLINE, left + CLIP_WIDTH + _OUTLINE - 1, top + LINE + CLIP_HEIGHT + 2)
        draw.rectangle(box, fill=ACCENT)


def _clip(item: Neighbour, weight: float) -> list[Image.Image]:
    """Eight pictures of one size; grey ones where there is no thumbnail."""
    frames = frames_of_strip(item.thumbnail) if item.thumbnail else []
    shown = [_fitted(frame) for frame in frames] or [Image.new("RGB", (CLIP_WIDTH, CLIP_HEIGHT), EMPTY)] * STRIP_FRAMES
    return shown if weight else [dimmed(frame) for frame in shown]


def _fitted(frame: Image.Image) -> Image.Image:
    scale = min(CLIP_WIDTH / frame.width, CLIP_HEIGHT / frame.height)
    size = (max(1, round(frame.width * scale)), max(1, round(frame.height * scale)))
    field = Image.new("RGB", (CLIP_WIDTH, CLIP_HEIGHT), tuple(part // 2 for part in EMPTY))
    resized = frame.resize(size, Image.Resampling.BICUBIC)
    field.paste(resized, ((CLIP_WIDTH - size[0]) // 2, (CLIP_HEIGHT - size[1]) // 2))
    return field
