"""Rows of a segment on their way into another: read only after the segment's bytes proved to be what was written, so
that damage is never copied under a new hash."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from index_builder.database.commit.segment_files import RowBatch
from index_builder.database.format.manifest import Manifest, Segment, locate
from index_builder.database.format.rows import ClipRow, RowsFile
from index_builder.database.format.stored_hash import require_hash
from index_builder.database.format.tokens import StoredTokens, TokensFile
from index_builder.errors import DatabaseDamaged, DatabaseMismatch

SEGMENT_BYTES = 256 << 20
MAX_SEGMENT_ROWS = 65_536


def segment_ids(database: Path, manifest: Manifest, segment: Segment) -> list[str]:
    """The ids of a segment's rows, in order."""
    return _rows_file(database, manifest, segment).column("id")


def read_rows(database: Path, manifest: Manifest, segment: Segment, keep: np.ndarray) -> RowBatch:
    """The rows at the places `keep` (ascending, at least one). Raises DatabaseDamaged, DatabaseMismatch."""
    if len(segment.tokens) != 1:
        raise DatabaseMismatch(
            f"Expected tokens of one encoder in segment {segment.name} of {database.name}, found those of "
            f"{len(segment.tokens)}: use the version of motionrag that wrote it."
        )
    for file in (segment.rows, *segment.tokens):
        require_hash(database, file)
    rows, file = _rows_file(database, manifest, segment), segment.tokens[0]
    space = next(space for space in manifest.tokens if space.fingerprint == file.fingerprint)
    shape = (segment.row_count, space.tokens_per_clip, space.token_dim)
    tokens = TokensFile(locate(database, file), shape=shape, fingerprint=file.fingerprint)
    return RowBatch(
        rows=[rows.row(int(place)) for place in keep],
        text=rows.embeddings_at("text", keep),
        frame=rows.embeddings_at("frame", keep),
        tokens=tokens.rows(keep),
    )


def read_embedded_rows(
    database: Path, manifest: Manifest, segment: Segment
) -> tuple[list[ClipRow], np.ndarray, np.ndarray]:
    """All rows with their embeddings of captions and of frames [rows, E]; tokens stay where they are. Raises
    DatabaseDamaged."""
    require_hash(database, segment.rows)
    rows = _rows_file(database, manifest, segment)
    every = np.arange(segment.row_count)
    read = [rows.row(int(place)) for place in every]
    return read, rows.embeddings_at("text", every), rows.embeddings_at("frame", every)


def joined(batches: Sequence[RowBatch]) -> RowBatch:
    """One batch of all rows."""
    tokens = StoredTokens(
        np.concatenate([batch.tokens.motion_tokens for batch in batches]),
        np.concatenate([batch.tokens.appearance_tokens for batch in batches]),
    )
    return RowBatch(
        rows=[row for batch in batches for row in batch.rows],
        text=np.concatenate([batch.text for batch in batches]),
        frame=np.concatenate([batch.frame for batch in batches]),
        tokens=tokens,
    )


def rows_per_segment(manifest: Manifest) -> int:
    """How many rows make a segment of about 256 MiB, which fits into memory while it is written."""
    files = [file for segment in manifest.segments for file in (segment.rows, *segment.tokens)]
    bytes_per_row = max(1, sum(file.size_bytes for file in files) // max(1, manifest.row_count))
    return max(1, min(MAX_SEGMENT_ROWS, SEGMENT_BYTES // bytes_per_row))


def _rows_file(database: Path, manifest: Manifest, segment: Segment) -> RowsFile:
    path = locate(database, segment.rows)
    if not path.is_file():
        raise DatabaseDamaged(f"Expected the file {path}, found none: restore it from a backup or rebuild.")
    return RowsFile.of(path, manifest, segment)
