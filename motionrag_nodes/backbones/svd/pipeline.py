"""Stable Video Diffusion in diffusers: how it is loaded and run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from motionrag_nodes.backbones.backbone import TOGETHER, UNGUIDED, Calls
from motionrag_nodes.backbones.diffusers_models import decoding_bytes, load_pipeline
from motionrag_nodes.backbones.svd.settings import SVDSettings

if TYPE_CHECKING:
    import torch
    from diffusers import StableVideoDiffusionPipeline
    from PIL import Image
    from torch import nn

COMPONENTS = {
    "unet": ("diffusers.UNetSpatioTemporalConditionModel",),
    "vae": ("diffusers.AutoencoderKLTemporalDecoder", "diffusers.AutoencoderKL"),
    "image_encoder": ("transformers.CLIPVisionModelWithProjection",),
    "scheduler": ("diffusers.EulerDiscreteScheduler",),
    "feature_extractor": ("transformers.CLIPImageProcessor", "transformers.CLIPFeatureExtractor"),
}
PARTS = tuple(COMPONENTS)
# Measured, see `Backbone.denoising_bytes`; and for each pixel of the frames that are decoded at once.
DENOISING_BYTES, DECODING_BYTES = 570, 2050


def load(source: str | Path, *, dtype: torch.dtype) -> StableVideoDiffusionPipeline:
    """See `Backbone.load`. Raises VideoModelNotFound, ModelFilesRefused."""
    from diffusers import StableVideoDiffusionPipeline

    return load_pipeline(
        StableVideoDiffusionPipeline, source, dtype=dtype, title="Stable Video Diffusion", components=COMPONENTS
    )


def defaults(pipeline: StableVideoDiffusionPipeline) -> SVDSettings:
    """The pipeline's own defaults."""
    return SVDSettings(
        width=1024,
        height=576,
        frames=pipeline.unet.config.num_frames,
        fps=7,
        steps=25,
        min_guidance=1.0,
        max_guidance=3.0,
    )


def run(
    pipeline: StableVideoDiffusionPipeline,
    pictures: Sequence[Image.Image],
    settings: SVDSettings,
    seeds: Sequence[int],
) -> torch.Tensor:
    """See `Backbone.run`."""
    import torch

    # diffusers 0.38 gives a codec in bfloat16 the picture in float32.
    narrowed = pipeline.vae.encoder.register_forward_pre_hook(_in_own_precision)
    try:
        made = pipeline(
            list(pictures),
            height=settings.height,
            width=settings.width,
            num_frames=settings.frames,
            num_inference_steps=settings.steps,
            min_guidance_scale=settings.min_guidance,
            max_guidance_scale=settings.max_guidance,
            fps=settings.condition_fps or settings.fps,
            motion_bucket_id=settings.motion_bucket_id,
            noise_aug_strength=settings.noise_aug_strength,
            decode_chunk_size=settings.decode_chunk_size,
            # On the CPU whatever the device: a seed gives the same noise everywhere.
            generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
            output_type="pt",
        )
    finally:
        narrowed.remove()
    frames: torch.Tensor = made.frames.permute(0, 1, 3, 4, 2)  # [B, T, 3, H, W] -> [B, T, H, W, 3]
    return frames


def _in_own_precision(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    dtype = next(module.parameters()).dtype
    return tuple(entry.to(dtype) for entry in inputs)


def denoisers(pipeline: StableVideoDiffusionPipeline) -> tuple[nn.Module, ...]:
    """See `Backbone.denoisers`."""
    return (pipeline.unet,)


def calls(settings: SVDSettings) -> Calls:
    """Both branches in one batch, or without guidance the conditional alone."""
    return TOGETHER if settings.max_guidance > 1 else UNGUIDED


def pixel_multiple(pipeline: StableVideoDiffusionPipeline) -> int:
    """See `Backbone.pixel_multiple`."""
    return int(max(8, pipeline.vae_scale_factor))


def fit_codec(
    pipeline: StableVideoDiffusionPipeline, settings: SVDSettings, free_bytes: int
) -> tuple[SVDSettings, int]:
    """See `Backbone.fit_codec`: as many frames at once as fit, at most those of the settings."""
    frame = decoding_bytes(pipeline.vae, settings, DECODING_BYTES)
    fitting = max(1, min(settings.decode_chunk_size, settings.frames, free_bytes // frame))
    return replace(settings, decode_chunk_size=fitting), fitting * frame


def stops(pipeline: StableVideoDiffusionPipeline) -> list[nn.Module]:
    """Blocks, and the layers in them: a block of the published UNet takes seconds on a small machine."""
    blocks: list[nn.Module] = [pipeline.image_encoder]
    for model in (pipeline.unet, pipeline.vae.encoder, pipeline.vae.decoder):
        blocks += [*getattr(model, "down_blocks", ()), model.mid_block, *getattr(model, "up_blocks", ())]
    layers = [getattr(block, name, None) or () for block in blocks for name in ("resnets", "attentions")]
    return [*blocks, *(layer for found in layers for layer in found)]
