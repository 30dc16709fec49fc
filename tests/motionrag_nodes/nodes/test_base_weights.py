"""A pack's own weights of the base model, put into a MODEL of ComfyUI's by its own patching."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from motionrag_nodes.attention.adapter import MotionAdapter
from motionrag_nodes.backbones.backbone import get_backbone
from motionrag_nodes.errors import AdapterMismatch
from motionrag_nodes.frames.base_weights import replace_base_weights
from tests.motionrag_nodes.backbones.cogvideox import tiny
from tests.motionrag_nodes.nodes.conftest import PACK_NAME, TOKEN_DIM, PackOfAdapter, motion

pytestmark = pytest.mark.comfyui
WIDTH, HEADS, BLOCKS = 12, 2, 2


class Block(nn.Module):
    """The names of ComfyUI's own CogVideoX, which versions before 0.19 lack."""

    def __init__(self) -> None:
        super().__init__()
        self.num_heads, self.head_dim = HEADS, WIDTH // HEADS
        self.q, self.k, self.v, self.attn_out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.diffusion_model = nn.Module()
        self.diffusion_model.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.manual_cast_dtype = None

    def get_dtype(self) -> torch.dtype:
        return torch.float32


def replaced() -> dict[str, torch.Tensor]:
    """As 17_frames.ckpt holds them."""
    draw = torch.Generator().manual_seed(3)
    return {
        f"transformer.transformer_blocks.{number}.attn1.to_{role}.{kind}": torch.randn(*shape, generator=draw)
        for number in range(BLOCKS)
        for role in "qkv"
        for kind, shape in (("weight", (WIDTH, WIDTH)), ("bias", (WIDTH,)))
    }


class Pack(PackOfAdapter):
    """With weights of the base beside the adapter."""

    state: dict[str, torch.Tensor]

    def base_attention_state(self) -> dict[str, torch.Tensor]:
        return self.state


def pack_of(state: dict[str, torch.Tensor]) -> Pack:
    sites = {f"transformer_blocks.{number}.attn1": WIDTH for number in range(BLOCKS)}
    adapter = MotionAdapter(token_dim=TOKEN_DIM, site_dims=sites, root="transformer").eval().requires_grad_(False)
    pack = Pack(PACK_NAME, adapter, config=SimpleNamespace(backbone="cogvideox"))
    pack.state = state
    return pack


@pytest.fixture
def model(comfy: Any) -> Any:
    from comfy.model_patcher import ModelPatcher

    return ModelPatcher(Model(), load_device=torch.device("cpu"), offload_device=torch.device("cpu"))


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_they_are_in_the_model_while_it_is_loaded_at_any_strength(comfy, model, strength) -> None:
    import comfy.model_management

    from motionrag_nodes.nodes.native_patch import apply_motion

    state, before = replaced(), {key: value.clone() for key, value in model.model.state_dict().items()}
    patched = apply_motion(model, pack_of(state), motion(), strength=strength)
    comfy.model_management.load_models_gpu([patched])
    now = model.model.state_dict()
    for number in range(BLOCKS):
        for role in "qkv":
            for kind in ("weight", "bias"):
                theirs = state[f"transformer.transformer_blocks.{number}.attn1.to_{role}.{kind}"]
                assert torch.equal(now[f"diffusion_model.blocks.{number}.{role}.{kind}"], theirs)
        assert torch.equal(
            now[f"diffusion_model.blocks.{number}.attn_out.weight"],
            before[f"diffusion_model.blocks.{number}.attn_out.weight"],
        )
    comfy.model_management.unload_all_models()
    assert all(torch.equal(value, before[key]) for key, value in model.model.state_dict().items())


def test_a_lora_before_or_behind_comes_on_top(comfy, model) -> None:
    import comfy.model_management

    from motionrag_nodes.nodes.native_patch import apply_motion

    state, key = replaced(), "diffusion_model.blocks.0.q.weight"
    more = torch.randn(WIDTH, WIDTH)
    for order in ("before", "behind"):
        lora = model.clone()
        if order == "before":
            lora.add_patches({key: (more,)})
        patched = apply_motion(lora, pack_of(state), motion())
        if order == "behind":
            patched = patched.clone()
            patched.add_patches({key: (more,)})
        comfy.model_management.load_models_gpu([patched])
        expected = state["transformer.transformer_blocks.0.attn1.to_q.weight"] + more
        torch.testing.assert_close(model.model.state_dict()[key], expected)
        comfy.model_management.unload_all_models()


def test_a_model_without_those_attentions_is_refused(comfy, model) -> None:
    from motionrag_nodes.nodes.native_patch import apply_motion

    foreign = {"transformer.transformer_blocks.7.attn1.to_q.weight": torch.zeros(WIDTH, WIDTH)}
    with pytest.raises(AdapterMismatch, match=r"Expected a CogVideoX image to video MODEL .*blocks.7.q.weight"):
        apply_motion(model, pack_of(foreign), motion())


def test_both_worlds_name_the_same_weights(tmp_path) -> None:
    from diffusers import CogVideoXTransformer3DModel

    tiny.save_pipeline(tmp_path)
    denoiser = CogVideoXTransformer3DModel.from_pretrained(tmp_path / "transformer")
    backbone = get_backbone("cogvideox")
    sites = backbone.hosts(denoiser)
    width = next(iter(sites.values())).width
    state = {
        f"transformer.{site}.to_{role}.{kind}": torch.full((width, width) if kind == "weight" else (width,), 0.5)
        for site in sites
        for role in "qkv"
        for kind in ("weight", "bias")
    }
    replace_base_weights(denoiser, state, root=backbone.root, sites=sites)
    assert all((denoiser.get_parameter(key.removeprefix("transformer.")) == 0.5).all() for key in state)
    native = backbone.native_weights(state)
    assert native.keys() == {
        f"blocks.{site.split('.')[1]}.{role}.{kind}" for site in sites for role in "qkv" for kind in ("weight", "bias")
    }
