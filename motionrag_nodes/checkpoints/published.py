"""What MotionRAG's authors published for every backbone alike: sizes, encoders, and which key goes where.

Zhu et al., "MotionRAG: Motion Retrieval-Augmented Image-to-Video Generation", NeurIPS 2025, arXiv 2509.26391.
"""

from __future__ import annotations

from index_builder.features.encoder_kinds import KINDS
from index_builder.features.encoders import EncoderSpec, fingerprint_encoder
from index_builder.features.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from index_builder.features.sentence_encoder import DEFAULT_MODEL
from motionrag_nodes.adapted_tokens.context_transformer import ContextTransformerConfig
from motionrag_nodes.backbones.backbone import all_backbones, get_backbone
from motionrag_nodes.backbones.hub_source import HubSource
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

# The authors' way: captions by a sentence encoder, pictures by another model. Theirs are gte-base-en-v1.5, which runs
# code of its own, and EVA-CLIP; which models look clips up touches none of the published weights.
SENTENCE_ENCODER = HubSource(
    repo=DEFAULT_MODEL,
    revision="c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
    purpose="encoder of captions",
    licence="apache-2.0",
    files=(
        "modules.json",
        "config.json",
        "config_sentence_transformers.json",
        "sentence_bert_config.json",
        "1_Pooling/config.json",
        "model.safetensors",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
    ),
)
# The pinned commit of the motion encoder holds its weights as a pickle only: fetching converts them.
PICKLED_WEIGHTS = "pytorch_model.bin"
# By kind: which role each has is said in `encoder_kinds.py`.
_PUBLISHED_KINDS = {
    "sentence": SENTENCE_ENCODER,
    "open_clip": HubSource(
        repo="laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
        revision="1a25a446712ba5ee05982a381eed697ef9b435cf",
        purpose="encoder of first frames",
        licence="mit",
        files=("open_clip_config.json", "open_clip_model.safetensors"),
    ),
    "videomae": HubSource(
        repo="MCG-NJU/videomae-base-finetuned-ssv2",
        revision="873e7dfcd91479c8e10d75f7e402573dbdb6f98e",
        purpose="motion encoder",
        licence="cc-by-nc-4.0",
        files=("config.json", PICKLED_WEIGHTS),
    ),
    "dinov2": HubSource(
        repo="facebook/dinov2-large",
        revision="47b73eefe95e8d44ec3623f8890bd894b6ea2d6c",
        purpose="appearance encoder",
        licence="apache-2.0",
        files=("config.json", "model.safetensors"),
    ),
}
ENCODER_SOURCES = {KINDS[kind].role: source for kind, source in _PUBLISHED_KINDS.items()}

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


def preprocessing_of(role: str, published: Published) -> Preprocessing | None:
    """How an encoder wants its pixels: clips and pictures cropped to the video's shape, but for looking clips up."""
    shape = published.settings.width, published.settings.height
    return {
        "captions": None,
        "retrieval": Preprocessing(224, 224, "bicubic", CLIP_MEAN, CLIP_STD, version=2),
        "motion": Preprocessing(224, 224, "bilinear", IMAGENET_MEAN, IMAGENET_STD, frames=16, version=2, shape=shape),
        "appearance": Preprocessing(256, 224, "bicubic", IMAGENET_MEAN, IMAGENET_STD, version=2, shape=shape),
    }[role]


def encoder_spec(role: str, published: Published) -> EncoderSpec:
    """The encoder for a role, by its name and commit on the hub."""
    kind, source = next((kind, source) for kind, source in _PUBLISHED_KINDS.items() if KINDS[kind].role == role)
    pixels = preprocessing_of(role, published)
    fingerprint = fingerprint_encoder(kind, f"{source.repo}@{source.revision}", pixels)
    return EncoderSpec(kind, source.repo, pixels, fingerprint, revision=source.revision)


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
        encoders={role: encoder_spec(role, published) for role in ENCODER_SOURCES},
        base=published.base.repo,
        base_revision=published.base.revision,
        references=REFERENCES,
        generation=published.settings,
    )
