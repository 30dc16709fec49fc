"""Scripts: how a sprite moves, told whole, which is what captions of a large world tell and those of this one cannot.

Stable Video Diffusion descends from a model that learned from millions of captioned videos, so its cross-attention
knows far more motions than an image embedding ever asks for. A base that heard eight words alone sorts every motion
into eight. Here scripts stand for the many captions: they enter at the sites where motion tokens will, through an
adapter that teaches the base and stays behind.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from motionrag_nodes.attention.adapter import MotionAdapter
from training.demo_world.world import ClipSpec
from training.sizes import FRAMES, base_unet, site_dims

# What one unit of a script means: places in frame widths, log scale, angle in radians.
UNITS = np.array([0.1, 0.1, 0.2, 0.4])
SCRIPT_DIM = FRAMES * len(UNITS)


def write_scripts(specs: Sequence[ClipSpec]) -> Tensor:
    """Place, size and angle at every frame, relative to the first, as tokens [B, 1, SCRIPT_DIM]."""
    paths = np.stack([(spec.trajectory(FRAMES).stacked() / UNITS).ravel() for spec in specs])
    return torch.from_numpy(paths).float()[:, None]


class ScriptedBase(nn.Module):
    """What stage 0 trains: the UNet, and the adapter through which scripts reach it."""

    def __init__(self) -> None:
        super().__init__()
        self.unet = base_unet()
        self.scripts = MotionAdapter(token_dim=SCRIPT_DIM, site_dims=site_dims(self.unet))
