"""DynamiCrafter's UNet (Xing et al. 2023, arXiv 2310.12190): a noisy clip, text and picture -> what to remove.

It adds to Stable Diffusion's UNet attention and convolutions over frames, an attention to the picture's tokens, and an
embedding of the frame stride. Modules have the published names, so that the published weights load as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from motionrag_nodes.backbones.dynamicrafter.unet_blocks import (
    GROUPS,
    Downsample,
    ResidualBlock,
    SpatialTransformer,
    TemporalTransformer,
    Upsample,
    sinusoid,
)


@dataclass(frozen=True)
class UNetConfig:
    """Sizes; the defaults are those of DynamiCrafter-1024.

    `attention_resolutions` are the factors by which states with attention are smaller than the latents.
    """

    in_channels: int = 8
    out_channels: int = 4
    model_channels: int = 320
    channel_mult: tuple[int, ...] = (1, 2, 4, 4)
    attention_resolutions: tuple[int, ...] = (4, 2, 1)
    num_res_blocks: int = 2
    context_dim: int = 1024
    num_head_channels: int = 64
    transformer_depth: int = 1
    first_attention_heads: int = 8


class Stage(nn.ModuleList):
    """Layers in a row; each gets what it asks for."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__(layers)

    def forward(self, states: Tensor, embedding: Tensor, context: Tensor, image: Tensor, clips: int) -> Tensor:
        """states [B * T, C, H, W], embedding [B * T, E], context and image [B * T, S, D] -> [B * T, C', H', W']"""
        for layer in self:
            if isinstance(layer, ResidualBlock):
                states = layer(states, embedding, clips=clips)
            elif isinstance(layer, SpatialTransformer):
                states = layer(states, context=context, image=image)
            elif isinstance(layer, TemporalTransformer):
                states = layer(states, clips=clips)
            else:
                states = layer(states)
        return states


class DynamiCrafterUNet(nn.Module):
    """The whole UNet; `dtype` and `device` are those of its weights."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        width = config.model_channels
        self._embedding_dim = 4 * width
        self.time_embed = _embedder(width, self._embedding_dim)
        self.fps_embedding = _embedder(width, self._embedding_dim)
        self.init_attn = Stage(
            TemporalTransformer(
                width, heads=config.first_attention_heads, head_dim=config.num_head_channels,
                depth=config.transformer_depth, linear=False,
            )
        )  # fmt: skip
        self.input_blocks = nn.ModuleList([Stage(nn.Conv2d(config.in_channels, width, 3, padding=1))])
        skips = self._add_input_blocks(width)
        middle = config.channel_mult[-1] * width
        self.middle_block = Stage(
            self._residual(middle, middle), *self._attention(middle), self._residual(middle, middle)
        )
        self.output_blocks = nn.ModuleList()
        self._add_output_blocks(middle, skips)
        self.out = nn.Sequential(
            nn.GroupNorm(GROUPS, width), nn.SiLU(), nn.Conv2d(width, config.out_channels, 3, padding=1)
        )

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return self.out.get_parameter("2.weight").dtype

    @property
    def device(self) -> torch.device:
        """Of the weights."""
        return self.out.get_parameter("2.weight").device

    def forward(self, sample: Tensor, timestep: Tensor, *, text: Tensor, image: Tensor, frame_stride: Tensor) -> Tensor:
        """One evaluation.

        sample: noisy latents beside the picture's, [B, in_channels, T, H, W]; timestep and frame_stride: [B];
        text: [B, S, D]; image: tokens frame by frame, [B, T * Q, D] -> [B, out_channels, T, H, W].
        """
        clips, _, frames = sample.shape[:3]
        width = self.config.model_channels
        embedding = self.time_embed(sinusoid(timestep, width).to(self.dtype))
        embedding = embedding + self.fps_embedding(sinusoid(frame_stride, width).to(self.dtype))
        embedding = embedding.repeat_interleave(frames, dim=0)
        told = (
            embedding,
            text.repeat_interleave(frames, dim=0),
            image.unflatten(1, (frames, -1)).flatten(0, 1),  # [B, T * Q, D] -> [B * T, Q, D]
            clips,
        )
        states, kept = sample.transpose(1, 2).flatten(0, 1), []  # [B, C, T, H, W] -> [B * T, C, H, W]
        for number, block in enumerate(self.input_blocks):
            states = block(states, *told)
            if number == 0:
                states = self.init_attn(states, *told)
            kept.append(states)
        states = self.middle_block(states, *told)
        for block in self.output_blocks:
            states = block(torch.cat([states, kept.pop()], dim=1), *told)
        noise: Tensor = self.out(states).unflatten(0, (clips, frames)).transpose(1, 2)
        return noise

    def _add_input_blocks(self, channels: int) -> list[int]:
        """Returns the channels of what each block hands to the other side."""
        config, skips, scale = self.config, [channels], 1
        for level, factor in enumerate(config.channel_mult):
            for _ in range(config.num_res_blocks):
                out = factor * config.model_channels
                self.input_blocks.append(Stage(self._residual(channels, out), *self._attention(out, scale)))
                channels = out
                skips.append(channels)
            if level < len(config.channel_mult) - 1:
                self.input_blocks.append(Stage(Downsample(channels)))
                skips.append(channels)
                scale *= 2
        return skips

    def _add_output_blocks(self, channels: int, skips: list[int]) -> None:
        config = self.config
        scale = 2 ** (len(config.channel_mult) - 1)
        for level, factor in reversed(list(enumerate(config.channel_mult))):
            for number in range(config.num_res_blocks + 1):
                out = factor * config.model_channels
                layers = [self._residual(channels + skips.pop(), out), *self._attention(out, scale)]
                if level and number == config.num_res_blocks:
                    layers.append(Upsample(out))
                    scale //= 2
                self.output_blocks.append(Stage(*layers))
                channels = out

    def _residual(self, channels: int, out_channels: int) -> ResidualBlock:
        return ResidualBlock(channels, out_channels, embedding_dim=self._embedding_dim)

    def _attention(self, channels: int, scale: int | None = None) -> list[nn.Module]:
        """Attention in space, then in time; none where states of this scale have none."""
        config = self.config
        if scale is not None and scale not in config.attention_resolutions:
            return []
        heads, head_dim = channels // config.num_head_channels, config.num_head_channels
        return [
            SpatialTransformer(
                channels, heads=heads, head_dim=head_dim, context_dim=config.context_dim, depth=config.transformer_depth
            ),
            TemporalTransformer(channels, heads=heads, head_dim=head_dim, depth=config.transformer_depth),
        ]


def _embedder(width: int, embedding_dim: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, embedding_dim), nn.SiLU(), nn.Linear(embedding_dim, embedding_dim))
