"""How DynamiCrafter is sampled."""

from __future__ import annotations

from dataclasses import dataclass

from motionrag_nodes.backbones.settings import Settings, setting


@dataclass(frozen=True, kw_only=True)
class DynamiCrafterSettings(Settings):
    """Settings of one generation: `prompt` says what happens; guidance of at most 1 turns the unconditional branch off
    (half the work); frame_stride is the model's own condition on speed, in frames per second for DynamiCrafter-1024:
    smaller is faster motion; eta is the noise added in each step, 0 none and 1 as much as was taken away.
    """

    guidance: float = setting(
        "How closely the video follows the prompt and the motion.", default=2.0, least=0, most=20, step=0.1
    )
    frame_stride: int = setting(
        "DynamiCrafter's own speed, in frames per second: smaller moves more.", default=15, least=1, most=30
    )
    eta: float = setting(default=1.0, least=0)
    prompt: str = setting(
        "What is seen and what happens, in detail. Only models that read text use it.",
        default="",
        unset="",
        stored=False,
    )

    def problems(self, *, pixel_multiple: int = 64) -> list[str]:
        """As its parent's, and an eta above 1."""
        found = super().problems(pixel_multiple=pixel_multiple)
        if self.eta > 1:
            found.append(f"eta: expected at most 1, received {self.eta}")
        return found
