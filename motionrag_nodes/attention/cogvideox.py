"""Where motion enters CogVideoX: the joint attention of every transformer block (42 in CogVideoX-5B-I2V).

Text and video tokens pass through one attention there, and both are adapted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from motionrag_nodes.errors import AdapterMismatch

if TYPE_CHECKING:
    from diffusers import CogVideoXTransformer3DModel

_JOINT_ATTENTION = re.compile(r"transformer_blocks\.\d+\.attn1")


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
