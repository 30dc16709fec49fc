"""The codec learns to give frames back through 12 times fewer numbers (a VAE as SVD's, at small size), and then its
decoder alone learns on: the latents stay as they are, and a base may learn from them meanwhile.

And the latents of a moved frame are to be the moved latents (EQ-VAE, arXiv 2502.09509): in a part of the steps latents
are moved by a fraction of their grid, or made smaller, and must decode to the frame that was moved or made smaller. A
base then need not learn again, for each of 64 places within a latent's 8 x 8 pixels, how a sprite looks there.
"""

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

# For two processes, as `make train-tiny` runs them; one would need twice the steps to see as many clips.
RECIPE = Recipe(steps=6000, batch=12, lr=2e-3, weight_decay=0.0)
DECODER_RECIPE = Recipe(steps=12000, batch=12, lr=1.5e-3, weight_decay=0.0, ema_decay=0.998, seed=1)
FRAMES_PER_CLIP = 2
MEASURED_CLIPS = 64  # whose latents tell the scaling factor
FACTOR = 8  # pixels of a latent's side
CROP = 32
WHOLE_FRAMES_SHARE = 0.2
MOVED_SHARE = 0.3
KL_WEIGHT = 5e-5
L1_WEIGHT = 0.3
# All sprites and their surroundings together count as much as the rest, most of which is plain background, and a small
# sprite as much as a large one.
SURROUNDINGS_PIXELS, SMALLEST_SHARE = 2, 0.02
# An outline is where a pixel differs from the background by this much, in units of [-1, 1], give or take: the 40 grey
# levels of training/evaluation/scores/shape.py.
OUTLINE_WEIGHT, OUTLINE_DIFFERENCE, OUTLINE_SOFTNESS = 0.3, 40 / 127.5, 8 / 127.5
# A base's latents are never quite a frame's: the decoder learns to overlook up to so much noise, in spreads of latents.
LATENT_NOISE = 0.1


def build() -> AutoencoderKL:
    """An untrained codec whose latents are hardly noisy yet."""
    model = codec()
    nn.init.constant_(model.quant_conv.bias[model.config.latent_channels :].data, -4.0)
    return model.to(memory_format=torch.channels_last)  # faster on a processor


def decoder_only(model: AutoencoderKL) -> AutoencoderKL:
    """The codec, of which only what turns latents into frames may still learn."""
    model.requires_grad_(False)
    model.decoder.requires_grad_(True)
    model.post_quant_conv.requires_grad_(True)
    return model


