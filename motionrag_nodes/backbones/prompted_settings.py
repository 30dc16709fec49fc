"""How models are sampled that read a prompt, and whose codec makes one latent frame of several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from motionrag_nodes.backbones.settings import Settings, setting


@dataclass(frozen=True, kw_only=True)
class PromptedSettings(Settings):
    """Settings of one generation: `prompt` says what happens, `negative_prompt` what should not; guidance of at most 1
    turns the latter and the unconditional branch off (half the work). FRAMES_STEP: the codec makes one frame, then more
    in steps of so many.
    """

    FRAMES_STEP: ClassVar[int]

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

    def problems(self, *, pixel_multiple: int = 16) -> list[str]:
        """As its parent's, and a number of frames that its codec cannot make."""
        found = super().problems(pixel_multiple=pixel_multiple)
        step = self.FRAMES_STEP
        if (self.frames - 1) % step:
            nearest = max(1, round((self.frames - 1) / step) * step + 1)
            found.append(
                f"frames: expected a multiple of {step} and one more, received {self.frames}; the nearest is {nearest}"
            )
        return found
