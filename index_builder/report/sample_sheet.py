"""Sample sheet: clips from all over a database, each with its caption and a few frames in time, in one picture."""

from __future__ import annotations

from pathlib import PurePath

from PIL import Image, ImageDraw

from index_builder.database.format.rows import ClipRow
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import InvalidSetting
from index_builder.report.drawing import BACKGROUND, EMPTY, FAINT, INK, frames_of_strip, spread
from index_builder.report.lettering import Lettering

COLUMN_WIDTH, FRAME_HEIGHT, TEXT_HEIGHT, MARGIN, COLUMNS = 640, 80, 42, 16, 2


def draw_sample_sheet(database: MotionDatabase, *, count: int = 12) -> Image.Image:
    """RGB picture of `count` clips (fewer where the database holds fewer), evenly spaced in the order of its rows.

    Raises InvalidSetting for a count below 1.
    """
    if count < 1:
        raise InvalidSetting(f"Expected a count of at least 1 clip, received {count}: raise it.")
    ids = database.ids()
    rows = database.rows([ids[place] for place in spread(len(ids), count)])
    columns = min(COLUMNS, max(1, len(rows)))
    lines = max(1, -(-len(rows) // columns))
    size = (MARGIN + columns * (COLUMN_WIDTH + MARGIN), MARGIN + lines * (TEXT_HEIGHT + FRAME_HEIGHT + MARGIN))
    sheet = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    if not rows:
        Lettering(16).draw(draw, (MARGIN, MARGIN), "This database holds no clips.", FAINT)
    for place, row in enumerate(rows):
        left = MARGIN + place % columns * (COLUMN_WIDTH + MARGIN)
        top = MARGIN + place // columns * (TEXT_HEIGHT + FRAME_HEIGHT + MARGIN)
        _draw_clip(sheet, draw, row, left, top)
    return sheet


def _draw_clip(sheet: Image.Image, draw: ImageDraw.ImageDraw, row: ClipRow, left: int, top: int) -> None:
    name = PurePath(row.source).name
    large, small = Lettering(16), Lettering(12)
    large.draw(draw, (left, top), large.fitted(row.caption or name, COLUMN_WIDTH), INK)
    about = f"{name}   {row.start_sec:.1f} to {row.end_sec:.1f} s   {row.width} x {row.height}"
    small.draw(draw, (left, top + 21), small.fitted(about, COLUMN_WIDTH), FAINT)
    frames = frames_of_strip(row.thumbnail)
    if not frames:
        draw.rectangle((left, top + TEXT_HEIGHT, left + COLUMN_WIDTH, top + TEXT_HEIGHT + FRAME_HEIGHT), fill=EMPTY)
        return
    width = max(1, min(COLUMN_WIDTH, round(frames[0].width * FRAME_HEIGHT / frames[0].height)))
    # Wide pictures: as many frames as fit, the first and the last among them.
    shown = max(1, min(len(frames), COLUMN_WIDTH // width))
    for place in range(shown):
        frame = frames[round(place * (len(frames) - 1) / max(1, shown - 1))]
        picture = frame.resize((width, FRAME_HEIGHT), Image.Resampling.LANCZOS)
        sheet.paste(picture, (left + place * width, top + TEXT_HEIGHT))
        if place:
            edge = left + place * width
            draw.line([(edge, top + TEXT_HEIGHT), (edge, top + TEXT_HEIGHT + FRAME_HEIGHT)], fill=BACKGROUND, width=2)
