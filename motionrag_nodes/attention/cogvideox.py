"""Where motion enters CogVideoX: the joint attention of every transformer block (42 in CogVideoX-5B-I2V).

Text and video tokens pass through one attention there, and both are adapted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from motionrag_nodes.errors import AdapterMismatch

if TYPE_CHECKING:
    from diffusers import CogVideoXTransformer3DModel

_JOINT_ATTENTION = re.compile(r"transformer_blocks\.\d+\.attn1")
_BASE_PROJECTION = re.compile(_JOINT_ATTENTION.pattern + r"\.to_[qkv]\.(?:weight|bias)")


def cogvideox_site_dims(transformer: CogVideoXTransformer3DModel) -> dict[str, int]:
    """Each joint attention's path -> its hidden width, for any CogVideoXTransformer3DModel.

    Raises:
        AdapterMismatch: the model has none.
    """
    modules = transformer.named_modules()
    dims = {name: module.inner_dim for name, module in modules if _JOINT_ATTENTION.fullmatch(name)}
    if not dims:
        raise AdapterMismatch(
            f"Expected a CogVideoXTransformer3DModel, received {type(transformer).__name__} without joint attention: "
            "load a CogVideoX model."
        )
    return dims


def cogvideox_sites(transformer: CogVideoXTransformer3DModel) -> list[str]:
    """Paths of the joint attentions."""
    return list(cogvideox_site_dims(transformer))


def replace_base_attention(transformer: CogVideoXTransformer3DModel, state: Mapping[str, torch.Tensor]) -> None:
    """Put a pack's own to_q, to_k and to_v into the base, which CogVideoX needs to make 17 frames instead of 49.

    `state` has the published keys of 17_frames.ckpt, transformer.transformer_blocks.i.attn1.to_{q,k,v}.*, as
    MotionPack.base_attention_state gives them. Nothing is changed unless all of it fits.

    Raises:
        AdapterMismatch: keys or shapes are not the model's; every one is listed.
    """
    own = dict(transformer.named_parameters())
    replaced = {key.removeprefix("transformer."): value for key, value in state.items()}
    problems = [
        f"{key} {list(value.shape)}"
        for key, value in replaced.items()
        if not _BASE_PROJECTION.fullmatch(key) or key not in own or own[key].shape != value.shape
    ]
    if problems:
        raise AdapterMismatch(
            f"Expected attention weights of this {type(transformer).__name__}, received others: {', '.join(problems)}. "
            "Load the CogVideoX model that the pack names."
        )
    with torch.no_grad():
        for key, value in replaced.items():
            own[key].copy_(value)
