"""The tiny pack's architecture, in one place: every model of the chain at a size that two CPU cores can train."""

from __future__ import annotations

from typing import Any

from diffusers import AutoencoderKL, UNetSpatioTemporalConditionModel
from transformers import Dinov2Config, Dinov2Model, VideoMAEConfig, VideoMAEModel

from index_builder.features.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from motionrag_nodes.adapted_tokens.context_transformer import ContextTransformerConfig
from motionrag_nodes.backbones.backbone import AttentionHost, get_backbone
from motionrag_nodes.motion_tokens.resampler import ResamplerConfig

# The kind of video model that is trained here.
BACKBONE = "svd"
SIZE_PIXELS = 64
FRAMES = 8  # generated: every second frame of a 16-frame clip
FPS = 4
TOKEN_DIM = 128
TOKENS_PER_CLIP = 8
REFERENCES = 9

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

RETRIEVAL_CONFIG: dict[str, Any] = {
    "embed_dim": TOKEN_DIM,
    # 224 pixels, because StableVideoDiffusionPipeline hands its image encoder, which is this tower, that size.
    "vision_cfg": {"image_size": 224, "patch_size": 32, "width": 128, "layers": 3, "head_width": 32},
    "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}
RETRIEVAL_PREPROCESSING = Preprocessing(224, 224, "bicubic", CLIP_MEAN, CLIP_STD)
MOTION_PREPROCESSING = Preprocessing(
    SIZE_PIXELS, SIZE_PIXELS, "bilinear", IMAGENET_MEAN, IMAGENET_STD, frames=16, first_frame_difference=True
)
APPEARANCE_PREPROCESSING = Preprocessing(SIZE_PIXELS, SIZE_PIXELS, "bicubic", IMAGENET_MEAN, IMAGENET_STD)


def motion_encoder() -> VideoMAEModel:
    """VideoMAE over 16 frames of 64 pixels: features [128, 128]."""
    return VideoMAEModel(
        VideoMAEConfig(
            image_size=SIZE_PIXELS, patch_size=16, num_channels=6, num_frames=16, tubelet_size=2, hidden_size=128,
            num_hidden_layers=4, num_attention_heads=4, intermediate_size=512, use_mean_pooling=False,
        )
    )  # fmt: skip


def appearance_encoder() -> Dinov2Model:
    """DINOv2 over one frame of 64 pixels: features [65, 128]."""
    return Dinov2Model(
        Dinov2Config(
            image_size=SIZE_PIXELS, patch_size=8, hidden_size=128, num_hidden_layers=3, num_attention_heads=4,
            mlp_ratio=4,
        )
    )  # fmt: skip


LATENT_CHANNELS = 16
CODEC_WIDTHS = (32, 64, 128, 96)
CODEC_GROUPS = 2  # in which its channels are normalised


def codec() -> AutoencoderKL:
    """A VAE as SVD's: 64 pixels -> 16 channels of 8 x 8, frame by frame.

    Not 4 channels, as SVD has for pictures a hundred times as large: a sprite is two or three latents wide here, and 64
    pixels of an outline do not fit into four numbers. Not finer latents either: ComfyUI's own nodes for SVD know no
    other factor than 8, and the base costs in proportion to the places.

    Not SVD's AutoencoderKLTemporalDecoder: that one normalises in 32 groups, of one channel each at this width, which
    wipes the level of a plain background from every feature map. StableVideoDiffusionPipeline takes either.
    """
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=CODEC_WIDTHS, layers_per_block=1, norm_num_groups=CODEC_GROUPS,
        latent_channels=LATENT_CHANNELS, sample_size=SIZE_PIXELS, scaling_factor=1.0, force_upcast=False,
    )  # fmt: skip


def base_unet() -> UNetSpatioTemporalConditionModel:
    """SVD's UNet with attention at both levels, 8 x 8 and 4 x 4."""
    return UNetSpatioTemporalConditionModel(
        sample_size=8, in_channels=2 * LATENT_CHANNELS, out_channels=LATENT_CHANNELS,
        down_block_types=("CrossAttnDownBlockSpatioTemporal",) * 2,
        up_block_types=("CrossAttnUpBlockSpatioTemporal",) * 2,
        block_out_channels=(96, 192), addition_time_embed_dim=32, projection_class_embeddings_input_dim=96,
        layers_per_block=1, cross_attention_dim=TOKEN_DIM, transformer_layers_per_block=1,
        num_attention_heads=(3, 6), num_frames=FRAMES,
    )  # fmt: skip


def hosts(unet: UNetSpatioTemporalConditionModel) -> dict[str, AttentionHost]:
    """The attentions of `base_unet` that motion enters, by site."""
    return get_backbone(BACKBONE).hosts(unet)


def site_dims(unet: UNetSpatioTemporalConditionModel) -> dict[str, int]:
    """Each site's width."""
    return {site: host.width for site, host in hosts(unet).items()}


MOTION_RESAMPLER = ResamplerConfig(
    embedding_dim=128, dim=128, depth=2, dim_head=32, heads=4, num_queries=TOKENS_PER_CLIP, output_dim=TOKEN_DIM
)
APPEARANCE_RESAMPLER = MOTION_RESAMPLER
CONTEXT_TRANSFORMER = ContextTransformerConfig(
    token_dim=TOKEN_DIM, layers=4, heads=4, ff_dim=512, tokens_per_clip=TOKENS_PER_CLIP
)
