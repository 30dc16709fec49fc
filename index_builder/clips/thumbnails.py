"""Thumbnails: one JPEG strip per clip, eight frames side by side, so that a contact sheet shows motion."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

STRIP_FRAMES = 8
STRIP_HEIGHT = 96
MAX_FRAME_WIDTH = 256
MAX_THUMBNAIL_BYTES = 4 << 20


def thumbnail_strip(frames: np.ndarray) -> bytes:
    """frames uint8 RGB [T, H, W, 3] -> JPEG of 8 of them, evenly spaced, each 96 px high, left to right in time."""
    picks = np.round(np.linspace(0, len(frames) - 1, STRIP_FRAMES)).astype(int)
    height, width = frames.shape[1:3]
    shown_width = int(np.clip(round(width * STRIP_HEIGHT / height), 16, MAX_FRAME_WIDTH))
    strip = Image.new("RGB", (shown_width * STRIP_FRAMES, STRIP_HEIGHT))
    for place, pick in enumerate(picks):
        picture = Image.fromarray(frames[pick]).resize((shown_width, STRIP_HEIGHT), Image.Resampling.BICUBIC)
        strip.paste(picture, (place * shown_width, 0))
    buffer = io.BytesIO()
    strip.save(buffer, format="JPEG", quality=85)
    return buffer.getvalue()
