"""Generated videos on disk, one lossless picture each, so that an evaluation that was stopped goes on where it was."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo


class VideoStore:
    """A folder a row, in it a PNG a case: the frames side by side, which anyone can look at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, row: str, number: int) -> Path:
        """Where the video of a row's case lies."""
        return self.folder / row.replace(" ", "_") / f"{number:04d}.png"

    def has(self, row: str, number: int) -> bool:
        """Whether that video was generated; a file is either whole or not there."""
        return self.path(row, number).exists()

    def save(self, row: str, number: int, frames: np.ndarray, *, seconds: float) -> None:
        """Keep frames uint8 RGB [T, H, W, 3] and the time that they took."""
        path = self.path(row, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        told = PngInfo()
        told.add_text("frames", str(len(frames)))
        told.add_text("seconds", f"{seconds:.3f}")
        strip = Image.fromarray(np.concatenate(list(frames), axis=1))  # [T, H, W, 3] -> [H, T * W, 3]
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        strip.save(temporary, format="PNG", pnginfo=told)
        os.replace(temporary, path)

    def load(self, row: str, number: int) -> tuple[np.ndarray, float]:
        """Frames uint8 RGB [T, H, W, 3] and seconds."""
        with Image.open(self.path(row, number)) as strip:
            frames = np.stack(np.split(np.asarray(strip.convert("RGB")), int(strip.text["frames"]), axis=1))
            return frames, float(strip.text["seconds"])
