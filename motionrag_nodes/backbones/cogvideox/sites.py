"""Where motion enters CogVideoX: the joint attention of every transformer block (42 in CogVideoX-5B-I2V).

Text and video tokens pass through one attention there, and both are adapted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from motionrag_nodes.backbones.backbone import AttentionHost
from motionrag_nodes.backbones.diffusers_models import attention_host
from motionrag_nodes.errors import AdapterMismatch

if TYPE_CHECKING:
    import torch
    from torch import nn

_JOINT_ATTENTION = re.compile(r"transformer_blocks\.\d+\.attn1")
_NATIVE_PROJECTION = re.compile(r"^transformer\.transformer_blocks\.(\d+)\.attn1\.to_([qkv])\.")
PROCESSORS = frozenset({"CogVideoXAttnProcessor2_0", "FusedCogVideoXAttnProcessor2_0"})


def hosts(transformer: nn.Module) -> dict[str, AttentionHost]:
    """See `Backbone.hosts`; for a CogVideoXTransformer3DModel of any size, or ComfyUI's own model.

    Raises AdapterMismatch: the model has none. UnsupportedProcessor: one has a processor whose inside is unknown.
    """
    if hasattr(transformer, "blocks"):
        found = dict(_native_hosts(transformer))
    else:
        found = {
            name: attention_host(name, module, PROCESSORS)
            for name, module in transformer.named_modules()
            if _JOINT_ATTENTION.fullmatch(name)
        }
    if not found:
        raise AdapterMismatch(
            f"Expected a CogVideoX model, received {type(transformer).__name__} without joint attentions: load one."
        )
    return found


def _native_hosts(transformer: Any) -> Iterator[tuple[str, AttentionHost]]:
    """ComfyUI's own module tree: text and video tokens, text first, go through `attn_out`."""
    for number, block in enumerate(transformer.blocks):
        if hasattr(block, "attn_out"):
            width = block.num_heads * block.head_dim
            host = AttentionHost(width, block.num_heads, block.attn_out, f"blocks.{number}.attn_out")
            yield f"transformer_blocks.{number}.attn1", host


def native_weights(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Keys of 17_frames.ckpt -> those of ComfyUI's own module tree."""
    return {_NATIVE_PROJECTION.sub(r"blocks.\1.\2.", key): value for key, value in state.items()}


def blocks_of(site: str) -> tuple[str, ...]:
    """One block, counted from 0 in the order of the data's way, or all."""
    number = site.split(".")[1]
    return f"block.{number}", "block"
