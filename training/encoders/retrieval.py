"""The retrieval encoder learns that captions match first frames by object, and each other by motion."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from torch import Tensor

from index_builder.features.preprocessing import prepare_frames
from training.data import draw_clips
from training.demo_world.captions import write_caption
from training.demo_world.motions import ALL_MOTIONS
from training.runner import Loss, Recipe, autocast
from training.sizes import RETRIEVAL_CONFIG, RETRIEVAL_PREPROCESSING

RECIPE = Recipe(steps=1450, batch=48, lr=1e-3)
MOTION_TEMPERATURE = 0.1


def build() -> tuple[open_clip.CLIP, Callable[[list[str]], Tensor]]:
    """An untrained open_clip model of the tiny size and its tokenizer."""
    tokenizer = open_clip.SimpleTokenizer(context_length=RETRIEVAL_CONFIG["text_cfg"]["context_length"])
    return open_clip.CLIP(**RETRIEVAL_CONFIG), tokenizer


def _same_motion_attracts(text: Tensor, motions: Tensor) -> Tensor:
    """Supervised contrast (Khosla et al. 2020): captions of one motion attract each other."""
    others = ~torch.eye(len(text), dtype=torch.bool)
    similarity = (text @ text.T / MOTION_TEMPERATURE).masked_fill(~others, -torch.inf)
    positives = (motions[:, None] == motions[None]) & others
    log_share = similarity - similarity.logsumexp(1, keepdim=True)
    per_caption = -log_share.masked_fill(~positives, 0).sum(1) / positives.sum(1).clamp(min=1)
    return per_caption[positives.any(1)].mean()


def make_loss(model: open_clip.CLIP, tokenizer: Callable[[list[str]], Tensor]) -> Loss:
    """CLIP's loss between first frames and captions, plus captions of one motion attracting each other.

    The words of all motions are taught, those without a clip in training too: a general text encoder knows its
    language; only the generator must not have seen the motion.
    """
    names = list(ALL_MOTIONS)

    def loss(rng: np.random.Generator, batch: int) -> dict[str, Tensor]:
        specs, clips = draw_clips(rng, batch, frames=1, noise=3.0)
        motions, silent = rng.integers(len(names), size=batch), rng.random(batch) < 0.2
        captions = [
            write_caption(
                shape=spec.shape, colour=spec.colour, background=spec.background, rng=rng,
                motion=None if quiet else names[motion],
            )
            for spec, motion, quiet in zip(specs, motions, silent, strict=True)
        ]  # fmt: skip
        # Captions that name no motion are nobody's positive: each gets a number of its own.
        spoken = torch.from_numpy(np.where(silent, -1 - np.arange(batch), motions))
        pixels = prepare_frames(clips[:, 0], RETRIEVAL_PREPROCESSING)
        with autocast():
            image = model.encode_image(pixels, normalize=True)
            text = model.encode_text(tokenizer(captions), normalize=True)
        image, text = image.float(), text.float()
        logits = model.logit_scale.exp().clamp(max=100) * image @ text.T
        match = torch.arange(batch)
        contrast = (F.cross_entropy(logits, match) + F.cross_entropy(logits.T, match)) / 2
        return {"image_text": 0.5 * contrast, "motion": _same_motion_attracts(text, spoken)}

    return loss
