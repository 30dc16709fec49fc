"""Stage 2: the context transformer learns to adapt retrieved motion to the given image (arXiv 2509.26391)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from index_builder.features.preprocessing import prepare_frames
from motionrag_nodes.adapted_tokens.context_transformer import ContextTransformer
from training.data import draw_clips
from training.demo_world.world import CLIP_FRAMES
from training.runner import Loss, Recipe, console
from training.sizes import APPEARANCE_PREPROCESSING, REFERENCES
from training.stage1 import motion_features

RECIPE = Recipe(steps=1300, batch=32, lr=5e-4, gradient_clip=0.25, ema_decay=0.998)
POOL_CLIPS = 4000
# References are drawn from this many nearest captions, so that a sequence is not the same each time it comes up.
CANDIDATES = 20


@dataclass(frozen=True)
class Pool:
    """A training database in memory: motion tokens [M, L, D], appearance features [M, N, C], captions [M, E]."""

    motion_tokens: Tensor
    appearance: Tensor
    captions: Tensor


@torch.no_grad()
def build_pool(
    *,
    retrieval: nn.Module,
    tokenizer: Callable[[list[str]], Tensor],
    motion_encoder: nn.Module,
    appearance_encoder: nn.Module,
    resampler: nn.Module,
    seed: int = 2,
) -> Pool:
    """Encode POOL_CLIPS clips of the train split as the indexer would."""
    rng = np.random.default_rng(seed)
    tokens, appearance, captions = [], [], []
    for start in range(0, POOL_CLIPS, 50):
        specs, clips = draw_clips(rng, 50, frames=CLIP_FRAMES, noise=2.0)
        tokens.append(resampler(motion_features(motion_encoder, list(clips))))
        appearance.append(appearance_encoder(prepare_frames(clips[:, 0], APPEARANCE_PREPROCESSING)).last_hidden_state)
        captions.append(retrieval.encode_text(tokenizer([s.caption(rng) for s in specs]), normalize=True))
        if start % 1000 == 0:
            console.log(f"pool: {start}/{POOL_CLIPS} clips")
    return Pool(torch.cat(tokens), torch.cat(appearance), torch.cat(captions))


def make_loss(model: ContextTransformer, pool: Pool) -> Loss:
    """Squared error between predicted and true motion tokens of every clip of a retrieved sequence."""
    similarity = pool.captions @ pool.captions.T
    similarity.fill_diagonal_(-torch.inf)  # a clip is never its own reference
    nearest = similarity.topk(CANDIDATES, dim=1).indices  # [M, CANDIDATES], most similar first

    def loss(rng: np.random.Generator, batch: int) -> dict[str, Tensor]:
        targets = torch.from_numpy(rng.integers(len(nearest), size=batch))
        kept = np.stack([np.sort(rng.choice(CANDIDATES, REFERENCES, replace=False)) for _ in range(batch)])
        references = nearest[targets].gather(1, torch.from_numpy(kept)).flip(1)  # least similar first
        sequence = torch.cat([references, targets[:, None]], dim=1)  # [B, K + 1]
        truth = pool.motion_tokens[sequence]  # [B, K + 1, L, D]
        predicted = model(truth, model.appearance_tokens(pool.appearance[sequence]))
        return {"tokens": F.mse_loss(predicted, truth)}

    return loss
