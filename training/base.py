"""Stage 0: a base image-to-video UNet as SVD's, which knows how things move but not which way this one will.

EDM with v-prediction (Karras et al. 2022, as diffusers' EulerDiscreteScheduler implies it); the first frame's latents
are concatenated. As SVD's own line learned text-to-video before image-to-video, some clips here come with the
embedding of their caption instead of their first frame's, and some with a script: the cross-attention thereby knows
motions that an image embedding, all that it gets at generation time, does not ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from diffusers import AutoencoderKL, UNetSpatioTemporalConditionModel
from torch import Tensor

from index_builder.features.preprocessing import prepare_frames
from motionrag_nodes.attention.injection import Entering, attach
from training.data import MIXED_MOTIONS, draw_clips
from training.demo_world.motions import MOTIONS
from training.demo_world.world import ClipSpec, draw_spec, render_clip
from training.encoders.codec import to_pixels
from training.runner import Loss, Recipe, attention, autocast
from training.scripts import ScriptedBase, write_scripts
from training.sizes import FPS, FRAMES, RETRIEVAL_PREPROCESSING, SIZE_PIXELS, hosts

RECIPE = Recipe(steps=9600, batch=8, lr=1e-3, ema_decay=0.999, muon=True)
# Noise above this drowns 256 latents of unit spread entirely; SVD's own 700 would waste a tiny model's few steps.
SIGMA_MAX = 80.0
# The last step starts from here. Told how a clip moves, the base draws it in one step from any noise, and with less
# noise it would hold to mistakes of its own: outlines are best without such steps (`training/README.md`).
SIGMA_MIN = 20.0
# Much noise, as all those steps have; arXiv 2509.26391 has 0.7 and 1.6.
SIGMA_LOG_MEAN, SIGMA_LOG_STD = 3.0, 1.1
IMAGE_NOISE_LOG_MEAN, IMAGE_NOISE_LOG_STD = -3.0, 0.5
MOTION_BUCKET_ID = 127
# Of the clips, these come with their caption's embedding, with a script, and with nothing at all.
# Half have a script: without one, noise hides how a sprite moves, and little can be learned of how it looks there. Most
# others have their first frame alone, or a sprite that is told no motion would lose its colours.
CAPTION_SHARE, SCRIPT_SHARE, UNCONDITIONAL_SHARE = 0.04, 0.5, 0.06
# Up to this share of the clips show another object under their noise, see `mistaken_noise`.
MISTAKEN_SHARE = 0.25
# Noise below this, which no generation sees, is left as it is.
MISTAKEN_FROM_SIGMA = 2.5
# Where latents change from the first frame's, an error counts so much more than in the plain background.
MOVING_WEIGHT, MOVING_DIFFERENCE = 3.0, 0.3
# Two clips of three move at random: kinds are soon sorted, but paths take long to learn.
TOLD_MOTIONS: tuple[str | None, ...] = (*MOTIONS, *([None] * 2 * len(MOTIONS)))


@dataclass(frozen=True)
class Frozen:
    """What every diffusion stage needs and none trains: codec, its scaling factor, retrieval encoder and tokenizer."""

    codec: AutoencoderKL
    scaling_factor: float
    retrieval: torch.nn.Module
    tokenizer: Callable[[list[str]], Tensor]


@dataclass(frozen=True)
class DiffusionBatch:
    """One batch as SVD's UNet takes it, and what it should answer.

    latents, image_latents: [B, T, C, h, w]; embedding: [B, 1, D]; added_time_ids: [B, 3]; sigma: [B];
    scripts: [B, 1, S], zeros where none is told;
    conditional: [B], False where a clip is drawn for the unconditional branch.
    """

    specs: Sequence[ClipSpec]
    clips: np.ndarray
    latents: Tensor
    image_latents: Tensor
    embedding: Tensor
    added_time_ids: Tensor
    sigma: Tensor
    scripts: Tensor
    conditional: Tensor


@torch.no_grad()
def embed_images(frozen: Frozen, frames: np.ndarray) -> Tensor:
    """First frames uint8 [B, H, W, 3] -> image embeddings [B, D], not normalised, as SVD's image encoder gives them."""
    return frozen.retrieval.encode_image(prepare_frames(frames, RETRIEVAL_PREPROCESSING)).float()


