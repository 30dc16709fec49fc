"""A pack's own weights in the place of the base's."""

import pytest
import torch
from diffusers import CogVideoXTransformer3DModel

from motionrag_nodes.errors import AdapterMismatch
from motionrag_nodes.frames.base_weights import replace_base_weights

SITES = ("transformer_blocks.0.attn1", "transformer_blocks.1.attn1")


@torch.no_grad()
def test_the_packs_own_base_attention_replaces_the_models(golden):
    transformer = CogVideoXTransformer3DModel(**golden("cogvideox_transformer").config)
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
    with pytest.raises(AdapterMismatch, match=r"attn1.to_q.bias \[3\], proj_out.bias \[1\]. Load the video model"):
        replace_base_weights(transformer, broken, root="transformer", sites=SITES)
    assert all(torch.equal(value, before[key]) for key, value in transformer.state_dict().items())
    replace_base_weights(transformer, state, root="transformer", sites=SITES)
    for key, value in transformer.state_dict().items():
        assert torch.equal(value, state.get(f"transformer.{key}", before[key]))
