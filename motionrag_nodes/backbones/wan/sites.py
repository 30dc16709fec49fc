"""Where motion enters Wan: the self-attention of every block (40 in each expert of I2V-A14B, 30 in TI2V-5B).

It is asked before its output projection, by its path: VACE's and other added blocks are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from motionrag_nodes.backbones.backbone import AttentionHost
from motionrag_nodes.backbones.diffusers_models import attention_host
from motionrag_nodes.errors import AdapterMismatch

if TYPE_CHECKING:
    from torch import nn

PROCESSORS = frozenset({"WanAttnProcessor", "WanAttnProcessor2_0"})


def hosts(transformer: nn.Module) -> dict[str, AttentionHost]:
    """See `Backbone.hosts`; for a WanTransformer3DModel of any size, or ComfyUI's own model.

    Raises AdapterMismatch: the model has none. UnsupportedProcessor: one has a processor whose inside is unknown.
    """
    found = dict(_hosts(transformer))
    if not found:
        raise AdapterMismatch(
            f"Expected a Wan model, received {type(transformer).__name__} without blocks of self-attention: load one."
        )
    return found


def _hosts(transformer: nn.Module) -> Iterator[tuple[str, AttentionHost]]:
    for number, block in enumerate(getattr(transformer, "blocks", ())):
        site = f"blocks.{number}.attn1"
        if hasattr(block, "attn1"):
            yield site, attention_host(site, block.attn1, PROCESSORS)
        elif hasattr(block, "self_attn") and hasattr(block, "cross_attn"):  # ComfyUI's
            attention = block.self_attn
            path = f"blocks.{number}.self_attn.o"
            yield site, AttentionHost(attention.dim, attention.num_heads, attention.o, path)


def blocks_of(site: str) -> tuple[str, ...]:
    """One block, counted from 0 in the order of the data's way, or all."""
    return f"block.{site.split('.')[1]}", "block"
