"""How Stable Video Diffusion is sampled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from motionrag_nodes.backbones.settings import Settings, setting

# Frames decoded at once at the published size, to bound memory; fewer cost a little smoothness at the seams.
DECODE_CHUNK_FRAMES = 8


@dataclass(frozen=True, kw_only=True)
class SVDSettings(Settings):
    """Settings of one generation.

    fps in frames per second, which SVD also reads as a condition, unless `condition_fps` says what it is told;
    guidance rises evenly from `min_guidance` at the first frame to `max_guidance` at the last, and at most 1 turns it
    off (half the work); motion_bucket_id is SVD's own amount of motion, noise_aug_strength the noise added to the
    image.
    """

    min_guidance: float = setting(
        "How closely the first frame follows the picture and the motion.", least=0, most=20, step=0.1
    )
    max_guidance: float = setting(
        "How closely the last frame follows them; in between it rises evenly.", least=0, most=20, step=0.1
    )
    motion_bucket_id: int = setting(
        "How much SVD itself wants to move; higher is more.", default=127, least=0, most=1023, unset=-1
    )
    noise_aug_strength: float = setting(
        "Noise added to the picture: more frees the motion and loses likeness.",
        default=0.02,
        least=0,
        most=10,
        step=0.01,
        unset=-1,
    )
    # 0: the video's own rate. The authors play at 8 what the pipeline tells SVD as 7 (its own condition is one less).
    condition_fps: int = setting(default=0, least=0, most=60)
    decode_chunk_size: int = setting(
        "Frames decoded at once: fewer save memory.", default=DECODE_CHUNK_FRAMES, least=1, most=256, stored=False
    )

    def changed(self, **values: Any) -> SVDSettings:
        """As its parent's: another rate of the video changes what SVD is told of it in the same proportion."""
        if self.condition_fps and "fps" in values and "condition_fps" not in values:
            values["condition_fps"] = max(1, round(self.condition_fps * values["fps"] / self.fps))
        return replace(self, **values)

    def to_stored(self) -> dict[str, Any]:
        """As its parent's; a condition that is the video's own rate is not written, as it never was."""
        return {name: value for name, value in super().to_stored().items() if name != "condition_fps" or value}

    def problems(self, *, pixel_multiple: int = 8) -> list[str]:
        """As its parent's, and guidance that falls."""
        found = super().problems(pixel_multiple=pixel_multiple)
        if self.min_guidance > self.max_guidance:
            found.append(
                f"max_guidance: expected at least min_guidance {self.min_guidance}, received {self.max_guidance}"
            )
        return found
