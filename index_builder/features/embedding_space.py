"""An embedding space by name: who makes its vectors, and how wide they are. Vectors of two spaces never meet."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EmbeddingSpace:
    """`fingerprint` identifies the encoder's weights and preprocessing, `description` names it for people; vectors are
    float32 [dim], L2-normalised."""

    fingerprint: str
    description: str
    dim: int
