"""Films as files: MP4 for players, animated WebP for pages."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from index_builder.whole_file import whole_file


def write_mp4(path: Path, frames: np.ndarray, *, fps: float, crf: int = 16, comment: str = "") -> None:
    """uint8 RGB [T, H, W, 3] of even sides as H.264; a file that is there is replaced once the new one is whole.

    crf: x264's constant rate factor, 0 to 51, less is better; `comment` goes into the file's metadata.
    """
    with (
        whole_file(path) as temporary,
        av.open(str(temporary), "w", format="mp4", options={"movflags": "faststart"}) as container,
    ):
        container.metadata["comment"] = comment
        stream = container.add_stream("libx264", rate=Fraction(round(fps * 1000), 1000), options={"crf": str(crf)})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())


def write_webp(path: Path, frames: np.ndarray, *, fps: float) -> None:
    """uint8 RGB [T, H, W, 3] as animated WebP that plays for ever; replaced as a whole."""
    first, *others = [Image.fromarray(frame) for frame in frames]
    shown = {"append_images": others, "duration": round(1000 / fps), "loop": 0, "quality": 85}
    with whole_file(path) as temporary:
        first.save(temporary, "WEBP", save_all=True, **shown)
