"""Where motion enters Stable Video Diffusion: the spatial cross-attentions of its UNet, never the temporal ones.

The published model (stabilityai/stable-video-diffusion-img2vid) has 16 such sites.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from motionrag_nodes.errors import AdapterMismatch

if TYPE_CHECKING:
    from diffusers import UNetSpatioTemporalConditionModel

# `temporal_transformer_blocks` must not match: its attn2 mixes frames, not pixels.
_SPATIAL_ATTENTION = re.compile(
    r"(?:(?:down|up)_blocks\.\d+|mid_block)\.attentions\.\d+\.transformer_blocks\.\d+\.attn2"
)


def svd_site_dims(unet: UNetSpatioTemporalConditionModel) -> dict[str, int]:
    """Each spatial cross-attention's path -> its hidden width, for any UNetSpatioTemporalConditionModel.

    Raises:
        AdapterMismatch: the model has none.
    """
    dims = {name: module.inner_dim for name, module in unet.named_modules() if _SPATIAL_ATTENTION.fullmatch(name)}
    if not dims:
        raise AdapterMismatch(
            f"Expected a UNetSpatioTemporalConditionModel with cross-attention blocks, received {type(unet).__name__} "
            "without any: load a Stable Video Diffusion model."
        )
    return dims


def svd_sites(unet: UNetSpatioTemporalConditionModel) -> list[str]:
    """Paths of the spatial cross-attentions, 16 in the published model."""
    return list(svd_site_dims(unet))
