"""Contact sheet: neighbours as one picture, a line each: rank, score, caption, and eight frames in time."""

from __future__ import annotations

import io
import logging
from pathlib import PurePath

import numpy as np
from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

from index_builder.clips.thumbnails import STRIP_FRAMES, STRIP_HEIGHT
from index_builder.errors import InvalidSetting
from motionrag_nodes.neighbours.neighbours import Neighbour, Neighbours

logger = logging.getLogger(__name__)
BACKGROUND, INK, FAINT = (24, 24, 27), (240, 240, 240), (150, 150, 158)
MARGIN, LINE, FONT_SIZE = 12, 24, 16
MIN_WIDTH = 480


def contact_sheet(neighbours: Neighbours, *, max_width: int = 1600) -> np.ndarray:
    """Neighbours -> uint8 RGB [H, W, 3], most similar first, at most `max_width` px wide."""
    if max_width < MIN_WIDTH:
        raise InvalidSetting(f"expected max_width of at least {MIN_WIDTH} px, received {max_width}: raise it")
    strips = [_strip(item, max_width - 2 * MARGIN) for item in neighbours.items]
    width = max(MIN_WIDTH, *(strip.width + 2 * MARGIN for strip in strips))
    block = LINE + STRIP_HEIGHT + MARGIN
    sheet = Image.new("RGB", (width, MARGIN + block * len(strips)), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    # Pillow ships this font; without FreeType it falls back to a small one by itself.
    font = ImageFont.load_default(FONT_SIZE)
    for place, (item, strip) in enumerate(zip(neighbours.items, strips, strict=True)):
        top = MARGIN + place * block
        head = f"{item.rank}   {item.score:.3f}   "
        draw.text((MARGIN, top), head, font=font, fill=FAINT)
        left = MARGIN + draw.textlength(head, font=font)
        draw.text((left, top), _fitted(draw, _title(item), font, width - MARGIN - left), font=font, fill=INK)
        sheet.paste(strip, (MARGIN, top + LINE))
        for part in range(1, STRIP_FRAMES):
            edge = MARGIN + strip.width * part // STRIP_FRAMES
            draw.line([(edge, top + LINE), (edge, top + LINE + STRIP_HEIGHT)], fill=BACKGROUND, width=2)
    return np.asarray(sheet)


def _title(item: Neighbour) -> str:
    name = PurePath(item.source).name
    return f"{item.caption}   ({name})" if item.caption else name


def _fitted(draw: ImageDraw.ImageDraw, text: str, font, width: float) -> str:
    """`text`, cut with an ellipsis where it is wider than `width` px."""
    if draw.textlength(text, font=font) <= width:
        return text
    # Half the interval at a time: captions may be thousands of letters long.
    fits, cut = 0, len(text)
    while cut - fits > 1:
        middle = (fits + cut) // 2
        fits, cut = (middle, cut) if draw.textlength(text[:middle] + "…", font=font) <= width else (fits, middle)
    return text[:fits].rstrip() + "…"


def _strip(item: Neighbour, max_width: int) -> Image.Image:
    """The neighbour's thumbnail; a grey field where there is none (user's own clips may come without)."""
    if not item.thumbnail:
        return Image.new("RGB", (MIN_WIDTH - 2 * MARGIN, STRIP_HEIGHT), (60, 60, 64))
    try:
        strip = Image.open(io.BytesIO(item.thumbnail), formats=["JPEG"]).convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        logger.warning("the thumbnail of %s cannot be read (%s): check the database with verify", item.row_id, error)
        return Image.new("RGB", (MIN_WIDTH - 2 * MARGIN, STRIP_HEIGHT), (60, 60, 64))
    width = min(max_width, max(1, round(strip.width * STRIP_HEIGHT / strip.height)))
    shown = strip.resize((width, max(1, round(strip.height * width / strip.width))), Image.Resampling.LANCZOS)
    field = Image.new("RGB", (width, STRIP_HEIGHT), BACKGROUND)
    field.paste(shown, (0, max(0, (STRIP_HEIGHT - shown.height) // 2)))
    return field
