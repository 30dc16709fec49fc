"""Stage 1 begins here: from a clip's features, write at every site what the base's own scripts write there.

SVD's cross-attention has one key, so what a site adds depends on no pixel: query, script and motion tokens can be
compared without running the UNet, some forty times as many clips in the time. Stage 1 then trains on the true loss.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from training.base import UNCONDITIONAL_SHARE, Frozen, embed_images
from training.data import MIXED_MOTIONS, draw_clips
from training.runner import Loss, Recipe
from training.scripts import ScriptedBase, write_scripts
from training.stage1 import DROPPED_SHARE, MotionInjection, motion_features, zero_clip_features

RECIPE = Recipe(steps=1500, batch=48, lr=1.5e-3)
GRAIN = 2.0  # std in grey levels, about what compression leaves


def make_loss(model: MotionInjection, base: ScriptedBase, encoder: torch.nn.Module, frozen: Frozen) -> Loss:
    """The squared error at the sites, each relative to what scripts add there; nothing at all for dropped motion."""
    zeros = zero_clip_features(encoder)

    def site_errors(features: Tensor, scripts: Tensor, embedding: Tensor) -> Iterator[Tensor]:
        tokens = model.resampler(features)
        for site in model.adapter.sites:
            attention = base.unet.get_submodule(site)
            wanted = base.scripts.site(site).to_v_ip[0](scripts)  # [B, 1, hidden]
            query = attention.to_v(embedding)
            adapter = model.adapter.site(site)
            added = adapter(query, *adapter.project(tokens), heads=attention.heads)
            yield ((added - wanted) ** 2).mean() / (wanted**2).mean()

    def loss(rng: np.random.Generator, count: int) -> dict[str, Tensor]:
        specs, clips = draw_clips(rng, count, motions=MIXED_MOTIONS, noise=GRAIN)
        kept = torch.from_numpy(rng.random(count) >= DROPPED_SHARE).view(-1, 1, 1)
        seen = torch.from_numpy(rng.random(count) >= UNCONDITIONAL_SHARE).view(-1, 1, 1)
        embedding = embed_images(frozen, clips[:, 0])[:, None] * seen
        features = torch.where(kept, motion_features(encoder, list(clips)), zeros)
        errors = site_errors(features, write_scripts(specs) * kept, embedding)
        return {"sites": torch.stack(list(errors)).mean()}

    return loss
