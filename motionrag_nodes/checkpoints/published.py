"""What MotionRAG's authors published, as facts: sizes, base models, encoders, and which key goes where.

Zhu et al., "MotionRAG: Motion Retrieval-Augmented Image-to-Video Generation", NeurIPS 2025, arXiv 2509.26391.
"""

from __future__ import annotations

from dataclasses import dataclass

from index_builder.features.encoders import EncoderSpec, fingerprint_encoder
from index_builder.features.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from motionrag_nodes.adapted_tokens.context_transformer import ContextTransformerConfig
from motionrag_nodes.checkpoints.pack_config import AdapterConfig, GenerationDefaults, PackConfig
from motionrag_nodes.motion_tokens.resampler import ResamplerConfig

TOKENS_PER_CLIP = 25
TOKEN_DIM = 1024
REFERENCES = 9
COGVIDEOX_BLOCKS = 42
COGVIDEOX_HIDDEN = 3072

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

# role of an encoder -> kind, hub name, preprocessing. The authors retrieve captions by a sentence encoder; open_clip is
# used here, since one space then serves captions and first frames. It touches none of the published weights.
ENCODERS: dict[str, tuple[str, str, Preprocessing]] = {
    "retrieval": (
        "open_clip",
        "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        Preprocessing(224, 224, "bicubic", CLIP_MEAN, CLIP_STD),
    ),
    "motion": (
        "videomae",
        "MCG-NJU/videomae-base-finetuned-ssv2",
        Preprocessing(224, 224, "bilinear", IMAGENET_MEAN, IMAGENET_STD, frames=16),
    ),
    "appearance": (
        "dinov2",
        "facebook/dinov2-large",
        Preprocessing(256, 224, "bicubic", IMAGENET_MEAN, IMAGENET_STD),
    ),
}

# file of the published folder -> its keys: prefix in the file, part of the pack, prefix in that part.
MOTION_PROJ, MOTION_TRANSFORMER, ADAPTER, FRAMES_17 = "motion_proj", "motion_transformer", "adapter", "frames_17"
MOTION_RESAMPLER, CONTEXT_TRANSFORMER = "motion_resampler", "context_transformer"
MOTION_ADAPTER, BASE_ATTENTION = "motion_adapter", "base_attention"


@dataclass(frozen=True)
class KeyRule:
    """Keys of `file` that begin with `file_prefix` are those of `part` that begin with `part_prefix`.

    A `copy` repeats weights that another file holds: it may be absent, and must agree with them where it is present.
    """

    file: str
    file_prefix: str
    part: str
    part_prefix: str
    copy: bool = False


_SHARED_RULES = (
    KeyRule(MOTION_PROJ, "", MOTION_RESAMPLER, ""),
    KeyRule(MOTION_TRANSFORMER, "sos_token", CONTEXT_TRANSFORMER, "sos_token"),
    KeyRule(MOTION_TRANSFORMER, "condition_proj.", CONTEXT_TRANSFORMER, "condition_proj."),
    KeyRule(MOTION_TRANSFORMER, "transformer.", CONTEXT_TRANSFORMER, "transformer."),
    KeyRule(MOTION_TRANSFORMER, "vision_proj.", MOTION_RESAMPLER, "", copy=True),
    KeyRule(ADAPTER, "action_proj_model.", MOTION_RESAMPLER, "", copy=True),
)
KEY_TABLES: dict[str, tuple[KeyRule, ...]] = {
    "svd": (*_SHARED_RULES, KeyRule(ADAPTER, "unet.", MOTION_ADAPTER, "unet.")),
    "cogvideox": (
        *_SHARED_RULES,
        KeyRule(ADAPTER, "transformer.", MOTION_ADAPTER, "transformer."),
        KeyRule(FRAMES_17, "transformer.", BASE_ATTENTION, "transformer."),
    ),
}


def svd_published_sites() -> dict[str, int]:
    """The 16 spatial cross-attentions of stable-video-diffusion-img2vid and their widths."""
    widths = {f"down_blocks.{i}.attentions.{j}": w for i, w in enumerate((320, 640, 1280)) for j in range(2)}
    widths["mid_block.attentions.0"] = 1280
    widths |= {f"up_blocks.{i}.attentions.{j}": w for i, w in ((1, 1280), (2, 640), (3, 320)) for j in range(3)}
    return {f"{block}.transformer_blocks.0.attn2": width for block, width in widths.items()}


def cogvideox_published_sites() -> dict[str, int]:
    """The 42 joint attentions of CogVideoX-5B-I2V and their width."""
    return {f"transformer_blocks.{i}.attn1": COGVIDEOX_HIDDEN for i in range(COGVIDEOX_BLOCKS)}


def base_attention_shapes(config: PackConfig) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of 17_frames.ckpt: the base's own to_q, to_k and to_v at every adapted attention."""
    shapes: dict[str, tuple[int, ...]] = {}
    for site, width in config.adapter.sites.items():
        for projection in ("to_q", "to_k", "to_v"):
            shapes[f"transformer.{site}.{projection}.weight"] = (width, width)
            shapes[f"transformer.{site}.{projection}.bias"] = (width,)
    return shapes


def _resampler(embedding_dim: int) -> ResamplerConfig:
    return ResamplerConfig(
        embedding_dim=embedding_dim,
        dim=1024,
        depth=4,
        dim_head=64,
        heads=12,
        num_queries=TOKENS_PER_CLIP,
        output_dim=TOKEN_DIM,
    )


def published_config(backbone: str, *, name: str) -> PackConfig:
    """A pack's configuration at the published sizes; `backbone` is "svd" or "cogvideox"."""
    svd = backbone == "svd"
    return PackConfig(
        name=name,
        backbone=backbone,
        motion_resampler=_resampler(768),
        appearance_resampler=_resampler(1024),
        context_transformer=ContextTransformerConfig(
            token_dim=TOKEN_DIM, layers=4, heads=16, ff_dim=4096, tokens_per_clip=TOKENS_PER_CLIP, max_positions=256
        ),
        adapter=AdapterConfig(token_dim=TOKEN_DIM, sites=svd_published_sites() if svd else cogvideox_published_sites()),
        encoders={
            role: EncoderSpec(kind, source, preprocessing, fingerprint_encoder(kind, source, preprocessing))
            for role, (kind, source, preprocessing) in ENCODERS.items()
        },
        base="stabilityai/stable-video-diffusion-img2vid" if svd else "THUDM/CogVideoX-5b-I2V",
        references=REFERENCES,
        generation=GenerationDefaults(
            width=1024, height=576, frames=16, fps=7, steps=25, min_guidance=1.0, max_guidance=3.0
        )
        if svd
        else GenerationDefaults(width=720, height=480, frames=17, fps=8, steps=25, min_guidance=3.0, max_guidance=3.0),
    )
