"""`python -m training.evaluation.token_error`: how far adapted motion tokens are from the target's own, in two minutes.

No video is generated, so that a stage 2 can be judged before it ships. The error is the mean squared one over the
variance of the targets' own tokens: 1 is what foretelling their mean would cost, 0 is the target's own motion.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file
from torch import Tensor

from motionrag_nodes.checkpoints.pack import MotionPack, load_pack
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from training.evaluation.bootstrap import Estimate, mean_estimate
from training.evaluation.cases import draw_cases
from training.evaluation.databases import CLIPS_PER_MOTION, open_databases
from training.evaluation.references import row_tokens
from training.evaluation.rows import ROWS, Row

ADAPTED = tuple(row for row in ROWS if row.references in ("retrieved", "random"))
# What the context transformer is compared with: row and the row it should lie below.
COMPARED = (("rag", "mean"), ("rag", "top-1"), ("noisy rag", "noisy mean"), ("noisy rag", "noisy top-1"))


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
    errors = {}
    for row in rows:
        cases = draw_cases(row.cases, clips)
        own = row_tokens(Row("own", "", references="own"), cases, encoder=encoder, databases={}, size=size)
        errors[row.name] = relative_error(row_tokens(row, cases, encoder=encoder, databases=databases, size=size), own)
    return errors


def _told(found: Estimate, form: str = ".3f") -> str:
    return f"{found.value:{form}} ({found.low:{form}} to {found.high:{form}})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluation.token_error", description=__doc__)
    parser.add_argument("--pack", default="tiny", help="a pack's name or folder (default tiny)")
    parser.add_argument("--clips", type=int, default=256, help="targets a row (default 256)")
    parser.add_argument(
        "--stage2", type=Path, help="weights of a run in place of the pack's, as runs/tiny/stage2.safetensors"
    )
    arguments = parser.parse_args()
    if arguments.stage2 and not arguments.stage2.is_file():
        parser.error(f"expected weights at {arguments.stage2}, found none: run `python -m training stage2` first")
    console, pack = Console(), load_pack(arguments.pack)
    if arguments.stage2:
        pack.context_transformer.load_state_dict(load_file(arguments.stage2))
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
