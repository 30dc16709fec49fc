"""What the pictures of a database share: colours, the font, text cut to a width, and the frames of a thumbnail."""

from __future__ import annotations

import io
import logging

from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

from index_builder.clips.thumbnails import STRIP_FRAMES

logger = logging.getLogger(__name__)
BACKGROUND, INK, FAINT, EMPTY = (24, 24, 27), (240, 240, 240), (150, 150, 158), (60, 60, 64)


def load_font(size_pixels: int):
    """The font that Pillow ships; without FreeType it falls back to a small one by itself."""
    return ImageFont.load_default(size_pixels)


def fitted(draw: ImageDraw.ImageDraw, text: str, font, width_pixels: float) -> str:
    """`text` in one line, cut with an ellipsis where it is wider than `width_pixels`."""
    text = " ".join(text.split())
    if draw.textlength(text, font=font) <= width_pixels:
        return text
    # Half the interval at a time: captions may be thousands of letters long.
    fits, cut = 0, len(text)
    while cut - fits > 1:
        middle = (fits + cut) // 2
        fits, cut = (middle, cut) if draw.textlength(text[:middle] + "…", font=font) <= width_pixels else (fits, middle)
    return text[:fits].rstrip() + "…"


def frames_of_strip(strip: bytes) -> list[Image.Image]:
    """The eight frames of a clip's JPEG strip in time; none where it cannot be read."""
    try:
        picture = Image.open(io.BytesIO(strip), formats=["JPEG"]).convert("RGB")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        logger.warning("a thumbnail cannot be read (%s): check the database with verify", error)
        return []
    width = picture.width // STRIP_FRAMES
    if width < 1:
        return []
    return [picture.crop((place * width, 0, (place + 1) * width, picture.height)) for place in range(STRIP_FRAMES)]


def spread(count: int, most: int) -> list[int]:
    """At most `most` of the numbers 0 .. count - 1, evenly spaced."""
    return list(range(count)) if count <= most else [place * count // most for place in range(most)]
