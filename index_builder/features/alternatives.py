"""Clips with several captions: all are alternatives, so that a query may resemble any of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from index_builder.features.clip_encoder import ClipEncoder

BETWEEN = " | "


def joined_caption(alternatives: Sequence[str]) -> str | None:
    """What a row stores and shows; None where there are none."""
    return BETWEEN.join(alternatives) or None


def encode_alternatives(encoder: ClipEncoder, alternatives: Sequence[str]) -> np.ndarray:
    """float32 [E], normalised: the direction that lies between all of them (at least one)."""
    mean = encoder.encode_text(list(alternatives)).mean(axis=0)
    direction: np.ndarray = (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)
    return direction
