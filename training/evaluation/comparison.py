"""`python -m training.evaluation.comparison`: the first clips of the protocol, moving side by side, and as a still.

Nothing is picked by hand: the rows are the first cases of the sets of unseen objects and unseen motions.
"""

from __future__ import annotations

import argparse
import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console

from motionrag_nodes.checkpoints.pack import load_pack
from training.evaluation.protocol.rows import ROWS
from training.evaluation.videos.videos import Videos, make_videos

TILE, GAP, TEXT_WIDTH, HEAD = 112, 6, 190, 30
STILL_FRAMES = 4
PAPER, INK, FAINT = (250, 250, 250), (20, 20, 20), (110, 110, 110)
# set -> (row without, row with retrieved motion)
SHOWN = (("unseen objects", "objects base", "objects rag"), ("unseen motions", "motions base", "motions new"))
TITLES = ("picture", "real motion", "the model alone", "with retrieved motion")


@dataclass(frozen=True)
class Line:
    """A prompt, and three videos uint8 RGB [T, H, W, 3] that begin with the same picture."""

    prompt: str
    real: np.ndarray
    alone: np.ndarray
    retrieved: np.ndarray


def read_lines(videos: Videos, count: int, unseen: int) -> list[Line]:
    """The first `count` cases of unseen objects, then the first `unseen` of unseen motions."""
    by_name = {row.name: row for row in ROWS}
    lines = []
    for (_, without, retrieved), number in zip(SHOWN, (count, unseen), strict=True):
        rows = by_name[without], by_name[retrieved]
        cases = videos.cases[rows[0].cases][:number]
        parts = videos.real(rows[0]), *(videos.generated(row)[0] for row in rows)
        lines += [Line(case.prompt, *clips) for case, *clips in zip(cases, *parts, strict=False)]
    return lines


def draw_sheet(lines: Sequence[Line], moments: Sequence[int]) -> Image.Image:
    """A table with a row for each line: prompt, picture, and the frames at `moments` of each video."""
    widths = [TILE, *[len(moments) * TILE + (len(moments) - 1) * 2] * 3]
    width = TEXT_WIDTH + sum(widths) + GAP * len(widths)
    sheet = Image.new("RGB", (width, HEAD + len(lines) * (TILE + GAP)), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        top = HEAD + number * (TILE + GAP)
        draw.multiline_text(
            (GAP, top + 4), "\n".join(textwrap.wrap(line.prompt, 24)), fill=INK, font=ImageFont.load_default(14)
        )
        left = TEXT_WIDTH
        shown = [[line.real[0]], *([video[m] for m in moments] for video in (line.real, line.alone, line.retrieved))]
        for frames, column in zip(shown, widths, strict=True):
            for place, frame in enumerate(frames):
                tile = Image.fromarray(frame).resize((TILE, TILE), Image.Resampling.LANCZOS)
                sheet.paste(tile, (left + place * (TILE + 2), top))
            left += column + GAP
    left = TEXT_WIDTH
    for title, column in zip(TITLES, widths, strict=True):
        draw.text((left, 8), title, fill=FAINT, font=ImageFont.load_default(13))
        left += column + GAP
    return sheet


def write_comparison(lines: Sequence[Line], path: Path, *, fps: int) -> None:
    """`path`.png and `path`.webp."""
    length = min(len(line.real) for line in lines)
    moments = np.round(np.linspace(0, length - 1, STILL_FRAMES)).astype(int).tolist()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    draw_sheet(lines, moments).save(temporary, format="PNG")
    os.replace(temporary, path.with_suffix(".png"))
    first, *others = [draw_sheet(lines, [moment]) for moment in range(length)]
    first.save(temporary, format="WEBP", save_all=True, append_images=others, duration=1000 // fps, loop=0, quality=85)
    os.replace(temporary, path.with_suffix(".webp"))


def main() -> None:
    """Parse the command line; videos that an evaluation left below --evaluation are not generated again."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluation.comparison", description=__doc__)
    parser.add_argument("--pack", default="tiny")
    parser.add_argument("--count", type=int, default=8, help="of unseen objects (default 8, one a motion)")
    parser.add_argument("--unseen", type=int, default=2, help="of unseen motions (default 2)")
    parser.add_argument("--evaluation", type=Path, default=Path("evaluation_output"))
    parser.add_argument("--output", type=Path, default=Path("docs/evaluation"), help="path without suffix")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    console, pack = Console(stderr=True), load_pack(arguments.pack)
    names = [name for _, *names in SHOWN for name in names]
    videos = make_videos(
        pack, [row for row in ROWS if row.name in names], output=arguments.evaluation,
        clips=max(arguments.count, arguments.unseen), steps=None, workers=arguments.workers, console=console,
    )  # fmt: skip
    lines = read_lines(videos, arguments.count, arguments.unseen)
    write_comparison(lines, arguments.output, fps=videos.settings.fps)
    console.print(f"{arguments.output}.png and .webp")


if __name__ == "__main__":
    main()
