"""The appearance encoder learns what and where the object of a first frame is."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from index_builder.features.preprocessing import prepare_frames
from training.data import draw_clips
from training.demo_world.shapes import SHAPES
from training.demo_world.world import BACKGROUNDS, COLOURS
from training.runner import Loss, Recipe, autocast
from training.sizes import APPEARANCE_PREPROCESSING, appearance_encoder

RECIPE = Recipe(steps=1700, batch=32, lr=8e-4)


class AppearanceLesson(nn.Module):
    """The encoder with the heads that teach it: shape, colour, background, place and size from the CLS feature."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = appearance_encoder()
        width = self.encoder.config.hidden_size
        self.heads = nn.ModuleDict(
            {"shape": nn.Linear(width, len(SHAPES)), "colour": nn.Linear(width, len(COLOURS)),
             "background": nn.Linear(width, len(BACKGROUNDS)), "place": nn.Linear(width, 3)}
        )  # fmt: skip

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """[B, 3, 64, 64] -> the heads' outputs [B, ...]."""
        summary = self.encoder(pixels).last_hidden_state[:, 0]
        return {name: head(summary) for name, head in self.heads.items()}


def make_loss(model: AppearanceLesson) -> Loss:
    """Cross-entropy for names, squared error for place and size."""
    names = {"shape": list(SHAPES), "colour": list(COLOURS), "background": list(BACKGROUNDS)}

    def loss(rng: np.random.Generator, batch: int) -> dict[str, Tensor]:
        specs, clips = draw_clips(rng, batch, frames=1, noise=3.0)
        with autocast():
            answers = model(prepare_frames(clips[:, 0], APPEARANCE_PREPROCESSING))
        parts = {
            name: F.cross_entropy(answers[name].float(), torch.tensor([values.index(getattr(s, name)) for s in specs]))
            for name, values in names.items()
        }
        place = torch.tensor([[s.x / 0.12, s.y / 0.12, (s.radius - 0.185) / 0.032] for s in specs])
        return {**parts, "place": 0.3 * F.mse_loss(answers["place"].float(), place)}

    return loss
