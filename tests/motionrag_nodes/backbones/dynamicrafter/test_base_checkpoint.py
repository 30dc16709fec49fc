"""The published checkpoint's parts become a folder that loads, at tiny sizes; what is missing or foreign is named."""

from pathlib import Path

import open_clip
import pytest
import torch
from diffusers import AutoencoderKL

from motionrag_nodes.backbones.dynamicrafter import base_checkpoint
from motionrag_nodes.backbones.dynamicrafter.folder import read_folder
from motionrag_nodes.backbones.dynamicrafter.unet import DynamiCrafterUNet
from motionrag_nodes.errors import CheckpointInvalid
from motionrag_nodes.motion_tokens.resampler import Resampler
from tests.motionrag_nodes.backbones.dynamicrafter.tiny import CLIP, IMAGE_RESAMPLER, UNET

CODEC = {
    "down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2,
    "block_out_channels": (32, 64), "layers_per_block": 1, "latent_channels": 4, "scaling_factor": 0.18215,
}  # fmt: skip
# diffusers' names of the codec -> latent-diffusion's, written out here for two levels of one layer each.
NAMES = {
    "encoder.down_blocks.0.resnets.0": "encoder.down.0.block.0",
    "encoder.down_blocks.1.resnets.0": "encoder.down.1.block.0",
    "encoder.down_blocks.0.downsamplers.0": "encoder.down.0.downsample",
    "decoder.up_blocks.0.resnets.0": "decoder.up.1.block.0", "decoder.up_blocks.0.resnets.1": "decoder.up.1.block.1",
    "decoder.up_blocks.1.resnets.0": "decoder.up.0.block.0", "decoder.up_blocks.1.resnets.1": "decoder.up.0.block.1",
    "decoder.up_blocks.0.upsamplers.0": "decoder.up.1.upsample",
    ".mid_block.resnets.0": ".mid.block_1", ".mid_block.resnets.1": ".mid.block_2",
    ".mid_block.attentions.0.group_norm": ".mid.attn_1.norm", ".mid_block.attentions.0.to_q": ".mid.attn_1.q",
    ".mid_block.attentions.0.to_k": ".mid.attn_1.k", ".mid_block.attentions.0.to_v": ".mid.attn_1.v",
    ".mid_block.attentions.0.to_out.0": ".mid.attn_1.proj_out", "conv_shortcut": "nin_shortcut",
    "conv_norm_out": "norm_out",
}  # fmt: skip


@pytest.fixture(autouse=True)
def tiny_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("UNET", UNET), ("IMAGE_RESAMPLER", IMAGE_RESAMPLER), ("CLIP", CLIP), ("CODEC", CODEC)):
        monkeypatch.setattr(base_checkpoint, name, value)


@pytest.fixture
def parts() -> dict[str, torch.nn.Module]:
    torch.manual_seed(0)
    return {
        "unet": DynamiCrafterUNet(UNET),
        "resampler": Resampler(IMAGE_RESAMPLER),
        "clip": open_clip.CLIP(**CLIP),
        "vae": AutoencoderKL(**CODEC),
    }


def checkpoint_of(parts: dict[str, torch.nn.Module]) -> dict[str, torch.Tensor]:
    state = {f"model.diffusion_model.{key}": value for key, value in parts["unet"].state_dict().items()}
    state |= {f"image_proj_model.{key}": value for key, value in parts["resampler"].state_dict().items()}
    for key, value in parts["clip"].state_dict().items():
        if not key.startswith("visual."):
            state[f"cond_stage_model.model.{key}"] = value
        if not key.startswith("transformer."):
            state[f"embedder.model.{key}"] = value
    state |= {f"first_stage_model.{ldm_name(key)}": ldm_value(key, v) for key, v in parts["vae"].state_dict().items()}
    return state | {"scale_arr": torch.ones(4), "betas": torch.ones(4), "foreign.x": torch.ones(1)}


def ldm_name(key: str) -> str:
    for ours, theirs in NAMES.items():
        key = key.replace(ours, theirs)
    return key


def ldm_value(key: str, value: torch.Tensor) -> torch.Tensor:
    """Its attention is made of 1 x 1 convolutions."""
    return value[:, :, None, None] if "attentions" in key and value.ndim == 2 else value


def test_every_part_comes_back(parts: dict[str, torch.nn.Module], tmp_path: Path) -> None:
    state = {key: value for key, value in checkpoint_of(parts).items() if key != "foreign.x"}
    base_checkpoint.convert_base(state, tmp_path / "base")
    made = read_folder(tmp_path / "base", dtype=torch.float32)
    for name, module in (("unet", made.unet), ("vae", made.vae)):
        expected = parts[name].state_dict()
        assert all(torch.equal(value, expected[key]) for key, value in module.state_dict().items())
    for prompt in ("a cat", ""):
        ids = made.text_tokens.tokenizer([prompt])
        clip = parts["clip"].eval()
        states = clip.token_embedding(ids) + clip.positional_embedding
        for block in clip.transformer.resblocks[:-1]:
            states = block(states, attn_mask=clip.attn_mask)
        assert torch.allclose(made.text_tokens([prompt]), clip.ln_final(states), atol=1e-6)
    features = torch.rand(1, 5, 32)
    assert torch.equal(made.picture_tokens.resampler(features), parts["resampler"].eval()(features))


@pytest.mark.parametrize(
    ("prefix", "part"),
    [
        ("model.diffusion_model.input_blocks.1.", "UNet"),
        ("image_proj_model.latents", "picture's resampler"),
        ("embedder.model.visual.conv1", "CLIP"),
        ("first_stage_model.quant_conv", "codec"),
    ],
)
def test_what_is_missing_is_named(parts: dict[str, torch.nn.Module], prefix: str, part: str, tmp_path: Path) -> None:
    state = {key: value for key, value in checkpoint_of(parts).items() if not key.startswith(prefix)}
    with pytest.raises(CheckpointInvalid, match=rf"(?s)DynamiCrafter.*{part}.*missing|first_stage_model"):
        base_checkpoint.convert_base(state, tmp_path / "base")
    assert not (tmp_path / "base").exists()


def test_what_is_foreign_is_named(parts: dict[str, torch.nn.Module], tmp_path: Path) -> None:
    with pytest.raises(CheckpointInvalid, match=r"unknown: foreign\.x"):
        base_checkpoint.convert_base(checkpoint_of(parts), tmp_path / "base")


def test_another_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointInvalid, match=r"DynamiCrafter"):
        base_checkpoint.convert_base({"weight": torch.ones(1)}, tmp_path / "base")
