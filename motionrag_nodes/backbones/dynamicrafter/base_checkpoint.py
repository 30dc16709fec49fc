"""DynamiCrafter's published checkpoint (model.ckpt of Doubiiu/DynamiCrafter_1024) -> a folder of safetensors.

Its parts lie under these prefixes: model.diffusion_model (UNet), first_stage_model (codec, in latent-diffusion's
layout), cond_stage_model.model (CLIP without its vision tower), embedder.model.visual (that tower), image_proj_model.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from motionrag_nodes.backbones.dynamicrafter.unet import DynamiCrafterUNet, UNetConfig
from motionrag_nodes.errors import CheckpointInvalid
from motionrag_nodes.motion_tokens.resampler import Resampler, ResamplerConfig

UNET = UNetConfig()
FRAMES, TOKENS_PER_FRAME = 16, 16
IMAGE_RESAMPLER = ResamplerConfig(
    embedding_dim=1280, dim=1024, depth=4, dim_head=64, heads=12, num_queries=FRAMES * TOKENS_PER_FRAME, output_dim=1024
)
CLIP: dict[str, Any] = {
    "embed_dim": 1024,
    "vision_cfg": {"image_size": 224, "layers": 32, "width": 1280, "head_width": 80, "patch_size": 14},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 1024, "heads": 16, "layers": 24},
}
CODEC = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "latent_channels": 4,
    "scaling_factor": 0.18215,
}
# The vision tower was saved with the rest of its CLIP but the text blocks; the schedule's tables are made again.
_IGNORED = ("embedder.model.", "embedder.mean", "embedder.std", "scale_arr", "betas", "alphas_cumprod", "sqrt_", "log_")
_IGNORED_PARTS = ("posterior_", "lvlb_weights", "logvar", "model_ema.")


def convert_base(state: Mapping[str, Tensor], folder: Path) -> None:
    """Write the parts of a checkpoint's `state` into a new folder.

    Raises CheckpointInvalid: keys are missing, unknown or of other shapes; the first ones of each part are named.
    """
    import open_clip
    from diffusers import AutoencoderKL

    from motionrag_nodes.backbones.dynamicrafter.folder import write_folder

    with torch.device("meta"):
        unet, resampler, clip = DynamiCrafterUNet(UNET), Resampler(IMAGE_RESAMPLER), open_clip.CLIP(**CLIP)
    vae = AutoencoderKL(**CODEC)
    text = below(state, "cond_stage_model.model.")
    vision = {f"visual.{key}": value for key, value in below(state, "embedder.model.visual.").items()}
    parts = {
        "UNet": (unet, below(state, "model.diffusion_model.")),
        "picture's resampler": (resampler, below(state, "image_proj_model.")),
        "CLIP": (clip, {key: value for key, value in {**text, **vision}.items() if key != "attn_mask"}),
        "codec": (vae, codec_state(below(state, "first_stage_model."), vae)),
    }
    require_all(state, parts)
    vae.load_state_dict(parts["codec"][1], assign=True)  # in the checkpoint's precision
    write_folder(
        folder,
        unet=(UNET, parts["UNet"][1]),
        resampler=(IMAGE_RESAMPLER, parts["picture's resampler"][1]),
        vae=vae,
        clip=(CLIP, parts["CLIP"][1]),
    )


def below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors below a prefix, by the rest of their key."""
    return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}


def codec_state(state: Mapping[str, Tensor], vae: nn.Module) -> dict[str, Tensor]:
    """Latent-diffusion's keys of the codec -> diffusers'. Raises CheckpointInvalid."""
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

    try:
        return dict(convert_ldm_vae_checkpoint(dict(state), vae.config))
    except KeyError as error:
        raise CheckpointInvalid(
            f"Expected the codec's weights below first_stage_model in DynamiCrafter's checkpoint, found none at {error}"
            ": choose model.ckpt of DynamiCrafter_1024."
        ) from error


def require_all(state: Mapping[str, Tensor], parts: Mapping[str, tuple[nn.Module, Mapping[str, Tensor]]]) -> None:
    """Raises CheckpointInvalid unless every part has all of its tensors, and every tensor a part."""
    problems = []
    for name, (module, found) in parts.items():
        shapes = {key: tuple(value.shape) for key, value in module.state_dict().items()}
        received = {key: tuple(value.shape) for key, value in found.items()}
        wrong = [f"{key} missing" for key in shapes if key not in received]
        wrong += [f"{key} unknown" for key in received if key not in shapes]
        wrong += [
            f"{key} {list(received[key])} instead of {list(shapes[key])}"
            for key in shapes
            if key in received and received[key] != shapes[key]
        ]
        if wrong:
            problems.append(f"{name}: {', '.join(wrong[:3])}{f' and {len(wrong) - 3} more' if len(wrong) > 3 else ''}")
    prefixes = (
        "model.diffusion_model.", "first_stage_model.", "cond_stage_model.model.", "image_proj_model.", *_IGNORED
    )  # fmt: skip
    unknown = [key for key in state if not key.startswith(prefixes) and not any(part in key for part in _IGNORED_PARTS)]
    if unknown:
        problems.append(f"unknown: {', '.join(unknown[:3])}")
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise CheckpointInvalid(
            f"Expected the checkpoint of DynamiCrafter-1024, found another; choose model.ckpt of it:\n{listed}"
        )
