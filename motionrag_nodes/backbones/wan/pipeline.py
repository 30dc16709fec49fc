"""Wan in diffusers: how it is loaded and run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motionrag_nodes.backbones.backbone import UNGUIDED, Branch, Calls
from motionrag_nodes.backbones.diffusers_models import decoding_bytes, load_pipeline
from motionrag_nodes.backbones.wan.settings import WanSettings
from motionrag_nodes.errors import GenerationSettingInvalid

if TYPE_CHECKING:
    import torch
    from diffusers import WanImageToVideoPipeline
    from PIL import Image
    from torch import nn

COMPONENTS = {
    "transformer": ("diffusers.WanTransformer3DModel",),
    "transformer_2": ("diffusers.WanTransformer3DModel",),
    "vae": ("diffusers.AutoencoderKLWan",),
    "text_encoder": ("transformers.UMT5EncoderModel",),
    "tokenizer": ("transformers.T5Tokenizer", "transformers.T5TokenizerFast"),
    "scheduler": ("diffusers.UniPCMultistepScheduler", "diffusers.FlowMatchEulerDiscreteScheduler"),
    "image_encoder": ("transformers.CLIPVisionModel",),
    "image_processor": ("transformers.CLIPImageProcessor",),
}
PARTS = ("transformer", "vae", "text_encoder", "tokenizer", "scheduler")
# Measured, see `Backbone.denoising_bytes`, of the two published models the larger; the codec works frame by frame and
# holds beside it the whole video.
DENOISING_BYTES, FRAME_BYTES, VIDEO_BYTES = 190, 9100, 20
# The conditional branch first, the other in a call of its own.
IN_TURN: Calls = ((Branch.CONDITIONAL,), (Branch.UNCONDITIONAL,))


def load(source: str | Path, *, dtype: torch.dtype) -> WanImageToVideoPipeline:
    """See `Backbone.load`. Raises VideoModelNotFound."""
    from diffusers import WanImageToVideoPipeline

    return load_pipeline(
        WanImageToVideoPipeline,
        source,
        dtype=dtype,
        title="Wan image-to-video",
        components=COMPONENTS,
        own_settings=("boundary_ratio", "expand_timesteps"),
    )


def defaults(pipeline: WanImageToVideoPipeline) -> WanSettings:
    """What the model was trained for: TI2V-5B, which takes its picture as the first frame, or I2V-A14B."""
    if pipeline.config.expand_timesteps:
        return WanSettings(width=1280, height=704, frames=121, fps=24, steps=50, guidance=5.0)
    return WanSettings(width=832, height=480, frames=81, fps=16, steps=40, guidance=3.5)


def run(
    pipeline: WanImageToVideoPipeline, pictures: Sequence[Image.Image], settings: WanSettings, seeds: Sequence[int]
) -> torch.Tensor:
    """See `Backbone.run`; one picture at a time, since diffusers' pipeline takes no more.

    Raises GenerationSettingInvalid: there are several pictures.
    """
    import torch

    if len(pictures) != 1:
        raise GenerationSettingInvalid(
            f"Expected one picture for a Wan model, received {len(pictures)}: generate them one after the other."
        )
    made = pipeline(
        pictures[0],
        prompt=settings.prompt,
        negative_prompt=settings.negative_prompt,
        height=settings.height,
        width=settings.width,
        num_frames=settings.frames,
        num_inference_steps=settings.steps,
        guidance_scale=settings.guidance,
        # On the CPU whatever the device: a seed gives the same noise everywhere.
        generator=torch.Generator("cpu").manual_seed(seeds[0]),
        output_type="pt",
    )
    frames: torch.Tensor = made.frames.permute(0, 1, 3, 4, 2)  # [B, T, 3, H, W] -> [B, T, H, W, 3]
    return frames


def denoisers(pipeline: WanImageToVideoPipeline) -> tuple[nn.Module, ...]:
    """The expert for much noise, then the one for little, where there are two: one adapter serves both."""
    return tuple(model for model in (pipeline.transformer, pipeline.transformer_2) if model is not None)


def calls(settings: WanSettings) -> Calls:
    """Both branches one after the other, or without guidance the conditional alone."""
    return IN_TURN if settings.guidance > 1 else UNGUIDED


def pixel_multiple(pipeline: WanImageToVideoPipeline) -> int:
    """The codec's scale times the transformer's patches."""
    first: Any = denoisers(pipeline)[0]
    return int(pipeline.vae_scale_factor_spatial * first.config.patch_size[-1])


def fit_codec(pipeline: WanImageToVideoPipeline, settings: WanSettings, free_bytes: int) -> tuple[WanSettings, int]:
    """See `Backbone.fit_codec`: by tiles where whole frames do not fit."""
    frame = decoding_bytes(pipeline.vae, settings, FRAME_BYTES)
    video = settings.frames * decoding_bytes(pipeline.vae, settings, VIDEO_BYTES)
    if frame + video <= free_bytes:
        pipeline.vae.disable_tiling()
    else:
        pipeline.vae.enable_tiling()
    return settings, min(frame + video, free_bytes)


def stops(pipeline: WanImageToVideoPipeline) -> list[nn.Module]:
    """Blocks of the text encoder, the experts and the codec."""
    encoder, decoder = pipeline.vae.encoder, pipeline.vae.decoder
    found: list[nn.Module] = [*pipeline.text_encoder.encoder.block]
    found += [block for denoiser in denoisers(pipeline) for block in denoiser.get_submodule("blocks").children()]
    return [*found, *encoder.down_blocks, encoder.mid_block, decoder.mid_block, *decoder.up_blocks]
