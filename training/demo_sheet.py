"""The demo's pictures: a contact sheet to look at, and the same rows moving."""

from __future__ import annotations

import os
import textwrap
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

TILE = 128
GAP = 6
TEXT_WIDTH = 190
HEAD_HEIGHT = 34
FRAMES_SHOWN = 4
PAPER, INK, FAINT = (250, 250, 250), (20, 20, 20), (110, 110, 110)
FPS = 4


@dataclass(frozen=True)
class Row:
    """One prompt: its picture, its best neighbour, and the two videos to compare."""

    prompt: str
    picture: Path
    neighbour: Path
    neighbour_caption: str | None
    score: float
    without_motion: Path
    with_motion: Path


def read_video(path: Path) -> list[Image.Image]:
    """Every frame of a video."""
    with av.open(str(path)) as container:
        return [frame.to_image() for frame in container.decode(video=0)]


def _spread(frames: list[Image.Image], count: int) -> list[Image.Image]:
    return [frames[i] for i in np.round(np.linspace(0, len(frames) - 1, count)).astype(int)]


def _tile(image: Image.Image) -> Image.Image:
    return image.convert("RGB").resize((TILE, TILE), Image.Resampling.LANCZOS)


def _wrapped(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, *, colour: tuple[int, int, int], size: int
) -> None:
    draw.multiline_text(
        at, "\n".join(textwrap.wrap(text, 24)), fill=colour, font=ImageFont.load_default(size), spacing=3
    )


def _sheet(rows: list[Row], columns: list[tuple[str, list[list[Image.Image]]]]) -> Image.Image:
    """A table: prompt and caption as text, then per column one or more tiles in each row."""
    widths = [len(tiles[0]) * (TILE + GAP) + 2 * GAP for _, tiles in columns]
    sheet = Image.new("RGB", (TEXT_WIDTH + sum(widths), HEAD_HEIGHT + len(rows) * (TILE + GAP)), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, 10), "prompt", fill=FAINT, font=ImageFont.load_default(13))
    for number, row in enumerate(rows):
        top = HEAD_HEIGHT + number * (TILE + GAP)
        _wrapped(draw, (GAP, top + 4), row.prompt, colour=INK, size=14)
        found = f"found: {row.neighbour_caption or row.neighbour.name} ({row.score:.2f})"
        _wrapped(draw, (GAP, top + 62), found, colour=FAINT, size=12)
    left = TEXT_WIDTH
    for (title, tiles), width in zip(columns, widths, strict=True):
        draw.text((left, 10), title, fill=FAINT, font=ImageFont.load_default(13))
        for number, images in enumerate(tiles):
            for place, image in enumerate(images):
                sheet.paste(_tile(image), (left + place * (TILE + GAP), HEAD_HEIGHT + number * (TILE + GAP)))
        left += width
    return sheet


def write_sheet(rows: list[Row], path: Path) -> None:
    """prompt, input image, best neighbour, frames without retrieval, frames with retrieval: one row a prompt."""

    def frames(name: str, count: int) -> list[list[Image.Image]]:
        return [_spread(read_video(getattr(row, name)), count) for row in rows]

    sheet = _sheet(
        rows,
        [
            ("input image", [[Image.open(row.picture)] for row in rows]),
            ("best neighbour", frames("neighbour", FRAMES_SHOWN)),
            ("without retrieval", frames("without_motion", FRAMES_SHOWN)),
            ("with retrieval", frames("with_motion", FRAMES_SHOWN)),
        ],
    )
    temporary = path.with_name(f".{path.name}")
    sheet.save(temporary, format="PNG")
    os.replace(temporary, path)


def write_animation(rows: list[Row], path: Path) -> None:
    """The same rows as an animated webp: best neighbour, without retrieval, with retrieval, side by side."""
    names = ("neighbour", "without_motion", "with_motion")
    videos = [[read_video(getattr(row, name)) for row in rows] for name in names]
    length = min(len(video) for column in videos for video in column)
    moments = []
    for moment in range(length):
        shown = [[[_spread(video, length)[moment]] for video in column] for column in videos]
        columns = [("input image", [[Image.open(row.picture)] for row in rows])]
        titles = ("best neighbour", "without retrieval", "with retrieval")
        moments.append(_sheet(rows, columns + list(zip(titles, shown, strict=True))))
    temporary = path.with_name(f".{path.name}")
    moments[0].save(
        temporary, format="WEBP", save_all=True, append_images=moments[1:], duration=1000 // FPS, loop=0, quality=85
    )
    os.replace(temporary, path)
