"""The motion encoder learns to measure trajectories, named or not, and to tell the named kinds apart."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from index_builder.features.preprocessing import prepare_clips
from training.data import MIXED_MOTIONS, draw_clips
from training.demo_world.motions import MOTIONS
from training.runner import Loss, Recipe
from training.sizes import MOTION_PREPROCESSING, motion_encoder

RECIPE = Recipe(steps=4000, batch=16, lr=1e-3, muon=True)
# dx, dy in frame widths, log scale, angle in radians: brought to about unit size
TRAJECTORY_SCALE = torch.tensor([0.2, 0.2, 0.4, 1.0])


class MotionLesson(nn.Module):
    """The encoder with the heads that teach it: a trajectory per tube, a kind per clip."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = motion_encoder()
        width = self.encoder.config.hidden_size
        self.trajectory = nn.Linear(width, 2 * len(TRAJECTORY_SCALE))
        self.kind = nn.Linear(width, len(MOTIONS))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 16, 6, 64, 64] -> trajectories [B, 16, 4], kind logits [B, kinds]."""
        features = self.encoder(pixels).last_hidden_state  # [B, 8 * 16, D]
        tubes = features.unflatten(1, (8, -1)).mean(2)  # [B, 8, D]
        return self.trajectory(tubes).reshape(len(pixels), 16, -1), self.kind(tubes.mean(1))


def make_loss(model: MotionLesson) -> Loss:
    """Squared trajectory error for all clips, cross-entropy for those of a named kind."""
    names = list(MOTIONS)

    def loss(rng: np.random.Generator, batch: int) -> dict[str, Tensor]:
        specs, clips = draw_clips(rng, batch, motions=MIXED_MOTIONS, noise=3.0)
        truth = torch.from_numpy(np.stack([s.trajectory().stacked() for s in specs])).float() / TRAJECTORY_SCALE
        kinds = torch.tensor([names.index(s.motion) if s.motion else -1 for s in specs])
        # In float32: torch 2.14's bfloat16 Conv3d on the CPU drops 13 of 16 columns of a 16-pixel patch.
        trajectories, logits = model(prepare_clips(list(clips), MOTION_PREPROCESSING))
        named = F.cross_entropy(logits, kinds, ignore_index=-1) if (kinds >= 0).any() else logits.sum() * 0
        # The angle of a circle or ring cannot be seen; it stays in, with little weight, as noise.
        weight = torch.tensor([1.0, 1.0, 1.0, 0.1])
        return {"trajectory": (weight * (trajectories - truth) ** 2).mean(), "kind": 0.3 * named}

    return loss
