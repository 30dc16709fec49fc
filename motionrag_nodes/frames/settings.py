"""How to generate: sizes, steps and guidance, checked before anything heavy starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from motionrag_nodes.errors import GenerationSettingInvalid

if TYPE_CHECKING:
    from motionrag_nodes.checkpoints.pack_config import GenerationDefaults

# Frames decoded at once at the published size, to bound memory; fewer cost a little smoothness at the seams.
DECODE_CHUNK_FRAMES = 8


@dataclass(frozen=True)
class GenerateSettings:
    """Settings of one generation.

    width, height in pixels; fps in frames per second, which SVD also reads as a condition; guidance rises evenly from
    `min_guidance` at the first frame to `max_guidance` at the last, and at most 1 turns it off (half the work);
    motion_bucket_id is SVD's own amount of motion, noise_aug_strength the noise added to the image.
    """

    width: int
    height: int
    frames: int
    fps: int
    steps: int
    min_guidance: float
    max_guidance: float
    motion_bucket_id: int = 127
    noise_aug_strength: float = 0.02
    decode_chunk_size: int = DECODE_CHUNK_FRAMES
    seed: int = 0

    @classmethod
    def from_defaults(cls, defaults: GenerationDefaults, *, seed: int = 0) -> GenerateSettings:
        """What a pack's base model was trained for."""
        return cls(**asdict(defaults), seed=seed)

    def validate(self, *, pixel_multiple: int = 8) -> None:
        """Check every setting.

        Raises:
            GenerationSettingInvalid: lists every problem at once.
        """
        problems = [
            f"{name}: expected a positive multiple of {pixel_multiple}, received {getattr(self, name)}; "
            f"the nearest is {max(pixel_multiple, round(getattr(self, name) / pixel_multiple) * pixel_multiple)}"
            for name in ("width", "height")
            if getattr(self, name) < 1 or getattr(self, name) % pixel_multiple
        ]
        problems += [
            f"{name}: expected at least 1, received {getattr(self, name)}"
            for name in ("frames", "fps", "steps", "decode_chunk_size")
            if getattr(self, name) < 1
        ]
        problems += [
            f"{name}: expected at least 0, received {getattr(self, name)}"
            for name in ("min_guidance", "motion_bucket_id", "noise_aug_strength", "seed")
            if getattr(self, name) < 0
        ]
        if self.min_guidance > self.max_guidance:
            problems.append(
                f"max_guidance: expected at least min_guidance {self.min_guidance}, received {self.max_guidance}"
            )
        if problems:
            listed = "\n".join(f"  - {problem}" for problem in problems)
            raise GenerationSettingInvalid(f"The generation settings have {len(problems)} problem(s):\n{listed}")
