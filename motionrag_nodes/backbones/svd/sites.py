"""Where motion enters Stable Video Diffusion: the spatial cross-attentions of its UNet, never the temporal ones.

The published model (stabilityai/stable-video-diffusion-img2vid) has 16 such sites.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from motionrag_nodes.backbones.backbone import AttentionHost
from motionrag_nodes.backbones.diffusers_models import attention_host
from motionrag_nodes.backbones.svd.native_names import UNetLayout, is_native, native_attentions
from motionrag_nodes.errors import AdapterMismatch

if TYPE_CHECKING:
    from torch import nn

# `temporal_transformer_blocks` must not match: its attn2 mixes frames, not pixels.
_SPATIAL_ATTENTION = re.compile(
    r"(?:(?:down|up)_blocks\.\d+|mid_block)\.attentions\.\d+\.transformer_blocks\.\d+\.attn2"
)
PROCESSORS = frozenset(
    {"AttnProcessor", "AttnProcessor2_0", "FusedAttnProcessor2_0", "SlicedAttnProcessor", "XFormersAttnProcessor"}
)


def hosts(unet: nn.Module) -> dict[str, AttentionHost]:
    """See `Backbone.hosts`; for a UNetSpatioTemporalConditionModel of any size, or ComfyUI's own UNet.

    Raises AdapterMismatch: the model has none. UnsupportedProcessor: one has a processor whose inside is unknown.
    """
    if is_native(unet):
        layout = UNetLayout.of_native(unet.state_dict())
        found = {layout.site_of(path): _native_host(path, module) for path, module in native_attentions(unet).items()}
    else:
        found = {
            name: attention_host(name, module, PROCESSORS, context="encoder_hidden_states")
            for name, module in unet.named_modules()
            if _SPATIAL_ATTENTION.fullmatch(name)
        }
    if not found:
        raise AdapterMismatch(
            f"Expected a Stable Video Diffusion model, received {type(unet).__name__} without cross-attentions beside "
            "layers over time: load one with Load Video Model, or in ComfyUI with Image Only Checkpoint Loader."
        )
    return found


def _native_host(path: str, attention: Any) -> AttentionHost:
    return AttentionHost(
        width=attention.heads * attention.dim_head,
        heads=attention.heads,
        output=attention.to_out,
        path=path,
        attention=attention,
        context="context",
    )


def blocks_of(site: str) -> tuple[str, ...]:
    """down, mid or up; one level of it, in the order of the data's way; one attention of a level."""
    block, *rest = site.split(".")
    side = block.split("_")[0]
    if side == "mid":
        return (side,)
    level, attention = rest[0], rest[2]
    return f"{side}.{level}.{attention}", f"{side}.{level}", side
