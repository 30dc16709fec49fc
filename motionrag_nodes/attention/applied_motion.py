"""One motion as it is applied to a model: which tokens each branch of guidance gets, how strongly, in which steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from motionrag_nodes.attention.adapter import MotionAdapter
from motionrag_nodes.attention.injection import Entering
from motionrag_nodes.attention.steps import motion_steps
from motionrag_nodes.backbones.backbone import Branch
from motionrag_nodes.errors import GenerationSettingInvalid


@dataclass(frozen=True, eq=False)
class AppliedMotion:
    """Motion for the B clips of a batch.

    tokens, unconditional: [B, L, D] for the two branches of guidance; the latter are those of the all-zeros clip
    (arXiv 2509.26391). weights: each site's factor of `strength`; left out, all are 1. Motion enters at steps
    start <= i / steps < end.
    """

    adapter: MotionAdapter
    tokens: torch.Tensor
    unconditional: torch.Tensor
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    weights: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.strength < float("inf"):
            raise GenerationSettingInvalid(
                f"Expected a strength of at least 0, received {self.strength}: 1 is as trained."
            )
        if not 0 <= self.start <= self.end <= 1:
            raise GenerationSettingInvalid(
                f"Expected 0 <= start <= end <= 1, fractions of the steps, received start {self.start} and end "
                f"{self.end}: correct them."
            )

    @property
    def always(self) -> bool:
        """Whether it enters at every step."""
        return (self.start, self.end) == (0, 1)

    @property
    def never(self) -> bool:
        """Whether it changes nothing."""
        return self.strength == 0 or self.start == self.end

    def enters(self, step: int, *, total: int) -> bool:
        """Whether a step, counted from 0, gets this motion."""
        return step in motion_steps(self.start, self.end, total=total)

    def entering(self, branches: Sequence[Branch], *, like: torch.Tensor | None = None) -> Entering:
        """Projected for a call that computes these branches as one batch, the branches outermost.

        `like` gives the precision and device of the tokens; left out, the adapter's own.
        """
        like = next(self.adapter.parameters()) if like is None else like
        tokens = {Branch.CONDITIONAL: self.tokens, Branch.UNCONDITIONAL: self.unconditional}
        batch = torch.cat([tokens[branch].to(like.device, like.dtype) for branch in branches])
        weights = self.weights or dict.fromkeys(self.adapter.sites, 1.0)
        scales = {site: self.strength * weight for site, weight in weights.items()}
        return Entering(self.adapter, self.adapter.project_tokens(batch), scales)
