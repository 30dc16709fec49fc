"""Several videos in one run of the pipeline: what `generate_video` makes of each alone, to rounding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from motionrag_nodes.attention.applied_motion import AppliedMotion
from motionrag_nodes.backbones.settings import Settings
from motionrag_nodes.frames.generate import generate_frames
from motionrag_nodes.frames.video_model import VideoModel


def generate_videos(
    model: VideoModel,
    *,
    pictures: Sequence[np.ndarray],
    motion: tuple[torch.Tensor, torch.Tensor] | None,
    settings: Settings,
    seeds: Sequence[int],
    start: float = 0.0,
    end: float = 1.0,
) -> np.ndarray:
    """Videos uint8 RGB [B, T, H, W, 3] from B pictures uint8 RGB [H, W, 3], each with its own seed.

    motion: the videos' tokens [B, L, D] and the unconditional ones [1, L, D]; None is the plain model. It enters at
    steps start <= i / steps < end.
    """
    applied = None
    if motion is not None:
        tokens, unconditional = motion
        applied = AppliedMotion(model.adapter, tokens, unconditional.expand_as(tokens), start=start, end=end)
    frames, _ = generate_frames(model, pictures=pictures, motion=applied, settings=settings, seeds=seeds)
    return (frames * 255).round().byte().numpy()
