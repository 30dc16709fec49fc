"""A tiny Wan 2.2 of two experts with random weights, in both layouts; see `tests/.../backbones/test_contract.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    WanImageToVideoPipeline,
    WanTransformer3DModel,
)
from transformers import T5Tokenizer, UMT5Config, UMT5EncoderModel

from motionrag_nodes.backbones.wan.settings import WanSettings

SETTINGS = WanSettings(width=32, height=32, frames=5, fps=8, steps=3, guidance=3.0, prompt="a ball rolls", seed=7)
UNGUIDED = {"guidance": 1.0}
TEXT, LATENTS, HEADS, WIDTH = 16, 16, 2, 24


def transformer(*, in_channels: int) -> WanTransformer3DModel:
    """Two blocks of 2 x 24 channels."""
    return WanTransformer3DModel(
        num_attention_heads=HEADS,
        attention_head_dim=WIDTH,
        in_channels=in_channels,
        out_channels=LATENTS,
        text_dim=TEXT,
        freq_dim=32,
        ffn_dim=32,
        num_layers=2,
        cross_attn_norm=True,
        qk_norm="rms_norm_across_heads",
        rope_max_seq_len=32,
    )


def save_pipeline(folder: Path, *, experts: int = 2) -> None:
    """The whole pipeline in diffusers' folder layout: as I2V-A14B, or with one expert as TI2V-5B."""
    torch.manual_seed(0)
    letters = [(letter, -4.0) for letter in "abcdefghijklmnopqrstuvwxyz"]
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -2.0), ("\u2581", -3.0), *letters]
    channels = 2 * LATENTS + 4 if experts == 2 else LATENTS  # latents, the picture's, its mask
    pipeline = WanImageToVideoPipeline(
        tokenizer=T5Tokenizer(vocab=vocabulary, extra_ids=0),
        text_encoder=UMT5EncoderModel(
            UMT5Config(d_model=TEXT, d_ff=16, d_kv=8, num_layers=1, num_heads=2, vocab_size=len(vocabulary))
        ),
        vae=AutoencoderKLWan(
            base_dim=4, z_dim=LATENTS, dim_mult=[1] * 4, num_res_blocks=1, temperal_downsample=[False, True, True]
        ),
        transformer=transformer(in_channels=channels),
        transformer_2=transformer(in_channels=channels) if experts == 2 else None,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0),
        boundary_ratio=0.9 if experts == 2 else None,
        expand_timesteps=experts == 1,
    )
    pipeline.save_pretrained(folder)


def native(_folder: Path, denoiser: WanTransformer3DModel) -> Any:
    """ComfyUI's own network with the same weights."""
    import comfy.ops
    from comfy.ldm.wan.model import WanModel

    config = denoiser.config
    network = WanModel(
        model_type="t2v",
        in_dim=config.in_channels,
        dim=HEADS * WIDTH,
        ffn_dim=config.ffn_dim,
        freq_dim=config.freq_dim,
        text_dim=config.text_dim,
        out_dim=config.out_channels,
        num_heads=HEADS,
        num_layers=config.num_layers,
        operations=comfy.ops.disable_weight_init,
        dtype=torch.float32,
    )
    names = {
        ".attn1.": ".self_attn.", ".attn2.": ".cross_attn.", ".to_q.": ".q.", ".to_k.": ".k.", ".to_v.": ".v.",
        ".to_out.0.": ".o.", ".norm2.": ".norm3.", ".ffn.net.0.proj.": ".ffn.0.", ".ffn.net.2.": ".ffn.2.",
        ".scale_shift_table": ".modulation", "condition_embedder.text_embedder.linear_1.": "text_embedding.0.",
        "condition_embedder.text_embedder.linear_2.": "text_embedding.2.",
        "condition_embedder.time_embedder.linear_1.": "time_embedding.0.",
        "condition_embedder.time_embedder.linear_2.": "time_embedding.2.",
        "condition_embedder.time_proj.": "time_projection.1.", "proj_out.": "head.head.",
    }  # fmt: skip
    state = {}
    for key, value in denoiser.state_dict().items():
        for theirs, ours in names.items():
            key = key.replace(theirs, ours)
        state["head.modulation" if key == "scale_shift_table" else key] = value
    network.load_state_dict(state)
    return network.eval()


def inputs(frames: int) -> dict[str, torch.Tensor]:
    """Two branches of guidance in one batch, as ComfyUI asks."""
    draw = torch.Generator().manual_seed(frames)
    return {
        "sample": torch.randn(2, 2 * LATENTS + 4, frames, 4, 4, generator=draw),
        "context": torch.randn(2, 7, TEXT, generator=draw),
    }


def call(denoiser: Any, given: dict[str, torch.Tensor]) -> torch.Tensor:
    """diffusers' output [2, C, T, H, W]."""
    return denoiser(given["sample"], torch.full((2,), 300.0), given["context"], return_dict=False)[0]


def call_native(network: Any, given: dict[str, torch.Tensor], options: dict[str, Any]) -> torch.Tensor:
    """ComfyUI's output in the same form."""
    return network(given["sample"], torch.full((2,), 300.0), given["context"], transformer_options=options)
