"""What the database builder asks of an encoder: one call from decoded clips and captions to everything a row stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from index_builder.clips.reading import ClipPixels, Reading
from index_builder.features.embedding_space import EmbeddingSpace


@dataclass(frozen=True)
class ClipFeatures:
    """Features of B clips.

    text, frame: float32 [B, E], L2-normalised embeddings of the caption (zeros where there is none) and first frame; E
    of the two differs where captions have a space of their own.
    motion_tokens, appearance_tokens: float16 [B, L, D].
    """

    text: np.ndarray
    frame: np.ndarray
    motion_tokens: np.ndarray
    appearance_tokens: np.ndarray

    def __post_init__(self) -> None:
        count = len(self.frame)
        for name in ("text", "motion_tokens", "appearance_tokens"):
            if len(getattr(self, name)) != count:
                raise ValueError(f"{count} frame embeddings, but {len(getattr(self, name))} {name}")


@runtime_checkable
class ClipEncoder(Protocol):
    """Encodes clips for the database and queries against it."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def device(self) -> str:
        """Where it computes, as torch calls it."""
        ...

    @property
    def retrieval_fingerprint(self) -> str:
        """Of the encoder of frames, and of captions where these have no space of their own."""
        ...

    @property
    def retrieval_description(self) -> str:
        """Name and width of the encoder of frames, for messages."""
        ...

    @property
    def embedding_dim(self) -> int:
        """Width E of frame embeddings, and of captions' where these have no space of their own."""
        ...

    @property
    def text_space(self) -> EmbeddingSpace | None:
        """The space of captions, None where it is that of frames."""
        ...

    @property
    def tokens_fingerprint(self) -> str:
        """Of the motion encoder, the appearance encoder and the resamplers together."""
        ...

    @property
    def tokens_per_clip(self) -> int:
        """L of the tokens [B, L, D]."""
        ...

    @property
    def token_dim(self) -> int:
        """D of the tokens [B, L, D]."""
        ...

    @property
    def clip_seconds(self) -> float:
        """How long the windows are that `encode` expects."""
        ...

    @property
    def reading(self) -> Reading:
        """How each clip is read from its video for `encode`."""
        ...

    def encode(self, clips: Sequence[np.ndarray | ClipPixels], captions: Sequence[str | None]) -> ClipFeatures:
        """B clips, as `reading` gives them or uint8 RGB [T, H, W, 3], and their captions -> ClipFeatures of B rows."""
        ...

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """B texts -> float32 [B, E of text], L2-normalised."""
        ...

    def encode_frames(self, frames: np.ndarray) -> np.ndarray:
        """uint8 RGB [B, H, W, 3] -> float32 [B, E], L2-normalised."""
        ...
