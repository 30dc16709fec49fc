"""DynamiCrafter-1024 at its published size (Doubiiu/DynamiCrafter_1024), without its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from motionrag_nodes.backbones.dynamicrafter.model import DynamiCrafterPipeline


def pipeline_of_published_size() -> DynamiCrafterPipeline:
    """See `Backbone.published_sizes`."""
    import open_clip
    import torch
    from diffusers import AutoencoderKL

    from motionrag_nodes.backbones.dynamicrafter.base_checkpoint import CLIP, CODEC, IMAGE_RESAMPLER, UNET
    from motionrag_nodes.backbones.dynamicrafter.conditions import PictureTokens, TextTokens
    from motionrag_nodes.backbones.dynamicrafter.model import DynamiCrafterPipeline
    from motionrag_nodes.backbones.dynamicrafter.sampler import make_scheduler
    from motionrag_nodes.backbones.dynamicrafter.unet import DynamiCrafterUNet
    from motionrag_nodes.motion_tokens.resampler import Resampler

    with torch.device("meta"):
        unet, codec, clip = DynamiCrafterUNet(UNET), AutoencoderKL(**CODEC), open_clip.CLIP(**CLIP)
        resampler = Resampler(IMAGE_RESAMPLER)
    length = clip.context_length
    return DynamiCrafterPipeline(
        unet=unet,
        vae=codec,
        text_tokens=TextTokens(clip, open_clip.SimpleTokenizer(context_length=length)),
        picture_tokens=PictureTokens(clip.visual, resampler),
        scheduler=make_scheduler(),
    )


PUBLISHED_SIZES = {"DynamiCrafter_1024": pipeline_of_published_size}
