"""The storyboard as one picture: a row for each part, with its seconds, its words and frames of it in order."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from index_builder.report.drawing import BACKGROUND, FAINT, INK
from index_builder.report.lettering import Lettering
from motionrag_nodes.frames.storyboard_video import StoryboardVideo
from motionrag_nodes.neighbours.labels import name_of

COLUMNS, CELL_HEIGHT, GAP, MARGIN, LINE = 6, 128, 4, 12, 22
FONT_SIZE, SMALL_FONT_SIZE = 16, 13
_MAX_CELL_WIDTH = 256


def storyboard_sheet(video: StoryboardVideo) -> np.ndarray:
    """StoryboardVideo -> uint8 RGB [H, W, 3]: COLUMNS frames of each part, its first and last among them."""
    pixels = video.pixels()
    height, width = pixels.shape[1:3]
    cell = min(_MAX_CELL_WIDTH, max(1, round(CELL_HEIGHT * width / height))), CELL_HEIGHT
    row = LINE + cell[1] + LINE + MARGIN
    inner = COLUMNS * (cell[0] + GAP) - GAP
    sheet = Image.new("RGB", (inner + 2 * MARGIN, len(video.parts) * row + MARGIN), BACKGROUND)
    draw, large, small = ImageDraw.Draw(sheet), Lettering(FONT_SIZE), Lettering(SMALL_FONT_SIZE)
    begins = [*video.part_begins(), len(pixels)]
    for number, (part, neighbours) in enumerate(zip(video.parts, video.found, strict=True)):
        begin, end = begins[number : number + 2]
        top = MARGIN + number * row
        heading = f"{begin / video.fps:.2f} to {end / video.fps:.2f} s: {part.prompt}"
        large.draw(draw, (MARGIN, top), large.fitted(heading, inner), INK)
        for column, moment in enumerate(np.linspace(begin, end - 1, min(COLUMNS, end - begin)).round().astype(int)):
            frame = Image.fromarray(pixels[moment]).resize(cell, _resampling(height))
            sheet.paste(frame, (MARGIN + column * (cell[0] + GAP), top + LINE))
        best = neighbours.items[0]
        words = f"moves as {best.caption or name_of(best)}, and {len(neighbours) - 1} more"
        small.draw(draw, (MARGIN, top + LINE + cell[1] + 3), small.fitted(words, inner), FAINT)
    return np.asarray(sheet)


def _resampling(height: int) -> Image.Resampling:
    """Small videos are shown as they are: larger pixels, not smoother ones."""
    return Image.Resampling.NEAREST if height * 2 <= CELL_HEIGHT else Image.Resampling.LANCZOS
