"""Pixels as an encoder wants them: sample frames, resize the short side, crop the centre, normalise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """What happens to RGB pixels in [0, 255] before an encoder sees them.

    `resize_short_side` and `crop` are pixels; `mean` and `std` apply to values in [0, 1]. With
    `first_frame_difference` three channels are appended: each frame minus the clip's first frame (after
    normalisation), which gives a small motion encoder the motion without having to subtract the background itself.
    """

    resize_short_side: int
    crop: int
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    frames: int = 1
    first_frame_difference: bool = False

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """The inverse of `to_dict`; JSON lists become tuples."""
        return cls(**{**values, "mean": tuple(values["mean"]), "std": tuple(values["std"])})

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return asdict(self)


def sample_frames(clip: np.ndarray, count: int) -> np.ndarray:
    """[T, H, W, 3] -> [count, H, W, 3], uniformly: indices round(linspace(0, T - 1, count))."""
    return clip[np.round(np.linspace(0, len(clip) - 1, count)).astype(int)]


def prepare_frames(frames: np.ndarray, preprocessing: Preprocessing) -> torch.Tensor:
    """uint8 RGB [B, H, W, 3] -> float32 [B, 3, crop, crop], normalised."""
    pixels = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)  # [B, H, W, 3] -> [B, 3, H, W]
    short = min(pixels.shape[-2:])
    size = [max(preprocessing.crop, round(s * preprocessing.resize_short_side / short)) for s in pixels.shape[-2:]]
    values = pixels.float()
    if size != list(pixels.shape[-2:]):
        values = F.interpolate(values, size=size, mode=preprocessing.interpolation, antialias=True).clamp(0, 255)
    top, left = ((s - preprocessing.crop) // 2 for s in size)
    values = values[..., top : top + preprocessing.crop, left : left + preprocessing.crop] / 255
    mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (preprocessing.mean, preprocessing.std))
    return (values - mean) / std


def prepare_clips(clips: Sequence[np.ndarray], preprocessing: Preprocessing) -> torch.Tensor:
    """B clips uint8 RGB [T, H, W, 3] -> float32 [B, frames, C, crop, crop]; C is 3 (6 with the difference)."""
    prepared = torch.stack([prepare_frames(sample_frames(c, preprocessing.frames), preprocessing) for c in clips])
    if preprocessing.first_frame_difference:
        prepared = torch.cat([prepared, prepared - prepared[:, :1]], dim=2)
    return prepared
