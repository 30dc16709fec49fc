"""Where motion enters DynamiCrafter: the spatial cross-attentions (16 in DynamiCrafter-1024).

There text and picture are summed before the output projection, and motion is added to the sum.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from motionrag_nodes.backbones.backbone import AttentionHost
from motionrag_nodes.errors import AdapterMismatch

if TYPE_CHECKING:
    from torch import nn

_CROSS_ATTENTION = re.compile(r"(input_blocks\.\d+|middle_block|output_blocks\.\d+)\.1\.transformer_blocks\.\d+\.attn2")


def hosts(unet: nn.Module) -> dict[str, AttentionHost]:
    """See `Backbone.hosts`; for a DynamiCrafterUNet of any size. Temporal attentions are never among them.

    Raises AdapterMismatch: the model has none.
    """
    found = {
        name: AttentionHost(width=module.to_q.out_features, heads=module.heads, output=module.to_out[0], path=name)
        for name, module in unet.named_modules()
        if _CROSS_ATTENTION.fullmatch(name)
    }
    if not found:
        raise AdapterMismatch(
            f"Expected DynamiCrafter's UNet, received {type(unet).__name__} without its spatial cross-attentions: load "
            "one."
        )
    return found


def blocks_of(site: str) -> tuple[str, ...]:
    """The block, counted from 0 on its side, then its side: input, middle or output."""
    side, number = site.split(".")[:2]
    name = side.split("_")[0]
    return (name,) if name == "middle" else (f"{name}.{number}", name)
