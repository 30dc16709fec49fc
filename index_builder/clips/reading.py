"""How a clip is read from its video: which frames, and at what size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import Image

from index_builder.errors import InvalidSetting
from index_builder.features.crop import crop_to_shape

SIXTEEN_BITS = 65535
# Pillow shrinks by whole numbers first where this leaves no difference to see: much faster for large frames.
REDUCING_GAP = 3.0
# A frame is on screen at t from its own time on; the tolerance absorbs rounding of both.
TOLERANCE_SEC = 1e-4


@dataclass(frozen=True, kw_only=True)
class Reading:
    """`frames` of a window, with `short_side` pixels on the short side.

    Version 1: at even steps from the window's start, its end left out, resized with 8 bits. Version 2, the published
    way (arXiv 2509.26391): of the frames that begin in the window, the first and the last included; cropped at the
    centre to `shape` (width, height; only their ratio counts), and resized once, from the video's own pixels to what
    the motion encoder sees, by `interpolation` and with 16 bits, since 8 would be rounded once more than there.
    """

    frames: int
    short_side: int
    version: int = 1
    interpolation: str = "bicubic"
    shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.frames < 1 or self.short_side < 1:
            raise InvalidSetting(
                f"Expected positive frames and short_side, received {self.frames} and {self.short_side}: correct them."
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Reading:
        """The inverse of `to_dict`; a JSON list becomes a tuple."""
        shape = values["shape"]
        return cls(**{**values, "shape": None if shape is None else tuple(shape)})

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def times(self, start_sec: float, end_sec: float, shown_sec: np.ndarray) -> np.ndarray:
        """When each wanted frame is on screen, ascending; `shown_sec` are the times of all of the video's frames."""
        if self.version == 1:
            return np.linspace(start_sec, end_sec, self.frames, endpoint=False)
        first, end = np.searchsorted(shown_sec, [start_sec - TOLERANCE_SEC, end_sec - TOLERANCE_SEC])
        if first >= end:  # one frame stays on screen for the whole window
            return np.full(self.frames, start_sec)
        wanted: np.ndarray = shown_sec[np.round(np.linspace(first, end - 1, self.frames)).astype(int)]
        return wanted

    def sized(self, frame: np.ndarray, *, width: int, height: int) -> np.ndarray:
        """uint8 RGB [H, W, 3] as decoded -> the frame as it is wanted (uint8, or uint16 of full scale in version 2).

        width, height: the video's as it is displayed.
        """
        if self.version == 1:
            return _resized(frame, _scaled(width, height, self.short_side, rounded=True))
        cropped = self.whole(frame, width=width, height=height)
        size = _scaled(cropped.shape[1], cropped.shape[0], self.short_side, rounded=False)
        mode = Image.Resampling[self.interpolation.upper()]
        # Pillow's floats are exact where its bytes are rounded after each of two passes.
        channels = [Image.fromarray(cropped[..., c].astype(np.float32)).resize(size, mode) for c in range(3)]
        values = np.stack([np.asarray(channel) for channel in channels], axis=-1) * (SIXTEEN_BITS / 255)
        return values.round().clip(0, SIXTEEN_BITS).astype(np.uint16)

    def whole(self, frame: np.ndarray, *, width: int, height: int) -> np.ndarray:
        """The frame at its own size, as displayed, cropped to the shape."""
        return np.ascontiguousarray(crop_to_shape(_resized(frame, (width, height)), self.shape))


@dataclass(frozen=True)
class ClipPixels:
    """A clip as version 2 reads it: frames uint16 [T, h, w, 3] as the motion encoder wants them, and the first frame
    uint8 [H, W, 3] at its own size, for the encoders of pictures."""

    frames: np.ndarray
    first_frame: np.ndarray


def first_frame_of(clip: np.ndarray | ClipPixels) -> np.ndarray:
    """uint8 RGB [H, W, 3]."""
    return clip.first_frame if isinstance(clip, ClipPixels) else clip[0]


def frames_of(clip: np.ndarray | ClipPixels) -> np.ndarray:
    """RGB [T, H, W, 3], uint8 or uint16."""
    return clip.frames if isinstance(clip, ClipPixels) else clip


def in_eight_bits(frames: np.ndarray) -> np.ndarray:
    """Frames for people: uint8, whatever the encoder gets."""
    return (frames >> 8).astype(np.uint8) if frames.dtype == np.uint16 else frames


def _scaled(width: int, height: int, short_side: int, *, rounded: bool) -> tuple[int, int]:
    """(width, height) with the short side at `short_side`; torchvision cuts off where others round."""
    if rounded:
        scale = short_side / min(width, height)
        return max(short_side, round(width * scale)), max(short_side, round(height * scale))
    longer = int(short_side * max(width, height) / min(width, height))
    return (short_side, longer) if width <= height else (longer, short_side)


def _resized(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if frame.shape[1::-1] == size:
        return np.ascontiguousarray(frame)
    # Pillow's filters widen with the reduction, which is what "antialias" means.
    picture = Image.fromarray(np.ascontiguousarray(frame))
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=REDUCING_GAP))
