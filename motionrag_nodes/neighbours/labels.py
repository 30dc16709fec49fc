"""What both sheets say of a neighbour: rank, score, the marks of an artist's choices, caption and file name."""

from __future__ import annotations

from pathlib import PurePath

from PIL import Image

from index_builder.report.drawing import BACKGROUND
from motionrag_nodes.neighbours.neighbours import Neighbour

ACCENT = (255, 190, 92)
_DIMMED = 0.7


def head_of(item: Neighbour) -> str:
    """Rank as weights name it, and score."""
    return f"#{item.rank}   {item.score:.3f}"


def marks_of(item: Neighbour, weight: float) -> list[str]:
    """What the artist chose for the clip; nothing for most."""
    marks = ["pinned"] if item.pinned else []
    if weight == 0:
        return [*marks, "left out"]
    return marks if weight == 1 else [*marks, f"× {weight:g}"]


def name_of(item: Neighbour) -> str:
    """The file name, by which a clip is pinned, excluded or weighted."""
    return PurePath(item.source).name


def title_of(item: Neighbour) -> str:
    """Caption and file name, or the file name alone."""
    return f"{item.caption}   ({name_of(item)})" if item.caption else name_of(item)


def dimmed(picture: Image.Image) -> Image.Image:
    """How a clip looks that counts nothing."""
    return Image.blend(picture, Image.new("RGB", picture.size, BACKGROUND), _DIMMED)
