"""A whole DynamiCrafter at tiny size, with random weights, written and read as a converted one is."""

from __future__ import annotations

from pathlib import Path

import open_clip
import pytest
import torch
from diffusers import AutoencoderKL

from motionrag_nodes.backbones.dynamicrafter.folder import read_folder, write_folder
from motionrag_nodes.backbones.dynamicrafter.model import DynamiCrafterPipeline
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
    """A VAE of the published kind: four channels, half the size at each of two levels."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8), layers_per_block=1, norm_num_groups=2, latent_channels=4, scaling_factor=0.18215,
    )  # fmt: skip


@pytest.fixture(scope="package")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """To be read only."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("dynamicrafter") / "base"
    write_folder(
        folder,
        unet=(UNET, DynamiCrafterUNet(UNET).state_dict()),
        resampler=(IMAGE_RESAMPLER, Resampler(IMAGE_RESAMPLER).state_dict()),
        vae=codec(),
        clip=(CLIP, open_clip.CLIP(**CLIP).state_dict()),
    )
    return folder


@pytest.fixture
def pipeline(base_folder: Path) -> DynamiCrafterPipeline:
    made = read_folder(base_folder, dtype=torch.float32)
    made.set_progress_bar_config(disable=True)
    return made
