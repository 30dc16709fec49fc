"""A new kind of encoder is an entry of one table: packs accept it, load it, bring it and let it go."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from index_builder.features.encoder_kinds import KINDS, EncoderKind, kinds_of
from motionrag_nodes.adapted_tokens.adapt import adapt_motion
from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.neighbours.reference_videos import encode_reference_videos
from motionrag_nodes.residence import Residence


class MeanColours(nn.Module):
    """A first frame -> its mean colour at every place."""

    def __init__(self, places: int, width: int) -> None:
        super().__init__()
        self.spread = nn.Parameter(torch.ones(places, width))


class ColourEncoder:
    """What `pack_encoder.py` asks of the role appearance."""

    def __init__(self, spec, places: int, width: int) -> None:
        self.model, self.fingerprint = MeanColours(places, width).requires_grad_(False), spec.fingerprint

    def encode(self, frames: np.ndarray) -> torch.Tensor:
        """uint8 RGB [B, H, W, 3] -> float32 [B, N, C]."""
        return torch.from_numpy(frames).float().mean(dim=(1, 2, 3))[:, None, None] / 255 * self.model.spread


class Noted(Residence):
    def __init__(self) -> None:
        super().__init__()
        self.brought: list[nn.Module] = []
        self.released: list[nn.Module] = []

    def bring(self, module: nn.Module) -> None:
        self.brought.append(module)

    def release(self, modules) -> None:
        self.released += modules


def test_an_entry_is_enough(monkeypatch) -> None:
    pack = load_pack("tiny", residence=Noted())
    width = pack.config.appearance_resampler.embedding_dim

    def load(spec, *, folder, device="cpu"):
        return ColourEncoder(spec, 5, width)

    monkeypatch.setitem(KINDS, "colours", EncoderKind("appearance", load))
    assert kinds_of("appearance") == ["dinov2", "colours"]
    spec = replace(pack.config.encoders["appearance"], kind="colours", source="someone/colours")
    pack.config = replace(pack.config, encoders={**pack.config.encoders, "appearance": spec})
    assert not pack.config.problems(with_files=True)
    clip = np.random.default_rng(0).integers(0, 256, (16, 64, 64, 3), dtype=np.uint8)
    motion = adapt_motion(pack, encode_reference_videos(pack, [clip]), image=clip[0])
    assert torch.isfinite(motion.tokens).all()
    colours = pack.appearance_encoder.model
    assert isinstance(colours, MeanColours)
    assert any(module is colours for module in pack.residence.brought)
    assert any(module is colours for module in pack.residence.released)
