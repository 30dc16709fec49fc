"""The kind "dinov2": how a first frame looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from index_builder.features.encoders import EncoderSpec, load_transformers_model
from index_builder.features.preprocessing import prepare_frames


class AppearanceEncoder:
    """DINOv2: a first frame -> CLS and patch features (arXiv 2509.26391; published: [257, 1024])."""

    def __init__(self, model: Any, spec: EncoderSpec, device: str) -> None:
        self.model, self.spec = model.eval().to(device), spec
        self.fingerprint = spec.fingerprint

    @torch.inference_mode()
    def encode(self, frames: np.ndarray) -> torch.Tensor:
        """uint8 RGB [B, H, W, 3] -> float32 [B, N, C]."""
        pixels = prepare_frames(frames, self.spec.pixels).to(next(self.model.parameters()).device)
        features: torch.Tensor = self.model(pixels).last_hidden_state.float()
        return features


def load_appearance_encoder(spec: EncoderSpec, *, folder: Path, device: str = "cpu") -> AppearanceEncoder:
    """Load DINOv2 from a pack's folder or from the local hub cache.

    Raises EncoderNotFound: the files are not on this machine. EncoderIncomplete: their file lacks weights.
    ModelFilesRefused: they hold, or would lead a library to, anything but safetensors and known settings.
    """
    from transformers import Dinov2Model

    return AppearanceEncoder(load_transformers_model(Dinov2Model, "dinov2", spec, folder), spec, device)
