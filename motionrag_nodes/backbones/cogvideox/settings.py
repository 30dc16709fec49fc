"""How CogVideoX is sampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from motionrag_nodes.backbones.settings import Settings, setting

# Its codec makes one latent frame of the first frame and one of every four, and decodes an odd number of them.
FRAMES_STEP = 8


@dataclass(frozen=True, kw_only=True)
class CogVideoXSettings(Settings):
    """Settings of one generation: `prompt` says what happens, `negative_prompt` what should not; guidance of at most 1
    turns the latter and the unconditional branch off (half the work).
    """

    guidance: float = setting(
        "How closely the video follows the prompt and the motion.", default=3.0, least=0, most=20, step=0.1
    )
    prompt: str = setting(
        "What is seen and what happens, in detail. Only models that read text use it.",
        default="",
        unset="",
        stored=False,
    )
    negative_prompt: str = setting(
        "What should not be seen. Only models that read text use it.", default="", unset="", stored=False
    )

    @classmethod
    def upgraded(cls, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Packs of the first version have settings of another model's sampling: its two guidances were the same."""
        values = dict(stored)
        if "guidance" not in values and "max_guidance" in values:
            values["guidance"] = values["max_guidance"]
            for name in ("min_guidance", "max_guidance", "motion_bucket_id", "noise_aug_strength"):
                values.pop(name, None)
        return values

    def problems(self, *, pixel_multiple: int = 16) -> list[str]:
        """As its parent's, and a number of frames that its codec cannot make."""
        found = super().problems(pixel_multiple=pixel_multiple)
        if (self.frames - 1) % FRAMES_STEP:
            nearest = max(1, round((self.frames - 1) / FRAMES_STEP) * FRAMES_STEP + 1)
            found.append(
                f"frames: expected a multiple of {FRAMES_STEP} and one more, received {self.frames}; the nearest "
                f"is {nearest}"
            )
        return found
