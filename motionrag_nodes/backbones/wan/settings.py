"""How Wan is sampled."""

from __future__ import annotations

from dataclasses import dataclass

from motionrag_nodes.backbones.settings import Settings, setting

# Its codec makes one latent frame of the first frame, then one of every four.
FRAMES_STEP = 4


@dataclass(frozen=True, kw_only=True)
class WanSettings(Settings):
    """Settings of one generation: `prompt` says what happens, `negative_prompt` what should not; guidance, of both
    experts where there are two, of at most 1 turns the latter and the unconditional branch off (half the work).
    """

    guidance: float = setting(
        "How closely the video follows the prompt and the motion.", default=3.5, least=0, most=20, step=0.1
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
        if (self.frames - 1) % FRAMES_STEP:
            nearest = max(1, round((self.frames - 1) / FRAMES_STEP) * FRAMES_STEP + 1)
            found.append(
                f"frames: expected a multiple of {FRAMES_STEP} and one more, received {self.frames}; the nearest "
                f"is {nearest}"
            )
        return found
