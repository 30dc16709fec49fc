"""The start token that the published checkpoints leave out.

It was never trained, and never saved: it is what the generator of `seed_everything: 42` gave when the model was made,
so it is found again by drawing the same random numbers in the same order (all published configurations give one).
"""

from __future__ import annotations

import hashlib

import torch
from torch import nn

from motionrag_nodes.adapted_tokens.context_transformer import ContextTransformerConfig
from motionrag_nodes.errors import CheckpointInvalid
from motionrag_nodes.motion_tokens.resampler import Resampler, ResamplerConfig

SEED = 42
# DINOv2-large is made first, and draws its class token and position table.
DINOV2_LARGE_DRAWS = ((1, 1, 1024), (1, 1370, 1024))
PUBLISHED_SHAPE = (1, 25, 1024)
# Of the published token in bfloat16, as the checkpoints are.
PUBLISHED_SHA256 = "811915a364c87967"


def derive_start_token(
    context: ContextTransformerConfig, *, appearance: ResamplerConfig, motion: ResamplerConfig
) -> torch.Tensor:
    """sos_token [1, L, D] in bfloat16. Takes seconds and 0.5 GB at the published size; the process's own random numbers
    go on as if nothing had been drawn.

    Raises CheckpointInvalid: this version of torch draws other numbers than those that the checkpoints were made with.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        for shape in DINOV2_LARGE_DRAWS:
            torch.randn(shape)
        Resampler(appearance)
        Resampler(motion)
        layer = nn.TransformerEncoderLayer(
            context.token_dim, context.heads, context.ff_dim, dropout=0.0, activation="gelu", batch_first=True
        )
        nn.TransformerEncoder(layer, context.layers, enable_nested_tensor=False)
        drawn = torch.randn(1, context.tokens_per_clip, context.token_dim)
    token: torch.Tensor = (drawn / context.token_dim**0.5).bfloat16()
    if token.shape == PUBLISHED_SHAPE and token_sha256(token) != PUBLISHED_SHA256:
        raise CheckpointInvalid(
            f"Expected the published start token (sha256 {PUBLISHED_SHA256}), but torch {torch.__version__} draws "
            f"other random numbers ({token_sha256(token)}). Convert with torch 2.14, which draws those."
        )
    return token


def token_sha256(token: torch.Tensor) -> str:
    """The first 16 hex digits over the bytes of a bfloat16 tensor."""
    return hashlib.sha256(token.contiguous().view(torch.int16).numpy().tobytes()).hexdigest()[:16]
