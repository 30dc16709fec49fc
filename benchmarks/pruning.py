"""What pruning keeps: the error of adapted motion with all clips, and with a share chosen by coverage or by chance.

The databases are of the demo world, and building one of 2,000 clips takes minutes: `--folder` keeps it. There each
motion has as many clips; `--steepness 1` makes few frequent and the others rare, as in clips that people collect.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from benchmarks.measure import Result, publish
from index_builder.build import build_database
from index_builder.database.maintain.prune import prune_database
from index_builder.database.search.reader import MotionDatabase
from index_builder.database.search.row_filter import RowFilter
from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from training.demo_world.write_videos import write_clips
from training.evaluation.protocol.cases import draw_cases
from training.evaluation.protocol.references import row_tokens
from training.evaluation.protocol.rows import ROWS
from training.evaluation.token_error import OWN, relative_error

RAG = next(row for row in ROWS if row.name == "rag")
DRAWS = 3


def measure(folder: Path, *, clips: int, targets: int, keep: float, steepness: float) -> list[dict]:
    """The lines of the table; errors in variances of the targets' own motion tokens."""
    pack = load_pack("tiny")
    encoder, size = PackClipEncoder(pack), pack.config.generation.width
    table = write_clips(folder / "clips", count=clips, steepness=steepness)
    build_database([folder / "clips"], output=folder / "db", encoder=encoder, captions=table, workers=1)
    whole, cases = MotionDatabase.open(folder / "db"), draw_cases("seen", targets)
    ids = np.array(whole.ids())

    def error(database: MotionDatabase) -> float:
        with torch.inference_mode():
            tokens = row_tokens(RAG, cases, encoder=encoder, databases={RAG.database: database}, size=size)
            own = row_tokens(OWN, cases, encoder=encoder, databases={}, size=size)
            return float(relative_error(tokens, own).mean())

    def among(kept) -> MotionDatabase:
        return whole.narrowed(RowFilter(ids=tuple(kept)))

    pruned = prune_database(folder / "db", keep=keep, dry_run=True)
    kept = sorted(set(ids.tolist()) - set(pruned.removed))
    lines = [("all clips", len(ids), error(whole)), ("chosen by coverage", len(kept), error(among(kept)))]
    for seed in range(DRAWS):
        drawn = np.random.default_rng(seed).choice(ids, len(kept), replace=False).tolist()
        lines.append((f"by chance, draw {seed + 1}", len(drawn), error(among(drawn))))
    return [
        {"database": name, "clips": count, "token_error": found, "times_all": found / lines[0][2]}
        for name, count, found in lines
    ]


def main(
    short: Annotated[bool, typer.Option("--short", help="200 clips, 32 targets.")] = False,
    clips: Annotated[int | None, typer.Option("--clips", min=50, help="Clips of the database (default 2000).")] = None,
    keep: Annotated[float, typer.Option("--keep", help="Share that is kept.")] = 0.1,
    steepness: Annotated[
        float, typer.Option("--steepness", min=0, help="How uneven: the n-th motion has 1 / n^S of the first's clips.")
    ] = 0.0,
    folder: Annotated[Path | None, typer.Option("--folder", help="Keep clips and database here.")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the results here.")] = None,
) -> None:
    """Measure and publish."""
    clips, targets = clips or (200 if short else 2000), 32 if short else 96
    with tempfile.TemporaryDirectory() as temporary:
        lines = measure(folder or Path(temporary), clips=clips, targets=targets, keep=keep, steepness=steepness)
    conditions = {"keep": keep, "steepness": steepness, "targets": targets}
    conditions |= {"goal": "within 10 % of all clips at a tenth of them"}
    publish(Result(title="Pruning", conditions=conditions, lines=lines), json_path)


if __name__ == "__main__":
    typer.run(main)
