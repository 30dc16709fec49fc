"""Wan 2.2 at its published sizes (Wan-AI/Wan2.2-I2V-A14B and Wan2.2-TI2V-5B), without its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from motionrag_nodes.backbones.text_parts import letter_tokenizer, xxl_text_encoder

if TYPE_CHECKING:
    from diffusers import WanImageToVideoPipeline, WanTransformer3DModel


def pipeline_of_a14b() -> WanImageToVideoPipeline:
    """See `Backbone.published_sizes`; I2V-A14B."""
    import torch
    from diffusers import AutoencoderKLWan

    with torch.device("meta"):
        codec = AutoencoderKLWan()
        experts = [_transformer(heads=40, layers=40, hidden=13824, inputs=36, outputs=16) for _ in range(2)]
    return _pipeline(codec, *experts, boundary_ratio=0.9)


def pipeline_of_5b() -> WanImageToVideoPipeline:
    """TI2V-5B, with one expert and a codec that makes 16 pixels of a latent."""
    import torch
    from diffusers import AutoencoderKLWan

    with torch.device("meta"):
        codec = AutoencoderKLWan(
            base_dim=160,
            decoder_base_dim=256,
            z_dim=48,
            in_channels=12,
            out_channels=12,
            patch_size=2,
            is_residual=True,
            scale_factor_spatial=16,
            latents_mean=[0.0] * 48,
            latents_std=[1.0] * 48,
        )
        expert = _transformer(heads=24, layers=30, hidden=14336, inputs=48, outputs=48)
    return _pipeline(codec, expert, None, expand_timesteps=True)


def _transformer(*, heads: int, layers: int, hidden: int, inputs: int, outputs: int) -> WanTransformer3DModel:
    from diffusers import WanTransformer3DModel

    return WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=heads,
        attention_head_dim=128,
        in_channels=inputs,
        out_channels=outputs,
        text_dim=4096,
        freq_dim=256,
        ffn_dim=hidden,
        num_layers=layers,
        cross_attn_norm=True,
        qk_norm="rms_norm_across_heads",
    )


def _pipeline(vae: Any, transformer: Any, transformer_2: Any, **options: Any) -> WanImageToVideoPipeline:
    from diffusers import UniPCMultistepScheduler, WanImageToVideoPipeline
    from transformers import UMT5Config, UMT5EncoderModel

    scheduler = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0, num_train_timesteps=1000
    )
    return WanImageToVideoPipeline(
        tokenizer=letter_tokenizer(),
        text_encoder=xxl_text_encoder(UMT5EncoderModel, UMT5Config, vocabulary=256384),
        vae=vae,
        transformer=transformer,
        transformer_2=transformer_2,
        scheduler=scheduler,
        **options,
    )


PUBLISHED_SIZES = {"Wan2.2-I2V-A14B": pipeline_of_a14b, "Wan2.2-TI2V-5B": pipeline_of_5b}
