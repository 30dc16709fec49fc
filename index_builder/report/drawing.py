"""What the pictures of a database share: colours, the frames of a thumbnail, and even picks."""

from __future__ import annotations

import io
import struct

from PIL import Image

from index_builder.clips.thumbnails import MAX_THUMBNAIL_BYTES, STRIP_FRAMES
from index_builder.plain_text import plain_logger

# The widest strips are those of reference videos sixteen times wider than high.
MAX_STRIP_PIXELS = 2 << 20
logger = plain_logger(__name__)
BACKGROUND, INK, FAINT, EMPTY = (24, 24, 27), (240, 240, 240), (150, 150, 158), (60, 60, 64)


def frames_of_strip(strip: bytes) -> list[Image.Image]:
    """The eight frames of a clip's JPEG strip in time; None where it cannot be read or is not ours.

    A few bytes of JPEG may unfold to gigabytes, or take minutes, scan after scan.
    """
    try:
        if len(strip) > MAX_THUMBNAIL_BYTES:
            raise ValueError(f"{len(strip)} bytes")
        with Image.open(io.BytesIO(strip), formats=["JPEG"]) as opened:
            if opened.width * opened.height > MAX_STRIP_PIXELS:
                raise ValueError(f"{opened.width} x {opened.height} pixels")
            if "progressive" in opened.info or getattr(opened, "n_frames", 1) != 1:
                raise ValueError("a picture of several layers")
            picture = opened.convert("RGB")
    # Damaged markers also end in errors of what Pillow parses them with.
    except (
        OSError,
        ValueError,
        SyntaxError,
        TypeError,
        LookupError,
        struct.error,
        Image.DecompressionBombError,
    ) as error:
        logger.warning("a thumbnail cannot be read (%s): check the database with verify", error)
        return []
    width = picture.width // STRIP_FRAMES
    if width < 1:
        return []
    return [picture.crop((place * width, 0, (place + 1) * width, picture.height)) for place in range(STRIP_FRAMES)]


def spread(count: int, most: int) -> list[int]:
    """At most `most` of the numbers 0 .. count - 1, evenly spaced."""
    return list(range(count)) if count <= most else [place * count // most for place in range(most)]
