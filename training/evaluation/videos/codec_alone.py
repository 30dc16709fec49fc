"""Real clips through the codec and back: what is lost before anything is generated."""

from __future__ import annotations

import numpy as np
import torch

from motionrag_nodes.frames.video_model import VideoModel


@torch.no_grad()
def through_codec(model: VideoModel, clip: np.ndarray) -> np.ndarray:
    """A clip uint8 RGB [T, H, W, 3], encoded frame by frame and decoded as the pipeline decodes what it generated."""
    pipeline = model.pipeline
    codec = pipeline.vae
    pixels = torch.from_numpy(np.ascontiguousarray(clip)).movedim(-1, 1).to(codec.device, codec.dtype) / 127.5 - 1
    latents = codec.encode(pixels).latent_dist.mode() * codec.config.scaling_factor
    decoded = pipeline.decode_latents(latents[None], num_frames=len(clip), decode_chunk_size=len(clip))
    # [1, 3, T, H, W] -> [T, H, W, 3]
    return ((decoded[0].permute(1, 2, 3, 0) / 2 + 0.5).clamp(0, 1) * 255).round().byte().cpu().numpy()
