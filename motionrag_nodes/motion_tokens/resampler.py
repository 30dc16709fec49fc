"""Perceiver resampler: N patch features of a clip become L tokens (arXiv 2509.26391; IP-Adapter-Plus, Flamingo).

Module names are those of the published checkpoints, so that a converted pack loads without renaming.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from motionrag_nodes.errors import ShapeMismatch


@dataclass(frozen=True)
class ResamplerConfig:
    """Sizes of a resampler.

    `embedding_dim` is the width of the features read, `dim` the inner width, `output_dim` the width D of the tokens,
    `num_queries` their number L. `heads * dim_head` need not equal `dim` (published: 12 * 64 in 1024).
    """

    embedding_dim: int
    dim: int
    depth: int
    dim_head: int
    heads: int
    num_queries: int
    output_dim: int
    ff_mult: int = 4


def _feed_forward(dim: int, mult: int) -> nn.Sequential:
    """LayerNorm, then the usual two-layer perceptron; a Sequential because the published keys are 0, 1 and 3."""
    return nn.Sequential(
        nn.LayerNorm(dim),
        nn.Linear(dim, dim * mult, bias=False),
        nn.GELU(),
        nn.Linear(dim * mult, dim, bias=False),
    )


class PerceiverAttention(nn.Module):
    """Latents attend to the features and to themselves in one softmax (Flamingo, https://arxiv.org/abs/2204.14198)."""

    def __init__(self, *, dim: int, dim_head: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        inner = dim_head * heads
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.to_q = nn.Linear(dim, inner, bias=False)
        self.to_kv = nn.Linear(dim, inner * 2, bias=False)
        self.to_out = nn.Linear(inner, dim, bias=False)

    def forward(self, features: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """features [B, N, dim], latents [B, L, dim] -> update of the latents [B, L, dim]."""
        features, latents = self.norm1(features), self.norm2(latents)
        query = self._split_heads(self.to_q(latents))
        key, value = self.to_kv(torch.cat([features, latents], dim=1)).chunk(2, dim=-1)
        mixed = F.scaled_dot_product_attention(query, self._split_heads(key), self._split_heads(value))
        attended: torch.Tensor = self.to_out(
            mixed.transpose(1, 2).flatten(2)
        )  # [B, heads, L, dim_head] -> [B, L, heads * dim_head]
        return attended

    def _split_heads(self, states: torch.Tensor) -> torch.Tensor:
        heads: torch.Tensor = states.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # [B, S, h * d] -> [B, h, S, d]
        return heads


class Resampler(nn.Module):
    """Learned queries read a clip's features through `depth` layers of attention and feed-forward."""

    def __init__(self, config: ResamplerConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.dim
        self.latents = nn.Parameter(torch.randn(1, config.num_queries, dim) / dim**0.5)
        self.proj_in = nn.Linear(config.embedding_dim, dim)
        self.proj_out = nn.Linear(dim, config.output_dim)
        self.norm_out = nn.LayerNorm(config.output_dim)
        self.layers = nn.ModuleList(
            nn.ModuleList(
                [
                    PerceiverAttention(dim=dim, dim_head=config.dim_head, heads=config.heads),
                    _feed_forward(dim, config.ff_mult),
                ]
            )
            for _ in range(config.depth)
        )

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features of B clips or images [B, N, embedding_dim] -> tokens [B, L, D].

        Raises ShapeMismatch: the features are not three-dimensional or have another width.
        """
        if features.ndim != 3 or features.shape[-1] != self.config.embedding_dim:
            raise ShapeMismatch(
                f"Expected features [B, N, {self.config.embedding_dim}], received {list(features.shape)}: use the "
                "encoder that the pack names."
            )
        latents = self.latents.expand(len(features), -1, -1)
        features = self.proj_in(features)
        for layer in self.layers:
            attention, feed_forward = layer.children()
            latents = attention(features, latents) + latents
            latents = feed_forward(latents) + latents
        tokens: torch.Tensor = self.norm_out(self.proj_out(latents))
        return tokens
