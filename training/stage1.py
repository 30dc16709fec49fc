"""Stage 1: resampler and adapter learn to carry a clip's own motion into the frozen base (arXiv 2509.26391)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from diffusers import UNetSpatioTemporalConditionModel
from torch import Tensor, nn

from index_builder.features.preprocessing import prepare_clips
from motionrag_nodes.attention.adapter import MotionAdapter
from motionrag_nodes.attention.injection import Entering, attach
from motionrag_nodes.motion_tokens.resampler import Resampler
from training.base import Frozen, denoising_error, draw_batch, draw_noise
from training.demo_world.world import CLIP_FRAMES
from training.runner import Loss, Recipe, autocast
from training.sizes import MOTION_PREPROCESSING, MOTION_RESAMPLER, SIZE_PIXELS, TOKEN_DIM, hosts, site_dims

RECIPE = Recipe(steps=1200, batch=8, lr=4e-4, ema_decay=0.998)
DROPPED_SHARE = 0.15


class MotionInjection(nn.Module):
    """What stage 1 trains: the resampler and the adapter's weights at every site."""

    def __init__(self, unet: UNetSpatioTemporalConditionModel) -> None:
        super().__init__()
        self.resampler = Resampler(MOTION_RESAMPLER)
        self.adapter = MotionAdapter(token_dim=TOKEN_DIM, site_dims=site_dims(unet))


@torch.no_grad()
def motion_features(encoder: nn.Module, clips: Sequence[np.ndarray]) -> Tensor:
    """B clips uint8 [16, 64, 64, 3] -> motion features [B, N, C] of the frozen encoder."""
    return encoder(prepare_clips(clips, MOTION_PREPROCESSING)).last_hidden_state


@torch.no_grad()
def zero_clip_features(encoder: nn.Module) -> Tensor:
    """Motion features [1, N, C] of an all-zeros clip in [-1, 1] (0.5 of 1), the unconditional input."""
    mean, std = torch.tensor(MOTION_PREPROCESSING.mean), torch.tensor(MOTION_PREPROCESSING.std)
    colour = torch.cat([(0.5 - mean) / std, torch.zeros(3)])  # no difference to the first frame
    pixels = colour.view(1, 1, -1, 1, 1).expand(1, CLIP_FRAMES, -1, SIZE_PIXELS, SIZE_PIXELS)
    return encoder(pixels).last_hidden_state


def make_loss(
    model: MotionInjection, unet: UNetSpatioTemporalConditionModel, encoder: nn.Module, frozen: Frozen
) -> Loss:
    """The base's own denoising error, with the target clip's own motion injected (15 % of them dropped to zeros)."""
    zeros = zero_clip_features(encoder)

    def loss(rng: np.random.Generator, count: int) -> dict[str, Tensor]:
        batch = draw_batch(frozen, rng, count, clip_frames=CLIP_FRAMES)
        kept = batch.conditional & torch.from_numpy(rng.random(count) >= DROPPED_SHARE)
        features = torch.where(kept.view(-1, 1, 1), motion_features(encoder, list(batch.clips)), zeros)
        with attach(hosts(unet)) as injection:
            with autocast():
                injection.enter(Entering.of(model.adapter, model.resampler(features)))
            return {"denoising": denoising_error(unet, batch, draw_noise(rng, batch.latents)).mean()}

    return loss
