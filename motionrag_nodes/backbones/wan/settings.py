"""How Wan is sampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from motionrag_nodes.backbones.prompted_settings import PromptedSettings
from motionrag_nodes.backbones.settings import setting


@dataclass(frozen=True, kw_only=True)
class WanSettings(PromptedSettings):
    """Its codec makes one latent frame of the first frame, then one of every four. The guidance is that of both experts
    where there are two."""

    FRAMES_STEP: ClassVar[int] = 4

    guidance: float = setting(
        "How closely the video follows the prompt and the motion.", default=3.5, least=0, most=20, step=0.1
    )
