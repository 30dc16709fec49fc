"""ComfyUI's own modules inside the tests' process, and SVD UNets of small widths in both layouts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion
from motionrag_nodes.attention.adapter import MotionAdapter
from motionrag_nodes.backbones.backbone import get_backbone

TOKEN_DIM, TOKENS, CONTEXT_DIM = 24, 3, 32
SIGMA_MIN, SIGMA_MAX = 0.002, 80.0
PACK_NAME = "test-pack"
# Like the published model: four levels of two layers, none of them with attention at the lowest; 16 sites.
PUBLISHED = {
    "block_out_channels": (32, 64, 96, 96),
    "num_attention_heads": (2, 4, 6, 6),
    "layers_per_block": 2,
    "down_block_types": ("CrossAttnDownBlockSpatioTemporal",) * 3 + ("DownBlockSpatioTemporal",),
    "up_block_types": ("UpBlockSpatioTemporal",) + ("CrossAttnUpBlockSpatioTemporal",) * 3,
}
# Like the tiny pack: two levels of one layer, both with attention; 7 sites.
TINY = {
    "block_out_channels": (32, 64),
    "num_attention_heads": (2, 4),
    "layers_per_block": 1,
    "down_block_types": ("CrossAttnDownBlockSpatioTemporal",) * 2,
    "up_block_types": ("CrossAttnUpBlockSpatioTemporal",) * 2,
}


@dataclass(eq=False)
class PackOfAdapter:
    """As much of a motion pack as the patch needs."""

    name: str
    adapter: MotionAdapter
    fingerprint: str = PACK_NAME
    config: Any = field(default_factory=lambda: SimpleNamespace(backbone="svd"))


@dataclass(frozen=True)
class BothLayouts:
    """One UNet with random weights: diffusers' own, its folder, and ComfyUI's MODEL made from that."""

    theirs: Any
    folder: Path
    model: Any  # ModelPatcher
    pack: PackOfAdapter


@pytest.fixture(scope="session")
def unets(comfy: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, BothLayouts]:
    layouts = {"published": PUBLISHED, "tiny": TINY}
    return {name: make_unet(config, tmp_path_factory.mktemp(name)) for name, config in layouts.items()}


@pytest.fixture
def published(unets: dict[str, BothLayouts]) -> BothLayouts:
    return unets["published"]


@pytest.fixture
def tiny(unets: dict[str, BothLayouts]) -> BothLayouts:
    return unets["tiny"]


def make_unet(config: dict[str, Any], folder: Path) -> BothLayouts:
    from diffusers import UNetSpatioTemporalConditionModel

    from motionrag_nodes.backbones.svd.native import load_native_unet

    torch.manual_seed(0)
    theirs = UNetSpatioTemporalConditionModel(
        **config,
        sample_size=8,
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=24,
        cross_attention_dim=CONTEXT_DIM,
        num_frames=4,
    )
    for name, parameter in theirs.named_parameters():
        if name.endswith("mix_factor"):  # 0.5 each otherwise, which would not tell one from another
            torch.nn.init.normal_(parameter)
    theirs.save_pretrained(folder / "unet")
    write_scheduler(folder)
    adapter = MotionAdapter(
        token_dim=TOKEN_DIM, site_dims={site: host.width for site, host in get_backbone("svd").hosts(theirs).items()}
    )
    for parameter in adapter.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return BothLayouts(
        theirs=theirs.eval().requires_grad_(False),
        folder=folder,
        model=load_native_unet(folder, latent_scale=0.5),
        pack=PackOfAdapter(PACK_NAME, adapter.eval().requires_grad_(False)),
    )


def write_scheduler(folder: Path) -> None:
    (folder / "scheduler").mkdir(exist_ok=True)
    settings = {"sigma_min": SIGMA_MIN, "sigma_max": SIGMA_MAX}
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(settings))


def motion(seed: int = 0, *, pack_name: str = PACK_NAME) -> AdaptedMotion:
    tokens, unconditional = torch.randn(2, 1, TOKENS, TOKEN_DIM, generator=torch.Generator().manual_seed(seed))
    pack = SimpleNamespace(name=pack_name, fingerprint=pack_name)
    return AdaptedMotion(tokens=tokens, unconditional=unconditional, fusion="mean", pack=pack)