def to_pixels(frames: np.ndarray) -> Tensor:
    """uint8 RGB [..., H, W, 3] -> float32 [..., 3, H, W] in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frames)).movedim(-1, -3).float() / 127.5 - 1


def crop_around_sprites(
    specs: Sequence[ClipSpec], clips: np.ndarray, chosen: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """[B, T, H, W, 3] -> [B, T, CROP + FACTOR, CROP + FACTOR, 3]: a window of each clip near its sprite, on the
    latents' grid.

    A frame is mostly plain background, and convolutions cost the same there: windows teach as much for a quarter.
    """
    cropped, side = [], CROP + FACTOR
    most = SIZE_PIXELS - side
    for spec, clip in zip(specs, clips, strict=True):
        path = spec.trajectory()
        x, y = 0.5 + spec.x + path.dx[chosen].mean(), 0.5 - spec.y - path.dy[chosen].mean()
        left, top = (
            int(np.clip(round((v * SIZE_PIXELS - side / 2 + rng.normal(0, 8)) / FACTOR) * FACTOR, 0, most))
            for v in (x, y)
        )
        cropped.append(clip[:, top : top + side, left : left + side])
    return np.stack(cropped)


def shifted(latents: Tensor, pixels: Tensor, *, right: int, down: int) -> tuple[Tensor, Tensor]:
    """Latents [B, C, h, w] moved by 0 to FACTOR - 1 pixels to the left and up, and the pixels they are to decode to.

    What moves in from beyond the frame is not known: both lose one latent's rows and columns at the other end.
    """
    for axis, pixel in ((-1, right), (-2, down)):
        length, share = latents.shape[axis] - 1, pixel / FACTOR
        latents = latents.narrow(axis, 0, length) * (1 - share) + latents.narrow(axis, 1, length) * share
        pixels = pixels.narrow(axis, pixel, length * FACTOR)
    return latents, pixels


def shrunk(latents: Tensor, pixels: Tensor, *, side: int) -> tuple[Tensor, Tensor]:
    """Latents made smaller, to [B, C, side, side], and the pixels likewise."""
    return (
        F.interpolate(latents, size=(side, side), mode="bilinear", antialias=True),
        F.interpolate(pixels, size=(side * FACTOR, side * FACTOR), mode="bilinear", antialias=True),
    )


def make_loss(model: AutoencoderKL) -> Loss:
    """Reconstruction, of moved latents too, with a little KL to keep the latents small; where the encoder does not
    learn, from noisy latents and without KL."""
    encoder_learns = next(model.encoder.parameters()).requires_grad

    def loss(rng: np.random.Generator, batch: int) -> dict[str, Tensor]:
        whole, moved = rng.random(2) < (WHOLE_FRAMES_SHARE, MOVED_SHARE)
        specs, clips = draw_clips(rng, batch // 4 if whole else batch, motions=MIXED_MOTIONS)
        chosen = np.sort(rng.choice(clips.shape[1], FRAMES_PER_CLIP, replace=False))
        clips = clips[:, chosen] if whole else crop_around_sprites(specs, clips[:, chosen], chosen, rng)
        pixels = to_pixels(clips).flatten(0, 1)  # [B, T, 3, H, W] -> [B T, 3, H, W]
        if not (whole or moved):
            pixels = pixels[..., :CROP, :CROP]
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        with autocast():
            posterior = model.encode(pixels).latent_dist
        kl = {"kl": KL_WEIGHT * posterior.kl().float().mean() / posterior.mean[0, 0].numel()} if encoder_learns else {}
        latents = posterior.sample().float() if encoder_learns else _with_noise(posterior.mode().float(), rng)
        if moved and whole:
            side = SIZE_PIXELS // FACTOR
            latents, pixels = shrunk(latents, pixels, side=int(rng.integers(side // 2, side)))
        elif moved:
            right, down = (int(pixel) for pixel in rng.integers(FACTOR, size=2))
            latents, pixels = shifted(latents, pixels, right=right, down=down)
        with autocast():
            decoded = model.decode(latents).sample.float()
        return {**reconstruction_errors(decoded, pixels), **kl}

    return loss


def _with_noise(latents: Tensor, rng: np.random.Generator) -> Tensor:
    """Latents [B, C, h, w], each with more or less noise."""
    amount = torch.from_numpy(rng.uniform(0, LATENT_NOISE, len(latents))).float().view(-1, 1, 1, 1)
    return latents + amount * latents.std() * torch.from_numpy(rng.standard_normal(latents.shape, dtype=np.float32))


def reconstruction_errors(decoded: Tensor, pixels: Tensor) -> dict[str, Tensor]:
    """Errors of frames [B, 3, H, W] in [-1, 1]: squared and absolute, of outlines, and of the backgrounds' colours."""
    brightness = (pixels - pixels.amin((2, 3), keepdim=True)).amax(1, keepdim=True)  # [B, 1, H, W]
    near = F.max_pool2d((brightness > 0.2).float(), 2 * SURROUNDINGS_PIXELS + 1, 1, SURROUNDINGS_PIXELS)
    weight = 1 + near / near.mean((1, 2, 3), keepdim=True).clamp(min=SMALLEST_SHARE)
    return {
        "mse": (weight * (decoded - pixels) ** 2).mean(),
        "l1": L1_WEIGHT * (weight * (decoded - pixels).abs()).mean(),
        "outline": OUTLINE_WEIGHT * _outline_error(decoded, pixels, brightness < 0.1),
        "background": _mean_colour_error(decoded, pixels, brightness < 0.1),
    }


def _outline_error(decoded: Tensor, pixels: Tensor, plain: Tensor) -> Tensor:
    """By how much two sprites do not overlap, as a share of both, 0 to 1: 1 - IoU with soft outlines, which squared
    errors hardly tell, since a thin edge is few pixels."""
    wanted, found = _sprite(pixels, plain), _sprite(decoded, plain)
    either = torch.maximum(wanted, found).sum((1, 2))
    return ((wanted - found).abs().sum((1, 2)) / (either + 1)).mean()


def _sprite(frames: Tensor, plain: Tensor) -> Tensor:
    """How much each pixel differs from the frame's own background, 0 to 1, [B, H, W]."""
    background = (frames * plain).sum((2, 3), keepdim=True) / plain.sum((2, 3), keepdim=True).clamp(min=1)
    return torch.sigmoid(((frames - background).abs().amax(1) - OUTLINE_DIFFERENCE) / OUTLINE_SOFTNESS)


def _mean_colour_error(decoded: Tensor, pixels: Tensor, where: Tensor) -> Tensor:
    """Absolute error of the mean colour of a region [B, 1, H, W].

    Dark backgrounds differ by so little that squared errors of pixels hardly tell them apart; people do.
    """
    error = ((decoded - pixels) * where).sum((2, 3)) / where.sum((2, 3)).clamp(min=1)
    return error.abs().mean()


@torch.inference_mode()
def measure_latent_std(model: AutoencoderKL, *, seed: int = 1) -> float:
    """The spread of the latents, whose inverse becomes the codec's scaling factor (unit variance for diffusion).

    It is that of the quarter of the channels that spread most. A codec that was widened keeps what a sprite is in the
    channels that it had, and adds details in others, which spread a fifth as far: the scale that a base knows stays.
    """
    _, clips = draw_clips(np.random.default_rng(seed), MEASURED_CLIPS)
    latents = model.encode(to_pixels(clips[:, ::5]).flatten(0, 1)).latent_dist.mode()  # [N, C, h, w]
    return float(latents.std((0, 2, 3)).topk(model.config.latent_channels // 4).values.mean())
