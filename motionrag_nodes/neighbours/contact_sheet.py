"""Contact sheet: neighbours as one picture, a line each: rank, score, marks, caption, and eight frames in time."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from index_builder.clips.thumbnails import STRIP_FRAMES, STRIP_HEIGHT
from index_builder.errors import InvalidSetting
from index_builder.report.drawing import BACKGROUND, EMPTY, FAINT, INK, frames_of_strip
from index_builder.report.lettering import Lettering
from motionrag_nodes.neighbours.labels import ACCENT, dimmed, head_of, marks_of, title_of
from motionrag_nodes.neighbours.neighbours import Neighbour, Neighbours

MARGIN, LINE, FONT_SIZE = 12, 24, 16
MIN_WIDTH = 480


def contact_sheet(neighbours: Neighbours, *, max_width: int = 1600) -> np.ndarray:
    """Neighbours -> uint8 RGB [H, W, 3], in their order, at most `max_width` px wide."""
    if max_width < MIN_WIDTH:
        raise InvalidSetting(f"Expected max_width of at least {MIN_WIDTH} px, received {max_width}: raise it.")
    strips = [_strip(item, max_width - 2 * MARGIN) for item in neighbours.items]
    width = max(MIN_WIDTH, *(strip.width + 2 * MARGIN for strip in strips))
    block = LINE + STRIP_HEIGHT + MARGIN
    sheet = Image.new("RGB", (width, MARGIN + block * len(strips)), BACKGROUND)
    draw, lettering = ImageDraw.Draw(sheet), Lettering(FONT_SIZE)
    for place, (item, weight, strip) in enumerate(zip(neighbours.items, neighbours.weights, strips, strict=True)):
        top = MARGIN + place * block
        left = lettering.draw(draw, (MARGIN, top), f"{head_of(item)}   ", FAINT)
        for mark in marks_of(item, weight):
            left = lettering.draw(draw, (left, top), f"{mark}   ", ACCENT)
        title = lettering.fitted(title_of(item), width - MARGIN - left)
        lettering.draw(draw, (left, top), title, INK if weight else FAINT)
        sheet.paste(strip if weight else dimmed(strip), (MARGIN, top + LINE))
        for part in range(1, STRIP_FRAMES):
            edge = MARGIN + strip.width * part // STRIP_FRAMES
            draw.line([(edge, top + LINE), (edge, top + LINE + STRIP_HEIGHT)], fill=BACKGROUND, width=2)
    return np.asarray(sheet)


def _strip(item: Neighbour, max_width: int) -> Image.Image:
    """The neighbour's frames side by side; a grey field where there are none (user's own clips may come without)."""
    frames = frames_of_strip(item.thumbnail) if item.thumbnail else []
    if not frames:
        return Image.new("RGB", (MIN_WIDTH - 2 * MARGIN, STRIP_HEIGHT), EMPTY)
    strip = Image.new("RGB", (frames[0].width * len(frames), frames[0].height))
    for place, frame in enumerate(frames):
        strip.paste(frame, (place * frame.width, 0))
    width = min(max_width, max(1, round(strip.width * STRIP_HEIGHT / strip.height)))
    shown = strip.resize((width, max(1, round(strip.height * width / strip.width))), Image.Resampling.LANCZOS)
    field = Image.new("RGB", (width, STRIP_HEIGHT), BACKGROUND)
    field.paste(shown, (0, max(0, (STRIP_HEIGHT - shown.height) // 2)))
    return field
