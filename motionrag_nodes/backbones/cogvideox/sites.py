"""Where motion enters CogVideoX: the joint attention of every transformer block (42 in CogVideoX-5B-I2V).

Text and video tokens pass through one attention there, and both are adapted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from motionrag_nodes.backbones.backbone import AttentionHost
from motionrag_nodes.backbones.diffusers_models import attention_host
from motionrag_nodes.errors import AdapterMismatch

if TYPE_CHECKING:
    from torch import nn

_JOINT_ATTENTION = re.compile(r"transformer_blocks\.\d+\.attn1")
PROCESSORS = frozenset({"CogVideoXAttnProcessor2_0", "FusedCogVideoXAttnProcessor2_0"})


def hosts(transformer: nn.Module) -> dict[str, AttentionHost]:
    """See `Backbone.hosts`; for a CogVideoXTransformer3DModel of any size.

    Raises:
        AdapterMismatch: the model has none.
        UnsupportedProcessor: one has a processor whose inside is unknown.
    """
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


def blocks_of(site: str) -> tuple[str, ...]:
    """One block, counted from 0 in the order of the data's way, or all."""
    number = site.split(".")[1]
    return f"block.{number}", "block"
