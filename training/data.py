"""Batches of the demo world, drawn from a generator: nothing is stored, nothing repeats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.demo_world.motions import MOTIONS
from training.demo_world.world import CLIP_FRAMES, ClipSpec, draw_spec, render_clip
from training.sizes import SIZE_PIXELS

# Half named motions, half random smooth ones: encoders, codec and generator must know more than eight motions.
MIXED_MOTIONS: tuple[str | None, ...] = (*MOTIONS, *([None] * len(MOTIONS)))

COMPRESSION_GRAIN = 2.0  # std in grey levels, about what compression leaves


def draw_clips(
    rng: np.random.Generator,
    count: int,
    *,
    frames: int = CLIP_FRAMES,
    motions: Sequence[str | None] | None = None,
    noise: float = 0.0,
) -> tuple[list[ClipSpec], np.ndarray]:
    """`count` specs and their pixels, uint8 RGB [count, frames, 64, 64, 3].

    `frames` spread over the clip, the first at t = 0; `noise` is a std in grey levels, about what compression leaves.
    """
    specs = [draw_spec(rng, motions=motions) for _ in range(count)]
    clips = np.stack([render_clip(spec, size=SIZE_PIXELS, frames=frames) for spec in specs])
    return specs, add_grain(rng, clips, noise)


def add_grain(rng: np.random.Generator, clips: np.ndarray, noise: float) -> np.ndarray:
    """The clips with grain of a std of `noise` grey levels; as they are where it is 0."""
    if not noise:
        return clips
    grain = rng.standard_normal(clips.shape, dtype=np.float32) * noise
    return np.clip(clips + grain, 0, 255).astype(np.uint8)
