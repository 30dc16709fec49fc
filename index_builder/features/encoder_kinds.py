"""The kinds of encoders: what each is for in a pack, and how it is loaded. A new kind is a file here and an entry.

A loader takes an EncoderSpec, the pack's folder and a device; its file says what it raises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from index_builder.features.dinov2_encoder import load_appearance_encoder
from index_builder.features.open_clip_encoder import load_retrieval_encoder
from index_builder.features.sentence_encoder import load_sentence_encoder
from index_builder.features.videomae_encoder import load_motion_encoder

# What a pack cannot be without, and what it may have beside.
REQUIRED_ROLES, OPTIONAL_ROLES = ("retrieval", "motion", "appearance"), ("captions",)


@dataclass(frozen=True)
class EncoderKind:
    """`role` in a pack; `reads_pixels`, so that it has a preprocessing, or else only texts."""

    role: str
    load: Callable[..., Any]
    reads_pixels: bool = True


KINDS = {
    "open_clip": EncoderKind("retrieval", load_retrieval_encoder),
    "videomae": EncoderKind("motion", load_motion_encoder),
    "dinov2": EncoderKind("appearance", load_appearance_encoder),
    "sentence": EncoderKind("captions", load_sentence_encoder, reads_pixels=False),
}


def kinds_of(role: str) -> list[str]:
    """The kinds that an encoder of that role may be of; none for what is no role."""
    return [name for name, kind in KINDS.items() if kind.role == role]
