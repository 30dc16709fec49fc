"""One evaluation from beginning to end: databases, videos, scores, figures; what is done already is not done again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from index_builder.database.reader import MotionDatabase
from motionrag_nodes.checkpoints.pack import PACK_FILE, MotionPack, load_pack
from motionrag_nodes.frames.settings import GenerateSettings
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from training.evaluation.cases import CASE_SETS, EVALUATION_SEED, Case, draw_cases
from training.evaluation.databases import WORLD, open_databases
from training.evaluation.errors import EvaluationInvalid
from training.evaluation.figures import RowFigures
from training.evaluation.generation import Batch, generate_batches, in_batches
from training.evaluation.judge import Judge
from training.evaluation.references import row_tokens
from training.evaluation.rows import ROW_NAMES, ROWS, Row
from training.evaluation.scores import score_row
from training.evaluation.store import VideoStore
from training.evaluation.targets import Target, check_targets
from training.evaluation.timing import Timing, measure_timing

FEWEST_CLIPS = 8
TIMED_CASES = 4


@dataclass(frozen=True)
class Evaluation:
    """Everything that was measured, ready to be shown."""

    pack: str
    clips: int
    settings: GenerateSettings
    classifier: str
    rows: dict[str, RowFigures]
    targets: list[Target]
    timing: Timing | None
    videos: Path


def evaluate_pack(
    name: str | Path,
    *,
    output: Path,
    clips: int,
    rows: Sequence[str] = ROW_NAMES,
    steps: int | None = None,
    workers: int = 1,
    console: Console | None = None,
) -> Evaluation:
    """Generate `clips` videos of each row with a pack and measure them.

    Raises:
        EvaluationInvalid: too few clips, an unknown row, or a pack that the demo world does not fit.
        PackNotFound, PackInvalid, EncoderNotFound, VideoModelNotFound: the pack cannot be used.
    """
    console = console or Console(stderr=True)
    chosen = _chosen_rows(rows)
    if clips < FEWEST_CLIPS:
        raise EvaluationInvalid(f"expected at least {FEWEST_CLIPS} clips, received {clips}: fewer measure nothing")
    pack = load_pack(name)
    settings = _settings(pack, steps)
    judge, encoder = Judge(pack), PackClipEncoder(pack)
    work = output / fingerprint(pack, settings)
    store = VideoStore(work / "videos")
    needed = [row.database for row in chosen if row.references in ("retrieved", "random")]
    with console.status("Databases ...") as status:
        databases = open_databases(
            needed, folder=work / "databases", encoder=encoder, on_step=lambda said: status.update(f"{said} ...")
        )
    cases = {name: draw_cases(name, clips) for name in {row.cases for row in chosen}}
    batches = [
        batch
        for row in chosen
        for batch in _missing(row, cases[row.cases], store, encoder, databases, settings)
    ]  # fmt: skip
    _generate(batches, pack, store, settings, workers, console, total=clips * len(chosen))
    with console.status("Measuring ...") as status:
        figures = {}
        for row in chosen:
            status.update(f"Measuring {row.name} ...")
            figures[row.name] = _measure(row, cases[row.cases], store, judge, settings)
        status.update("Timing ...")
        timing = None
        if WORLD in databases:
            timed = draw_cases("seen", TIMED_CASES)
            timing = measure_timing(timed, encoder=encoder, database=databases[WORLD], settings=settings)
        targets = check_targets(figures, timing) if judge.knows_demo_world else []
    return Evaluation(
        pack=pack.name, clips=clips, settings=settings, classifier=judge.classifier_name, rows=figures,
        targets=targets, timing=timing, videos=store.folder,
    )  # fmt: skip


def fingerprint(pack: MotionPack, settings: GenerateSettings) -> str:
    """12 hex digits of all that the videos depend on: another pack, world or setting begins anew, beside the old."""
    digest = hashlib.sha256(repr((EVALUATION_SEED, sorted(asdict(settings).items()))).encode())
    digest.update((pack.folder / PACK_FILE).read_bytes())
    base = pack.base_source
    digest.update(str(base).encode() if isinstance(base, str) else b"")
    if isinstance(base, Path):
        for path in sorted(p for p in base.rglob("*") if p.suffix in (".safetensors", ".json")):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    for name in CASE_SETS:
        for case in draw_cases(name, FEWEST_CLIPS):
            digest.update(case.prompt.encode() + case.real(size=settings.width, frames=settings.frames).tobytes())
    return digest.hexdigest()[:12]


def _chosen_rows(names: Sequence[str]) -> list[Row]:
    unknown = [name for name in names if name not in ROW_NAMES]
    if unknown or not names:
        raise EvaluationInvalid(f"expected rows of {', '.join(ROW_NAMES)}; received {', '.join(unknown) or 'none'}")
    return [row for row in ROWS if row.name in names]


def _settings(pack: MotionPack, steps: int | None) -> GenerateSettings:
    defaults = GenerateSettings.from_defaults(pack.config.generation)
    # Frames are decoded one by one: all at once gives the same and takes less time.
    settings = replace(defaults, steps=steps or defaults.steps, decode_chunk_size=defaults.frames)
    if settings.width != settings.height:
        raise EvaluationInvalid(
            f"expected a pack for square videos, since the demo world is square, received {settings.width} x "
            f"{settings.height}: compare folders of its videos with --real and --generated"
        )
    return settings


def _missing(row: Row, cases: Sequence[Case], store: VideoStore, encoder, databases: dict[str, MotionDatabase],
             settings: GenerateSettings) -> list[Batch]:  # fmt: skip
    """Batches of the videos that are not there yet."""
    left = [case for case in cases if not store.has(row.name, case.number)]
    if not left:
        return []
    tokens = row_tokens(row, left, encoder=encoder, databases=databases, size=settings.width)
    everything = Batch(
        row=row.name,
        numbers=tuple(case.number for case in left),
        seeds=tuple(case.seed for case in left),
        pictures=np.stack([case.real(size=settings.width, frames=1)[0] for case in left]),
        tokens=None if tokens is None else tokens.numpy(),
        unconditional=encoder.zero_clip_tokens().clone().numpy(),
    )
    return list(in_batches(everything))


def _generate(batches: Sequence[Batch], pack: MotionPack, store: VideoStore, settings: GenerateSettings, workers: int,
              console: Console, *, total: int) -> None:  # fmt: skip
    left = sum(len(batch.numbers) for batch in batches)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Videos", total=total, completed=total - left)
        generate_batches(
            batches, pack=pack.folder, folder=store.folder, settings=settings, workers=workers,
            on_videos=lambda count: progress.advance(task, count),
        )  # fmt: skip


def _measure(
    row: Row, cases: Sequence[Case], store: VideoStore, judge: Judge, settings: GenerateSettings
) -> RowFigures:
    generated, seconds = zip(*(store.load(row.name, case.number) for case in cases), strict=True)
    real = [case.real(size=settings.width, frames=settings.frames) for case in cases]
    return RowFigures(score_row(judge, cases, real=real, generated=generated, seconds=seconds))
