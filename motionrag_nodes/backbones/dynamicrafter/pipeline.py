"""DynamiCrafter from a folder that `motionrag convert` made of the published checkpoint: how it is loaded and run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from motionrag_nodes.backbones.backbone import TOGETHER, UNGUIDED, Calls
from motionrag_nodes.backbones.diffusers_models import decoding_bytes, locate, pipeline_class
from motionrag_nodes.backbones.dynamicrafter.settings import DynamiCrafterSettings
from motionrag_nodes.errors import VideoModelNotFound

if TYPE_CHECKING:
    import torch
    from PIL import Image
    from torch import nn

    from motionrag_nodes.backbones.dynamicrafter.model import DynamiCrafterPipeline

PIPELINE = "DynamiCrafterPipeline"
# Measured, see `Backbone.denoising_bytes`; and for each pixel of the frames that are decoded at once.
DENOISING_BYTES, DECODING_BYTES = 630, 1540
# As many as the authors decode at once; more are no faster.
DECODED_FRAMES = 8
TILE_PIXELS = 512
PARTS = ("unet", "vae", "clip", "image_resampler")


def load(source: str | Path, *, dtype: torch.dtype) -> DynamiCrafterPipeline:
    """See `Backbone.load`.

    Raises VideoModelNotFound: there is no such folder, or it holds another model. ModelFilesRefused: it holds code,
    pickles, or settings of something else.
    """
    from motionrag_nodes.backbones.dynamicrafter.folder import read_folder

    folder = locate(source)
    received = pipeline_class(folder, parts=PARTS)
    if received != PIPELINE:
        raise VideoModelNotFound(
            f"Expected a {PIPELINE} at {folder}, found {received}: choose a folder that "
            "`motionrag convert` made of DynamiCrafter's checkpoint."
        )
    pipeline = read_folder(folder, dtype=dtype)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def defaults(pipeline: DynamiCrafterPipeline) -> DynamiCrafterSettings:
    """What DynamiCrafter-1024 was trained for."""
    return DynamiCrafterSettings(width=1024, height=576, frames=16, fps=8, steps=50, guidance=7.5)


def run(
    pipeline: DynamiCrafterPipeline,
    pictures: Sequence[Image.Image],
    settings: DynamiCrafterSettings,
    seeds: Sequence[int],
) -> torch.Tensor:
    """See `Backbone.run`."""
    import torch

    pixels = torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures])).permute(0, 3, 1, 2)
    made = pipeline(
        pixels.float() / 127.5 - 1,
        prompt=settings.prompt,
        frames=settings.frames,
        steps=settings.steps,
        guidance=settings.guidance,
        frame_stride=settings.frame_stride,
        eta=settings.eta,
        # On the CPU whatever the device: a seed gives the same noise everywhere.
        generators=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
    )
    return made.permute(0, 1, 3, 4, 2)  # [B, T, 3, H, W] -> [B, T, H, W, 3]


def denoisers(pipeline: DynamiCrafterPipeline) -> tuple[nn.Module, ...]:
    """See `Backbone.denoisers`."""
    return (pipeline.unet,)


def calls(settings: DynamiCrafterSettings) -> Calls:
    """Both branches in one batch, or without guidance the conditional alone."""
    return TOGETHER if settings.guidance > 1 else UNGUIDED


def pixel_multiple(pipeline: DynamiCrafterPipeline) -> int:
    """The codec's scale, times two for each level below the UNet's first."""
    return int(pipeline.vae_scale_factor * 2 ** (len(pipeline.unet.config.channel_mult) - 1))


def fit_codec(
    pipeline: DynamiCrafterPipeline, settings: DynamiCrafterSettings, free_bytes: int
) -> tuple[DynamiCrafterSettings, int]:
    """See `Backbone.fit_codec`: as many frames at once as fit, and tiles of a frame where not even one does."""
    frame = decoding_bytes(pipeline.vae, settings, DECODING_BYTES)
    pipeline.decoded_frames = max(1, min(DECODED_FRAMES, settings.frames, free_bytes // frame))
    if frame > free_bytes:
        # Its configuration names no size, and the library's own would be 32 pixels.
        pipeline.vae.tile_sample_min_size = TILE_PIXELS
        pipeline.vae.tile_latent_min_size = TILE_PIXELS // pipeline.vae_scale_factor
        pipeline.vae.enable_tiling()
    else:
        pipeline.vae.disable_tiling()
    return settings, pipeline.decoded_frames * frame


def stops(pipeline: DynamiCrafterPipeline) -> list[nn.Module]:
    """The layers of the UNet's blocks, the towers' blocks and the codec's."""
    unet = pipeline.unet
    stages = [*unet.input_blocks, unet.middle_block, *unet.output_blocks]
    found: list[nn.Module] = [layer for stage in stages for layer in stage]
    found += [*pipeline.text_tokens.blocks, *pipeline.picture_tokens.visual.transformer.resblocks]
    for coder in (pipeline.vae.encoder, pipeline.vae.decoder):
        blocks = [*getattr(coder, "down_blocks", ()), coder.mid_block, *getattr(coder, "up_blocks", ())]
        found += [layer for block in blocks for layer in block.resnets]
    return found
