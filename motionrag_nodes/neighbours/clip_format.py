"""What the next model wants of a clip: frames per second, how many frames, which sizes; and presets for such models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from index_builder.errors import InvalidSetting

Fit = Literal["crop", "pad"]
Short = Literal["more of the video", "back and forth", "hold the last frame", "slow down"]
FITS: tuple[str, ...] = get_args(Fit)
SHORTS: tuple[str, ...] = get_args(Short)
MAX_FRAMES, MAX_SIDE, MAX_FPS = 4096, 8192, 240.0


@dataclass(frozen=True, kw_only=True)
class ClipFormat:
    """How a clip is wanted. fps None: the video's own. frames None: as many as the clip lasts. Both end on the grid
    `grid_step` * n + `grid_rest`, and last `least_sec` to `most_sec`. width, height None: the clip's own, or what keeps
    its shape beside the other; both are made multiples of `multiple`.

    fit: a clip of another shape is cropped at its centre, or padded with black. short: what is done with a clip that is
    shorter than wanted: "more of the video" takes what lies around it, and plays the whole back and forth if that is
    too short as well; "slow down" spreads its frames over the time. Raises InvalidSetting.
    """

    fps: float | None = None
    frames: int | None = None
    grid_step: int = 1
    grid_rest: int = 0
    least_sec: float = 0.0
    most_sec: float = math.inf
    width: int | None = None
    height: int | None = None
    multiple: int = 2
    fit: Fit = "crop"
    short: Short = "more of the video"

    def __post_init__(self) -> None:
        if self.fit not in FITS or self.short not in SHORTS:
            raise InvalidSetting(
                f"Expected a fit of {', '.join(FITS)} and for short clips one of {', '.join(SHORTS)}, received "
                f"{self.fit!r} and {self.short!r}: choose among them."
            )
        for name, value, most in (
            ("fps", self.fps, MAX_FPS),
            ("frames", self.frames, MAX_FRAMES),
            ("width", self.width, MAX_SIDE),
            ("height", self.height, MAX_SIDE),
        ):
            if value is not None and not 0 < value <= most:
                raise InvalidSetting(f"Expected {name} above 0, up to {most:g}, received {value:g}: correct it.")

    def count(self, *, fps: float, clip_sec: float) -> int:
        """How many frames a clip of `clip_sec` seconds becomes at `fps`."""
        wanted = self.frames if self.frames is not None else round(min(clip_sec, self.most_sec) * fps)
        least = max(1, wanted, math.ceil(self.least_sec * fps - 1e-6))
        count = least + (self.grid_rest - least) % self.grid_step
        most = MAX_FRAMES if math.isinf(self.most_sec) else int(self.most_sec * fps + 1e-6)
        while count > most and count > self.grid_step:
            count -= self.grid_step
        return count

    def size(self, *, width: int, height: int) -> tuple[int, int]:
        """(width, height) that a clip of this size becomes."""
        wide, high = self.width, self.height
        if wide is None and high is None:
            wide, high = width, height
        elif wide is None:
            wide = max(1, round(width * (high or 1) / height))
        elif high is None:
            high = max(1, round(height * wide / width))
        return self._whole(wide or 1), self._whole(high or 1)

    def _whole(self, side: int) -> int:
        return max(1, round(side / self.multiple)) * self.multiple


# By what a clip is for. Frame rates, grids and sizes are those of the inputs in ComfyUI 0.33.
PRESETS: Mapping[str, ClipFormat] = {
    "any model: as in the video": ClipFormat(),
    "MiniMax H3 reference: 24 fps, 17n+5 frames, 2 to 15 s": ClipFormat(
        fps=24, grid_step=17, grid_rest=5, least_sec=2, most_sec=15, multiple=32
    ),
    "Wan 2.1, VACE, Fun Control, Animate: 16 fps, 81 frames": ClipFormat(
        fps=16, frames=81, grid_step=4, grid_rest=1, multiple=16
    ),
    "Wan 2.2 5B, HunyuanVideo: 24 fps, 4n+1 frames": ClipFormat(fps=24, grid_step=4, grid_rest=1, multiple=16),
    "LTX IC-LoRA guide: 25 fps, 8n+1 frames": ClipFormat(fps=25, grid_step=8, grid_rest=1, multiple=32),
    "CogVideoX: 8 fps, 4n+1 frames": ClipFormat(fps=8, grid_step=4, grid_rest=1, multiple=16),
}


def clip_format(
    preset: str, *, fps: float = 0, frames: int = 0, width: int = 0, height: int = 0, fit: str, short: str
) -> ClipFormat:
    """A preset with what is set otherwise; 0 leaves a number as the preset has it. Raises InvalidSetting."""
    if preset not in PRESETS:
        raise InvalidSetting(f"Expected a preset of {', '.join(PRESETS)}, received {preset!r}: choose one of them.")
    numbers = {"fps": fps, "frames": frames, "width": width, "height": height}
    # Whether `fit` and `short` are of those that there are, the format asks itself.
    chosen: dict[str, Any] = {"fit": fit, "short": short} | {name: value for name, value in numbers.items() if value}
    return replace(PRESETS[preset], **chosen)
