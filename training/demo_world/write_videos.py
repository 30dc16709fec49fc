"""Clips of the demo world as a user would have them: mp4 files in folders and a caption table."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from training.demo_world.motions import MOTIONS
from training.demo_world.world import CLIP_FPS, draw_spec, render_clip

VIDEO_SIZE_PIXELS = 256


def write_mp4(path: Path, frames: np.ndarray, *, fps: float = CLIP_FPS) -> None:
    """Write uint8 RGB [T, H, W, 3] as H.264, under a temporary name first so that no half file is ever seen."""
    temporary = path.with_name(f".{path.name}.tmp")
    with av.open(str(temporary), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000), options={"crf": "16"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())
    os.replace(temporary, path)


def write_clips(
    folder: Path,
    *,
    count: int,
    seed: int = 7,
    split: str = "train",
    steepness: float = 0.0,
    on_clip: Callable[[int, int], None] | None = None,
) -> Path:
    """Write `count` clips, motions in turn, into a folder per object colour, and captions.csv; returns the table.

    `steepness` above 0 makes few motions frequent and many rare: the n-th has 1 / n^steepness times the first one's
    clips, as Zipf found of words. Clips that are there already are kept: the same seed gives the same clips.
    """
    rng = np.random.default_rng(seed)
    motions = _in_turn(count, steepness=steepness, seed=seed) if split != "unseen_motion" else None
    rows = []
    for number in range(count):
        chosen = None if motions is None else [motions[number]]
        spec = draw_spec(rng, split=split, motions=chosen)
        caption = spec.caption(rng)
        path = folder / f"{spec.colour}" / f"{number:04d}_{spec.shape}.mp4"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_mp4(path, render_clip(spec, size=VIDEO_SIZE_PIXELS))
        rows.append({"path": path.relative_to(folder).as_posix(), "caption": caption})
        if on_clip:
            on_clip(number + 1, count)
    table = folder / "captions.csv"
    temporary = table.with_suffix(".tmp")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=["path", "caption"])
        writer.writeheader()
        writer.writerows(rows)
    os.replace(temporary, table)
    return table


def _in_turn(count: int, *, steepness: float, seed: int) -> list[str]:
    """The motion of each clip."""
    names = list(MOTIONS)
    if not steepness:
        return [names[number % len(names)] for number in range(count)]
    weights = np.arange(1.0, len(names) + 1) ** -steepness
    drawn = np.random.default_rng([seed, 1]).choice(len(names), count, p=weights / weights.sum())
    return [names[place] for place in drawn]
