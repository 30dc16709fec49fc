"""Several videos in one run of the pipeline: what `generate_video` makes of each alone, to rounding."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
import torch

from motionrag_nodes.attention.injection import attach_motion
from motionrag_nodes.frames.generate import fit_picture
from motionrag_nodes.frames.settings import GenerateSettings
from motionrag_nodes.frames.video_model import VideoModel


@torch.no_grad()
def generate_videos(
    model: VideoModel,
    *,
    pictures: Sequence[np.ndarray],
    motion: tuple[torch.Tensor, torch.Tensor] | None,
    settings: GenerateSettings,
    seeds: Sequence[int],
) -> np.ndarray:
    """Videos uint8 RGB [B, T, H, W, 3] from B pictures uint8 RGB [H, W, 3], each with its own seed.

    motion: the videos' tokens [B, L, D] and the unconditional ones [1, L, D]; None is the plain model.
    """
    guided = settings.max_guidance > 1
    with nullcontext() if motion is None else attach_motion(model.pipeline.unet, model.adapter) as injection:
        if motion is not None:
            tokens, unconditional = motion
            branches = [unconditional.expand_as(tokens), tokens] if guided else [tokens]
            injection.set_tokens(torch.cat(branches))
        made = model.pipeline(
            [fit_picture(picture, width=settings.width, height=settings.height) for picture in pictures],
            height=settings.height,
            width=settings.width,
            num_frames=settings.frames,
            num_inference_steps=settings.steps,
            min_guidance_scale=settings.min_guidance,
            max_guidance_scale=settings.max_guidance,
            fps=settings.fps,
            motion_bucket_id=settings.motion_bucket_id,
            noise_aug_strength=settings.noise_aug_strength,
            decode_chunk_size=settings.decode_chunk_size,
            generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
            output_type="pt",
        )
        if motion is not None:
            injection.require_passes()
    # [B, T, 3, H, W] -> [B, T, H, W, 3]
    return (made.frames.permute(0, 1, 3, 4, 2) * 255).round().byte().cpu().numpy()
