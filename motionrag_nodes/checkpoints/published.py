"""What MotionRAG's authors published for every backbone alike: sizes, encoders, and which key goes where.

Zhu et al., "MotionRAG: Motion Retrieval-Augmented Image-to-Video Generation", NeurIPS 2025, arXiv 2509.26391.
"""

from __future__ import annotations

from index_builder.features.encoders import EncoderSpec, fingerprint_encoder
from index_builder.features.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from motionrag_nodes.adapted_tokens.context_transformer import ContextTransformerConfig
from motionrag_nodes.backbones.backbone import all_backbones, get_backbone
from motionrag_nodes.backbones.published import (
    ADAPTER,
    CONTEXT_TRANSFORMER,
    MOTION_PROJ,
    MOTION_RESAMPLER,
    MOTION_TRANSFORMER,
    KeyRule,
    Published,
)
from motionrag_nodes.checkpoints.pack_config import AdapterConfig, PackConfig
from motionrag_nodes.errors import CheckpointInvalid
from motionrag_nodes.motion_tokens.resampler import ResamplerConfig

TOKENS_PER_CLIP = 25
TOKEN_DIM = 1024
REFERENCES = 9

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

SHARED_RULES = (
    KeyRule(MOTION_PROJ, "", MOTION_RESAMPLER, ""),
    KeyRule(MOTION_TRANSFORMER, "sos_token", CONTEXT_TRANSFORMER, "sos_token"),
    KeyRule(MOTION_TRANSFORMER, "condition_proj.", CONTEXT_TRANSFORMER, "condition_proj."),
    KeyRule(MOTION_TRANSFORMER, "transformer.", CONTEXT_TRANSFORMER, "transformer."),
    KeyRule(MOTION_TRANSFORMER, "vision_proj.", MOTION_RESAMPLER, "", copy=True),
    KeyRule(ADAPTER, "action_proj_model.", MOTION_RESAMPLER, "", copy=True),
)


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


def published_facts(backbone: str) -> Published:
    """What was published for a backbone. Raises BackboneUnknown, CheckpointInvalid when nothing was."""
    published = get_backbone(backbone).published
    if published is None:
        raise CheckpointInvalid(
            f"Expected a backbone with published checkpoints ({', '.join(published_backbones())}), received "
            f"{backbone}, for which there are none: choose another."
        )
    return published


def published_backbones() -> list[str]:
    """The backbones that have published checkpoints."""
    return [backbone.name for backbone in all_backbones() if backbone.published is not None]


def key_table(backbone: str) -> tuple[KeyRule, ...]:
    """Which key of which file goes where. Raises as `published_facts`."""
    return (*SHARED_RULES, *published_facts(backbone).rules)


def published_config(backbone: str, *, name: str) -> PackConfig:
    """A pack's configuration at the published sizes. Raises as `published_facts`."""
    published = published_facts(backbone)
    return PackConfig(
        name=name,
        backbone=backbone,
        motion_resampler=_resampler(768),
        appearance_resampler=_resampler(1024),
        context_transformer=ContextTransformerConfig(
            token_dim=TOKEN_DIM, layers=4, heads=16, ff_dim=4096, tokens_per_clip=TOKENS_PER_CLIP, max_positions=256
        ),
        adapter=AdapterConfig(token_dim=TOKEN_DIM, sites=published.sites),
        encoders={
            role: EncoderSpec(kind, source, preprocessing, fingerprint_encoder(kind, source, preprocessing))
            for role, (kind, source, preprocessing) in ENCODERS.items()
        },
        base=published.base,
        references=REFERENCES,
        generation=published.settings,
    )
