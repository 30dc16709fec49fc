"""CogVideoX's sites against the published modules, on one attention and on a whole transformer."""

import pytest
import torch
from diffusers import CogVideoXTransformer3DModel
from diffusers.models.attention_processor import Attention, CogVideoXAttnProcessor2_0
from torch import nn

from motionrag_nodes.attention.adapter import MotionAdapter
from motionrag_nodes.attention.injection import Entering, attach
from motionrag_nodes.backbones.cogvideox.sites import PROCESSORS, hosts
from motionrag_nodes.backbones.diffusers_models import attention_host
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
    adapter = MotionAdapter(token_dim=64, site_dims={"attn1": 64}, root="transformer")
    adapter.load_state_dict({f"transformer.attn1.{k}": v for k, v in weights.items() if k.startswith("processor.")})
    with attach({"attn1": attention_host("attn1", attention, PROCESSORS)}) as injection:
        injection.enter(Entering.of(adapter, inputs["motion_tokens"], scale=float(scale)))
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
    adapter = MotionAdapter(
        token_dim=32, site_dims={site: host.width for site, host in hosts(transformer).items()}, root="transformer"
    )
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
    with attach(hosts(transformer)) as injection:
        injection.enter(Entering.of(adapter, data.tensors["inputs.motion_tokens"], scale=scale))
        sample = predict(data, transformer)
        injection.require_passes()
    torch.testing.assert_close(sample, data.tensors[f"outputs.sample_scale_{scale}"], atol=1e-5, rtol=0)


@torch.no_grad()
def test_scale_zero_leaves_the_transformer_bit_identical(golden_transformer):
    data, transformer, adapter = golden_transformer
    plain = predict(data, transformer)
    torch.testing.assert_close(plain, data.tensors["outputs.sample_without_adapter"], atol=1e-5, rtol=0)
    with attach(hosts(transformer)) as injection:
        injection.enter(Entering.of(adapter, data.tensors["inputs.motion_tokens"], scale=0.0))
        assert torch.equal(predict(data, transformer), plain)
    assert torch.equal(predict(data, transformer), plain)


def test_every_block_is_a_site(golden_transformer):
    _, transformer, _ = golden_transformer
    assert list(hosts(transformer)) == ["transformer_blocks.0.attn1", "transformer_blocks.1.attn1"]
    with pytest.raises(AdapterMismatch, match="Expected a CogVideoX model, received Linear without joint attentions"):
        hosts(nn.Linear(2, 2))
