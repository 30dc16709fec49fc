"""Context-aware motion adaptation: an in-context transformer over clips, causal by clip (arXiv 2509.26391).

It sees the neighbours' motion and appearance as examples, then the target's appearance, and predicts the target's
motion tokens. Module names are those of the published checkpoints.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from motionrag_nodes.errors import ShapeMismatch, TooManyNeighbours
from motionrag_nodes.motion_tokens.resampler import Resampler, ResamplerConfig


@dataclass(frozen=True)
class ContextTransformerConfig:
    """Sizes of the context transformer; `max_positions` bounds (K + 1) * tokens_per_clip."""

    token_dim: int
    layers: int
    heads: int
    ff_dim: int
    tokens_per_clip: int
    max_positions: int = 256


def sinusoidal_positions(length: int, dim: int) -> torch.Tensor:
    """Fixed position table [length, dim]: sine on even, cosine on odd columns (Vaswani et al. 2017, section 3.5)."""
    # On the CPU by name: a module made on the meta device, to be filled with weights, still needs its real table.
    column = torch.arange(dim, dtype=torch.float64, device="cpu")
    position = torch.arange(length, dtype=torch.float64, device="cpu")[:, None]
    angles = position / 10000 ** (2 * (column // 2) / dim)
    table = torch.where(column % 2 == 0, angles.sin(), angles.cos())
    return table.float()


def causal_mask_by_clip(clips: int, tokens_per_clip: int, *, device: torch.device | None = None) -> torch.Tensor:
    """Boolean [S, S], S = clips * tokens_per_clip; True where a token may not look: at any later clip."""
    clip = torch.arange(clips, device=device).repeat_interleave(tokens_per_clip)
    return clip[None, :] > clip[:, None]


def weighted_mask_by_clip(weights: torch.Tensor, tokens_per_clip: int) -> torch.Tensor:
    """The causal mask of K + 1 clips as a float bias [S, S] on attention logits: log(weight) on each neighbour's keys.

    weights [K], above 0, in the order of the sequence. Clip i's motion stands in group i + 1, which follows from the
    shift; the first group holds no neighbour. Softmax turns a bias of log(w) into a factor w: a neighbour of weight 2
    is looked at as much as two copies of it would be.
    """
    groups = torch.cat([weights.new_ones(1), weights])
    mask = causal_mask_by_clip(len(groups), tokens_per_clip, device=weights.device)
    bias = groups.log().repeat_interleave(tokens_per_clip).expand_as(mask)
    return bias.masked_fill(mask, float("-inf"))


@contextmanager
def _masks_taken_as_given(biased: bool) -> Iterator[None]:
    """Keeps torch from its fast path for encoders, which takes any bias that is not 0 for "may not look" (torch 2.14).

    The switch is the process's; another thread that meets it is slower for a moment, not wrong.
    """
    if not biased:
        yield
        return
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


class ContextTransformer(nn.Module):
    """Predicts each clip's motion tokens from the clips before it and from its own appearance."""

    def __init__(self, config: ContextTransformerConfig, appearance: ResamplerConfig) -> None:
        super().__init__()
        self.config = config
        self.sos_token = nn.Parameter(torch.randn(1, config.tokens_per_clip, config.token_dim) * 0.02)
        self.condition_proj = Resampler(appearance)
        layer = nn.TransformerEncoderLayer(
            config.token_dim, config.heads, config.ff_dim, dropout=0.0, activation="gelu", batch_first=True
        )
        self.transformer = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        # Not persistent: the published checkpoints do not hold the table, and it follows from the sizes.
        table = sinusoidal_positions(config.max_positions, config.token_dim)
        self.positions: torch.Tensor
        self.register_buffer("positions", table, persistent=False)

    @property
    def max_neighbours(self) -> int:
        """The largest K that the position table has room for."""
        return self.config.max_positions // self.config.tokens_per_clip - 1

    def appearance_tokens(self, features: torch.Tensor) -> torch.Tensor:
        """Appearance features of first frames [..., N, C] -> appearance tokens [..., L, D]."""
        tokens = self.condition_proj(features.flatten(0, -3))  # [B, K, N, C] -> [B * K, N, C]
        resampled: torch.Tensor = tokens.unflatten(0, features.shape[:-2])
        return resampled

    def forward(
        self, motion_tokens: torch.Tensor, appearance_tokens: torch.Tensor, *, weights: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Predict the motion tokens of every clip of a sequence, least similar neighbour first, target last.

        motion_tokens [B, K, L, D] of the neighbours, or [B, K + 1, L, D] with the target's own, which is never read:
        the sequence is shifted by one clip. appearance_tokens [B, K + 1, L, D]. weights [K], above 0: see
        `weighted_mask_by_clip`; None counts all neighbours alike, as in training. -> [B, K + 1, L, D]

        Raises ShapeMismatch: the tokens do not fit each other or the configuration. TooManyNeighbours: K + 1 clips
        exceed the position table.
        """
        tokens, mask = self._sequence(motion_tokens, appearance_tokens, weights)
        with _masks_taken_as_given(weights is not None):
            adapted = self.transformer(tokens, mask=mask)
        # [B, (K + 1) * L, D] -> [B, K + 1, L, D]
        clips: torch.Tensor = adapted.unflatten(1, (-1, self.config.tokens_per_clip))
        return clips

    def adapt(
        self,
        reference_motion: torch.Tensor,
        reference_appearance: torch.Tensor,
        target_appearance: torch.Tensor,
        *,
        weights: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Predict the target's motion tokens from K >= 1 neighbours, given MOST similar first.

        reference_motion [B, K, L, D], reference_appearance [B, K, L, D], target_appearance [B, L, D], weights [K] or
        None -> [B, L, D]
        """
        # The most similar neighbour stands right before the target, as in training.
        appearance = torch.cat([reference_appearance.flip(1), target_appearance[:, None]], dim=1)
        weights = None if weights is None else weights.flip(0)
        tokens, mask = self._sequence(reference_motion.flip(1), appearance, weights)
        *layers, last = self.transformer.layers
        with _masks_taken_as_given(weights is not None):
            for layer in layers:
                tokens = layer(tokens, src_mask=mask)
        return self._target_alone(last, tokens, mask)

    def _target_alone(
        self, layer: nn.TransformerEncoderLayer, tokens: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """The last layer at the target [B, L, D]: nobody reads what it makes of the neighbours, which is most of it."""
        length = self.config.tokens_per_clip
        target = tokens[:, -length:]
        seen, _ = layer.self_attn(target, tokens, tokens, attn_mask=mask[-length:], need_weights=False)
        target = layer.norm1(target + seen)
        transformed: torch.Tensor = layer.norm2(target + layer.linear2(layer.activation(layer.linear1(target))))
        return transformed

    def _sequence(
        self, motion_tokens: torch.Tensor, appearance_tokens: torch.Tensor, weights: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What the layers read, [B, (K + 1) * L, D], and who may look at whom."""
        batch, clips = appearance_tokens.shape[:2]
        self._check(motion_tokens, appearance_tokens)
        length = self.config.tokens_per_clip
        start = self.sos_token.expand(batch, -1, -1)[:, None]
        shifted = torch.cat([start, motion_tokens[:, : clips - 1]], dim=1)
        positions = self.positions[: clips * length].unflatten(0, (clips, length)).to(shifted.dtype)
        within_clip = self.positions[:length].to(shifted.dtype)
        sequence = shifted + positions + (appearance_tokens + within_clip)
        if weights is None:
            mask = causal_mask_by_clip(clips, length, device=sequence.device)
        else:
            mask = weighted_mask_by_clip(weights.to(sequence), length)
        return sequence.flatten(1, 2), mask

    def _check(self, motion_tokens: torch.Tensor, appearance_tokens: torch.Tensor) -> None:
        batch, clips = appearance_tokens.shape[:2]
        each = (self.config.tokens_per_clip, self.config.token_dim)
        fits = appearance_tokens.shape[2:] == each and motion_tokens.shape[2:] == each
        if not fits or motion_tokens.shape[0] != batch or motion_tokens.shape[1] not in (clips - 1, clips):
            raise ShapeMismatch(
                f"Expected motion tokens [B, K or K + 1, {each[0]}, {each[1]}] and appearance tokens [B, K + 1, "
                f"{each[0]}, {each[1]}], received {list(motion_tokens.shape)} and {list(appearance_tokens.shape)}: "
                "encode both with the same pack."
            )
        if clips * each[0] > self.config.max_positions:
            raise TooManyNeighbours(
                f"Expected at most {self.max_neighbours} neighbours, for which the context transformer has positions, "
                f"received {clips - 1}: lower top_k."
            )
