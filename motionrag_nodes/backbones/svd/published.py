"""What the method's authors published for Stable Video Diffusion."""

from __future__ import annotations

from motionrag_nodes.backbones.hub_source import HubSource
from motionrag_nodes.backbones.published import ADAPTER, MOTION_ADAPTER, KeyRule, Published, published_weights
from motionrag_nodes.backbones.svd.settings import SVDSettings


def published_sites() -> dict[str, int]:
    """The 16 spatial cross-attentions of stable-video-diffusion-img2vid and their widths."""
    widths = {f"down_blocks.{i}.attentions.{j}": w for i, w in enumerate((320, 640, 1280)) for j in range(2)}
    widths["mid_block.attentions.0"] = 1280
    widths |= {f"up_blocks.{i}.attentions.{j}": w for i, w in ((1, 1280), (2, 640), (3, 320)) for j in range(3)}
    return {f"{block}.transformer_blocks.0.attn2": width for block, width in widths.items()}


PUBLISHED = Published(
    # In half precision: the full files are twice as large, and svd.safetensors beside them is the same model again.
    base=HubSource(
        repo="stabilityai/stable-video-diffusion-img2vid",
        revision="9cf024d5bfa8f56622af86c884f26a52f6676f2e",
        purpose="base model",
        licence="stable-video-diffusion-community",
        files=(
            "model_index.json",
            "feature_extractor/preprocessor_config.json",
            "image_encoder/config.json",
            "image_encoder/model.fp16.safetensors",
            "scheduler/scheduler_config.json",
            "unet/config.json",
            "unet/diffusion_pytorch_model.fp16.safetensors",
            "vae/config.json",
            "vae/diffusion_pytorch_model.fp16.safetensors",
        ),
    ),
    weights=published_weights("SVD"),
    sites=published_sites(),
    settings=SVDSettings(
        width=1024,
        height=576,
        frames=16,
        fps=8,
        condition_fps=7,
        steps=25,
        min_guidance=1.0,
        max_guidance=3.0,
        noise_aug_strength=0.02,
    ),
    rules=(KeyRule(ADAPTER, "unet.", MOTION_ADAPTER, "unet."),),
)
