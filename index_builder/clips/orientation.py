"""Which way up a video is shown: its display matrix as one of the eight turns and mirrors of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import av
import numpy as np

if TYPE_CHECKING:
    from typing_extensions import Buffer

MATRIX_BYTES = 36


@dataclass(frozen=True, kw_only=True)
class Orientation:
    """First mirrored left to right, if so, then turned counter-clockwise by `rotation`: 0, 90, 180 or 270 degrees."""

    rotation: int = 0
    mirrored: bool = False

    @property
    def lies(self) -> bool:
        """Whether width and height are exchanged."""
        return self.rotation % 180 != 0

    def upright(self, frame: np.ndarray) -> np.ndarray:
        """[H, W, 3] as stored -> as shown."""
        return np.rot90(frame[:, ::-1] if self.mirrored else frame, k=self.rotation // 90)


UPRIGHT = Orientation()


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """Of a decoded frame, by its display matrix (ISO 14496-12, 6.2.2; Matroska and SEI messages give one too)."""
    side = frame.side_data.get("DISPLAYMATRIX")
    if side is None:
        return Orientation(rotation=round(frame.rotation / 90) * 90 % 360)
    matrix = np.frombuffer(bytes(cast("Buffer", side))[:MATRIX_BYTES], dtype=np.int32).astype(np.float64)
    if len(matrix) != MATRIX_BYTES // 4:
        return Orientation()
    # A point (x, y) of the picture, y downwards, is shown at (a x + c y, b x + d y).
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    return Orientation(rotation=round(-np.degrees(np.arctan2(b, a)) / 90) * 90 % 360, mirrored=bool(mirrored))
