"""Rows: one clip each, as Arrow IPC files that are memory-mapped and checked before any offset in them is trusted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from index_builder.database.format.arrow_batches import packed_batch
from index_builder.database.format.id_hashes import IdHashes
from index_builder.database.format.mapped_file import MappedFile
from index_builder.database.format.row_check import impossible_values
from index_builder.errors import DatabaseDamaged

if TYPE_CHECKING:
    from index_builder.database.format.manifest import Manifest, Segment

BATCH_ROWS = 512


@dataclass(frozen=True, kw_only=True)
class ClipRow:
    """A clip of the database: where it comes from (times in s, size in px as displayed), its caption, a JPEG strip of
    eight frames, and the size and time of change its video had when it was indexed."""

    id: str
    source: str
    start_sec: float
    end_sec: float
    fps: float
    width: int
    height: int
    caption: str | None
    thumbnail: bytes
    source_size_bytes: int
    source_mtime_ns: int


def rows_schema(embedding_dim: int, text_dim: int | None = None) -> pa.Schema:
    """The columns of rows.arrow; text_embedding, null where there is no caption, has a width of its own (`text_dim`)
    where captions have a space of their own."""
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("source", pa.string(), nullable=False),
            pa.field("start_sec", pa.float64(), nullable=False),
            pa.field("end_sec", pa.float64(), nullable=False),
            pa.field("fps", pa.float64(), nullable=False),
            pa.field("width", pa.int32(), nullable=False),
            pa.field("height", pa.int32(), nullable=False),
            pa.field("caption", pa.string()),
            pa.field("thumbnail", pa.binary(), nullable=False),
            pa.field("source_size_bytes", pa.int64(), nullable=False),
            pa.field("source_mtime_ns", pa.int64(), nullable=False),
            pa.field("text_embedding", pa.list_(pa.float32(), text_dim or embedding_dim)),
            pa.field("frame_embedding", pa.list_(pa.float32(), embedding_dim), nullable=False),
        ]
    )


ROW_COLUMNS = tuple(ClipRow.__dataclass_fields__)


def encode_rows(rows: Sequence[ClipRow], *, text: np.ndarray, frame: np.ndarray) -> pa.Buffer:
    """Rows and their embeddings (float32 [rows, E], of captions perhaps of another width; text of rows without caption
    is ignored) as an Arrow IPC file."""
    schema = rows_schema(frame.shape[1], text.shape[1])
    columns = [pa.array([getattr(row, name) for row in rows], schema.field(name).type) for name in ROW_COLUMNS]
    absent = pa.array([row.caption is None for row in rows])
    columns.append(_fixed_size_list(text, mask=absent))
    columns.append(_fixed_size_list(frame, mask=None))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(pa.Table.from_arrays(columns, schema=schema), max_chunksize=BATCH_ROWS)
    return sink.getvalue()


def _fixed_size_list(vectors: np.ndarray, *, mask: pa.BooleanArray | None) -> pa.FixedSizeListArray:
    values = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(values, vectors.shape[1], mask=mask)


class RowsFile:
    """A memory-mapped rows.arrow. Opening checks its structure; each batch is checked in full at its first use."""

    def __init__(
        self, path: Path, *, embedding_dim: int, row_count: int, text_dim: int | None = None, sha256: str = ""
    ) -> None:
        """`text_dim` where captions have a space of their own; `sha256` of the file, which says whether `id_hashes` are
        of it. Raises DatabaseDamaged when the file is not what the manifest says."""
        self.path, self._sha256 = path, sha256
        try:
            self._mapped = MappedFile(path)
            self._reader = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(self._mapped.content)))
            schema, self._batch_count = self._reader.schema, self._reader.num_record_batches
        except (pa.ArrowException, OSError, DatabaseDamaged) as error:
            raise self._damaged(f"it cannot be opened by Arrow ({error})") from error
        if not schema.equals(rows_schema(embedding_dim, text_dim)):
            raise self._damaged("its columns are not those of a motion database")
        if self._batch_count != -(-row_count // BATCH_ROWS):
            raise self._damaged(f"it holds {self._batch_count} batches for {row_count} rows")
        self.row_count = row_count
        self._dims = {"frame": embedding_dim, "text": text_dim or embedding_dim}
        self.one_space = text_dim is None
        self._checked: dict[int, pa.RecordBatch] = {}
        self._ids: pa.Array | None = None
        self._id_hashes: IdHashes | None = None
        self._looked_for_hashes = False
        self._matrices: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray | None]] = {}

    @classmethod
    def of(cls, path: Path, manifest: Manifest, segment: Segment) -> RowsFile:
        """The rows of `segment`, which lie at `path`. Raises DatabaseDamaged."""
        text_dim = None if manifest.text_space is None else manifest.text_space.dim
        return cls(
            path,
            embedding_dim=manifest.embedding_dim,
            row_count=segment.row_count,
            text_dim=text_dim,
            sha256=segment.rows.sha256,
        )

    def _damaged(self, why: str) -> DatabaseDamaged:
        return DatabaseDamaged(f"Expected sound rows in {self.path}, but {why}: restore it from a backup or rebuild.")

    @property
    def batch_numbers(self) -> range:
        """Of the batches, in order."""
        return range(self._batch_count)

    def require_whole(self) -> None:
        """Raises DatabaseDamaged when the file was cut short. Done by all that reads here but `embedding`."""
        self._mapped.require_whole()

    def batch(self, number: int) -> pa.RecordBatch:
        """A batch of rows, checked at its first use. Raises DatabaseDamaged."""
        self.require_whole()
        if number not in self._checked:
            try:
                batch = self._read(number)
                batch.validate(full=True)
            except (pa.ArrowException, OSError, IndexError) as error:
                raise self._damaged(f"batch {number} is damaged ({str(error).splitlines()[0]})") from error
            if batch.num_rows != min(BATCH_ROWS, self.row_count - number * BATCH_ROWS):
                raise self._damaged(f"batch {number} has {batch.num_rows} rows")
            if problem := next(impossible_values(batch), None):
                raise self._damaged(f"batch {number} holds {problem}")
            self._checked[number] = batch
        return self._checked[number]

    def _read(self, number: int) -> pa.RecordBatch:
        """A batch as it lies in the map, unchecked. Raises DatabaseDamaged for one that Arrow would unpack, as this
        package never writes them: that costs as much memory as the file asks for."""
        if packed := packed_batch(self._mapped.content, number):
            raise self._damaged(f"batch {number} is not stored plainly ({packed})")
        return self._reader.get_batch(number)

    def find_ids(self, ids: Sequence[str]) -> Iterator[tuple[int, int]]:
        """(index of a row, place in `ids`) of each row that carries one of `ids` (each once), rows ascending.

        By the hashes of ids beside the file, else by all ids.
        """
        self.require_whole()
        if not self._looked_for_hashes:
            self._id_hashes = IdHashes.read(self.path, rows_sha256=self._sha256, row_count=self.row_count)
            self._looked_for_hashes = True
        if self._id_hashes is not None:
            yield from self._id_hashes.find(ids)
            return
        places = pc.index_in(self.ids(), value_set=pa.array(ids, pa.string()))
        for index in np.flatnonzero(places.is_valid().to_numpy(zero_copy_only=False)):
            yield int(index), places[int(index)].as_py()

    def ids(self) -> pa.Array:
        """The column "id", checked. It is kept in memory, about 45 bytes a row, so that looking rows up touches nothing
        else of the file. Raises DatabaseDamaged."""
        self.require_whole()
        if self._ids is None:
            try:
                # Arrow's own choice of columns (included_fields) would copy the whole file.
                chunks = [self._read(number).column("id") for number in self.batch_numbers]
                found = pa.concat_arrays(chunks)
                found.validate(full=True)
            except (pa.ArrowException, OSError, IndexError) as error:
                raise self._damaged(f"its ids are damaged ({str(error).splitlines()[0]})") from error
            if len(found) != self.row_count:
                raise self._damaged(f"it holds {len(found)} ids for {self.row_count} rows")
            self._ids = found
        return self._ids

    def column(self, name: str) -> list[Any]:
        """A column as Python values."""
        return [value for number in self.batch_numbers for value in self.batch(number).column(name).to_pylist()]

    def value(self, name: str, index: int) -> Any:
        """One value of a column."""
        return self.batch(index // BATCH_ROWS).column(name)[index % BATCH_ROWS].as_py()

    def row(self, index: int) -> ClipRow:
        """The row at `index`."""
        batch, offset = self.batch(index // BATCH_ROWS), index % BATCH_ROWS
        return ClipRow(**{name: batch.column(name)[offset].as_py() for name in ROW_COLUMNS})

    def chunks(self, name: str) -> Iterator[pa.Array]:
        """A column as Arrow arrays, batch by batch."""
        for number in self.batch_numbers:
            yield self.batch(number).column(name)

    def embedding_parts(self, field: str) -> Iterator[np.ndarray]:
        """float32 [rows of a batch, E] of "frame" or "text". Without a caption the frame's embedding stands for it, or
        zeros where captions have a space of their own."""
        for number in self.batch_numbers:
            yield self._embeddings(field, number, slice(None))

    def embeddings(self, field: str) -> np.ndarray:
        """`embedding_parts` as one array [rows, E]."""
        parts = list(self.embedding_parts(field))
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def embedding(self, field: str, index: int) -> np.ndarray:
        """float32 [E] of the row at `index`, in the map where that is possible; ask `require_whole` first."""
        frame, text, absent = self._matrices_of(index // BATCH_ROWS)
        offset = index % BATCH_ROWS
        if field == "text" and (absent is None or not absent[offset]):
            embedding: np.ndarray = text[offset]
            return embedding
        return frame[offset] if field == "frame" or self.one_space else np.zeros(self._dims[field], np.float32)

    def embeddings_at(self, field: str, indices: np.ndarray) -> np.ndarray:
        """float32 [k, E] of the rows at `indices`; only these are read."""
        found, batches = np.empty((len(indices), self._dims[field]), dtype=np.float32), indices // BATCH_ROWS
        for number in np.unique(batches):
            here = batches == number
            found[here] = self._embeddings(field, int(number), indices[here] % BATCH_ROWS)
        return found

    def has_caption(self) -> np.ndarray:
        """bool [rows]."""
        return ~np.concatenate(
            [chunk.is_null().to_numpy(zero_copy_only=False) for chunk in self.chunks("text_embedding")]
        )

    def _embeddings(self, field: str, number: int, offsets: np.ndarray | slice) -> np.ndarray:
        """Of the rows at `offsets` of a batch; a whole batch comes without a copy, unless captions are missing."""
        self.require_whole()
        frame, text, absent = self._matrices_of(number)
        if field == "frame":
            return frame[offsets]
        if absent is None:
            return text[offsets]
        instead = frame[offsets] if self.one_space else np.float32(0)
        return np.where(absent[offsets, None], instead, text[offsets])

    def _matrices_of(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """A batch's embeddings of frames and of captions, and where there is no caption."""
        if number not in self._matrices:
            batch = self.batch(number)
            text = batch.column("text_embedding")
            absent = text.is_null().to_numpy(zero_copy_only=False) if text.null_count else None
            self._matrices[number] = _matrix(batch.column("frame_embedding")), _matrix(text), absent
        return self._matrices[number]


def _matrix(column: pa.FixedSizeListArray) -> np.ndarray:
    """The values under a fixed-size list column, nulls' places included, as [rows, E]; no copy."""
    width = column.type.list_size
    values = column.values.slice(column.offset * width, len(column) * width)
    matrix: np.ndarray = values.to_numpy(zero_copy_only=False).reshape(len(column), width)
    return matrix
