"""What the pictures of a database share: colours, the frames of a thumbnail, and even picks."""

from __future__ import annotations

import io
import logging

from PIL import Image, UnidentifiedImageError

from index_builder.clips.thumbnails import STRIP_FRAMES

logger = logging.getLogger(__name__)
BACKGROUND, INK, FAINT, EMPTY = (24, 24, 27), (240, 240, 240), (150, 150, 158), (60, 60, 64)


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
