"""`python -m training.evaluation.token_error`: how far adapted motion tokens are from the target's own, in minutes.

No video is generated, so that a stage 2 can be judged before it ships. The error is the mean squared one over the
variance of the targets' own tokens: 1 is what foretelling their mean would cost, 0 is the target's own motion.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from index_builder.errors import MotionRAGError
from motionrag_nodes.checkpoints.pack import MotionPack, load_pack
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from training.evaluation.evaluate import FEWEST_CLIPS
from training.evaluation.protocol.cases import draw_cases
from training.evaluation.protocol.databases import CLIPS_PER_MOTION, EXTENDED, open_databases
from training.evaluation.protocol.references import row_tokens
from training.evaluation.protocol.rows import ROWS, Row
from training.evaluation.scores.bootstrap import Estimate, mean_estimate
from training.warm_start import load_from_pack

OWN = next(row for row in ROWS if row.references == "own")
ADAPTED = (
    *(row for row in ROWS if row.references in ("retrieved", "random")),
    # Costs nothing without videos, and says whether adaptation of unseen motions is more than averaging.
    Row("motions mean", "unseen motions: mean of nine", cases="unseen motions", database=EXTENDED, fusion="mean"),
)
# What the context transformer is compared with: row and the row it should lie below.
COMPARED = (
    ("rag", "mean"),
    ("rag", "top-1"),
    ("noisy rag", "noisy mean"),
    ("noisy rag", "noisy top-1"),
    ("motions new", "motions mean"),
)


def relative_error(tokens: Tensor, own: Tensor) -> Tensor:
    """Errors [B] of tokens [B, L, D] by clip, in variances of the targets' own tokens [B, L, D]."""
    return (tokens - own).square().mean((1, 2)) / own.var(0).mean()


def measure_rows(
    pack: MotionPack, rows: Sequence[Row], *, clips: int, folder: Path, clips_per_motion: int = CLIPS_PER_MOTION
) -> dict[str, Tensor]:
    """Errors [clips] by the row's name; the databases are built below `folder`."""
    encoder, size = PackClipEncoder(pack), pack.config.generation.width
    needed = [row.database for row in rows]
    databases = open_databases(needed, folder=folder, encoder=encoder, clips_per_motion=clips_per_motion)

    def tokens(row: Row, cases: str) -> Tensor:
        return row_tokens(row, draw_cases(cases, clips), encoder=encoder, databases=databases, size=size)

    own = cache(lambda cases: tokens(OWN, cases))
    return {row.name: relative_error(tokens(row, row.cases), own(row.cases)) for row in rows}


def _told(found: Estimate, form: str = ".3f") -> str:
    return f"{found.value:{form}} ({found.low:{form}} to {found.high:{form}})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluation.token_error", description=__doc__)
    parser.add_argument("--pack", default="tiny", help="a pack's name or folder (default tiny)")
    parser.add_argument("--clips", type=int, default=256, help="targets a row (default 256)")
    parser.add_argument(
        "--run", type=Path, help="folder of a run, as runs/tiny: its stage 2 takes the place of the pack's"
    )
    arguments = parser.parse_args()
    if arguments.clips < FEWEST_CLIPS:
        parser.error(f"Expected at least {FEWEST_CLIPS} clips, received {arguments.clips}: fewer measure nothing.")
    try:
        pack = load_pack(arguments.pack)
        if arguments.run:
            load_from_pack("stage2", pack.context_transformer, arguments.run)
    except MotionRAGError as error:
        parser.error(str(error))
    console = Console()
    with tempfile.TemporaryDirectory() as folder, console.status("Measuring ..."), torch.inference_mode():
        errors = measure_rows(pack, ADAPTED, clips=arguments.clips, folder=Path(folder))
    table = Table("row", "error (95 % interval)", "what", title=f"Token errors, {arguments.clips} clips a row")
    for row in ADAPTED:
        table.add_row(row.name, _told(mean_estimate(errors[row.name].numpy())), row.says)
    console.print(table)
    for name, other in COMPARED:
        found = mean_estimate((errors[name] - errors[other]).numpy())
        console.print(f"{name} minus {other}: {_told(found, '+.3f')}")


if __name__ == "__main__":
    main()
