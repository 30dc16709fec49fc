"""Blocks of DynamiCrafter's UNet (Xing et al. 2023, arXiv 2310.12190) in plain PyTorch, under the published keys.

Frames are folded into the batch, clips outermost: states are [B * T, C, H, W]. `temopral_conv` is spelt as published.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GROUPS = 32


class GeluGate(nn.Module):
    """Linear to twice the width; one half, through GELU, gates the other."""

    def __init__(self, dim_in: int, dim_out: int) -> None:
        super().__init__()
        self.proj = nn.Linear(dim_in, 2 * dim_out)

    def forward(self, states: Tensor) -> Tensor:
        """[..., dim_in] -> [..., dim_out]"""
        value, gate = self.proj(states).chunk(2, dim=-1)
        gated: Tensor = value * F.gelu(gate)
        return gated


class FeedForward(nn.Module):
    """The gated feed-forward of a transformer block, four times as wide inside."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.net = nn.Sequential(GeluGate(dim, 4 * dim), nn.Dropout(0.0), nn.Linear(4 * dim, dim))

    def forward(self, states: Tensor) -> Tensor:
        """[B, S, dim] -> [B, S, dim]"""
        made: Tensor = self.net(states)
        return made


class Attention(nn.Module):
    """Self- or cross-attention; with `image_dim` a second one to image tokens is added before the output projection.

    Motion enters there too: at the input of `to_out`, after text and image are summed.
    """

    def __init__(
        self, query_dim: int, *, heads: int, head_dim: int, context_dim: int | None = None, image: bool = False
    ) -> None:
        super().__init__()
        self.heads = heads
        width, context_dim = heads * head_dim, context_dim or query_dim
        self.to_q = nn.Linear(query_dim, width, bias=False)
        self.to_k = nn.Linear(context_dim, width, bias=False)
        self.to_v = nn.Linear(context_dim, width, bias=False)
        self.to_out = nn.Sequential(nn.Linear(width, query_dim), nn.Dropout(0.0))
        if image:
            self.to_k_ip = nn.Linear(context_dim, width, bias=False)
            self.to_v_ip = nn.Linear(context_dim, width, bias=False)

    def forward(self, states: Tensor, context: Tensor | None = None, image: Tensor | None = None) -> Tensor:
        """states [B * T, N, query_dim], context and image [B * T, S, context_dim] -> [B * T, N, query_dim]"""
        query, context = self._split(self.to_q(states)), states if context is None else context
        mixed = F.scaled_dot_product_attention(query, self._split(self.to_k(context)), self._split(self.to_v(context)))
        if image is not None:
            mixed = mixed + F.scaled_dot_product_attention(
                query, self._split(self.to_k_ip(image)), self._split(self.to_v_ip(image))
            )
        attended: Tensor = self.to_out(mixed.transpose(1, 2).flatten(2))  # [B, heads, N, d] -> [B, N, heads * d]
        return attended

    def _split(self, states: Tensor) -> Tensor:
        heads: Tensor = states.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # [B, S, heads * d] -> [B, heads, S, d]
        return heads


class TransformerBlock(nn.Module):
    """Self-attention, a second attention, feed-forward; each with a norm before it and a residual."""

    def __init__(self, dim: int, *, heads: int, head_dim: int, context_dim: int | None, image: bool) -> None:
        super().__init__()
        self.attn1 = Attention(dim, heads=heads, head_dim=head_dim)
        self.attn2 = Attention(dim, heads=heads, head_dim=head_dim, context_dim=context_dim, image=image)
        self.ff = FeedForward(dim)
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(dim), nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(self, states: Tensor, context: Tensor | None = None, image: Tensor | None = None) -> Tensor:
        """[B, S, dim] -> [B, S, dim]; without context both attentions are to the states themselves."""
        states = states + self.attn1(self.norm1(states))
        states = states + self.attn2(self.norm2(states), context, image)
        made: Tensor = states + self.ff(self.norm3(states))
        return made


class SpatialTransformer(nn.Module):
    """Attention within a frame: to itself, to the text and to the picture's tokens of that frame."""

    def __init__(self, channels: int, *, heads: int, head_dim: int, context_dim: int, depth: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, heads * head_dim)
        self.transformer_blocks = nn.ModuleList(
            TransformerBlock(heads * head_dim, heads=heads, head_dim=head_dim, context_dim=context_dim, image=True)
            for _ in range(depth)
        )
        self.proj_out = nn.Linear(heads * head_dim, channels)

    def forward(self, states: Tensor, *, context: Tensor, image: Tensor) -> Tensor:
        """[B * T, C, H, W] -> the same shape"""
        height = states.shape[2]
        hidden = self.proj_in(self.norm(states).flatten(2).transpose(1, 2))  # [B * T, C, H, W] -> [B * T, H * W, C]
        for block in self.transformer_blocks:
            hidden = block(hidden, context, image)
        made: Tensor = states + self.proj_out(hidden).transpose(1, 2).unflatten(2, (height, -1))
        return made


