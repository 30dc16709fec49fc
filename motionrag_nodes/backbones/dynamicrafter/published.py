"""What the method's authors published for DynamiCrafter-1024."""

from __future__ import annotations

from motionrag_nodes.backbones.dynamicrafter.settings import DynamiCrafterSettings
from motionrag_nodes.backbones.hub_source import HubSource
from motionrag_nodes.backbones.published import ADAPTER, MOTION_ADAPTER, KeyRule, Published, published_weights

ROOT = "model.diffusion_model"
_QUERY = ".processor.to_q_ip.0.weight"


def published_sites() -> dict[str, int]:
    """The 16 spatial cross-attentions of DynamiCrafter_1024 and their widths."""
    widths = dict(zip((1, 2, 4, 5, 7, 8), (320, 320, 640, 640, 1280, 1280), strict=True))
    sites = {f"input_blocks.{block}": width for block, width in widths.items()}
    sites["middle_block"] = 1280
    sites |= {f"output_blocks.{block}": 1280 >> (block // 3 - 1) for block in range(3, 12)}
    return {f"{block}.1.transformer_blocks.0.attn2": width for block, width in sites.items()}


PUBLISHED = Published(
    # One checkpoint of all its parts, in full precision; there is no other.
    base=HubSource(
        repo="Doubiiu/DynamiCrafter_1024",
        revision="f92fc5a922ac2b0ddbf47f1867e4eb1626e8855d",
        purpose="base model",
        licence="none stated",
        files=("model.ckpt",),
    ),
    weights=published_weights("DynamiCrafter"),
    sites=published_sites(),
    settings=DynamiCrafterSettings(width=1024, height=576, frames=16, fps=8, steps=30, guidance=2.0),
    rules=(
        KeyRule(
            ADAPTER,
            f"{ROOT}.",
            MOTION_ADAPTER,
            f"{ROOT}.",
            endings={f".processor.to_{role}_ip.0.weight": f".to_{role}_a.weight" for role in "qkv"},
            # The published configurations train and save keys and values alone.
            drawn=(_QUERY,),
        ),
    ),
)
