"""The picture on a template's card: four moments of the video that the workflow made, in reading order."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from PIL import Image

TILE_PIXELS, GAP = 189, 2
SIDE_PIXELS = 2 * TILE_PIXELS + 3 * GAP
_PAPER = (24, 24, 26)


def write_thumbnail(video: Path, path: Path) -> None:
    """A square JPEG of SIDE_PIXELS."""
    with av.open(str(video)) as container:
        frames = [frame.to_image() for frame in container.decode(video=0)]
    moments = np.linspace(0, len(frames) - 1, 4).round().astype(int)
    sheet = Image.new("RGB", (SIDE_PIXELS, SIDE_PIXELS), _PAPER)
    for place, moment in enumerate(moments):
        row, column = divmod(place, 2)
        corner = (GAP + column * (TILE_PIXELS + GAP), GAP + row * (TILE_PIXELS + GAP))
        sheet.paste(_square(frames[moment]), corner)
    sheet.save(path, quality=85, optimize=True)


def _square(frame: Image.Image) -> Image.Image:
    """The frame's middle, as a tile."""
    side = min(frame.size)
    left, top = (frame.width - side) // 2, (frame.height - side) // 2
    square = frame.crop((left, top, left + side, top + side))
    return square.resize((TILE_PIXELS, TILE_PIXELS), Image.Resampling.BICUBIC)
