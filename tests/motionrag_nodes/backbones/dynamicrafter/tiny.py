"""A tiny DynamiCrafter with random weights; see `tests/.../backbones/test_contract.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from diffusers import AutoencoderKL

from motionrag_nodes.backbones.dynamicrafter.folder import write_folder
from motionrag_nodes.backbones.dynamicrafter.settings import DynamiCrafterSettings
from motionrag_nodes.backbones.dynamicrafter.unet import DynamiCrafterUNet, UNetConfig
from motionrag_nodes.motion_tokens.resampler import Resampler, ResamplerConfig

FRAMES = 3
UNET = UNetConfig(
    model_channels=32, channel_mult=(1, 2), attention_resolutions=(2, 1), num_res_blocks=1, context_dim=16,
    num_head_channels=16,
)  # fmt: skip
IMAGE_RESAMPLER = ResamplerConfig(
    embedding_dim=32, dim=16, depth=1, dim_head=8, heads=2, num_queries=2 * FRAMES, output_dim=16
)
CLIP = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 28, "patch_size": 14, "width": 32, "layers": 2, "head_width": 16},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 3},
}


def codec() -> AutoencoderKL:
    """A VAE of the published kind: four channels, an eighth of the size."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8,) * 4, layers_per_block=1, norm_num_groups=2, latent_channels=4, scaling_factor=0.18215,
    )  # fmt: skip


SETTINGS = DynamiCrafterSettings(width=64, height=64, frames=FRAMES, fps=4, steps=3, guidance=2.0, seed=7)
UNGUIDED = {"guidance": 1.0}


def save_pipeline(folder: Path) -> None:
    """The whole pipeline, as `motionrag convert` writes it."""
    torch.manual_seed(0)
    write_folder(
        folder,
        unet=(UNET, DynamiCrafterUNet(UNET).state_dict()),
        resampler=(IMAGE_RESAMPLER, Resampler(IMAGE_RESAMPLER).state_dict()),
        vae=codec(),
        clip=(CLIP, open_clip.CLIP(**CLIP).state_dict()),
    )


def native(_folder: Path, _denoiser: Any) -> Any:
    """ComfyUI has none."""
    pytest.skip("ComfyUI has no DynamiCrafter of its own")


def inputs(frames: int) -> dict[str, torch.Tensor]:
    """Two branches of guidance in one batch."""
    draw = torch.Generator().manual_seed(frames)
    return {
        "sample": torch.randn(2, 8, frames, 8, 8, generator=draw),
        "text": torch.randn(2, 4, 16, generator=draw),
        "image": torch.randn(2, frames * 2, 16, generator=draw),
    }


def call(denoiser: Any, given: dict[str, torch.Tensor]) -> torch.Tensor:
    """The UNet's output [2, 4, T, H, W]."""
    time, stride = torch.full((2,), 300), torch.full((2,), 15)
    return denoiser(given["sample"], time, text=given["text"], image=given["image"], frame_stride=stride)
