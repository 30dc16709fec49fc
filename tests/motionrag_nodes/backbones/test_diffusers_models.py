"""What pipelines of diffusers have in common."""

import pytest
from diffusers.models.attention_processor import Attention, IPAdapterAttnProcessor2_0

from motionrag_nodes.backbones.diffusers_models import attention_host
from motionrag_nodes.errors import UnsupportedProcessor


def test_an_attention_is_a_host() -> None:
    attention = Attention(8, cross_attention_dim=6, heads=2, dim_head=4)
    host = attention_host("here", attention, {"AttnProcessor2_0"}, context="encoder_hidden_states")
    assert (host.width, host.heads, host.output, host.path) == (8, 2, attention.to_out[0], "here")
    assert (host.attention, host.context) == (attention, "encoder_hidden_states")
    assert attention_host("here", attention, {"AttnProcessor2_0"}).attention is None


def test_unknown_processors_are_refused() -> None:
    attention = Attention(8, cross_attention_dim=6, heads=2, dim_head=4)
    attention.set_processor(IPAdapterAttnProcessor2_0(8, 6))
    with pytest.raises(
        UnsupportedProcessor,
        match=r"Expected one of AttnProcessor2_0 at second, received IPAdapterAttnProcessor2_0.*set_default",
    ):
        attention_host("second", attention, {"AttnProcessor2_0"})
