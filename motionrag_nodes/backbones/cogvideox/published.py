"""What the method's authors published for CogVideoX-5B-I2V."""

from __future__ import annotations

from collections.abc import Mapping

from motionrag_nodes.backbones.cogvideox.settings import CogVideoXSettings
from motionrag_nodes.backbones.published import (
    ADAPTER,
    BASE_ATTENTION,
    BASE_WEIGHTS,
    MOTION_ADAPTER,
    KeyRule,
    Published,
    Shapes,
)

BLOCKS = 42
HIDDEN = 3072


def base_weights_shapes(sites: Mapping[str, int]) -> Shapes:
    """Keys and shapes of 17_frames.ckpt: the base's own to_q, to_k and to_v at every adapted attention."""
    shapes: dict[str, tuple[int, ...]] = {}
    for site, width in sites.items():
        for projection in ("to_q", "to_k", "to_v"):
            shapes[f"transformer.{site}.{projection}.weight"] = (width, width)
            shapes[f"transformer.{site}.{projection}.bias"] = (width,)
    return shapes


PUBLISHED = Published(
    base="THUDM/CogVideoX-5b-I2V",
    sites={f"transformer_blocks.{i}.attn1": HIDDEN for i in range(BLOCKS)},
    settings=CogVideoXSettings(width=720, height=480, frames=17, fps=8, steps=25, guidance=3.0),
    rules=(
        KeyRule(ADAPTER, "transformer.", MOTION_ADAPTER, "transformer."),
        KeyRule(BASE_WEIGHTS, "transformer.", BASE_ATTENTION, "transformer."),
    ),
    base_weights_file="17_frames.ckpt",
    base_weights_shapes=base_weights_shapes,
)
