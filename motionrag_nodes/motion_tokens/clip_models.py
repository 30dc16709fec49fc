"""What the stages ask of a motion pack to read clips and pictures; `checkpoints` makes such packs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

    from index_builder.features.dinov2_encoder import AppearanceEncoder
    from index_builder.features.encoders import EncoderSpec
    from index_builder.features.open_clip_encoder import RetrievalEncoder
    from index_builder.features.sentence_encoder import SentenceEncoder
    from index_builder.features.videomae_encoder import MotionEncoder
    from motionrag_nodes.motion_tokens.resampler import ResamplerConfig


class VideoSettings(Protocol):
    """How many frames the video model makes."""

    @property
    def frames(self) -> int:
        """Of a video."""
        ...


class ClipConfig(Protocol):
    """Encoders by role, the size of the motion resampler, how many neighbours adaptation was trained with, and how the
    video model generates."""

    @property
    def generation(self) -> VideoSettings:
        """How the video model generates."""
        ...

    @property
    def references(self) -> int:
        """How many neighbours adaptation was trained with."""
        ...

    @property
    def encoders(self) -> Mapping[str, EncoderSpec]:
        """By role."""
        ...

    @property
    def motion_resampler(self) -> ResamplerConfig:
        """Its sizes."""
        ...


class AppearanceTokens(Protocol):
    """Appearance features of first frames [..., N, C] -> appearance tokens [..., L, D]."""

    def appearance_tokens(self, features: torch.Tensor) -> torch.Tensor:
        """Features [..., N, C] -> tokens [..., L, D]."""
        ...


class ClipModels(Protocol):
    """Encoders and resamplers, which come to `device` when they are asked for and leave it on `release`.

    fingerprint: of all that the pack holds; tokens_fingerprint: of what makes tokens.
    """

    @property
    def device(self) -> str:
        """Where it computes, as torch calls it."""
        ...

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def fingerprint(self) -> str:
        """Of all that the pack holds."""
        ...

    @property
    def tokens_fingerprint(self) -> str:
        """Of what makes tokens."""
        ...

    @property
    def config(self) -> ClipConfig:
        """What pack.json says."""
        ...

    @property
    def retrieval_encoder(self) -> RetrievalEncoder:
        """Of frames, and of captions where these have none of their own."""
        ...

    @property
    def captions_encoder(self) -> SentenceEncoder | None:
        """Of captions alone, None where they share that of frames."""
        ...

    @property
    def motion_encoder(self) -> MotionEncoder:
        """Of clips."""
        ...

    @property
    def appearance_encoder(self) -> AppearanceEncoder:
        """Of first frames."""
        ...

    @property
    def motion_resampler(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """Motion features [B, N, C] -> motion tokens [B, L, D]."""
        ...

    @property
    def context_transformer(self) -> AppearanceTokens:
        """Gives appearance tokens."""
        ...

    def release(self) -> None: ...
