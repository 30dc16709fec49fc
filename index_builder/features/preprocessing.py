"""Pixels as an encoder wants them: crop to the video's shape, sample frames, resize, crop the centre, normalise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from index_builder.features.crop import crop_to_shape

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
VERSIONS = (1, 2)
INTERPOLATIONS = ("bilinear", "bicubic")
# Far above any encoder: what a stranger's file may ask for.
MAX_SIDE, MAX_FRAMES = 4096, 1024


@dataclass(frozen=True)
class Preprocessing:
    """What happens to RGB pixels before an encoder sees them.

    `resize_short_side` and `crop` are pixels; `mean` and `std` apply to values in [0, 1]. With
    `first_frame_difference` three channels are appended: each frame minus the clip's first frame (after
    normalisation), which gives a small motion encoder the motion without having to subtract the background itself.

    `version` 2 is the published way (arXiv 2509.26391): pictures are cropped at the centre to `shape` (width, height;
    only their ratio counts), then go from their own size through torchvision's Resize and CenterCrop, in float. Version
    1 is that of the first packs: both sides to scale, overshoot cut off, crop offsets rounded down.
    """

    resize_short_side: int
    crop: int
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    frames: int = 1
    first_frame_difference: bool = False
    version: int = 1
    shape: tuple[int, int] | None = None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """The inverse of `to_dict`; JSON lists become tuples."""
        lists = {name: tuple(values[name]) for name in ("mean", "std", "shape") if values.get(name) is not None}
        return cls(**{**values, **lists})

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary; of version 1 as it always was, since fingerprints are made of it."""
        values = asdict(self)
        if self.version == 1:
            del values["version"], values["shape"]
        return values

    def problems(self) -> list[str]:
        """What is impossible, one line each."""
        found = []
        if self.version not in VERSIONS:
            found.append(f"version: expected one of {', '.join(map(str, VERSIONS))}, received {self.version!r}")
        sound = self.shape is None or (len(self.shape) == 2 and all(type(n) is int and n > 0 for n in self.shape))
        if not sound or (self.shape is not None and self.version == 1):
            found.append(f"shape: expected a width and a height, of version 2 alone, received {self.shape!r}")
        for name, most in (("resize_short_side", MAX_SIDE), ("frames", MAX_FRAMES)):
            if type(getattr(self, name)) is not int or not 1 <= getattr(self, name) <= most:
                found.append(f"{name}: expected a whole number from 1 to {most}, received {getattr(self, name)!r}")
        whole = type(self.crop) is int and type(self.resize_short_side) is int
        if not whole or not 1 <= self.crop <= self.resize_short_side:
            found.append(f"crop: expected 1 to resize_short_side {self.resize_short_side}, received {self.crop!r}")
        if self.interpolation not in INTERPOLATIONS:
            found.append(f"interpolation: expected one of {', '.join(INTERPOLATIONS)}, received {self.interpolation!r}")
        for name in ("mean", "std"):
            values = getattr(self, name)
            sound = len(values) == 3 and all(isinstance(value, float | int) and 0 <= value <= 1 for value in values)
            if not sound or (name == "std" and 0 in values):
                found.append(f"{name}: expected three numbers from 0 to 1, received {values!r}")
        return found


def sample_frames(clip: np.ndarray, count: int) -> np.ndarray:
    """[T, H, W, 3] -> [count, H, W, 3], uniformly: indices round(linspace(0, T - 1, count))."""
    sampled: np.ndarray = clip[np.round(np.linspace(0, len(clip) - 1, count)).astype(int)]
    return sampled


def prepare_frames(frames: np.ndarray, preprocessing: Preprocessing) -> torch.Tensor:
    """RGB [B, H, W, 3], uint8 or uint16 of full scale -> float32 [B, 3, crop, crop], normalised."""
    prepare = _as_published if preprocessing.version == 2 else _as_in_first_packs
    mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (preprocessing.mean, preprocessing.std))
    return (prepare(frames, preprocessing) - mean) / std


def prepare_clips(clips: Sequence[np.ndarray] | np.ndarray, preprocessing: Preprocessing) -> torch.Tensor:
    """B clips RGB [T, H, W, 3] -> float32 [B, frames, C, crop, crop]; C is 3 (6 with the difference)."""
    prepared = torch.stack([prepare_frames(sample_frames(c, preprocessing.frames), preprocessing) for c in clips])
    if preprocessing.first_frame_difference:
        prepared = torch.cat([prepared, prepared - prepared[:, :1]], dim=2)
    return prepared


def resize_short_side(frame: np.ndarray, preprocessing: Preprocessing) -> torch.Tensor:
    """One picture [H, W, 3] -> float32 [3, h, w] in [0, 1] (bicubic overshoots), cropped to the shape and resized as
    version 2 does."""
    from torchvision.transforms.functional import InterpolationMode, resize

    # Sixteen bits: read as Reading's version 2 does, cropped and resized already.
    cropped = frame if frame.dtype == np.uint16 else crop_to_shape(frame, preprocessing.shape)
    pixels = torch.from_numpy(np.ascontiguousarray(cropped)).permute(2, 0, 1)  # [H, W, 3] -> [3, H, W]
    mode = InterpolationMode(preprocessing.interpolation)
    # One picture at a time: sixteen of a film in float are gigabytes.
    resized: torch.Tensor = resize(_unit(pixels), preprocessing.resize_short_side, mode, antialias=True)
    return resized


def _unit(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.float() / (65535 if pixels.dtype == torch.uint16 else 255)


def _as_published(frames: np.ndarray, preprocessing: Preprocessing) -> torch.Tensor:
    """[B, H, W, 3] -> [B, 3, crop, crop] in [0, 1]."""
    from torchvision.transforms.functional import center_crop

    return torch.stack([center_crop(resize_short_side(f, preprocessing), preprocessing.crop) for f in frames])


def _as_in_first_packs(frames: np.ndarray, preprocessing: Preprocessing) -> torch.Tensor:
    """[B, H, W, 3] -> [B, 3, crop, crop] in [0, 1]."""
    pixels = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)  # [B, H, W, 3] -> [B, 3, H, W]
    short = min(pixels.shape[-2:])
    size = [max(preprocessing.crop, round(s * preprocessing.resize_short_side / short)) for s in pixels.shape[-2:]]
    values = pixels.float()
    if size != list(pixels.shape[-2:]):
        values = F.interpolate(values, size=size, mode=preprocessing.interpolation, antialias=True).clamp(0, 255)
    top, left = ((s - preprocessing.crop) // 2 for s in size)
    return values[..., top : top + preprocessing.crop, left : left + preprocessing.crop] / 255
