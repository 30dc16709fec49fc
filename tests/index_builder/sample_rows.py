"""Rows for tests of the database alone, without any video: content follows from the number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from index_builder.database.commit.segment_files import RowBatch
from index_builder.database.format.manifest import Manifest, TokensSpace
from index_builder.database.format.rows import ClipRow
from index_builder.database.format.tokens import StoredTokens
from index_builder.database.maintain.writer import DatabaseWriter

DIM, TOKENS = 8, (2, 3)
SAMPLING = {"clip_seconds": 2.0, "clips_per_video": 1}
TEMPLATE = Manifest(
    generation=0,
    retrieval_fingerprint="retrieval-1",
    retrieval_description="numbers (8)",
    embedding_dim=DIM,
    tokens=(TokensSpace(fingerprint="tokens-1", encoder_name="numbers", tokens_per_clip=2, token_dim=3),),
    clips={"frames": 16, "seconds": 2.0, "short_side": 48},
    decoders={"av": "0"},
)


def row_id(number: int) -> str:
    return f"{number:032x}@0-2000"


def clip_row(number: int) -> ClipRow:
    """Every third row has no caption; rows 2n and 2n + 1 come from one video."""
    return ClipRow(
        id=row_id(number),
        source=f"/videos/v{number // 2}.mp4",
        start_sec=0.0,
        end_sec=2.0,
        fps=24.0,
        width=64,
        height=48,
        caption=None if number % 3 == 0 else f"caption {number}",
        thumbnail=b"jpeg" * 3,
        source_size_bytes=1000 + number // 2,
        source_mtime_ns=number // 2,
    )


def unit_vector(number: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng((seed, number)).normal(size=DIM).astype(np.float32)
    return drawn / np.linalg.norm(drawn)


def batch(numbers: Sequence[int]) -> RowBatch:
    def tokens(seed: int) -> np.ndarray:
        return np.stack([np.full(TOKENS, number + seed, np.float16) for number in numbers])

    return RowBatch(
        rows=[clip_row(number) for number in numbers],
        text=np.stack([unit_vector(number, 0) for number in numbers]),
        frame=np.stack([unit_vector(number, 1) for number in numbers]),
        tokens=StoredTokens(tokens(0), tokens(100)),
    )


def open_writer(database: Path) -> DatabaseWriter:
    return DatabaseWriter(database, template=TEMPLATE, sampling=SAMPLING)


def write_database(database: Path, *, segments: Sequence[Sequence[int]] = ((0, 1, 2), (3, 4), (5,))) -> Path:
    """A database of one segment for each list of numbers, with indexes."""
    with open_writer(database) as writer:
        for numbers in segments:
            writer.commit_rows(batch(numbers))
        writer.commit_indexes()
    return database
