"""Names of SVD's parts in both layouts; the weights' own test is that ComfyUI's UNet computes what diffusers' does."""

from __future__ import annotations

import pytest

from motionrag_nodes.backbones.svd.native_names import UNetLayout
from motionrag_nodes.errors import AdapterMismatch

PUBLISHED = UNetLayout((2, 2, 2, 2), (False, True, True, True))
# What ComfyUI 0.3.75 was seen to report as ("input", 1), ..., when the published layout's attentions run.
PUBLISHED_BLOCKS = [
    *(f"input_blocks.{i}" for i in (1, 2, 4, 5, 7, 8)),
    "middle_block",
    *(f"output_blocks.{i}" for i in range(3, 12)),
]


def test_the_sixteen_sites_of_the_published_model() -> None:
    sites = [f"down_blocks.{i}.attentions.{j}" for i in range(3) for j in range(2)]
    sites += ["mid_block.attentions.0"] + [f"up_blocks.{i}.attentions.{j}" for i in (1, 2, 3) for j in range(3)]
    names = [PUBLISHED.native_name(f"{site}.transformer_blocks.0.attn2") for site in sites]
    assert names == [f"{block}.1.transformer_blocks.0.attn2" for block in PUBLISHED_BLOCKS]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("conv_in.weight", "input_blocks.0.0.weight"),
        ("conv_norm_out.bias", "out.0.bias"),
        ("time_embedding.linear_2.weight", "time_embed.2.weight"),
        ("add_embedding.linear_1.bias", "label_emb.0.0.bias"),
        ("down_blocks.1.downsamplers.0.conv.weight", "input_blocks.6.0.op.weight"),
        ("down_blocks.3.resnets.1.spatial_res_block.conv2.weight", "input_blocks.11.0.out_layers.3.weight"),
        (
            "mid_block.resnets.1.temporal_res_block.time_emb_proj.bias",
            "middle_block.2.time_stack.emb_layers.1.bias",
        ),
        ("mid_block.resnets.0.time_mixer.mix_factor", "middle_block.0.time_mixer.mix_factor"),
        (
            "mid_block.attentions.0.temporal_transformer_blocks.0.ff_in.net.2.weight",
            "middle_block.1.time_stack.0.ff_in.net.2.weight",
        ),
        ("mid_block.attentions.0.time_pos_embed.linear_2.weight", "middle_block.1.time_pos_embed.2.weight"),
        # The upsampler follows the attention where there is one, else the residual block.
        ("up_blocks.0.upsamplers.0.conv.bias", "output_blocks.2.1.conv.bias"),
        ("up_blocks.1.upsamplers.0.conv.bias", "output_blocks.5.2.conv.bias"),
        (
            "up_blocks.3.resnets.2.spatial_res_block.conv_shortcut.weight",
            "output_blocks.11.0.skip_connection.weight",
        ),
    ],
)
def test_names(theirs: str, ours: str) -> None:
    assert PUBLISHED.native_name(theirs) == ours


@pytest.mark.parametrize(
    "name",
    ["conv_middle.weight", "mid_block.resnets.2.time_mixer.mix_factor", "mid_block.attentions.0.lora.weight",
     "down_blocks.0.resnets.0.conv1.weight", "normal.weight", "conv_input"],
)  # fmt: skip
def test_a_name_that_no_svd_has_is_refused(name: str) -> None:
    with pytest.raises(AdapterMismatch, match=rf"Expected the name of a part of .*, received {name}"):
        PUBLISHED.native_name(name)


def test_layouts_are_read_from_either_side_s_keys() -> None:
    uneven = UNetLayout((1, 3), (True, False))
    theirs = [f"down_blocks.0.resnets.0.{p}" for p in ("time_mixer.mix_factor", "spatial_res_block.conv1.weight")]
    theirs += [f"down_blocks.1.resnets.{i}.time_mixer.mix_factor" for i in range(3)]
    theirs += ["down_blocks.0.downsamplers.0.conv.weight", "conv_in.weight", "up_blocks.0.attentions.0.proj_in.weight"]
    assert UNetLayout.of_diffusers(theirs) == uneven
    assert UNetLayout.of_native([uneven.native_name(key) for key in theirs]) == uneven
    rising = UNetLayout((3, 1), (False, True))
    ours = ["input_blocks.0.0.weight", *(f"input_blocks.{i}.0.time_mixer.mix_factor" for i in (1, 2, 3, 5))]
    ours += ["input_blocks.4.0.op.weight", "output_blocks.2.1.proj_in.weight"]
    assert UNetLayout.of_native(ours) == rising


def test_attentions_of_comfyui_get_their_sites() -> None:
    sites = [f"down_blocks.{i}.attentions.{j}" for i in range(3) for j in range(2)]
    sites += ["mid_block.attentions.0"] + [f"up_blocks.{i}.attentions.{j}" for i in (1, 2, 3) for j in range(3)]
    for site in (f"{name}.transformer_blocks.0.attn2" for name in sites):
        assert PUBLISHED.site_of(PUBLISHED.native_name(site)) == site
