"""A tiny Stable Video Diffusion with random weights, in both layouts; see `tests/.../backbones/test_contract.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLTemporalDecoder,
    EulerDiscreteScheduler,
    StableVideoDiffusionPipeline,
    UNetSpatioTemporalConditionModel,
)
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

from motionrag_nodes.backbones.svd.settings import SVDSettings

SETTINGS = SVDSettings(width=64, height=64, frames=3, fps=4, steps=3, min_guidance=1.0, max_guidance=2.0, seed=7)
UNGUIDED = {"max_guidance": 1.0}


def save_pipeline(folder: Path) -> None:
    """The whole pipeline in diffusers' folder layout."""
    torch.manual_seed(0)
    unet = UNetSpatioTemporalConditionModel(
        sample_size=8,
        down_block_types=("CrossAttnDownBlockSpatioTemporal",) * 2,
        up_block_types=("CrossAttnUpBlockSpatioTemporal",) * 2,
        block_out_channels=(32, 64),
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=24,
        layers_per_block=1,
        cross_attention_dim=32,
        num_attention_heads=(2, 4),
        num_frames=4,
    )
    vae = AutoencoderKLTemporalDecoder(
        down_block_types=("DownEncoderBlock2D",) * 4,
        block_out_channels=(32,) * 4,
        latent_channels=4,
        sample_size=64,
    )
    vision = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=16,
        projection_dim=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=224,
        patch_size=56,
    )
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        sigma_max=700.0,
        sigma_min=0.002,
        steps_offset=1,
        timestep_spacing="leading",
        timestep_type="continuous",
        use_karras_sigmas=True,
    )
    pipeline = StableVideoDiffusionPipeline(
        vae=vae,
        image_encoder=CLIPVisionModelWithProjection(vision),
        unet=unet,
        scheduler=scheduler,
        feature_extractor=CLIPImageProcessor(crop_size=224, size={"shortest_edge": 224}),
    )
    pipeline.save_pretrained(folder)


def native(folder: Path, _denoiser: Any) -> Any:
    """ComfyUI's own network with the same weights."""
    from motionrag_nodes.backbones.svd.native import load_native_unet

    return load_native_unet(folder, latent_scale=0.5).model.diffusion_model


def inputs(frames: int) -> dict[str, torch.Tensor]:
    """Two branches of guidance in one batch."""
    draw = torch.Generator().manual_seed(frames)
    return {
        "sample": torch.randn(2, frames, 8, 8, 8, generator=draw),
        "context": torch.randn(2, 1, 32, generator=draw),
        "time_ids": torch.tensor([[6.0, 127.0, 0.02]] * 2),
    }


def call(denoiser: Any, given: dict[str, torch.Tensor]) -> torch.Tensor:
    """diffusers' output [2, T, 4, H, W]."""
    return denoiser(given["sample"], torch.tensor(0.3), given["context"], given["time_ids"], return_dict=False)[0]


def call_native(network: Any, given: dict[str, torch.Tensor], options: dict[str, Any]) -> torch.Tensor:
    """ComfyUI's output in the same form."""
    from comfy.ldm.modules.diffusionmodules.openaimodel import Timestep

    frames = given["sample"].shape[1]
    embedding = Timestep(8)(given["time_ids"].flatten()).reshape(2, -1)
    return network(
        given["sample"].flatten(0, 1),
        torch.tensor(0.3).expand(2 * frames),
        context=given["context"].repeat_interleave(frames, 0),
        y=embedding.repeat_interleave(frames, 0),
        num_video_frames=frames,
        transformer_options=options,
    ).unflatten(0, (2, -1))
