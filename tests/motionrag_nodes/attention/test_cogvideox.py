"""CogVideoX's sites against the published modules, on one attention and on a whole transformer."""

import copy

import pytest
import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.models.attention_processor import Attention, CogVideoXAttnProcessor2_0
from torch import nn

from motionrag_nodes.attention.adapter import MotionAdapter
from motionrag_nodes.attention.cogvideox import cogvideox_site_dims, cogvideox_sites, replace_base_attention
from motionrag_nodes.attention.injection import attach_motion
from motionrag_nodes.errors import AdapterMismatch


@torch.no_grad()
@pytest.mark.parametrize("scale", ["0.35", "1.0"])
def test_one_attention_equals_the_published_module(golden, scale):
    data = golden("cogvideox_attention_adapter")
    heads, dim_head = data.config["heads"], data.config["dim_head"]
    attention = Attention(
        heads * dim_head,
        heads=heads,
        dim_head=dim_head,
        qk_norm="layer_norm",
        eps=1e-6,
        bias=True,
        processor=CogVideoXAttnProcessor2_0(),
    )
    weights, inputs = data.group("weights"), data.group("inputs")
    attention.load_state_dict({k: v for k, v in weights.items() if not k.startswith("processor.")})
    model = nn.ModuleDict({"attn1": attention})
    adapter = MotionAdapter(token_dim=64, site_dims={"attn1": 64}, root="transformer")
    adapter.load_state_dict({f"transformer.attn1.{k}": v for k, v in weights.items() if k.startswith("processor.")})
    with attach_motion(model, adapter) as injection:
        injection.set_tokens(inputs["motion_tokens"], scale=float(scale))
        hidden, text = attention(
            inputs["hidden_states"],
            encoder_hidden_states=inputs["encoder_hidden_states"],
            image_rotary_emb=(inputs["rotary_cos"], inputs["rotary_sin"]),
        )
    torch.testing.assert_close(hidden, data.tensors[f"outputs.hidden_scale_{scale}"], atol=1e-5, rtol=0)
    torch.testing.assert_close(text, data.tensors[f"outputs.encoder_hidden_scale_{scale}"], atol=1e-5, rtol=0)


@pytest.fixture(scope="module")
def golden_transformer(golden):
    data = golden("cogvideox_transformer")
    transformer = CogVideoXTransformer3DModel(**data.config).eval()
    transformer.load_state_dict(data.group("base"), strict=True)
    adapter = MotionAdapter(token_dim=32, site_dims=cogvideox_site_dims(transformer), root="transformer")
    adapter.load_state_dict(data.group("adapter"), strict=True)
    return data, transformer, adapter


def predict(data, transformer):
    inputs = data.group("inputs")
    return transformer(
        inputs["sample"],
        inputs["text_embeddings"],
        inputs["timestep"],
        image_rotary_emb=(inputs["rotary_cos"], inputs["rotary_sin"]),
        return_dict=False,
    )[0]


@torch.no_grad()
@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_a_whole_transformer_equals_the_published_modules(golden_transformer, scale):
    data, transformer, adapter = golden_transformer
    with attach_motion(transformer, adapter) as injection:
        injection.set_tokens(data.tensors["inputs.motion_tokens"], scale=scale)
        sample = predict(data, transformer)
        injection.require_passes()
    torch.testing.assert_close(sample, data.tensors[f"outputs.sample_scale_{scale}"], atol=1e-5, rtol=0)


@torch.no_grad()
def test_scale_zero_leaves_the_transformer_bit_identical(golden_transformer):
    data, transformer, adapter = golden_transformer
    plain = predict(data, transformer)
    torch.testing.assert_close(plain, data.tensors["outputs.sample_without_adapter"], atol=1e-5, rtol=0)
    with attach_motion(transformer, adapter) as injection:
        injection.set_tokens(data.tensors["inputs.motion_tokens"], scale=0.0)
        assert torch.equal(predict(data, transformer), plain)
    assert torch.equal(predict(data, transformer), plain)


def test_every_block_is_a_site(golden_transformer):
    _, transformer, _ = golden_transformer
    assert cogvideox_sites(transformer) == ["transformer_blocks.0.attn1", "transformer_blocks.1.attn1"]
    with pytest.raises(AdapterMismatch, match="Expected a CogVideoXTransformer3DModel, received Linear"):
        cogvideox_sites(nn.Linear(2, 2))


@torch.no_grad()
def test_the_packs_own_base_attention_replaces_the_models(golden_transformer):
    transformer = copy.deepcopy(golden_transformer[1])
    before = {key: value.clone() for key, value in transformer.state_dict().items()}
    state = {
        f"transformer.{key}": value + 1
        for key, value in before.items()
        if any(f"attn1.{projection}." in key for projection in ("to_q", "to_k", "to_v"))
    }
    assert len(state) == 2 * 6
    broken = state | {
        "transformer.transformer_blocks.0.attn1.to_q.bias": torch.zeros(3),
        "transformer.proj_out.bias": torch.zeros(1),
    }
    with pytest.raises(AdapterMismatch, match=r"attn1.to_q.bias \[3\], proj_out.bias \[1\]. Load the CogVideoX model"):
        replace_base_attention(transformer, broken)
    assert all(torch.equal(value, before[key]) for key, value in transformer.state_dict().items())
    replace_base_attention(transformer, state)
    for key, value in transformer.state_dict().items():
        assert torch.equal(value, state.get(f"transformer.{key}", before[key]))
