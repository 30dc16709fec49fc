"""CogVideoX-5B-I2V at its published size (THUDM/CogVideoX-5b-I2V), without its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from motionrag_nodes.backbones.diffusers_models import letter_tokenizer

if TYPE_CHECKING:
    from diffusers import CogVideoXImageToVideoPipeline


def pipeline_of_published_size() -> CogVideoXImageToVideoPipeline:
    """See `Backbone.published_sizes`."""
    import torch
    from diffusers import (
        AutoencoderKLCogVideoX,
        CogVideoXDPMScheduler,
        CogVideoXImageToVideoPipeline,
        CogVideoXTransformer3DModel,
    )
    from transformers import T5Config, T5EncoderModel

    with torch.device("meta"):
        text_encoder = T5EncoderModel(
            T5Config(
                d_model=4096,
                d_ff=10240,
                d_kv=64,
                num_layers=24,
                num_heads=64,
                vocab_size=32128,
                feed_forward_proj="gated-gelu",
                dense_act_fn="gelu_new",
                is_gated_act=True,
            )
        )
        vae = AutoencoderKLCogVideoX(
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
        transformer = CogVideoXTransformer3DModel(
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
    scheduler = CogVideoXDPMScheduler(
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
    pipeline = CogVideoXImageToVideoPipeline(
        tokenizer=letter_tokenizer(), text_encoder=text_encoder, vae=vae, transformer=transformer, scheduler=scheduler
    )
    vae.enable_slicing()
    vae.enable_tiling()
    return pipeline


PUBLISHED_SIZES = {"CogVideoX-5b-I2V": pipeline_of_published_size}
