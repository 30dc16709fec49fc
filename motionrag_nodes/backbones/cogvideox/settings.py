"""How CogVideoX is sampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from motionrag_nodes.backbones.prompted_settings import PromptedSettings


@dataclass(frozen=True, kw_only=True)
class CogVideoXSettings(PromptedSettings):
    """Its codec makes one latent frame of the first frame and one of every four, and decodes an odd number of them."""

    FRAMES_STEP: ClassVar[int] = 8

    @classmethod
    def upgraded(cls, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Packs of the first version have settings of another model's sampling: its two guidances were the same."""
        values = dict(stored)
        if "guidance" not in values and "max_guidance" in values:
            values["guidance"] = values["max_guidance"]
            for name in ("min_guidance", "max_guidance", "motion_bucket_id", "noise_aug_strength"):
                values.pop(name, None)
        return values
