"""The comparison as one film: a grid of the videos, each with its title, its effect and whose motion it is."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from index_builder.report.drawing import BACKGROUND, FAINT, INK
from index_builder.report.lettering import Lettering
from motionrag_nodes.frames.compare import Compared

MARGIN, LINE, FONT_SIZE, SMALL_FONT_SIZE = 12, 22, 16, 13
MIN_SIDE, MAX_SIDE = 192, 512
NOTE_LINES = 2
_MAX_COLUMNS = 4


def compare_film(compared: Compared) -> np.ndarray:
    """Compared -> uint8 RGB [T, H, W, 3] with even sides, row by row in the order of the ways."""
    count, frames, height, width = compared.videos.shape[:4]
    scale = _scale(width, height)
    cell = max(1, round(width * scale)), max(1, round(height * scale))
    columns = count if count <= _MAX_COLUMNS else min(_MAX_COLUMNS, math.ceil(math.sqrt(count)))
    step = cell[0] + MARGIN, LINE + cell[1] + NOTE_LINES * LINE + MARGIN
    size = columns * step[0] + MARGIN, math.ceil(count / columns) * step[1] + MARGIN
    still = Image.new("RGB", (size[0] + size[0] % 2, size[1] + size[1] % 2), BACKGROUND)
    corners = [(MARGIN + place % columns * step[0], MARGIN + place // columns * step[1]) for place in range(count)]
    for place, corner in enumerate(corners):
        _letter(ImageDraw.Draw(still), corner, cell, compared, place)
    film = []
    for moment in range(frames):
        frame = still.copy()
        for (left, top), video in zip(corners, compared.videos, strict=True):
            # Small videos are shown as they are: larger pixels, not smoother ones.
            way = Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.LANCZOS
            frame.paste(Image.fromarray(video[moment]).resize(cell, way), (left, top + LINE))
        film.append(np.asarray(frame))
    return np.stack(film)


def _scale(width: int, height: int) -> float:
    """Whole numbers enlarge, so that pixels stay even."""
    if max(width, height) < MIN_SIDE:
        return math.ceil(MIN_SIDE / max(width, height))
    return min(1.0, MAX_SIDE / max(width, height))


def _letter(
    draw: ImageDraw.ImageDraw, corner: tuple[int, int], cell: tuple[int, int], compared: Compared, place: int
) -> None:
    """Title above; effect and note below."""
    left, top = corner
    way, effect = compared.ways[place], compared.effects()[place]
    text, small = Lettering(FONT_SIZE), Lettering(SMALL_FONT_SIZE)
    text.draw(draw, (left, top), text.fitted(way.title, cell[0]), INK)
    words = f"differs by {effect:.1f}" if place else "the others are compared with this"
    words = f"{words}: {way.note}" if way.note else words
    below = top + LINE + cell[1] + 2
    for line in small.wrapped(words, cell[0], most_lines=NOTE_LINES):
        small.draw(draw, (left, below), line, FAINT)
        below += LINE - 4
