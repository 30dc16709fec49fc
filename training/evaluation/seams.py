"""`python -m training.evaluation.seams`: how smooth the seams of storyboards are, and whether each part moves as asked.

Boards of three parts of the demo world are made with the last frame handed on, and with every part from the first
picture; the same boards drawn exactly say what a seam of unbroken movement is.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from index_builder.database.search.reader import MotionDatabase
from motionrag_nodes.checkpoints.find_models import PACKAGED_SAMPLES
from motionrag_nodes.checkpoints.pack import MotionPack, load_pack
from motionrag_nodes.frames.seams import seams_of
from motionrag_nodes.frames.storyboard import Part
from motionrag_nodes.frames.storyboard_sheet import storyboard_sheet
from motionrag_nodes.frames.storyboard_video import StoryboardVideo, storyboard_video
from motionrag_nodes.frames.video_model import VideoModel, load_video_model
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from motionrag_nodes.neighbours.retrieve import retrieve_neighbours
from training.demo_world.motions import BACKWARDS
from training.demo_world.world import ClipSpec, draw_spec, render_clip
from training.evaluation.scores.classifier import KINDS, load_classifier, motion_logits

SEED, PICTURE_SIZE = 20_261_129, 256
HANDED_ON, FROM_THE_PICTURE, DRAWN = "last frame handed on", "every part from the picture", "drawn exactly"
# The parts of a video, uint8 RGB [T, H, W, 3] each.
Pieces = list[np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Smoothness:
    """jump: how much a frame differs from the one before it over seams, within: elsewhere, in levels of 255, averaged
    over boards; motion_right: of the first part, the second and so on, the share that moves as asked."""

    jump: float
    within: float
    motion_right: tuple[float, ...]


def draw_board(rng: np.random.Generator, *, parts: int = 3) -> tuple[ClipSpec, ...]:
    """The same sprite in each part; every second movement takes back an earlier one, so that it stays in sight."""
    spec = draw_spec(rng)
    there, between = rng.choice(sorted(BACKWARDS), 2, replace=False)
    kinds = [str(there), str(between), BACKWARDS[str(there)], BACKWARDS[str(between)]]
    return tuple(replace(spec, motion=kinds[place % len(kinds)]) for place in range(parts))


def drawn_pieces(board: Sequence[ClipSpec], *, size: int, frames: int) -> Pieces:
    """What a model that makes no mistake would make: each part goes on from where the one before ended."""
    pieces: Pieces = []
    spec = board[0]
    for part in board:
        spec = replace(spec, motion=part.motion)
        clip, path = render_clip(spec, size=size, frames=frames), spec.trajectory(frames)
        pieces.append(clip if not pieces else clip[1:])
        spec = replace(
            spec,
            x=spec.x + float(path.dx[-1]),
            y=spec.y + float(path.dy[-1]),
            radius=spec.radius * float(path.scale[-1]),
        )
    return pieces


def smoothness(boards: Sequence[Pieces], kinds: Sequence[Sequence[str | None]], *, handed_on: bool) -> Smoothness:
    """Measure videos, each as its pieces; handed_on: each piece but the first lacks its first frame, which is the last
    one before it."""
    seams, right = [], []
    judge = load_classifier()
    for pieces, asked in zip(boards, kinds, strict=True):
        begins = np.cumsum([0, *map(len, pieces[:-1])]).tolist()
        seams += seams_of(np.concatenate(pieces), begins)
        whole = [
            np.concatenate([pieces[place - 1][-1:], piece]) if place and handed_on else piece
            for place, piece in enumerate(pieces)
        ]
        named = motion_logits(judge, whole).argmax(1)
        right.append([KINDS[kind] == wanted for kind, wanted in zip(named, asked, strict=True)])
    return Smoothness(
        jump=float(np.mean([seam.jump for seam in seams])),
        within=float(np.mean([seam.within for seam in seams])),
        motion_right=tuple(np.mean(right, axis=0).tolist()),
    )


def generate(
    model: VideoModel, pack: MotionPack, database: MotionDatabase, board: Sequence[ClipSpec], number: int
) -> tuple[StoryboardVideo, dict[str, Pieces]]:
    """The board as one video, and the pieces of both ways of making it."""
    rng = np.random.default_rng([SEED, number])
    seconds = model.defaults.frames / model.defaults.fps
    parts = [Part(seconds, part.caption(rng)) for part in board]
    encoder = PackClipEncoder(pack)
    found = [retrieve_neighbours(database, encoder=encoder, prompt=part.prompt) for part in parts]
    settings = replace(model.defaults, seed=100 * number)
    image = render_clip(board[0], size=PICTURE_SIZE, frames=1)[0]

    def made(places: slice) -> StoryboardVideo:
        return storyboard_video(
            model,
            pack,
            image=image,
            parts=parts[places],
            found=found[places],
            settings=replace(settings, seed=settings.seed + (places.start or 0)),
            show_picture=True,
        )

    whole = made(slice(None))
    pieces = np.split(whole.pixels(), whole.part_begins()[1:])
    alone = [made(slice(place, place + 1)).pixels() for place in range(1, len(parts))]
    return whole, {HANDED_ON: pieces, FROM_THE_PICTURE: [pieces[0], *alone]}


def main() -> None:
    """Parse the command line, make the boards, print the table."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluation.seams", description=__doc__)
    parser.add_argument("--pack", default="tiny")
    parser.add_argument("--database", type=Path, default=PACKAGED_SAMPLES / "databases" / "demo_world")
    parser.add_argument("--boards", type=int, default=16, help="storyboards of three parts (default 16)")
    parser.add_argument("--output", type=Path, help="folder for the sheets of the boards and the figures as JSON")
    arguments = parser.parse_args()
    console = Console()
    pack = load_pack(arguments.pack)
    model = load_video_model(None, pack=pack)
    database = MotionDatabase.open(arguments.database)
    rng = np.random.default_rng(SEED)
    boards = [draw_board(rng) for _ in range(arguments.boards)]
    size, frames = model.defaults.width, model.defaults.frames
    made: dict[str, list[Pieces]] = {DRAWN: [drawn_pieces(board, size=size, frames=frames) for board in boards]}
    for number, board in enumerate(track(boards, description="storyboards", console=console)):
        video, ways = generate(model, pack, database, board, number)
        for name, pieces in ways.items():
            made.setdefault(name, []).append(pieces)
        if arguments.output:
            arguments.output.mkdir(parents=True, exist_ok=True)
            Image.fromarray(storyboard_sheet(video)).save(arguments.output / f"{number:02d}.png")
    kinds = [[part.kind for part in board] for board in boards]
    found = {name: smoothness(each, kinds, handed_on=name != FROM_THE_PICTURE) for name, each in made.items()}
    table = Table("way", "over a seam", "within a part", "ratio", *(f"part {place} right" for place in (1, 2, 3)))
    for name, measured in found.items():
        shares = (f"{100 * share:.0f} %" for share in measured.motion_right)
        ratio = f"{measured.jump / measured.within:.2f}"
        table.add_row(name, f"{measured.jump:.2f}", f"{measured.within:.2f}", ratio, *shares)
    console.print(table)
    if arguments.output:
        written = json.dumps({name: asdict(measured) for name, measured in found.items()}, indent=2)
        (arguments.output / "seams.json").write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main()
