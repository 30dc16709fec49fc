"""The published sizes, on the meta device: the key lists are those of the published files."""

import pytest

from motionrag_nodes.checkpoints.convert import part_shapes
from motionrag_nodes.checkpoints.published import published_backbones, published_config


def resampler_shapes(embedding_dim):
    """Section 3 of the method, written out."""
    shapes = {
        "latents": (1, 25, 1024),
        "proj_in.weight": (1024, embedding_dim),
        "proj_in.bias": (1024,),
        "proj_out.weight": (1024, 1024),
        "proj_out.bias": (1024,),
        "norm_out.weight": (1024,),
        "norm_out.bias": (1024,),
    }
    for layer in range(4):
        attention, feed_forward = f"layers.{layer}.0", f"layers.{layer}.1"
        for norm in (f"{attention}.norm1", f"{attention}.norm2", f"{feed_forward}.0"):
            shapes |= {f"{norm}.weight": (1024,), f"{norm}.bias": (1024,)}
        shapes |= {
            f"{attention}.to_q.weight": (768, 1024),
            f"{attention}.to_kv.weight": (1536, 1024),
            f"{attention}.to_out.weight": (1024, 768),
            f"{feed_forward}.1.weight": (4096, 1024),
            f"{feed_forward}.3.weight": (1024, 4096),
        }
    return shapes


def transformer_shapes():
    """torch.nn.TransformerEncoder with 4 layers of width 1024 and feed-forward 4096."""
    shapes = {"sos_token": (1, 25, 1024)}
    for layer in (f"transformer.layers.{i}" for i in range(4)):
        shapes |= {
            f"{layer}.self_attn.in_proj_weight": (3072, 1024),
            f"{layer}.self_attn.in_proj_bias": (3072,),
            f"{layer}.self_attn.out_proj.weight": (1024, 1024),
            f"{layer}.self_attn.out_proj.bias": (1024,),
            f"{layer}.linear1.weight": (4096, 1024),
            f"{layer}.linear1.bias": (4096,),
            f"{layer}.linear2.weight": (1024, 4096),
            f"{layer}.linear2.bias": (1024,),
        }
        shapes |= {f"{layer}.{norm}.{part}": (1024,) for norm in ("norm1", "norm2") for part in ("weight", "bias")}
    return shapes | {f"condition_proj.{key}": shape for key, shape in resampler_shapes(1024).items()}


@pytest.mark.parametrize("backbone", ["svd", "cogvideox"])
def test_resampler_and_transformer_have_the_published_keys(backbone):
    config = published_config(backbone, name="published")
    config.validate()
    shapes = part_shapes(config)
    assert shapes["motion_resampler"] == resampler_shapes(768)
    assert shapes["context_transformer"] == transformer_shapes()


def test_the_svd_adapter_has_the_published_keys():
    adapter = part_shapes(published_config("svd", name="published"))["motion_adapter"]
    assert len(adapter) == 16 * 3
    site = "unet.up_blocks.3.attentions.2.transformer_blocks.0.attn2.processor"
    assert adapter[f"{site}.to_q_ip.0.weight"] == (320, 320)
    assert adapter[f"{site}.to_k_ip.0.weight"] == adapter[f"{site}.to_v_ip.0.weight"] == (320, 1024)
    middle = "unet.mid_block.attentions.0.transformer_blocks.0.attn2.processor.to_k_ip.0.weight"
    assert adapter[middle] == (1280, 1024)


def test_the_svd_sites_and_widths_are_those_of_the_published_unet():
    import torch
    from diffusers import UNetSpatioTemporalConditionModel

    from motionrag_nodes.backbones.backbone import get_backbone

    with torch.device("meta"):
        unet = UNetSpatioTemporalConditionModel(num_attention_heads=(5, 10, 20, 20))
    widths = {site: host.width for site, host in get_backbone("svd").hosts(unet).items()}
    assert widths == dict(published_config("svd", name="published").adapter.sites)


def test_the_cogvideox_adapter_and_17_frames_have_the_published_keys():
    shapes = part_shapes(published_config("cogvideox", name="published"))
    assert len(shapes["motion_adapter"]) == 42 * 3
    key = "transformer.transformer_blocks.41.attn1.processor.to_k_ip.0.weight"
    assert shapes["motion_adapter"][key] == (3072, 1024)
    assert len(shapes["base_attention"]) == 42 * 6
    assert shapes["base_attention"]["transformer.transformer_blocks.0.attn1.to_q.weight"] == (3072, 3072)


def test_every_backbone_has_a_table():
    assert published_backbones() == ["svd", "cogvideox", "dynamicrafter"]
