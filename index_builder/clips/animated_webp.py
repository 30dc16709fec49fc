"""Animated WebP pictures, which FFmpeg does not decode: their times and frames, by Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from index_builder.errors import ClipUnreadable

HEADER_BYTES = 21
ANIMATION_FLAG = 0x02
# What browsers show a frame for that asks for less (0 is common): as long as in a GIF.
LEAST_MS, INSTEAD_MS = 11, 100


def is_animated_webp(path: Path) -> bool:
    """By its header (RFC 9649, 2.7). Raises nothing for a file that cannot be read: its reader will say why."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HEADER_BYTES)
    except OSError:
        return False
    extended = len(head) == HEADER_BYTES and head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X"
    return extended and bool(head[20] & ANIMATION_FLAG)


def read_times(path: Path) -> tuple[list[int], int, tuple[int, int]]:
    """When each frame begins in ms, the length of all in ms, and (width, height). Raises ClipUnreadable."""
    starts, end, size = [], 0, (0, 0)
    for picture, duration_ms in _frames(path):
        starts.append(end)
        end, size = end + duration_ms, picture.size
    if not starts:
        raise ClipUnreadable("it holds no frames")
    return starts, end, size


def read_frames(path: Path) -> Iterator[np.ndarray]:
    """uint8 RGB [H, W, 3] of each frame. Raises ClipUnreadable."""
    for picture, _ in _frames(path):
        yield np.asarray(picture.convert("RGB"))


def _frames(path: Path) -> Iterator[tuple[Image.Image, int]]:
    try:
        with Image.open(path, formats=["WEBP"]) as picture:
            for number in range(getattr(picture, "n_frames", 1)):
                picture.seek(number)
                picture.load()
                asked = int(picture.info.get("duration") or 0)
                yield picture, asked if asked >= LEAST_MS else INSTEAD_MS
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise ClipUnreadable(f"not a readable video: {error}") from error
