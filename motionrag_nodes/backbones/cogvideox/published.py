"""What the method's authors published for CogVideoX-5B-I2V."""

from __future__ import annotations

from collections.abc import Mapping

from motionrag_nodes.backbones.cogvideox.settings import CogVideoXSettings
from motionrag_nodes.backbones.hub_source import HubSource
from motionrag_nodes.backbones.published import (
    ADAPTER,
    BASE_ATTENTION,
    BASE_WEIGHTS,
    MOTION_ADAPTER,
    KeyRule,
    Published,
    Shapes,
    published_weights,
)

BASE_WEIGHTS_FILE = "17_frames.ckpt"
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
    # Published in bfloat16 only.
    base=HubSource(
        repo="THUDM/CogVideoX-5b-I2V",
        revision="a6f0f4858a8395e7429d82493864ce92bf73af11",
        purpose="base model",
        licence="CogVideoX LICENSE",
        files=(
            "model_index.json",
            "scheduler/scheduler_config.json",
            "text_encoder/config.json",
            "text_encoder/model-00001-of-00002.safetensors",
            "text_encoder/model-00002-of-00002.safetensors",
            "text_encoder/model.safetensors.index.json",
            "tokenizer/added_tokens.json",
            "tokenizer/special_tokens_map.json",
            "tokenizer/spiece.model",
            "tokenizer/tokenizer_config.json",
            "transformer/config.json",
            "transformer/diffusion_pytorch_model-00001-of-00003.safetensors",
            "transformer/diffusion_pytorch_model-00002-of-00003.safetensors",
            "transformer/diffusion_pytorch_model-00003-of-00003.safetensors",
            "transformer/diffusion_pytorch_model.safetensors.index.json",
            "vae/config.json",
            "vae/diffusion_pytorch_model.safetensors",
        ),
    ),
    weights=published_weights("CogVideoX", BASE_WEIGHTS_FILE),
    sites={f"transformer_blocks.{i}.attn1": HIDDEN for i in range(BLOCKS)},
    settings=CogVideoXSettings(width=720, height=480, frames=17, fps=8, steps=25, guidance=3.0),
    rules=(
        KeyRule(ADAPTER, "transformer.", MOTION_ADAPTER, "transformer."),
        KeyRule(BASE_WEIGHTS, "transformer.", BASE_ATTENTION, "transformer."),
    ),
    base_weights_file=BASE_WEIGHTS_FILE,
    base_weights_shapes=base_weights_shapes,
)
