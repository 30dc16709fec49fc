"""The kind "open_clip": captions and first frames in one space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from index_builder.features.encoders import EncoderSpec, encoder_not_found, locate_encoder
from index_builder.features.open_clip_model import load_open_clip
from index_builder.features.preprocessing import prepare_frames


class RetrievalEncoder:
    """open_clip: captions and first frames in one embedding space (https://github.com/mlfoundations/open_clip)."""

    def __init__(self, model: Any, tokenizer: Any, spec: EncoderSpec, device: str) -> None:
        # A CLIP and its tokenizer, of whose types open_clip says nothing.
        self.model, self.tokenizer, self.spec = model.eval().to(device), tokenizer, spec
        self.fingerprint = spec.fingerprint
        self.dim = int(self.model.text_projection.shape[-1])
        self.description = f"{spec.kind} {Path(spec.source).name} ({self.dim})"

    @property
    def _device(self) -> torch.device:
        device: torch.device = self.model.text_projection.device
        return device

    @torch.inference_mode()
    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """B texts -> float32 [B, E], L2-normalised."""
        tokens = self.tokenizer(list(texts)).to(self._device)
        embeddings: np.ndarray = self.model.encode_text(tokens, normalize=True).float().cpu().numpy()
        return embeddings

    @torch.inference_mode()
    def encode_frames(self, frames: np.ndarray) -> np.ndarray:
        """uint8 RGB [B, H, W, 3] -> float32 [B, E], L2-normalised."""
        pixels = prepare_frames(frames, self.spec.pixels).to(self._device)
        embeddings: np.ndarray = self.model.encode_image(pixels, normalize=True).float().cpu().numpy()
        return embeddings


def load_retrieval_encoder(spec: EncoderSpec, *, folder: Path, device: str = "cpu") -> RetrievalEncoder:
    """Load open_clip from a pack's folder or from the local hub cache.

    Raises EncoderNotFound: the files are not on this machine, or only as a pickle. ModelFilesRefused: they hold, or
    would lead a library to, anything but safetensors and known settings.
    """
    located = locate_encoder(spec, folder, "open_clip")
    try:
        model, tokenizer = load_open_clip(located)
    except FileNotFoundError as error:
        raise encoder_not_found(spec, error) from error
    return RetrievalEncoder(model, tokenizer, spec, device)
