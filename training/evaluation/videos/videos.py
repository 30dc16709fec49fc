"""The videos of an evaluation: databases, references and generation; what is there already is not made again."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from index_builder.content_hash import sha256_of
from index_builder.database.search.reader import MotionDatabase
from motionrag_nodes.backbones.settings import Settings
from motionrag_nodes.checkpoints.pack import PACK_FILE, MotionPack
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from training.evaluation.errors import EvaluationInvalid
from training.evaluation.protocol.cases import CASE_SETS, EVALUATION_SEED, Case, draw_cases
from training.evaluation.protocol.databases import CLIPS_PER_MOTION, DATABASE_SEED, WRONG_CAPTION_SHARE, open_databases
from training.evaluation.protocol.references import row_tokens
from training.evaluation.protocol.rows import Row
from training.evaluation.videos.codec_alone import through_codec
from training.evaluation.videos.generation import Batch, generate_batches, in_batches
from training.evaluation.videos.loading import CPU, Machine
from training.evaluation.videos.store import VideoStore

# So many cases stand for the world in the fingerprint.
FINGERPRINT_CASES = 8


@dataclass(frozen=True)
class Videos:
    """What was generated, where it lies, and what it was generated with."""

    store: VideoStore
    cases: dict[str, Sequence[Case]]
    databases: dict[str, MotionDatabase]
    settings: Settings

    def generated(self, row: Row) -> tuple[list[np.ndarray], list[float]]:
        """A row's videos uint8 RGB [T, H, W, 3], and the seconds each took."""
        loaded = [self.store.load(row.name, case.number) for case in self.cases[row.cases]]
        return [frames for frames, _ in loaded], [seconds for _, seconds in loaded]

    def real(self, row: Row) -> list[np.ndarray]:
        """The true clips of a row's cases, of the same frames."""
        size, frames = self.settings.width, self.settings.frames
        return [case.real(size=size, frames=frames) for case in self.cases[row.cases]]


def make_videos(
    pack: MotionPack, rows: Sequence[Row], *, output: Path, clips: int, steps: int | None, workers: int,
    console: Console, machine: Machine = CPU,
) -> Videos:  # fmt: skip
    """Generate the first `clips` cases of every row that are not below `output` yet.

    Raises EvaluationInvalid: the demo world does not fit the pack.
    """
    settings, encoder = _settings(pack, steps), PackClipEncoder(pack)
    work = output / fingerprint(pack, settings)
    store = VideoStore(work / "videos")
    needed = [row.database for row in rows if row.references in ("retrieved", "reversed", "random")]
    with console.status("Databases ...") as status:
        databases = open_databases(
            needed, folder=work / "databases", encoder=encoder, on_step=lambda said: status.update(f"{said} ...")
        )
    videos = Videos(
        store=store,
        cases={name: draw_cases(name, clips) for name in {row.cases for row in rows}},
        databases=databases,
        settings=settings,
    )
    with console.status("References ..."):
        batches = [batch for row in rows if row.references != "codec" for batch in _missing(row, videos, encoder)]
    with console.status("Codec ..."):
        _code([row for row in rows if row.references == "codec"], pack, videos)
    generated = sum(row.references != "codec" for row in rows)
    _generate(batches, pack, videos, workers, console, machine=machine, total=clips * generated)
    return videos


def fingerprint(pack: MotionPack, settings: Settings) -> str:
    """12 hex digits of all that the videos depend on: another pack, world or setting gets another folder."""
    protocol = (EVALUATION_SEED, DATABASE_SEED, CLIPS_PER_MOTION, WRONG_CAPTION_SHARE, sorted(asdict(settings).items()))
    digest = hashlib.sha256(repr(protocol).encode())
    digest.update((pack.folder / PACK_FILE).read_bytes())
    base = pack.base_source
    digest.update(str(base).encode() if isinstance(base, str) else b"")
    if isinstance(base, Path):
        for path in sorted(p for p in base.rglob("*") if p.suffix in (".safetensors", ".json")):
            digest.update(bytes.fromhex(sha256_of(path)))
    for name in CASE_SETS:
        for case in draw_cases(name, FINGERPRINT_CASES):
            digest.update(case.prompt.encode() + case.real(size=settings.width, frames=settings.frames).tobytes())
    return digest.hexdigest()[:12]


def _settings(pack: MotionPack, steps: int | None) -> Settings:
    defaults = pack.config.generation
    settings = replace(defaults, steps=steps or defaults.steps)
    if settings.width != settings.height:
        raise EvaluationInvalid(
            f"Expected a pack for square videos, since the demo world is square, received {settings.width} x "
            f"{settings.height}: compare folders of its videos with --real and --generated."
        )
    return settings


def _left(row: Row, videos: Videos) -> list[Case]:
    """The cases whose videos are not there yet."""
    return [case for case in videos.cases[row.cases] if not videos.store.has(row.name, case.number)]


def _code(rows: Sequence[Row], pack: MotionPack, videos: Videos) -> None:
    """Make the videos of rows that generate nothing; quick enough for one process."""
    left = [(row, case) for row in rows for case in _left(row, videos)]
    if not left:
        return
    model, settings = CPU.load(pack), videos.settings
    for row, case in left:
        began = time.perf_counter()
        coded = through_codec(model, case.real(size=settings.width, frames=settings.frames))
        videos.store.save(row.name, case.number, coded, seconds=time.perf_counter() - began)


def _missing(row: Row, videos: Videos, encoder: PackClipEncoder) -> list[Batch]:
    """Batches of the videos that are not there yet."""
    left = _left(row, videos)
    if not left:
        return []
    size = videos.settings.width
    tokens = row_tokens(row, left, encoder=encoder, databases=videos.databases, size=size)
    everything = Batch(
        row=row.name,
        numbers=tuple(case.number for case in left),
        seeds=tuple(case.seed for case in left),
        pictures=np.stack([case.real(size=size, frames=1)[0] for case in left]),
        tokens=None if tokens is None else tokens.numpy(),
        unconditional=encoder.zero_clip_tokens().clone().numpy(),
    )
    return list(in_batches(everything, videos.settings))


def _generate(
    batches: Sequence[Batch],
    pack: MotionPack,
    videos: Videos,
    workers: int,
    console: Console,
    *,
    machine: Machine,
    total: int,
) -> None:
    left = sum(len(batch.numbers) for batch in batches)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Videos", total=total, completed=total - left)
        generate_batches(
            batches,
            pack=pack.folder,
            folder=videos.store.folder,
            settings=videos.settings,
            workers=workers,
            machine=machine,
            on_videos=lambda count: progress.advance(task, count),
        )
