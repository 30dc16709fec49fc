"""The codec learns to give frames back through 48 times fewer numbers (a VAE as SVD's, at small size)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor, nn

from training.data import MIXED_MOTIONS, draw_clips
from training.demo_world.world import ClipSpec
from training.runner import Loss, Recipe, autocast
from training.sizes import SIZE_PIXELS, codec

RECIPE = Recipe(steps=7000, batch=12, lr=2e-3, weight_decay=0.0)
FRAMES_PER_CLIP = 2
CROP = 32
WHOLE_FRAMES_SHARE = 0.2
KL_WEIGHT = 5e-5


def build() -> AutoencoderKL:
    """An untrained codec whose latents are hardly noisy yet."""
    model = codec()
    nn.init.constant_(model.quant_conv.bias[model.config.latent_channels :].data, -4.0)
    return model


def to_pixels(frames: np.ndarray) -> Tensor:
    """uint8 RGB [..., H, W, 3] -> float32 [..., 3, H, W] in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frames)).movedim(-1, -3).float() / 127.5 - 1


def crop_around_sprites(
    specs: Sequence[ClipSpec], clips: np.ndarray, chosen: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """[B, T, H, W, 3] -> [B, T, CROP, CROP, 3]: a window of each clip, on the codec's 8-pixel grid, near its sprite.

    A frame is mostly plain background, and convolutions cost the same there: windows teach as much for a quarter.
    """
    cropped = []
    for spec, clip in zip(specs, clips, strict=True):
        path = spec.trajectory()
        x, y = 0.5 + spec.x + path.dx[chosen].mean(), 0.5 - spec.y - path.dy[chosen].mean()
        left, top = (
            int(np.clip(round((v * SIZE_PIXELS - CROP / 2 + rng.normal(0, 8)) / 8) * 8, 0, SIZE_PIXELS - CROP))
            for v in (x, y)
        )
        cropped.append(clip[:, top : top + CROP, left : left + CROP])
    return np.stack(cropped)


def make_loss(model: AutoencoderKL) -> Loss:
    """Reconstruction (squared and absolute), with a little KL to keep the latents smooth and small."""

    def loss(rng: np.random.Generator, batch: int) -> dict[str, Tensor]:
        whole = rng.random() < WHOLE_FRAMES_SHARE
        specs, clips = draw_clips(rng, batch // 4 if whole else batch, motions=MIXED_MOTIONS)
        chosen = np.sort(rng.choice(clips.shape[1], FRAMES_PER_CLIP, replace=False))
        clips = clips[:, chosen] if whole else crop_around_sprites(specs, clips[:, chosen], chosen, rng)
        pixels = to_pixels(clips).flatten(0, 1)  # [B, T, 3, H, W] -> [B T, 3, H, W]
        with autocast():
            posterior = model.encode(pixels).latent_dist
            decoded = model.decode(posterior.sample()).sample.float()
        kl = posterior.kl().float().mean() / (pixels.shape[-1] // 8) ** 2
        # Sprites cover little of the frame: without a weight the background alone would be learned.
        brightness = (pixels - pixels.amin((2, 3), keepdim=True)).amax(1, keepdim=True)  # [B, 1, H, W]
        squared = ((1 + 4 * (brightness > 0.5)) * (decoded - pixels) ** 2).mean()
        return {
            "mse": squared,
            "l1": 0.1 * F.l1_loss(decoded, pixels),
            "background": 1.0 * _mean_colour_error(decoded, pixels, brightness < 0.1),
            "kl": KL_WEIGHT * kl,
        }

    return loss


def _mean_colour_error(decoded: Tensor, pixels: Tensor, where: Tensor) -> Tensor:
    """Absolute error of the mean colour of a region [B, 1, H, W].

    Dark backgrounds differ by so little that squared errors of pixels hardly tell them apart; people do.
    """
    error = ((decoded - pixels) * where).sum((2, 3)) / where.sum((2, 3)).clamp(min=1)
    return error.abs().mean()


@torch.inference_mode()
def measure_latent_std(model: AutoencoderKL, *, seed: int = 1) -> float:
    """The spread of the latents, whose inverse becomes the codec's scaling factor (unit variance for diffusion)."""
    _, clips = draw_clips(np.random.default_rng(seed), 64)
    return float(model.encode(to_pixels(clips[:, ::5]).flatten(0, 1)).latent_dist.mode().std())
