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
    def frames(self) -> int: ...


class ClipConfig(Protocol):
    """Encoders by role, the size of the motion resampler, how many neighbours adaptation was trained with, and how the
    video model generates."""

    @property
    def generation(self) -> VideoSettings: ...

    @property
    def references(self) -> int: ...

    @property
    def encoders(self) -> Mapping[str, EncoderSpec]: ...

    @property
    def motion_resampler(self) -> ResamplerConfig: ...


class AppearanceTokens(Protocol):
    """Appearance features of first frames [..., N, C] -> appearance tokens [..., L, D]."""

    def appearance_tokens(self, features: torch.Tensor) -> torch.Tensor: ...


class ClipModels(Protocol):
    """Encoders and resamplers, which come to `device` when they are asked for and leave it on `release`.

    fingerprint: of all that the pack holds; tokens_fingerprint: of what makes tokens.
    """

    @property
    def device(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def tokens_fingerprint(self) -> str: ...

    @property
    def config(self) -> ClipConfig: ...

    @property
    def retrieval_encoder(self) -> RetrievalEncoder: ...

    @property
    def captions_encoder(self) -> SentenceEncoder | None: ...

    @property
    def motion_encoder(self) -> MotionEncoder: ...

    @property
    def appearance_encoder(self) -> AppearanceEncoder: ...

    @property
    def motion_resampler(self) -> Callable[[torch.Tensor], torch.Tensor]: ...

    @property
    def context_transformer(self) -> AppearanceTokens: ...

    def release(self) -> None: ...
