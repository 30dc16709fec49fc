"""One evaluation from beginning to end: videos, scores, figures, targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from motionrag_nodes.backbones.settings import Settings
from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from training.evaluation.errors import EvaluationInvalid
from training.evaluation.protocol.cases import draw_cases
from training.evaluation.protocol.databases import WORLD
from training.evaluation.protocol.rows import ROW_NAMES, ROWS, Row
from training.evaluation.scores.figures import RowFigures
from training.evaluation.scores.judge import Judge
from training.evaluation.scores.order import retrieval_right
from training.evaluation.scores.scores import score_row
from training.evaluation.scores.targets import Target, check_targets
from training.evaluation.videos.loading import CPU, Machine
from training.evaluation.videos.timing import Timing, measure_timing
from training.evaluation.videos.videos import Videos, make_videos

FEWEST_CLIPS = 8
TIMED_CASES = 4


@dataclass(frozen=True)
class Evaluation:
    """Everything that was measured, ready to be shown."""

    pack: str
    clips: int
    settings: Settings
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
    machine: Machine = CPU,
) -> Evaluation:
    """Generate `clips` videos of each row with a pack on a machine, and measure them.

    Raises EvaluationInvalid: too few clips, an unknown row, or a pack that the demo world does not fit. PackNotFound,
    PackInvalid, EncoderNotFound, VideoModelNotFound: the pack cannot be used.
    """
    console = console or Console(stderr=True)
    chosen = choose_rows(rows)
    if clips < FEWEST_CLIPS:
        raise EvaluationInvalid(f"Expected at least {FEWEST_CLIPS} clips, received {clips}: fewer measure nothing.")
    pack = load_pack(name)
    judge = Judge(pack)
    videos = make_videos(
        pack, chosen, output=output, clips=clips, steps=steps, workers=workers, console=console, machine=machine
    )
    with console.status("Measuring ...") as status:
        figures = {}
        for row in chosen:
            status.update(f"Measuring {row.name} ...")
            figures[row.name] = _measure(row, videos, judge)
        status.update("Timing ...")
        timing = None
        if WORLD in videos.databases:
            timing = measure_timing(
                draw_cases("seen", TIMED_CASES),
                encoder=PackClipEncoder(pack),
                database=videos.databases[WORLD],
                settings=videos.settings,
                machine=machine,
            )
    return Evaluation(
        pack=pack.name,
        clips=clips,
        settings=videos.settings,
        classifier=judge.classifier_name,
        rows=figures,
        targets=check_targets(figures, timing) if judge.knows_demo_world else [],
        timing=timing,
        videos=videos.store.folder,
    )


def choose_rows(names: Sequence[str]) -> list[Row]:
    """The rows of these names, in the table's order. Raises EvaluationInvalid."""
    unknown = [name for name in names if name not in ROW_NAMES]
    if unknown or not names:
        raise EvaluationInvalid(
            f"Expected rows of {', '.join(ROW_NAMES)}, received {', '.join(unknown) or 'none'}: choose among them."
        )
    return [row for row in ROWS if row.name in names]


def _measure(row: Row, videos: Videos, judge: Judge) -> RowFigures:
    generated, seconds = videos.generated(row)
    cases = videos.cases[row.cases]
    scores = score_row(judge, cases, real=videos.real(row), generated=generated, seconds=seconds)
    if row.references == "reversed":
        encoder = PackClipEncoder(judge.pack)
        scores.of_clips["order_found"] = retrieval_right(cases, encoder=encoder, size=videos.settings.width)
    return RowFigures(scores)
