"""CogVideoX in diffusers: how it is loaded and run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from motionrag_nodes.backbones.backbone import TOGETHER, UNGUIDED, Calls
from motionrag_nodes.backbones.cogvideox.settings import CogVideoXSettings
from motionrag_nodes.backbones.diffusers_models import decoding_bytes, load_pipeline
from motionrag_nodes.errors import GenerationSettingInvalid

if TYPE_CHECKING:
    import torch
    from diffusers import CogVideoXImageToVideoPipeline
    from PIL import Image
    from torch import nn

COMPONENTS = {
    "transformer": ("diffusers.CogVideoXTransformer3DModel",),
    "vae": ("diffusers.AutoencoderKLCogVideoX",),
    "text_encoder": ("transformers.T5EncoderModel",),
    "tokenizer": ("transformers.T5Tokenizer", "transformers.T5TokenizerFast"),
    "scheduler": ("diffusers.CogVideoXDDIMScheduler", "diffusers.CogVideoXDPMScheduler"),
}
PARTS = tuple(COMPONENTS)
# Measured, see `Backbone.denoising_bytes`; and for each pixel of the video while it is decoded by tiles.
DENOISING_BYTES, TILED_BYTES = 330, 680


def load(source: str | Path, *, dtype: torch.dtype) -> CogVideoXImageToVideoPipeline:
    """See `Backbone.load`; its steps are DPM's, its codec works by slices and tiles. Raises VideoModelNotFound."""
    from diffusers import CogVideoXDPMScheduler, CogVideoXImageToVideoPipeline

    pipeline = load_pipeline(
        CogVideoXImageToVideoPipeline, source, dtype=dtype, title="CogVideoX", components=COMPONENTS
    )
    pipeline.scheduler = CogVideoXDPMScheduler.from_config(pipeline.scheduler.config, timestep_spacing="trailing")
    pipeline.vae.enable_slicing()
    pipeline.vae.enable_tiling()
    return pipeline


def defaults(pipeline: CogVideoXImageToVideoPipeline) -> CogVideoXSettings:
    """What the model itself was trained for: in CogVideoX-5B-I2V 720 x 480 pixels and 49 frames."""
    config, scale = pipeline.transformer.config, pipeline.vae_scale_factor_spatial
    return CogVideoXSettings(
        width=config.sample_width * scale,
        height=config.sample_height * scale,
        frames=config.sample_frames,
        fps=8,
        steps=50,
        guidance=6.0,
    )


def run(
    pipeline: CogVideoXImageToVideoPipeline,
    pictures: Sequence[Image.Image],
    settings: CogVideoXSettings,
    seeds: Sequence[int],
) -> torch.Tensor:
    """See `Backbone.run`."""
    import torch

    _require_size(pipeline, settings)
    made = pipeline(
        list(pictures),
        prompt=[settings.prompt] * len(pictures),
        negative_prompt=[settings.negative_prompt] * len(pictures),
        height=settings.height,
        width=settings.width,
        num_frames=settings.frames,
        num_inference_steps=settings.steps,
        guidance_scale=settings.guidance,
        # On the CPU whatever the device: a seed gives the same noise everywhere.
        generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
        output_type="pt",
        max_sequence_length=pipeline.transformer.config.max_text_seq_length,
    )
    frames: torch.Tensor = made.frames.permute(0, 1, 3, 4, 2)  # [B, T, 3, H, W] -> [B, T, H, W, 3]
    return frames


def _require_size(pipeline: CogVideoXImageToVideoPipeline, settings: CogVideoXSettings) -> None:
    """Raises GenerationSettingInvalid for a size other than the one whose positions the model learned."""
    config, scale = pipeline.transformer.config, pipeline.vae_scale_factor_spatial
    learned = config.sample_width * scale, config.sample_height * scale
    if config.use_learned_positional_embeddings and (settings.width, settings.height) != learned:
        raise GenerationSettingInvalid(
            f"Expected {learned[0]} x {learned[1]} pixels, the only size that this CogVideoX model learned, received "
            f"{settings.width} x {settings.height}: leave width and height at 0."
        )


def denoisers(pipeline: CogVideoXImageToVideoPipeline) -> tuple[nn.Module, ...]:
    """See `Backbone.denoisers`."""
    return (pipeline.transformer,)


def calls(settings: CogVideoXSettings) -> Calls:
    """Both branches in one batch, or without guidance the conditional alone."""
    return TOGETHER if settings.guidance > 1 else UNGUIDED


def pixel_multiple(pipeline: CogVideoXImageToVideoPipeline) -> int:
    """The codec's scale times the transformer's patches."""
    return int(pipeline.vae_scale_factor_spatial * pipeline.transformer.config.patch_size)


def fit_codec(
    pipeline: CogVideoXImageToVideoPipeline, settings: CogVideoXSettings, _free_bytes: int
) -> tuple[CogVideoXSettings, int]:
    """See `Backbone.fit_codec`: by slices and tiles always, as published; tiles leave seams of their own."""
    pipeline.vae.enable_slicing()
    pipeline.vae.enable_tiling()
    return settings, settings.frames * decoding_bytes(pipeline.vae, settings, TILED_BYTES)


def stops(pipeline: CogVideoXImageToVideoPipeline) -> list[nn.Module]:
    """Blocks of the transformer, the text encoder and the codec."""
    found: list[nn.Module] = [*pipeline.text_encoder.encoder.block, *pipeline.transformer.transformer_blocks]
    for coder in (pipeline.vae.encoder, pipeline.vae.decoder):
        blocks = [*getattr(coder, "down_blocks", ()), coder.mid_block, *getattr(coder, "up_blocks", ())]
        found += [layer for block in blocks for layer in [block, *block.resnets]]
    return found
