"""CogVideoX-5B-I2V at its published size (THUDM/CogVideoX-5b-I2V), without its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from motionrag_nodes.backbones.text_parts import letter_tokenizer, xxl_text_encoder

if TYPE_CHECKING:
    from diffusers import (
        AutoencoderKLCogVideoX,
        CogVideoXDPMScheduler,
        CogVideoXImageToVideoPipeline,
        CogVideoXTransformer3DModel,
    )


def pipeline_of_published_size() -> CogVideoXImageToVideoPipeline:
    """See `Backbone.published_sizes`."""
    import torch
    from diffusers import CogVideoXImageToVideoPipeline
    from transformers import T5Config, T5EncoderModel

    with torch.device("meta"):
        vae, transformer = _codec(), _transformer()
    pipeline = CogVideoXImageToVideoPipeline(
        tokenizer=letter_tokenizer(),
        text_encoder=xxl_text_encoder(T5EncoderModel, T5Config, vocabulary=32128),
        vae=vae,
        transformer=transformer,
        scheduler=_scheduler(),
    )
    vae.enable_slicing()
    vae.enable_tiling()
    return pipeline


def _codec() -> AutoencoderKLCogVideoX:
    from diffusers import AutoencoderKLCogVideoX

    return AutoencoderKLCogVideoX(
        down_block_types=("CogVideoXDownBlock3D",) * 4,
        up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(128, 256, 256, 512),
        latent_channels=16,
        layers_per_block=3,
        sample_height=480,
        sample_width=720,
        scaling_factor=0.7,
        invert_scale_latents=True,
    )


def _transformer() -> CogVideoXTransformer3DModel:
    from diffusers import CogVideoXTransformer3DModel

    return CogVideoXTransformer3DModel(
        num_attention_heads=48,
        attention_head_dim=64,
        in_channels=32,
        out_channels=16,
        time_embed_dim=512,
        text_embed_dim=4096,
        num_layers=42,
        sample_width=90,
        sample_height=60,
        sample_frames=49,
        patch_size=2,
        max_text_seq_length=226,
        use_rotary_positional_embeddings=True,
        use_learned_positional_embeddings=True,
    )


def _scheduler() -> CogVideoXDPMScheduler:
    from diffusers import CogVideoXDPMScheduler

    return CogVideoXDPMScheduler(
        beta_end=0.012,
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        clip_sample=False,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        set_alpha_to_one=True,
        snr_shift_scale=1.0,
        timestep_spacing="trailing",
    )


PUBLISHED_SIZES = {"CogVideoX-5b-I2V": pipeline_of_published_size}
