"""A real but tiny ClipEncoder for tests: fixed random projections of pixel and word statistics.

Every clip is encoded by itself, so its features do not depend on the batch it comes in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from index_builder.clips.reading import Reading
from index_builder.features.clip_encoder import ClipFeatures
from index_builder.features.embedding_space import EmbeddingSpace

GRID = 8


class ProjectionEncoder:
    """Implements index_builder.features.clip_encoder.ClipEncoder."""

    def __init__(
        self, *, seed: int = 0, embedding_dim: int = 32, short_side: int = 48, text_dim: int | None = None
    ) -> None:
        self.name = f"projection-{seed}"
        self.retrieval_fingerprint = f"projection-retrieval-{seed}-{embedding_dim}"
        self.retrieval_description = f"fixed projection {seed} ({embedding_dim})"
        self.embedding_dim, self.text_dim, self.text_space = embedding_dim, text_dim or embedding_dim, None
        if text_dim is not None:
            self.text_space = EmbeddingSpace(
                fingerprint=f"words-{seed}-{text_dim}", description=f"fixed words {seed} ({text_dim})", dim=text_dim
            )
        self.device = "cpu"
        self.tokens_fingerprint = f"projection-tokens-{seed}"
        self.tokens_per_clip, self.token_dim = 4, 6
        self.clip_seconds, self.reading = 2.0, Reading(frames=16, short_side=short_side)
        generator = np.random.default_rng(seed)
        pixels = GRID * GRID * 3
        self._frame = generator.normal(size=(pixels, embedding_dim)).astype(np.float32)
        tokens = self.tokens_per_clip * self.token_dim
        self._motion = generator.normal(size=(pixels, tokens)).astype(np.float32) / pixels
        self._appearance = generator.normal(size=(pixels, tokens)).astype(np.float32) / pixels

    def encode(self, clips: Sequence[np.ndarray], captions: Sequence[str | None]) -> ClipFeatures:
        small = [np.stack([_shrink(frame) for frame in clip]) for clip in clips]
        text = np.stack(
            [self._word(caption) if caption else np.zeros(self.text_dim, np.float32) for caption in captions]
        )
        shape = (len(clips), self.tokens_per_clip, self.token_dim)
        motion = np.stack([np.abs(np.diff(clip, axis=0)).mean(0).ravel() @ self._motion for clip in small])
        appearance = np.stack([clip[0].ravel() @ self._appearance for clip in small])
        return ClipFeatures(
            text=text,
            frame=np.concatenate([self.encode_frames(clip[:1]) for clip in clips]),
            motion_tokens=motion.reshape(shape).astype(np.float16),
            appearance_tokens=appearance.reshape(shape).astype(np.float16),
        )

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([self._word(text) for text in texts])

    def encode_frames(self, frames: np.ndarray) -> np.ndarray:
        vectors = np.stack([(_shrink(frame).ravel() - 0.5) @ self._frame for frame in frames])
        return _normalised(vectors)

    def _word(self, text: str) -> np.ndarray:
        total = np.zeros(self.text_dim, np.float32)
        for word in text.lower().split():
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "little")
            total += np.random.default_rng(seed).normal(size=self.text_dim).astype(np.float32)
        return _normalised(total[None])[0]


def _shrink(frame: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(frame).resize((GRID, GRID), Image.Resampling.BOX), dtype=np.float32) / 255


def _normalised(vectors: np.ndarray) -> np.ndarray:
    return (vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-9)).astype(np.float32)
