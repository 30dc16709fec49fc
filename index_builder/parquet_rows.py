"""Rows of a parquet file that somebody else wrote, within limits: its pages may stand for any amount of memory.

A value that repeats is stored once, so that a file of half a megabyte may hold ten terabytes of text. Texts are read as
numbers of such values, and counted before one of them is copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

BATCH_ROWS = 1024
MAX_ROWS = 20_000_000  # captions of the largest public set of clips are 10.7 million
MAX_VALUES = 10 * MAX_ROWS
MAX_BATCH_BYTES = 256 << 20
MAX_TABLE_BYTES = 8 << 30
MAX_FIXED_BYTES = 4096  # width of a column of fixed width, which is read unfolded
_VALUE_BYTES = 32  # what a number costs in Python


class ParquetTooLarge(ValueError):
    """The file stands for more than any table of texts holds."""


class ParquetRows:
    """The rows of a parquet file. names: of its columns, in order. Raises ParquetTooLarge, pyarrow.ArrowException."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        # Told nothing of embeddings and the like, Arrow reads their types alone.
        self._path, opened = path, pq.ParquetFile(path)
        self._metadata: pq.FileMetaData = opened.metadata
        self.names: list[str] = list(opened.schema_arrow.names)
        self._structs = {
            field.name for field in opened.schema_arrow if field.type.num_fields and hasattr(field.type, "field")
        }
        if self._metadata.num_rows > MAX_ROWS:
            raise ParquetTooLarge(f"expected up to {MAX_ROWS:,} rows, received {self._metadata.num_rows:,}")

    def read(self, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """Each row by the names of `columns`, None for all; of a video or picture that is stored in the table only its
        path is read. Raises ParquetTooLarge, pyarrow.ArrowException, OSError."""
        import pyarrow.parquet as pq

        leaves = [self._metadata.schema.column(number) for number in range(self._metadata.num_columns)]
        wanted = None if columns is None else [self._leaf(name, {leaf.path for leaf in leaves}) for name in columns]
        used = [n for n, leaf in enumerate(leaves) if wanted is None or _below(leaf.path, wanted)]
        self._require_counts(used)
        if wide := [leaves[n].path for n in used if (leaves[n].length or 0) > MAX_FIXED_BYTES]:
            raise ParquetTooLarge(
                f"expected values of up to {MAX_FIXED_BYTES:,} bytes in {wide[0]}, received wider ones"
            )
        texts = [leaves[n].path for n in used if leaves[n].physical_type == "BYTE_ARRAY"]
        file, total = pq.ParquetFile(self._path, read_dictionary=texts), 0
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=wanted):
            size = sum(_unfolded(column) for column in batch.columns)
            total += size
            if size > MAX_BATCH_BYTES or total > MAX_TABLE_BYTES:
                raise ParquetTooLarge(
                    f"expected up to {MAX_BATCH_BYTES >> 20} MiB in {BATCH_ROWS:,} rows and {MAX_TABLE_BYTES >> 30} "
                    f"GiB in all, received {size >> 20:,} MiB in {batch.num_rows:,} rows and {total >> 20:,} MiB so far"
                )
            yield from batch.to_pylist()

    def _leaf(self, name: str, paths: set[str]) -> str:
        return f"{name}.path" if name in self._structs and f"{name}.path" in paths else name

    def _require_counts(self, used: Sequence[int]) -> None:
        """What the file says of itself; what it does not say is counted while it is read."""
        values = size = 0
        for group in range(self._metadata.num_row_groups):
            for column in used:
                chunk = self._metadata.row_group(group).column(column)
                values, size = values + chunk.num_values, size + chunk.total_uncompressed_size
        if values > MAX_VALUES or size > MAX_TABLE_BYTES:
            raise ParquetTooLarge(
                f"expected up to {MAX_VALUES:,} values in {MAX_TABLE_BYTES >> 30} GiB, received {values:,} in "
                f"{size >> 20:,} MiB"
            )


def _below(path: str, columns: Sequence[str]) -> bool:
    return any(path == column or path.startswith(f"{column}.") for column in columns)


def _unfolded(values: pa.Array) -> int:
    """About how many bytes the values take as Python's own, each repetition counted."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = values.type
    if pa.types.is_dictionary(kind):
        lengths = pc.binary_length(values.dictionary)
        found = pc.sum(lengths.cast(pa.int64()).take(values.indices)).as_py() or 0
        return int(found) + _VALUE_BYTES * len(values)
    if pa.types.is_struct(kind):
        return sum(_unfolded(part) for part in values.flatten()) + _VALUE_BYTES * len(values)
    if pa.types.is_map(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = values.slice(0, len(values))
        first, last = inner.offsets[0].as_py(), inner.offsets[-1].as_py()
        below = (inner.keys, inner.items) if pa.types.is_map(kind) else (inner.values,)
        return sum(_unfolded(part.slice(first, last - first)) for part in below) + _VALUE_BYTES * len(values)
    if pa.types.is_fixed_size_list(kind):
        return _unfolded(values.flatten()) + _VALUE_BYTES * len(values)
    return max(int(values.nbytes), _VALUE_BYTES * len(values))
