"""The motion databases of the protocol: videos of the demo world, indexed as a user would index them."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from index_builder.build import build_database
from index_builder.build_report import BuildProgress, ProgressCallback
from index_builder.database.search.reader import MotionDatabase
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from training.demo_world.captions import write_caption
from training.demo_world.motions import MOTIONS, UNSEEN_MOTIONS
from training.demo_world.world import ClipSpec, draw_spec, render_clip
from training.demo_world.write_videos import VIDEO_SIZE_PIXELS, write_mp4
from training.evaluation.errors import EvaluationInvalid

DATABASE_SEED = 920_001
# Clips of each motion, enough that a prompt finds nine of its own among them.
CLIPS_PER_MOTION = 40
WRONG_CAPTION_SHARE = 0.3
WORLD, NOISY, EXTENDED = "world", "noisy", "extended"

OnStep = Callable[[str], None]


def open_databases(
    names: Sequence[str],
    *,
    folder: Path,
    encoder: PackClipEncoder,
    clips_per_motion: int = CLIPS_PER_MOTION,
    on_step: OnStep = lambda said: None,
) -> dict[str, MotionDatabase]:
    """The databases of these names, built below `folder` where they are not there; a stopped build is continued."""
    opened = {}
    for name in dict.fromkeys(names):

        def tell(progress: BuildProgress, name: str = name) -> None:
            on_step(f"database {name}: {progress.done_videos}/{progress.found_videos} clips")

        on_step(f"clips of database {name}")
        opened[name] = _open(name, folder, encoder, clips_per_motion, tell)
    return opened


def _open(
    name: str, folder: Path, encoder: PackClipEncoder, clips_per_motion: int, progress: ProgressCallback
) -> MotionDatabase:
    seen = _write_clips(folder / "clips" / "seen", tuple(MOTIONS), clips_per_motion, split="train")
    inputs = [folder / "clips" / "seen"]
    table = folder / "clips" / f"{name}.csv"
    rows = _noisy_captions(seen) if name == NOISY else _captions(seen, "seen")
    if name == EXTENDED:
        unseen = _write_clips(
            folder / "clips" / "unseen", tuple(UNSEEN_MOTIONS), clips_per_motion, split="unseen_motion"
        )
        inputs.append(folder / "clips" / "unseen")
        rows += _captions(unseen, "unseen")
    _write_table(table, rows)
    built = build_database(inputs, output=folder / name, encoder=encoder, captions=table, workers=1, progress=progress)
    if built.interrupted:
        raise KeyboardInterrupt
    if built.failed:
        raise EvaluationInvalid(
            f"Expected every clip of {folder / 'clips'} to be indexed, but {len(built.failed)} failed: remove {folder}."
        )
    return MotionDatabase.open(folder / name)


def _write_clips(folder: Path, kinds: tuple[str, ...], clips_per_motion: int, *, split: str) -> list[ClipSpec]:
    """Videos of the kinds in turn, those that are there kept; returns their specs, in the order of their names."""
    folder.mkdir(parents=True, exist_ok=True)
    specs = []
    for number in range(clips_per_motion * len(kinds)):
        rng = np.random.default_rng([DATABASE_SEED, len(kinds), number])
        spec = draw_spec(rng, split=split, motions=[kinds[number % len(kinds)]])
        path = folder / _file_name(number)
        if not path.exists():
            write_mp4(path, render_clip(spec, size=VIDEO_SIZE_PIXELS))
        specs.append(spec)
    return specs


def _file_name(number: int) -> str:
    return f"{number:04d}.mp4"


def _captions(specs: Sequence[ClipSpec], folder: str) -> list[tuple[str, str]]:
    return [
        (f"{folder}/{_file_name(number)}", spec.caption(np.random.default_rng([DATABASE_SEED, number])))
        for number, spec in enumerate(specs)
    ]


def _noisy_captions(specs: Sequence[ClipSpec]) -> list[tuple[str, str]]:
    """Captions of which a part names another motion than the clip shows, as careless captions of a real archive do."""
    rng = np.random.default_rng(DATABASE_SEED)
    rows = []
    for (path, caption), spec in zip(_captions(specs, "seen"), specs, strict=True):
        wrong = rng.random() < WRONG_CAPTION_SHARE
        others = [kind for kind in MOTIONS if kind != spec.motion]
        told = str(rng.choice(others))
        if wrong:
            caption = write_caption(
                shape=spec.shape, colour=spec.colour, background=spec.background, motion=told, rng=rng
            )
        rows.append((path, caption))
    return rows


def _write_table(path: Path, rows: Sequence[tuple[str, str]]) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "caption"])
        writer.writerows(rows)
    os.replace(temporary, path)
