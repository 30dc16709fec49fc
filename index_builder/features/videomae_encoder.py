"""The kind "videomae": how a clip moves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from index_builder.features.encoders import EncoderSpec, load_transformers_model
from index_builder.features.preprocessing import prepare_clips


class MotionEncoder:
    """VideoMAE: a clip -> one feature per 2-frame tube of patches (arXiv 2509.26391; published: [1568, 768])."""

    def __init__(self, model: Any, spec: EncoderSpec, device: str) -> None:
        self.model, self.spec = model.eval().to(device), spec
        self.fingerprint = spec.fingerprint

    @torch.inference_mode()
    def encode(self, clips: Sequence[np.ndarray] | np.ndarray) -> torch.Tensor:
        """B clips uint8 RGB [T, H, W, 3] -> float32 [B, N, C]."""
        return self.encode_prepared(prepare_clips(clips, self.spec.pixels))

    @torch.inference_mode()
    def encode_prepared(self, pixels: torch.Tensor) -> torch.Tensor:
        """Normalised [B, frames, C, H, W] -> float32 [B, N, C]."""
        features: torch.Tensor = self.model(pixels.to(next(self.model.parameters()).device)).last_hidden_state.float()
        return features


def load_motion_encoder(spec: EncoderSpec, *, folder: Path, device: str = "cpu") -> MotionEncoder:
    """Load VideoMAE from a pack's folder or from the local hub cache.

    Raises EncoderNotFound: the files are not on this machine. EncoderIncomplete: their file lacks weights.
    ModelFilesRefused: they hold, or would lead a library to, anything but safetensors and known settings.
    """
    from transformers import VideoMAEModel

    return MotionEncoder(load_transformers_model(VideoMAEModel, "videomae", spec, folder), spec, device)
