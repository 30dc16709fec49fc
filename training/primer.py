"""Stage 1 begins here: from a clip's features, write at every site what the base's own scripts write there.

SVD's cross-attention has one key, so what a site adds depends on no pixel: query, script and motion tokens can be
compared without running the UNet, some hundred times as many clips in the time. Stage 1 then trains on the true loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.base import TOLD_MOTIONS, UNCONDITIONAL_SHARE, Frozen, embed_images
from training.data import COMPRESSION_GRAIN, draw_clips
from training.runner import Loss, Recipe, console, world
from training.scripts import ScriptedBase, write_scripts
from training.stage1 import DROPPED_SHARE, MotionInjection, motion_features, zero_clip_features

RECIPE = Recipe(steps=6000, batch=48, lr=3e-3, ema_decay=0.998, muon=True)
# Of each process. With 12,000 it ended at 0.07 on those clips, and at 0.37 on others.
CLIPS, DRAWN_AT_ONCE = 40_000, 50


@dataclass(frozen=True)
class Bank:
    """Clips as the primer sees them: motion features [M, N, C] in half precision, image embeddings [M, 1, D], scripts
    [M, 1, S]."""

    features: Tensor
    embeddings: Tensor
    scripts: Tensor


@torch.no_grad()
def fill_bank(encoder: torch.nn.Module, frozen: Frozen, *, clips: int = CLIPS, seed: int = 3) -> Bank:
    """Draw and encode so many clips, others in every process."""
    rng = np.random.default_rng([seed, world()[0]])
    features, embeddings, scripts = [], [], []
    for start in range(0, clips, DRAWN_AT_ONCE):
        count = min(DRAWN_AT_ONCE, clips - start)
        specs, pixels = draw_clips(rng, count, motions=TOLD_MOTIONS, noise=COMPRESSION_GRAIN)
        features.append(motion_features(encoder, list(pixels)).half())
        embeddings.append(embed_images(frozen, pixels[:, 0])[:, None])
        scripts.append(write_scripts(specs))
        if start % 1000 == 0:
            console.log(f"primer's bank: {start}/{clips} clips")
    return Bank(torch.cat(features), torch.cat(embeddings), torch.cat(scripts))


def make_loss(model: MotionInjection, base: ScriptedBase, encoder: torch.nn.Module, bank: Bank) -> Loss:
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
        drawn = torch.from_numpy(rng.integers(len(bank.scripts), size=count))
        kept = torch.from_numpy(rng.random(count) >= DROPPED_SHARE).view(-1, 1, 1)
        seen = torch.from_numpy(rng.random(count) >= UNCONDITIONAL_SHARE).view(-1, 1, 1)
        features = torch.where(kept, bank.features[drawn].float(), zeros)
        errors = site_errors(features, bank.scripts[drawn] * kept, bank.embeddings[drawn] * seen)
        return {"sites": torch.stack(list(errors)).mean()}

    return loss
