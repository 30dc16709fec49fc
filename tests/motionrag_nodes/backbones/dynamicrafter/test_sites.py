"""Sites answer to their block and their side; a model without them is refused."""

import pytest
from torch import nn

from motionrag_nodes.backbones.dynamicrafter.sites import blocks_of, hosts
from motionrag_nodes.errors import AdapterMismatch


def test_blocks() -> None:
    assert blocks_of("input_blocks.4.1.transformer_blocks.0.attn2") == ("input.4", "input")
    assert blocks_of("middle_block.1.transformer_blocks.0.attn2") == ("middle",)
    assert blocks_of("output_blocks.11.1.transformer_blocks.0.attn2") == ("output.11", "output")


def test_another_model_is_refused() -> None:
    with pytest.raises(AdapterMismatch, match="Expected DynamiCrafter's UNet, received Linear"):
        hosts(nn.Linear(1, 1))
