"""A tiny CogVideoX with random weights, in both layouts; see `tests/.../backbones/test_contract.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    CogVideoXDDIMScheduler,
    CogVideoXImageToVideoPipeline,
    CogVideoXTransformer3DModel,
)
from transformers import T5Config, T5EncoderModel, T5Tokenizer

from motionrag_nodes.backbones.cogvideox.settings import CogVideoXSettings

SETTINGS = CogVideoXSettings(width=64, height=64, frames=9, fps=8, steps=3, guidance=3.0, prompt="a ball rolls", seed=7)
UNGUIDED = {"guidance": 1.0}
TEXT, WIDTH = 16, 8


def save_pipeline(folder: Path) -> None:
    """The whole pipeline in diffusers' folder layout."""
    torch.manual_seed(0)
    letters = [(letter, -4.0) for letter in "abcdefghijklmnopqrstuvwxyz"]
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -2.0), ("\u2581", -3.0), *letters]
    pipeline = CogVideoXImageToVideoPipeline(
        tokenizer=T5Tokenizer(vocab=vocabulary, extra_ids=0),
        text_encoder=T5EncoderModel(
            T5Config(d_model=TEXT, d_ff=16, d_kv=8, num_layers=1, num_heads=2, vocab_size=len(vocabulary))
        ),
        vae=AutoencoderKLCogVideoX(
            down_block_types=("CogVideoXDownBlock3D",) * 4,
            up_block_types=("CogVideoXUpBlock3D",) * 4,
            block_out_channels=(8, 8, 8, 8),
            latent_channels=4,
            layers_per_block=1,
            norm_num_groups=2,
            sample_height=96,
            sample_width=80,
        ),
        transformer=CogVideoXTransformer3DModel(
            num_attention_heads=3,  # ComfyUI wants a width of a multiple of 3
            attention_head_dim=16,
            in_channels=8,
            out_channels=4,
            time_embed_dim=8,
            text_embed_dim=TEXT,
            num_layers=2,
            sample_width=WIDTH,
            sample_height=WIDTH,
            sample_frames=9,
            max_text_seq_length=20,
            spatial_interpolation_scale=1.0,
            use_rotary_positional_embeddings=True,
            use_learned_positional_embeddings=True,
        ),
        scheduler=CogVideoXDDIMScheduler(),
    )
    pipeline.save_pretrained(folder)


def native(_folder: Path, denoiser: CogVideoXTransformer3DModel) -> Any:
    """ComfyUI's own network with the same weights; versions before 0.19 have none."""
    model = pytest.importorskip("comfy.ldm.cogvideo.model", reason="this ComfyUI has no CogVideoX of its own")
    import comfy.ops

    config = denoiser.config
    network = model.CogVideoXTransformer3DModel(
        num_attention_heads=config.num_attention_heads,
        attention_head_dim=config.attention_head_dim,
        in_channels=config.in_channels,
        out_channels=config.out_channels,
        time_embed_dim=config.time_embed_dim,
        text_embed_dim=config.text_embed_dim,
        num_layers=config.num_layers,
        sample_width=config.sample_width,
        sample_height=config.sample_height,
        sample_frames=config.sample_frames,
        max_text_seq_length=config.max_text_seq_length,
        spatial_interpolation_scale=config.spatial_interpolation_scale,
        use_rotary_positional_embeddings=True,
        use_learned_positional_embeddings=True,
        operations=comfy.ops.disable_weight_init,
        dtype=torch.float32,
    )
    names = {
        "transformer_blocks.": "blocks.", ".attn1.to_q.": ".q.", ".attn1.to_k.": ".k.", ".attn1.to_v.": ".v.",
        ".attn1.to_out.0.": ".attn_out.", ".attn1.norm_": ".norm_", ".ff.net.0.proj.": ".ff_proj.",
        ".ff.net.2.": ".ff_out.", "time_embedding.linear_": "time_embedding_linear_",
    }  # fmt: skip
    state = {}
    for key, value in denoiser.state_dict().items():
        for theirs, ours in names.items():
            key = key.replace(theirs, ours)
        state[key] = value
    network.load_state_dict(state, strict=False)
    missing = network.state_dict().keys() ^ state.keys()
    assert missing <= {"patch_embed.pos_embedding"}, missing
    return network.eval()


def inputs(frames: int) -> dict[str, torch.Tensor]:
    """Two branches of guidance in one batch."""
    draw = torch.Generator().manual_seed(frames)
    return {
        "sample": torch.randn(2, frames, 8, WIDTH, WIDTH, generator=draw),
        "context": torch.randn(2, 20, TEXT, generator=draw),
    }


def call(denoiser: Any, given: dict[str, torch.Tensor]) -> torch.Tensor:
    """diffusers' output [2, T, 4, H, W]."""
    from diffusers.models.embeddings import get_3d_rotary_pos_embed

    frames, half = given["sample"].shape[1], WIDTH // 2
    rotary = get_3d_rotary_pos_embed(16, ((0, 0), (half, half)), (half, half), frames)
    time = torch.full((2,), 300)
    return denoiser(given["sample"], given["context"], time, image_rotary_emb=rotary, return_dict=False)[0]


def call_native(network: Any, given: dict[str, torch.Tensor], options: dict[str, Any]) -> torch.Tensor:
    """ComfyUI's output in the same form."""
    sample, time = given["sample"].transpose(1, 2), torch.full((2,), 300.0)
    return network(sample, time, given["context"], transformer_options=options).transpose(1, 2)
