"""Exporting a database as one parquet file, for other tools: a row a clip, written beside and moved in place whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from index_builder.database.commit import durable_files
from index_builder.database.commit.presence import TEMPORARY, try_lock
from index_builder.database.commit.publisher import writing
from index_builder.database.format.rows import rows_schema
from index_builder.database.format.tokens import KINDS
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import DatabaseNotWritable, InvalidSetting

Progress = Callable[[int, int], None]
PLAIN_COLUMNS = ("id", "source", "start_sec", "end_sec", "fps", "width", "height", "caption")
EMBEDDING_COLUMNS = ("text_embedding", "frame_embedding")


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """The file written, its rows (clips that were not removed), its size, and its columns."""

    database: str
    generation: int
    file: str
    rows: int
    size_bytes: int
    columns: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def export_database(
    database: Path,
    output: Path,
    *,
    embeddings: bool = False,
    thumbnails: bool = False,
    tokens: bool = False,
    progress: Progress | None = None,
) -> ExportReport:
    """Writes `output` (.parquet; replaced if it exists). Beside the plain columns, on request: `embeddings` (float32
    [E]), `thumbnails` (JPEG bytes) and `tokens`: motion_tokens and appearance_tokens, float32 [L * D], their shape in
    the columns' metadata, of the first stored encoder. `progress` hears rows written and rows in all.

    Raises InvalidSetting, DatabaseNotFound, DatabaseDamaged, TokensNotStored, DatabaseNotWritable.
    """
    if output.suffix.lower() not in (".parquet", ".pq"):
        raise InvalidSetting(f"Expected a .parquet file to write, received {output}: rename it.")
    opened = MotionDatabase.open(database)
    names = (*PLAIN_COLUMNS, *(EMBEDDING_COLUMNS if embeddings else ()), *(("thumbnail",) if thumbnails else ()))
    schema = _schema(opened, names, tokens)
    with writing(output, remedy="run the export again"):
        durable_files.make_folder(output.parent)
        rows = _write(opened, schema, output, progress)
    return ExportReport(
        database=str(database),
        generation=opened.generation,
        file=str(output),
        rows=rows,
        size_bytes=output.stat().st_size,
        columns=tuple(schema.names),
    )


def _write(opened: MotionDatabase, schema: pa.Schema, output: Path, progress: Progress | None) -> int:
    """Writes beside `output` and moves in place; returns the rows written."""
    temporary, done = output.with_name(f"{TEMPORARY}{output.name}"), 0
    # Of one name, so that what a killed export left is used again; locked against another export.
    with temporary.open("ab") as stream:
        if not try_lock(stream):
            raise DatabaseNotWritable(f"Expected to write {output} alone, but another export is at it: wait for it.")
        try:
            stream.truncate(0)
            parquet = pyarrow.parquet.ParquetWriter(stream, schema, compression="zstd")
            for table in _tables(opened, schema):
                parquet.write_table(table)
                done += len(table)
                if progress:
                    progress(done, len(opened))
            parquet.close()
            stream.flush()
            durable_files.fsync_file(temporary)
            durable_files.replace(temporary, output)
        finally:
            durable_files.remove(temporary)
    durable_files.fsync_folder(output.parent)
    return done


def _schema(opened: MotionDatabase, names: tuple[str, ...], tokens: bool) -> pa.Schema:
    fields = [
        rows_schema(opened.manifest.embedding_dim, opened.manifest.space_of("text").dim).field(name) for name in names
    ]
    # Lists of one length with gaps are written wrongly by pyarrow before 21; tokens have no gaps.
    fields = [field.with_type(pa.list_(pa.float32())) if _has_gaps(field) else field for field in fields]
    if tokens:
        space = opened.manifest.tokens[0]
        values = pa.list_(pa.float32(), space.tokens_per_clip * space.token_dim)
        facts = {"shape": f"{space.tokens_per_clip},{space.token_dim}", "fingerprint": space.fingerprint}
        fields += [pa.field(kind, values, nullable=False, metadata=facts) for kind in KINDS]
    return pa.schema(fields)


def _has_gaps(field: pa.Field) -> bool:
    return bool(field.nullable and pa.types.is_fixed_size_list(field.type))


def _tables(opened: MotionDatabase, schema: pa.Schema) -> Iterator[pa.Table]:
    """Batches of rows that were not removed, never empty."""
    removed, start = opened.removed_rows(), 0
    for batch in opened.row_batches():
        keep = ~removed[start : start + batch.num_rows]
        start += batch.num_rows
        if keep.any():
            rows = batch.filter(pa.array(keep))
            columns = [_as(schema.field(name), rows.column(name)) for name in schema.names if name not in KINDS]
            if KINDS[0] in schema.names:
                columns += _tokens(opened, rows.column("id").to_pylist())
            yield pa.Table.from_arrays(columns, schema=schema)


def _as(field: pa.Field, column: pa.Array) -> pa.Array:
    """A column as a field of the table: lists with gaps as lists of any length, each gap without values.

    A cast leaves gaps their values before pyarrow 21, and Parquet refuses those.
    """
    if not (pa.types.is_list(field.type) and pa.types.is_fixed_size_list(column.type)):
        return column
    there = column.is_valid().to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(there * column.type.list_size)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), column.drop_null().flatten(), mask=pa.array(~there))


def _tokens(opened: MotionDatabase, ids: list[str]) -> list[pa.FixedSizeListArray]:
    stored = opened.tokens(ids, fingerprint=opened.tokens_fingerprints[0])
    flat = [getattr(stored, kind).astype(np.float32).reshape(len(ids), -1) for kind in KINDS]
    return [pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), rows.shape[1]) for rows in flat]