class TemporalTransformer(nn.Module):
    """Attention of each place of the picture to itself in all frames of the clip; both attentions are to itself."""

    def __init__(self, channels: int, *, heads: int, head_dim: int, depth: int, linear: bool = True) -> None:
        super().__init__()
        width = heads * head_dim
        self.linear = linear
        self.norm = nn.GroupNorm(GROUPS, channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, width) if linear else nn.Conv1d(channels, width, 1)
        self.transformer_blocks = nn.ModuleList(
            TransformerBlock(width, heads=heads, head_dim=head_dim, context_dim=None, image=False) for _ in range(depth)
        )
        self.proj_out = nn.Linear(width, channels) if linear else nn.Conv1d(width, channels, 1)

    def forward(self, states: Tensor, *, clips: int) -> Tensor:
        """[B * T, C, H, W], B clips -> the same shape"""
        video = states.unflatten(0, (clips, -1)).transpose(1, 2)  # [B * T, C, H, W] -> [B, C, T, H, W]
        batch, channels, frames, height, width = video.shape
        hidden = self.norm(video).permute(0, 3, 4, 1, 2).reshape(-1, channels, frames)  # -> [B * H * W, C, T]
        hidden = self.proj_in(hidden.transpose(1, 2)) if self.linear else self.proj_in(hidden).transpose(1, 2)
        for block in self.transformer_blocks:
            hidden = block(hidden)
        hidden = self.proj_out(hidden) if self.linear else self.proj_out(hidden.transpose(1, 2)).transpose(1, 2)
        hidden = hidden.reshape(batch, height, width, frames, channels).permute(0, 3, 4, 1, 2)
        made: Tensor = states + hidden.reshape(states.shape)  # [B, T, C, H, W] -> [B * T, C, H, W]
        return made


class TemporalConvolution(nn.Module):
    """Four convolutions over three frames each, with a residual around them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(nn.GroupNorm(GROUPS, channels), nn.SiLU(), _over_frames(channels))
        for name in ("conv2", "conv3", "conv4"):
            layers = (nn.GroupNorm(GROUPS, channels), nn.SiLU(), nn.Dropout(0.0), _over_frames(channels))
            self.add_module(name, nn.Sequential(*layers))

    def forward(self, video: Tensor) -> Tensor:
        """[B, C, T, H, W] -> the same shape"""
        hidden = video
        for convolution in self.children():
            hidden = convolution(hidden)
        return video + hidden


def _over_frames(channels: int) -> nn.Conv3d:
    return nn.Conv3d(channels, channels, (3, 1, 1), padding=(1, 0, 0))


class ResidualBlock(nn.Module):
    """Two convolutions within a frame, told the step and the frame stride, then the convolutions over frames."""

    def __init__(self, channels: int, out_channels: int, *, embedding_dim: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, channels), nn.SiLU(), nn.Conv2d(channels, out_channels, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding_dim, out_channels))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, out_channels),
            nn.SiLU(),
            nn.Dropout(0.0),
            nn.Conv2d(out_channels, out_channels, 3, padding=1),
        )
        self.skip_connection = nn.Identity() if channels == out_channels else nn.Conv2d(channels, out_channels, 1)
        self.temopral_conv = TemporalConvolution(out_channels)

    def forward(self, states: Tensor, embedding: Tensor, *, clips: int) -> Tensor:
        """[B * T, C, H, W], embedding [B * T, E] -> [B * T, C', H, W]"""
        hidden = self.in_layers(states) + self.emb_layers(embedding)[:, :, None, None]
        hidden = self.skip_connection(states) + self.out_layers(hidden)
        video = hidden.unflatten(0, (clips, -1)).transpose(1, 2)  # [B * T, C, H, W] -> [B, C, T, H, W]
        made: Tensor = self.temopral_conv(video).transpose(1, 2).flatten(0, 1)
        return made


class Downsample(nn.Module):
    """Half the height and width."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, states: Tensor) -> Tensor:
        """[B * T, C, H, W] -> [B * T, C, H / 2, W / 2]"""
        smaller: Tensor = self.op(states)
        return smaller


class Upsample(nn.Module):
    """Twice the height and width."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, states: Tensor) -> Tensor:
        """[B * T, C, H, W] -> [B * T, C, 2 H, 2 W]"""
        larger: Tensor = self.conv(F.interpolate(states, scale_factor=2.0, mode="nearest"))
        return larger


def sinusoid(values: Tensor, dim: int) -> Tensor:
    """Values [B] -> [B, dim]: cosines, then sines, of frequencies from 1 down to 1 / 10000."""
    half = dim // 2
    frequencies = torch.exp(-torch.log(torch.tensor(10000.0)) * torch.arange(half, dtype=torch.float32) / half)
    angles = values[:, None].float() * frequencies.to(values.device)[None]
    return torch.cat([angles.cos(), angles.sin()], dim=-1)
