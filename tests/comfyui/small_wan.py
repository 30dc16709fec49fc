"""`python small_wan.py COMFYUI MODELS`: a Wan VACE, a Wan Fun Control and their VAE with small random weights, as files
that ComfyUI's own loaders read, since they take the sizes from the shapes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

VACE, FUN, VAE = "small_wan_vace.safetensors", "small_wan_fun.safetensors", "small_wan_vae.safetensors"
# Heads have 128 channels, whatever the width.
SIZES = {"dim": 128, "ffn_dim": 128, "num_heads": 1, "num_layers": 2}
# Latent channels of the noise, of the control clip and of the picture; of the control clip and its mask.
FUN_CHANNELS, VACE_CHANNELS = 48, 96


def write_all(comfyui: Path, models: Path) -> None:
    """Makes them with ComfyUI's own classes."""
    sys.path.insert(0, str(comfyui))
    from comfy.cli_args import args

    args.cpu = True
    import comfy.ops
    from comfy.ldm.wan.model import VaceWanModel, WanModel
    from comfy.ldm.wan.vae import WanVAE

    given = {**SIZES, "operations": comfy.ops.disable_weight_init, "dtype": torch.float32}
    torch.manual_seed(0)
    made: dict[str, Any] = {
        f"diffusion_models/{VACE}": VaceWanModel(vace_layers=1, vace_in_dim=VACE_CHANNELS, **given),
        f"diffusion_models/{FUN}": WanModel(model_type="i2v", in_dim=FUN_CHANNELS, **given),
        f"vae/{VAE}": WanVAE(
            dim=8,
            z_dim=16,
            dim_mult=[1, 2, 4, 4],
            num_res_blocks=2,
            attn_scales=[],
            temperal_downsample=[False, True, True],
        ),
    }
    for name, model in made.items():
        path = models / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({key: _filled(key, value) for key, value in model.state_dict().items()}, path)


def _filled(key: str, value: torch.Tensor) -> torch.Tensor:
    """Gains of norms are one, and matrices keep the size of what they multiply, so that something comes through."""
    if key.endswith("gamma") or ("norm" in key and key.endswith("weight")):
        return torch.ones(value.shape)
    inputs = value[0].numel() if value.ndim > 1 else 1
    return torch.randn(value.shape) / (inputs**0.5 if value.ndim > 1 else 10)


if __name__ == "__main__":
    write_all(*map(Path, sys.argv[1:3]))