@torch.no_grad()
def encode_clips(frozen: Frozen, pixels: Tensor) -> Tensor:
    """Clips [B, T, 3, H, W] in [-1, 1] -> latents [B, T, C, h, w] as the codec gives them, not scaled."""
    with autocast():
        return frozen.codec.encode(pixels.flatten(0, 1)).latent_dist.mode().float().unflatten(0, pixels.shape[:2])


@torch.no_grad()
def draw_batch(
    frozen: Frozen, rng: np.random.Generator, count: int, *, told: bool = False, clip_frames: int = FRAMES
) -> DiffusionBatch:
    """Draw clips and everything that SVD's UNet is told of them: with `told`, how some of them move as well.

    `clip_frames` is 16 where a motion encoder looks too.
    """
    specs, clips = draw_clips(rng, count, frames=clip_frames, motions=TOLD_MOTIONS if told else MIXED_MOTIONS)
    frames = to_pixels(clips[:, :: clip_frames // FRAMES])  # [B, T, 3, H, W]
    latents = encode_clips(frozen, frames)
    image_noise = torch.from_numpy(np.exp(rng.normal(IMAGE_NOISE_LOG_MEAN, IMAGE_NOISE_LOG_STD, count))).float()
    noise = torch.from_numpy(rng.standard_normal(frames[:, 0].shape, dtype=np.float32))
    first = frames[:, 0] + image_noise.view(-1, 1, 1, 1) * noise
    with autocast():
        image_latents = frozen.codec.encode(first).latent_dist.mode().float()
    embedding = embed_images(frozen, clips[:, 0])
    drawn = torch.from_numpy(rng.random(count))
    conditional = drawn < 1 - UNCONDITIONAL_SHARE
    scripted = torch.zeros(count, dtype=torch.bool)
    if told:
        captions = frozen.tokenizer([spec.caption(rng) for spec in specs])
        text = frozen.retrieval.encode_text(captions, normalize=True).float() * embedding.norm(dim=1, keepdim=True)
        embedding = torch.where((drawn < CAPTION_SHARE)[:, None], text, embedding)
        scripted = (drawn >= CAPTION_SHARE) & (drawn < CAPTION_SHARE + SCRIPT_SHARE)
    sigma_log = rng.normal(SIGMA_LOG_MEAN, SIGMA_LOG_STD, count)
    ids = torch.tensor([FPS - 1.0, MOTION_BUCKET_ID, 0.0]).repeat(count, 1)
    ids[:, 2] = image_noise
    return DiffusionBatch(
        specs=specs,
        clips=clips,
        latents=latents * frozen.scaling_factor,
        image_latents=(image_latents * conditional.view(-1, 1, 1, 1))[:, None].expand(-1, FRAMES, -1, -1, -1),
        embedding=(embedding * conditional[:, None])[:, None],
        added_time_ids=ids,
        sigma=torch.from_numpy(np.exp(sigma_log)).float(),
        scripts=write_scripts(specs) * scripted.view(-1, 1, 1),
        conditional=conditional,
    )


def answer(unet: UNetSpatioTemporalConditionModel, batch: DiffusionBatch, noisy: Tensor) -> Tensor:
    """What the network says F of noisy latents [B, T, C, h, w] at the batch's sigmas."""
    root = (_by_clip(batch.sigma) ** 2 + 1).sqrt()
    with autocast(), attention():
        told = unet(
            torch.cat([noisy / root, batch.image_latents], dim=2),
            0.25 * batch.sigma.log(),
            batch.embedding,
            added_time_ids=batch.added_time_ids,
        )
    return told.sample.float()


def denoised(unet: UNetSpatioTemporalConditionModel, batch: DiffusionBatch, noisy: Tensor) -> Tensor:
    """The latents [B, T, C, h, w] that noisy ones are taken for: x0 = noisy / (s^2 + 1) - s / sqrt(s^2 + 1) F."""
    sigma = _by_clip(batch.sigma)
    return noisy / (sigma**2 + 1) - sigma / (sigma**2 + 1).sqrt() * answer(unet, batch, noisy)


def denoising_error(unet: UNetSpatioTemporalConditionModel, batch: DiffusionBatch, noise: Tensor) -> Tensor:
    """Squared error per clip [B] in the network's own output space, where EDM's weight (1 + s^2) / s^2 becomes one.

    Latents that change count more than those that do not, see `moving_weight`.
    """
    sigma = _by_clip(batch.sigma)
    noisy = batch.latents + sigma * noise
    # x0, see `denoised`, solved for F
    target = (noisy / (sigma**2 + 1) - batch.latents) * (sigma**2 + 1).sqrt() / sigma
    error = (answer(unet, batch, noisy) - target) ** 2
    return (moving_weight(batch.latents) * error).mean((1, 2, 3, 4))


def _by_clip(values: Tensor) -> Tensor:
    """[B] -> [B, 1, 1, 1, 1]."""
    return values.view(-1, 1, 1, 1, 1)


def moving_weight(latents: Tensor) -> Tensor:
    """How much each place of latents [B, T, C, h, w] counts, [B, T, 1, h, w], 1 on average over a clip.

    Where a frame differs from the first, there is the sprite or it was there: a fifth of a clip, and all that is hard.
    """
    moving = (latents - latents[:, :1]).abs().mean(2, keepdim=True) > MOVING_DIFFERENCE
    weight = 1 + MOVING_WEIGHT * moving
    return weight / weight.mean((1, 2, 3, 4), keepdim=True)


def draw_noise(rng: np.random.Generator, latents: Tensor) -> Tensor:
    """Standard normal noise of the latents' shape."""
    return torch.from_numpy(rng.standard_normal(latents.shape, dtype=np.float32))


def mistaken_noise(frozen: Frozen, rng: np.random.Generator, batch: DiffusionBatch, noise: Tensor) -> Tensor:
    """Noise [B, T, C, h, w] that holds, in some rows, another object that moves as the clip's own, more or less of it.

    What the steps of a generation draw wrongly is part of what the next ones see, and a base that never saw mistakes
    keeps them (exposure bias: Ning et al. 2023, arXiv 2301.11706). This one learns to believe what it sees of places,
    and for shapes and colours the first frame.
    """
    rows = ((batch.sigma > MISTAKEN_FROM_SIGMA) & batch.conditional).nonzero().squeeze(1)
    rows = rows[: round(MISTAKEN_SHARE * len(noise))]
    if not len(rows):
        return noise
    looks = [draw_spec(rng) for _ in rows]
    own = [batch.specs[row] for row in rows]
    others = [replace(spec, shape=look.shape, colour=look.colour) for spec, look in zip(own, looks, strict=True)]
    clips = np.stack([render_clip(spec, size=SIZE_PIXELS, frames=FRAMES) for spec in others])
    mistake = encode_clips(frozen, to_pixels(clips)) * frozen.scaling_factor - batch.latents[rows]
    share = torch.from_numpy(rng.random(len(rows))).float()
    return noise.index_add(0, rows, _by_clip(share / batch.sigma[rows]) * mistake)


def make_loss(model: ScriptedBase, frozen: Frozen) -> Loss:
    """The denoising error over freshly drawn clips."""

    def loss(rng: np.random.Generator, count: int) -> dict[str, Tensor]:
        batch = draw_batch(frozen, rng, count, told=True)
        noise = mistaken_noise(frozen, rng, batch, draw_noise(rng, batch.latents))
        with attach(hosts(model.unet)) as injection:
            with autocast():
                injection.enter(Entering.of(model.scripts, batch.scripts))
            return {"denoising": denoising_error(model.unet, batch, noise).mean()}

    return loss
