"""What DynamiCrafter is told: the prompt's tokens and the picture's, by OpenCLIP ViT-H-14 and the model's resampler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class _Tower(nn.Module):
    """With the place and precision of its weights told, as diffusers asks of a pipeline's parts."""

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return next(self.parameters()).dtype

    @property
    def device(self) -> torch.device:
        """Of the weights."""
        return next(self.parameters()).device


class TextTokens(_Tower):
    """The text tower of an open_clip model without its last block, then its final norm."""

    def __init__(self, clip: Any, tokenizer: Any) -> None:
        super().__init__()
        self.attn_mask: Tensor
        self.token_embedding, self.ln_final = clip.token_embedding, clip.ln_final
        self.positional_embedding = clip.positional_embedding
        self.blocks = nn.ModuleList(clip.transformer.resblocks[:-1])
        self.batch_first = clip.transformer.batch_first
        self.register_buffer("attn_mask", clip.attn_mask, persistent=False)
        self.tokenizer = tokenizer

    def forward(self, prompts: Sequence[str]) -> Tensor:
        """B prompts -> tokens [B, S, D]"""
        ids = self.tokenizer(list(prompts)).to(self.positional_embedding.device)
        states = self.token_embedding(ids) + self.positional_embedding
        states = states if self.batch_first else states.transpose(0, 1)
        for block in self.blocks:
            states = block(states, attn_mask=self.attn_mask.to(states))
        words: Tensor = self.ln_final(states if self.batch_first else states.transpose(0, 1))
        return words


class PictureTokens(_Tower):
    """The vision tower of an open_clip model up to its last block, then the resampler to tokens of each frame."""

    def __init__(self, visual: Any, resampler: nn.Module) -> None:
        super().__init__()
        self.visual, self.resampler = visual, resampler

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures [B, 3, H, W] in [-1, 1] -> tokens [B, T * Q, D]"""
        pixels = prepare_picture(pictures.float(), size=self.visual.image_size[0])
        patches = self.visual.conv1(pixels.to(pictures)).flatten(2).transpose(1, 2)  # [B, D, h, w] -> [B, h * w, D]
        first = self.visual.class_embedding.to(patches).expand(len(patches), 1, -1)
        states = torch.cat([first, patches], dim=1) + self.visual.positional_embedding.to(patches)
        tokens: Tensor = self.resampler(self.visual.transformer(self.visual.ln_pre(states)))
        return tokens


def prepare_picture(pictures: Tensor, *, size: int) -> Tensor:
    """[B, 3, H, W] in [-1, 1] -> [B, 3, size, size], normalised for CLIP.

    As the published code does it with kornia's resize: blurred by what is lost, then bicubic with aligned corners; the
    whole picture is squeezed into the square.
    """
    factors = [length / size for length in pictures.shape[-2:]]
    if max(factors) > 1:
        sigmas = [max((factor - 1) / 2, 0.001) for factor in factors]
        pictures = _blur(pictures, sigmas)
    resized = F.interpolate(pictures, size=(size, size), mode="bicubic", align_corners=True)
    mean, std = (torch.tensor(values).to(resized).view(1, 3, 1, 1) for values in (CLIP_MEAN, CLIP_STD))
    return ((resized + 1) / 2 - mean) / std


def _blur(pictures: Tensor, sigmas: Sequence[float]) -> Tensor:
    """A Gaussian over height, then width; sigmas in pixels, [B, C, H, W] -> the same shape."""
    channels = pictures.shape[1]
    for dim, sigma in zip((2, 3), sigmas, strict=True):
        length = int(max(4 * sigma, 3))
        length += 1 - length % 2
        places = torch.arange(length, device=pictures.device, dtype=pictures.dtype) - length // 2
        weights = torch.exp(-(places**2) / (2 * sigma**2))
        shape = (1, 1, length, 1) if dim == 2 else (1, 1, 1, length)
        kernel = (weights / weights.sum()).view(shape).expand(channels, -1, -1, -1)
        padding = (0, 0, length // 2, length // 2) if dim == 2 else (length // 2, length // 2, 0, 0)
        pictures = F.conv2d(F.pad(pictures, padding, mode="reflect"), kernel, groups=channels)
    return pictures
