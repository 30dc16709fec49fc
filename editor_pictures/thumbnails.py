"""The picture on a template's card: the video that its workflow made; two to compare; four where it makes none.

The editor asks for NAME.jpg whatever is in it; browsers go by the content, so an animated WebP of that name plays.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from PIL import Image

from index_builder.clips.film_files import write_mp4
from motionrag_nodes.neighbours.control.control_clip import control_clip
from motionrag_nodes.neighbours.control.kinds import WHOSE

SIDE_PIXELS, GAP = 384, 4
_PAPER = (24, 24, 26)
_QUALITY = 70


def write_thumbnail(videos: Sequence[Path], path: Path) -> None:
    """A square animation of SIDE_PIXELS: of one video, of two side by side, or of the first four in two rows."""
    grid = 2 if len(videos) == 2 or len(videos) >= 4 else 1
    tile = (SIDE_PIXELS - (grid - 1) * GAP) // grid
    clips = [_frames(video, tile) for video in videos[: grid * grid]]
    count = max(len(frames) for frames, _ in clips)
    rows = -(-len(clips) // grid)
    top = (SIDE_PIXELS - rows * tile - (rows - 1) * GAP) // 2
    film = []
    for moment in range(count):
        sheet = Image.new("RGB", (SIDE_PIXELS, SIDE_PIXELS), _PAPER)
        for place, (frames, _) in enumerate(clips):
            row, column = divmod(place, grid)
            corner = (column * (tile + GAP), top + row * (tile + GAP))
            sheet.paste(frames[moment * len(frames) // count], corner)
        film.append(sheet)
    seconds = max(seconds for _, seconds in clips)
    pause = round(1000 * seconds / count)
    film[0].save(
        path, format="WEBP", save_all=True, append_images=film[1:], duration=pause, loop=0, quality=_QUALITY, method=6
    )


def write_motion_thumbnail(clips: Sequence[Path], path: Path) -> None:
    """For a template that runs with large models alone: two clips, and beside each its motion without its looks."""
    with tempfile.TemporaryDirectory() as folder:
        videos: list[Path] = []
        for clip in clips[:2]:
            frames, seconds = _frames(clip, SIDE_PIXELS // 2)
            pixels = np.stack([np.asarray(frame) for frame in frames])
            moving = Path(folder) / f"{clip.stem}.mp4"
            write_mp4(moving, control_clip(pixels, kind="colours", whose=WHOSE[0]), fps=len(frames) / seconds)
            videos += [clip, moving]
        write_thumbnail(videos, path)


def _frames(video: Path, side: int) -> tuple[list[Image.Image], float]:
    """The middle of every frame as a tile, and how many seconds they last."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        frames = [_square(frame.to_image(), side) for frame in container.decode(stream)]
        return frames, len(frames) / float(stream.average_rate or 8)


def _square(frame: Image.Image, tile: int) -> Image.Image:
    side = min(frame.size)
    left, top = (frame.width - side) // 2, (frame.height - side) // 2
    square = frame.crop((left, top, left + side, top + side))
    return square.resize((tile, tile), Image.Resampling.BICUBIC)
