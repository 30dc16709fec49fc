"""Growth: time and memory of building at 1,000, 10,000 and 100,000 clips, each in a process of its own.

Features are synthetic, so what is measured is the database: rows, tokens, commits, the index and its certificate.

python -m benchmarks.growth [--short] [--json FILE]
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.measure import Result, in_own_process, peak_bytes, publish
from benchmarks.synthetic import BLOCK_ROWS, DIM, Vectors, clip_rows, template, token_block, write_index
from index_builder.database.commit.segment_files import RowBatch
from index_builder.database.maintain.writer import DatabaseWriter

COMMIT_ROWS = 512


def build(path: str, rows: int, dim: int) -> dict:
    """Commits of 512 rows, as a build makes them, then the index; seconds and memory of both."""
    import faiss  # noqa: F401

    vectors, made = Vectors(dim=dim), 0
    tokens = token_block(COMMIT_ROWS, seed=0)
    # Drawing the features takes memory of its own, the same for every size.
    next(vectors.blocks(BLOCK_ROWS))
    before = peak_bytes()
    seconds = 0.0
    with DatabaseWriter(Path(path), template=template(dim), sampling={}) as writer:
        for block in vectors.blocks(rows):
            for start in range(0, len(block), COMMIT_ROWS):
                part = block[start : start + COMMIT_ROWS]
                kept = type(tokens)(tokens.motion_tokens[: len(part)], tokens.appearance_tokens[: len(part)])
                batch = RowBatch(rows=clip_rows(made, len(part)), text=part, frame=part, tokens=kept)
                # Drawing the features is not the database's time.
                started = time.perf_counter()
                writer.commit_rows(batch)
                seconds += time.perf_counter() - started
                made += len(part)
    after_rows = peak_bytes()
    started = time.perf_counter()
    facts = write_index(Path(path))
    index_seconds = time.perf_counter() - started
    size = sum(file.stat().st_size for file in Path(path).rglob("*") if file.is_file())
    return {
        "clips": rows,
        "rows_sec": seconds,
        "rows_us_each": 1e6 * seconds / rows,
        "rows_MiB": (after_rows - before) / 2**20,
        "index_sec": index_seconds,
        "index_us_each": 1e6 * index_seconds / rows,
        "index_MiB": (peak_bytes() - before) / 2**20,
        "index": facts["kind"],
        "recall_at_10": facts["recall_at_10"],
        "disk_bytes_each": size // rows,
    }


def main(
    short: Annotated[bool, typer.Option("--short", help="1,000 and 10,000 clips.")] = False,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the results here.")] = None,
) -> None:
    """Measure and publish."""
    lines = []
    for rows in (1_000, 10_000) if short else (1_000, 10_000, 100_000):
        with tempfile.TemporaryDirectory() as temporary:
            lines.append(in_own_process(build, str(Path(temporary) / "db"), rows, DIM))
    conditions = {"dim": DIM, "commit": COMMIT_ROWS, "goal": "time grows as clips do, memory of rows stays flat"}
    publish(Result(title="Growth of a database", conditions=conditions, lines=lines), json_path)


if __name__ == "__main__":
    typer.run(main)
